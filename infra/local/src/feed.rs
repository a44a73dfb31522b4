//! The local feed: passes every committed journal entry to dispatch. After a start it repeats the entries since the
//! checkpoint.

use daybook_domain::{EntryId, Timestamp};
use daybook_jobs::Queues;
use daybook_store::rows::{SKEW, checkpoint, is_too_far_ahead};
use daybook_store::{Committed, EntryRef, Env, Error, Fact, Result, SignedFact};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::UnboundedReceiver;

/// How much of the journal before the checkpoint is read again: longer than any commit takes.
const OVERLAP: Duration = Duration::from_secs(120);

/// The most entries that are dispatched per run.
const MOST: usize = 100;

/// The most entries whose content is kept in memory; the content of further ones is read again when it is their turn.
const HELD: usize = 1_000;

/// How far back a journal is read if there is no checkpoint, or if it lies ahead as the clock was set back since.
const FURTHEST: Duration = Duration::from_secs(2 * 86_400);

/// The queue of entries waiting for dispatch.
#[derive(Debug)]
pub struct Feed {
    committed: AsyncMutex<UnboundedReceiver<Committed>>,
    /// Entries that aren't dispatched yet.
    open: Mutex<BTreeMap<EntryId, Open>>,
}

/// An entry that isn't dispatched yet.
#[derive(Clone, Debug)]
struct Open {
    committed: Committed,
    /// When it is to be dispatched.
    at: Timestamp,
}

impl Feed {
    /// A feed of the entries that the table publishes.
    pub fn new(committed: UnboundedReceiver<Committed>) -> Feed {
        Feed { committed: AsyncMutex::new(committed), open: Mutex::default() }
    }

    /// Reads the journal of every organisation since the checkpoint; returns the number of entries.
    pub async fn catch_up(&self, env: &Env) -> Result<usize> {
        let now = env.clock.now();
        let checkpoint = checkpoint::read(env).await?.filter(|at| *at <= now.plus(SKEW));
        let since = checkpoint.unwrap_or(now.minus(FURTHEST)).min(now).minus(OVERLAP);
        let mut count = 0;
        for org in env.organizations().await? {
            let entries = Fact::since(env, org, since).await?;
            count += entries.len();
            let open = |entry: EntryRef| (entry.entry, Open { committed: Committed { entry, fact: None }, at: now });
            self.open().extend(entries.into_iter().map(open));
        }
        Ok(count)
    }

    /// Dispatches the entries that are due; returns the number of entries.
    pub async fn run(&self, env: &Arc<Env>, queues: &Arc<dyn Queues>) -> usize {
        self.listen().await;
        let now = env.clock.now();
        let is_due = |open: &&Open| open.at <= now || is_too_far_ahead(open.at, now, env.settings.retry_base);
        let due: Vec<Committed> =
            self.open().values().filter(is_due).map(|open| open.committed.clone()).take(MOST).collect();
        let count = due.len();
        for committed in due {
            let entry = committed.entry;
            match dispatch(env, queues, committed).await {
                Ok(()) => {
                    self.open().remove(&entry.entry);
                }
                Err(error) => {
                    tracing::warn!(entry = %entry.entry, error = %error.chain(), "entry not dispatched yet");
                    let at = now.plus(env.settings.retry_base);
                    self.open().insert(entry.entry, Open { committed: Committed { entry, fact: None }, at });
                }
            }
        }
        count
    }

    /// Waits until an entry is committed.
    pub async fn arrival(&self, env: &Env) {
        let committed = self.committed.lock().await.recv().await;
        match committed {
            Some(committed) => {
                self.open().insert(committed.entry.entry, Open { committed, at: env.clock.now() });
            }
            // The table is closed; no entry will follow.
            None => std::future::pending().await,
        }
    }

    /// The oldest entry that isn't dispatched yet.
    pub fn oldest(&self) -> Option<EntryId> {
        self.open().keys().next().copied()
    }

    async fn listen(&self) {
        let mut channel = self.committed.lock().await;
        let mut open = self.open();
        while let Ok(Committed { entry, fact }) = channel.try_recv() {
            let fact = fact.filter(|_| open.len() < HELD);
            open.insert(entry.entry, Open { committed: Committed { entry, fact }, at: Timestamp::UNIX_EPOCH });
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<EntryId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn dispatch(env: &Arc<Env>, queues: &Arc<dyn Queues>, committed: Committed) -> Result<()> {
    let fact = match committed.fact {
        Some(fact) => Some(*fact),
        None => match SignedFact::read(env, committed.entry).await {
            // It would fail for ever; `redrive` dispatches it after an update that can read it.
            Err(error @ Error::Internal { .. }) => {
                tracing::error!(entry = %committed.entry.entry, error = %error.chain(), "an entry can't be read");
                None
            }
            read => read?,
        },
    };
    match fact {
        Some(fact) => daybook_dispatch::dispatch(env.clone(), queues.clone(), fact).await,
        None => Ok(()),
    }
}
