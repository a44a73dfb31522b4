//! Redrive: entries of the journal are dispatched again, as after an outage that was longer than the table's stream keeps
//! them.
//!
//! Deliveries happen once, and mirrors are equal to their records, whatever is sent again.

use crate::dispatch;
use daybook_domain::Timestamp;
use daybook_jobs::Queues;
use daybook_store::{EntryRef, Env, Error, Fact, Result, SignedFact};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The period whose entries are read at once, in the order of their time.
const WINDOW: Duration = Duration::from_secs(600);

/// How many entries are dispatched at once.
const AT_ONCE: usize = 8;

/// How far back entries can be dispatched again.
const FURTHEST: Duration = Duration::from_secs(14 * 86_400);

/// The period to dispatch again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Its begin, at most 14 days ago.
    pub from: Timestamp,
    /// Its end; by default now.
    pub to: Option<Timestamp>,
}

/// What was dispatched again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// The number of entries.
    pub entries: usize,
    /// The number of entries that can't be read, and were left out.
    pub unreadable: usize,
    /// The begin of the next request, if the time didn't suffice for the whole period.
    pub next_from: Option<Timestamp>,
}

/// Dispatches the entries of a period again, of all organisations and in the order of their time, until the deadline. At
/// least the entries of one step are dispatched, so that repeated requests come to an end.
pub async fn redrive(env: Arc<Env>, queues: Arc<dyn Queues>, ask: Redrive, until: Instant) -> Result<Redriven> {
    let now = env.clock.now();
    let to = ask.to.unwrap_or(now).min(now);
    let mut from = ask.from.max(now.minus(FURTHEST));
    let orgs = env.organizations().await?;
    let (mut entries, mut unreadable, mut is_first) = (0, 0, true);
    while from <= to {
        if !is_first && Instant::now() >= until {
            return Ok(Redriven { entries, unreadable, next_from: Some(from) });
        }
        is_first = false;
        let end = from.plus(WINDOW).min(to);
        let mut window: Vec<EntryRef> = Vec::new();
        for org in &orgs {
            window.extend(Fact::between(&env, *org, from, end).await?);
        }
        window.sort_by_key(|entry| entry.entry);
        for some in window.chunks(AT_ONCE) {
            if entries > 0 && Instant::now() >= until {
                let next_from = some.first().map(|entry| entry.entry.time());
                return Ok(Redriven { entries, unreadable, next_from });
            }
            let again = |entry: &EntryRef| {
                let (env, queues, entry) = (env.clone(), queues.clone(), *entry);
                async move {
                    match SignedFact::read(&env, entry).await {
                        Ok(Some(fact)) => dispatch(env, queues, fact).await.map(|()| true),
                        Ok(None) => Ok(true),
                        // It is left to a version that can read it.
                        Err(error @ Error::Internal { .. }) => {
                            tracing::error!(entry = %entry.entry, error = %error.chain(), "an entry can't be read");
                            Ok(false)
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            let read: Vec<bool> = stream::iter(some.iter().map(again)).buffer_unordered(AT_ONCE).try_collect().await?;
            unreadable += read.iter().filter(|is_read| !**is_read).count();
            entries += some.len();
        }
        from = end.plus(Duration::from_millis(1));
    }
    Ok(Redriven { entries, unreadable, next_from: None })
}
