//! Deliveries: the state of each journal entry at each consumer. One row per delivery, so that each happens once.

use super::is_too_far_ahead;
use crate::journal::{EntryRef, RETENTION};
use crate::schema::{Index, Place, Question, SK, by_date, failed_mail_at, failed_mails, sent_about};
use crate::table::{Condition, Update, Written, parse_item, text};
use crate::{Env, Result};
use daybook_domain::{AnyId, EntryId, OrgId, Timestamp, choices};
use serde::{Deserialize, Serialize};
use std::time::Duration;

choices! {
    /// The state of a delivery.
    State as "DeliveryState" {
        /// A worker holds the lease and is sending.
        Sending = "sending",
        /// It failed and will be retried.
        Waiting = "waiting",
        /// The outcome is unknown: it may have been sent.
        OutcomeUnknown = "unknown",
        /// It was sent.
        Sent = "sent",
        /// It failed permanently.
        Failed = "failed",
        /// The address is on the suppression list.
        Suppressed = "suppressed",
    }
}

/// A delivery's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Its state.
    pub state: State,
    /// The number of attempts.
    pub attempts: u32,
    /// The end of the worker's lease.
    pub leased_until: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Its id in the other system.
    pub remote_id: Option<String>,
    /// The last error, in words.
    pub last_error: Option<String>,
    /// Whether it was sent again after an unknown outcome.
    #[serde(default)]
    pub resent: bool,
    /// When the row expires, in seconds since 1970.
    pub expires_at: i64,
}

/// What a worker has to do about a delivery.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Deliver.
    Go,
    /// Find out the unknown outcome of an earlier attempt.
    FindOut(Delivery),
    /// Wait: another worker holds the lease until then.
    Busy(Timestamp),
    /// Nothing is left to do.
    Finished,
}

/// Leases a delivery by a conditional write: of several workers one gets it.
pub async fn take(env: &Env, entry: EntryRef, consumer: &str, lease: Duration) -> Result<Turn> {
    let key = Place::Delivery(entry.org, entry.entry, consumer).key();
    let now = env.clock.now();
    let row = Delivery {
        state: State::Sending,
        attempts: 1,
        leased_until: now.plus(lease),
        updated_at: now,
        remote_id: None,
        last_error: None,
        resent: false,
        expires_at: now.plus(RETENTION).as_second(),
    };
    let Written::Refused(item) = env.table.put(&key, &row, Condition::absent()).await? else { return Ok(Turn::Go) };
    let found: Delivery = parse_item(item)?;
    match found.state {
        // A state that only a newer version of Daybook knows is left to that version.
        State::Sent | State::Failed | State::Suppressed | State::Unknown(_) => Ok(Turn::Finished),
        State::Sending if found.leased_until > now && !is_too_far_ahead(found.leased_until, now, lease) => {
            Ok(Turn::Busy(found.leased_until))
        }
        State::Sending | State::OutcomeUnknown => Ok(Turn::FindOut(found)),
        State::Waiting => again(env, entry, consumer, &found, lease).await,
    }
}

/// Leases a delivery that was tried before, unless another worker did so since it was read.
pub async fn again(env: &Env, entry: EntryRef, consumer: &str, found: &Delivery, lease: Duration) -> Result<Turn> {
    let now = env.clock.now();
    let taken = Update::set("state", State::Sending)
        .and_set("leased_until", now.plus(lease))
        .and_set("updated_at", now)
        .and_set("resent", found.resent || found.state != State::Waiting)
        .and_add("attempts", 1);
    let same = Condition::equal("attempts", found.attempts).and(Condition::equal("state", found.state));
    let key = Place::Delivery(entry.org, entry.entry, consumer).key();
    match env.table.update(&key, taken, same).await? {
        Written::Done(_) => Ok(Turn::Go),
        Written::Refused(_) => Ok(Turn::Busy(now.plus(lease))),
    }
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// The state.
    pub state: State,
    /// Its id in the other system.
    pub remote_id: Option<&'a str>,
    /// The error, in words.
    pub error: Option<&'a str>,
    /// The record it is about, whose timeline shows it.
    pub about: Option<AnyId>,
}

/// Stores the outcome of an attempt. A final state isn't changed.
pub async fn settle(env: &Env, entry: EntryRef, consumer: &str, how: Settled<'_>) -> Result<()> {
    let now = env.clock.now();
    let over = Condition::one_of("state", [State::Sent, State::Failed, State::Suppressed]);
    let open = Condition::exists().and(over.negated());
    let mut settled = Update::set("state", how.state)
        .and_set("updated_at", now)
        .and_set("remote_id", how.remote_id)
        .and_set("last_error", how.error);
    if how.state == State::Failed {
        settled = listed_as_failed(settled, entry, consumer, now);
    }
    if let Some(record) = how.about {
        settled = settled
            .and_set(Index::ByState.pk(), sent_about(entry.org, record))
            .and_set(Index::ByState.sk(), by_date(now, consumer));
    }
    let key = Place::Delivery(entry.org, entry.entry, consumer).key();
    env.table.update(&key, settled, open).await.map(|_| ())
}

/// The change that lists a delivery among those that failed.
fn listed_as_failed(update: Update, entry: EntryRef, consumer: &str, at: Timestamp) -> Update {
    update
        .and_set(Index::ByOwner.pk(), failed_mails(entry.org))
        .and_set(Index::ByOwner.sk(), failed_mail_at(at, entry.entry, consumer))
}

/// The deliveries about a record, by consumer and in no particular order. Reads an index, so the newest may be missing
/// for a moment.
pub async fn about(env: &Env, org: OrgId, record: AnyId) -> Result<Vec<(String, Delivery)>> {
    by_consumer(env, &Question::SentAbout(org, record)).await
}

/// The deliveries of an entry, by consumer.
pub async fn of_entry(env: &Env, org: OrgId, entry: EntryId) -> Result<Vec<(String, Delivery)>> {
    by_consumer(env, &Question::DeliveriesOf(org, entry)).await
}

async fn by_consumer(env: &Env, question: &Question<'_>) -> Result<Vec<(String, Delivery)>> {
    let mut all = Vec::new();
    for item in env.table.query_all(&question.range()).await? {
        let consumer = text(&item, SK).cloned().unwrap_or_default();
        all.push((consumer, parse_item(item)?));
    }
    Ok(all)
}

/// Removes the deliveries of an entry; returns their number.
pub async fn remove(env: &Env, org: OrgId, entry: EntryId) -> Result<u64> {
    let mut removed = 0;
    for (consumer, _) in of_entry(env, org, entry).await? {
        env.table.delete(&Place::Delivery(org, entry, &consumer).key()).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Records that a delivery was rejected after it had been sent, as when a mail bounces.
pub async fn reject(env: &Env, entry: EntryRef, consumer: &str, reason: &str) -> Result<()> {
    let now = env.clock.now();
    let rejected = Update::set("state", State::Failed).and_set("updated_at", now).and_set("last_error", reason);
    let rejected = listed_as_failed(rejected, entry, consumer, now);
    let key = Place::Delivery(entry.org, entry.entry, consumer).key();
    env.table.update(&key, rejected, Condition::exists()).await.map(|_| ())
}

/// A delivery, if it was ever begun.
pub async fn read(env: &Env, entry: EntryRef, consumer: &str) -> Result<Option<Delivery>> {
    env.table.get(&Place::Delivery(entry.org, entry.entry, consumer).key()).await?.map(parse_item).transpose()
}
