//! The local feed: every committed entry goes to dispatch; after a start, those since the checkpoint once more.

use daybook_domain::{EntryId, Timestamp};
use daybook_jobs::Services;
use daybook_store::rows::checkpoint;
use daybook_store::{EntryRef, Fact, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::UnboundedReceiver;

/// How much of the journal before the checkpoint is read again: longer than any commit takes.
const OVERLAP: Duration = Duration::from_secs(120);

/// How far back a journal is read where there is no checkpoint yet.
const FURTHEST: Duration = Duration::from_secs(2 * 86_400);

/// The entries on their way to dispatch.
#[derive(Debug)]
pub struct Feed {
    told: AsyncMutex<UnboundedReceiver<EntryRef>>,
    /// Entries that dispatch hasn't taken yet, with the time of their next try.
    open: Mutex<BTreeMap<EntryId, (EntryRef, Timestamp)>>,
}

impl Feed {
    /// A feed of the entries that the table tells.
    pub fn new(told: UnboundedReceiver<EntryRef>) -> Feed {
        Feed { told: AsyncMutex::new(told), open: Mutex::default() }
    }

    /// Reads the journal of every organisation since the checkpoint.
    pub async fn catch_up(&self, services: &Services) -> Result<usize> {
        let env = &services.env;
        let now = env.clock.now();
        let since = checkpoint::read(env).await?.unwrap_or(now.minus(FURTHEST)).minus(OVERLAP);
        let mut count = 0;
        for org in env.organizations().await? {
            let entries = Fact::since(env, org, since).await?;
            count += entries.len();
            self.open().extend(entries.into_iter().map(|entry| (entry.entry, (entry, now))));
        }
        Ok(count)
    }

    /// Dispatches what was told and is due; says how many entries that were.
    pub async fn run(&self, services: &Arc<Services>) -> usize {
        self.listen().await;
        let now = services.env.clock.now();
        let due: Vec<EntryRef> = self.open().values().filter(|(_, at)| *at <= now).map(|(entry, _)| *entry).collect();
        for entry in &due {
            match dispatch(services, *entry).await {
                Ok(()) => {
                    self.open().remove(&entry.entry);
                }
                Err(error) => {
                    tracing::warn!(entry = %entry.entry, error = %error.chain(), "entry not dispatched yet");
                    let later = now.plus(services.env.settings.retry_base);
                    self.open().insert(entry.entry, (*entry, later));
                }
            }
        }
        due.len()
    }

    /// Waits until an entry is told.
    pub async fn arrival(&self, services: &Services) {
        let told = self.told.lock().await.recv().await;
        match told {
            Some(entry) => {
                self.open().insert(entry.entry, (entry, services.env.clock.now()));
            }
            // The table is gone; nothing will come any more.
            None => std::future::pending().await,
        }
    }

    /// The oldest entry that dispatch hasn't taken.
    pub fn oldest(&self) -> Option<EntryId> {
        self.open().keys().next().copied()
    }

    async fn listen(&self) {
        let mut told = self.told.lock().await;
        while let Ok(entry) = told.try_recv() {
            self.open().insert(entry.entry, (entry, Timestamp::UNIX_EPOCH));
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<EntryId, (EntryRef, Timestamp)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn dispatch(services: &Arc<Services>, entry: EntryRef) -> Result<()> {
    match Fact::read(&services.env, entry).await? {
        Some(fact) => daybook_dispatch::dispatch(services.clone(), fact).await,
        None => Ok(()),
    }
}
