//! Due items: scheduled work, each with the message to send to a queue at its time.

use super::is_too_far_ahead;
use crate::schema::{DUE_SHARDS, Place, Question};
use crate::table::{Condition, Update, Written, parse_item};
use crate::{Env, Result, sha256_hex};
use daybook_domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A reference to a due item, by which it is removed when its work is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueRef {
    /// When it is due.
    pub at: Timestamp,
    /// Its id, the same for the same work.
    pub id: String,
}

/// Scheduled work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DueItem {
    /// Its time and id.
    #[serde(flatten)]
    pub place: DueRef,
    /// The queue its message goes to.
    pub queue: String,
    /// The message.
    pub message: String,
    /// The end of a sweeper's lease, in milliseconds since 1970.
    pub leased_until: i64,
}

/// Writes a due item.
pub async fn put(env: &Env, place: &DueRef, queue: &str, message: &str) -> Result<()> {
    let item = DueItem { place: place.clone(), queue: queue.to_owned(), message: message.to_owned(), leased_until: 0 };
    env.table.put(&key(place), &item, Condition::ALWAYS).await.map(|_| ())
}

/// Whether a due item is still stored: if not, its work is done or was rescheduled.
pub async fn exists(env: &Env, place: &DueRef) -> Result<bool> {
    Ok(env.table.get(&key(place)).await?.is_some())
}

/// Removes a due item: its work is done or was rescheduled.
pub async fn remove(env: &Env, place: &DueRef) -> Result<()> {
    env.table.delete(&key(place)).await
}

/// Leases everything that is due until a moment.
///
/// The items stay until their work is done: after a crash they are due again when the lease ends.
pub async fn take(env: &Env, until: Timestamp, lease: impl Fn(&DueItem) -> Duration) -> Result<Vec<DueItem>> {
    taken(env, until, until, |_| true, lease).await
}

/// Leases everything except the items of one queue from now on, whenever it is due.
///
/// After the clock was set back, retries would wait for as long as it had been ahead.
pub async fn recall(env: &Env, except: &str, lease: impl Fn(&DueItem) -> Duration) -> Result<Vec<DueItem>> {
    taken(env, Timestamp::END, env.clock.now(), |item| item.queue != except, lease).await
}

/// Ends all leases. For a machine that starts: the queues of the process that had them are gone.
pub async fn end_leases(env: &Env) -> Result<()> {
    for shard in 0..DUE_SHARDS {
        for item in env.table.query_all(&Question::DueBy(shard, Timestamp::END).range()).await? {
            let Ok(item) = parse_item::<DueItem>(item) else { continue };
            if item.leased_until > 0 {
                let ended = Update::set("leased_until", 0);
                env.table.update(&key(&item.place), ended, Condition::exists()).await?;
            }
        }
    }
    Ok(())
}

/// Leases the wanted items that are due until a moment. A lease begins at an item's time, but not after `latest`, nor
/// before now.
async fn taken(
    env: &Env,
    until: Timestamp,
    latest: Timestamp,
    is_wanted: impl Fn(&DueItem) -> bool,
    lease: impl Fn(&DueItem) -> Duration,
) -> Result<Vec<DueItem>> {
    let now = env.clock.now();
    let mut taken = Vec::new();
    for shard in 0..DUE_SHARDS {
        for item in env.table.query_all(&Question::DueBy(shard, until).range()).await? {
            let item: DueItem = match parse_item(item) {
                Ok(item) => item,
                Err(error) => {
                    tracing::error!(error = %error.chain(), "a due item can't be read");
                    continue;
                }
            };
            if !is_wanted(&item) {
                continue;
            }
            let (from, lease) = (item.place.at.min(latest).max(now), lease(&item));
            let leased_until = Timestamp::from_millisecond(item.leased_until).unwrap_or(Timestamp::UNIX_EPOCH);
            if leased_until > now && !is_too_far_ahead(leased_until, from, lease) {
                continue;
            }
            let end = from.plus(lease).as_millisecond();
            let same = Condition::equal("leased_until", item.leased_until);
            let leased = Update::set("leased_until", end);
            if let Written::Done(_) = env.table.update(&key(&item.place), leased, same).await? {
                taken.push(item);
            }
        }
    }
    Ok(taken)
}

/// Every due item; for tests and for the page that shows them.
pub async fn all(env: &Env) -> Result<Vec<DueItem>> {
    let mut all = Vec::new();
    for shard in 0..DUE_SHARDS {
        let end_of_time = env.clock.now().plus(Duration::from_secs(10 * 365 * 86_400));
        for item in env.table.query_all(&Question::DueBy(shard, end_of_time).range()).await? {
            all.push(parse_item(item)?);
        }
    }
    Ok(all)
}

pub(crate) fn key(place: &DueRef) -> crate::schema::Key {
    let shard = u8::from_str_radix(&sha256_hex(place.id.as_bytes())[..2], 16).unwrap_or(0) % DUE_SHARDS;
    Place::Due(shard, place.at, &place.id).key()
}
