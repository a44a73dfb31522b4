//! Deliveries: what became of a journal entry at a consumer. One row each, so each happens once.

use crate::journal::{EntryRef, RETENTION};
use crate::schema::{Index, Place, Question, SK, by_date, sent_about};
use crate::table::{Condition, Update, Written, parse_item, text};
use crate::{Env, Result};
use daybook_domain::{AnyId, EntryId, OrgId, Timestamp, choices};
use serde::{Deserialize, Serialize};
use std::time::Duration;

choices! {
    /// How far a delivery has come.
    State as "DeliveryState" {
        /// A worker is at it, until its lease ends.
        Sending = "sending",
        /// It failed and will be tried again.
        Waiting = "waiting",
        /// It was sent, or not; nobody heard.
        OutcomeUnknown = "unknown",
        /// It was sent.
        Sent = "sent",
        /// It can't be sent.
        Failed = "failed",
        /// Its addressee wants no mail.
        Suppressed = "suppressed",
    }
}

/// A delivery's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// How far it has come.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// Until when the worker at it has it for itself.
    pub leased_until: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// What the other side calls it.
    pub remote_id: Option<String>,
    /// What went wrong last, in words.
    pub last_error: Option<String>,
    /// Whether it was sent once more after nobody heard of it.
    #[serde(default)]
    pub resent: bool,
    /// Seconds since 1970.
    pub expires_at: i64,
}

/// What a worker that wants to deliver is told.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Deliver.
    Go,
    /// Somebody tried and nobody knows with what success. Find out.
    FindOut(Delivery),
    /// Another worker is at it until then.
    Busy(Timestamp),
    /// Nothing is left to do.
    Over,
}

/// Takes a delivery, by condition: of many workers one gets it.
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
        // What a newer version made of it is its own to go on with.
        State::Sent | State::Failed | State::Suppressed | State::Unknown(_) => Ok(Turn::Over),
        State::Sending if found.leased_until > now => Ok(Turn::Busy(found.leased_until)),
        State::Sending | State::OutcomeUnknown => Ok(Turn::FindOut(found)),
        State::Waiting => again(env, entry, consumer, &found, lease).await,
    }
}

/// Takes a delivery that was tried before, unless somebody else did since it was read.
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

/// How far a delivery has come.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    /// The state.
    pub state: State,
    /// What the other side calls it.
    pub remote_id: Option<&'a str>,
    /// What went wrong, in words.
    pub error: Option<&'a str>,
    /// The record it is about, whose timeline shows it.
    pub about: Option<AnyId>,
}

/// Writes down how far a delivery has come. What is over stays over.
pub async fn settle(env: &Env, entry: EntryRef, consumer: &str, how: Settled<'_>) -> Result<()> {
    let now = env.clock.now();
    let over = Condition::one_of("state", [State::Sent, State::Failed, State::Suppressed]);
    let open = Condition::exists().and(over.negated());
    let mut settled = Update::set("state", how.state)
        .and_set("updated_at", now)
        .and_set("remote_id", how.remote_id)
        .and_set("last_error", how.error);
    if let Some(record) = how.about {
        settled = settled
            .and_set(Index::ByState.pk(), sent_about(entry.org, record))
            .and_set(Index::ByState.sk(), by_date(now, consumer));
    }
    let key = Place::Delivery(entry.org, entry.entry, consumer).key();
    env.table.update(&key, settled, open).await.map(|_| ())
}

/// The deliveries about a record, by consumer and in no particular order. Reads an index, so the newest may
/// be missing for a moment.
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

/// Removes the deliveries of an entry; says how many there were.
pub async fn remove(env: &Env, org: OrgId, entry: EntryId) -> Result<u64> {
    let mut removed = 0;
    for (consumer, _) in of_entry(env, org, entry).await? {
        env.table.delete(&Place::Delivery(org, entry, &consumer).key()).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Writes down that a delivery which was sent was refused further on.
pub async fn reject(env: &Env, entry: EntryRef, consumer: &str, reason: &str) -> Result<()> {
    let rejected =
        Update::set("state", State::Failed).and_set("updated_at", env.clock.now()).and_set("last_error", reason);
    let key = Place::Delivery(entry.org, entry.entry, consumer).key();
    env.table.update(&key, rejected, Condition::exists()).await.map(|_| ())
}

/// A delivery, if it was ever begun.
pub async fn read(env: &Env, entry: EntryRef, consumer: &str) -> Result<Option<Delivery>> {
    env.table.get(&Place::Delivery(entry.org, entry.entry, consumer).key()).await?.map(parse_item).transpose()
}
