//! The queues, in memory. What is lost with the process is dispatched again from the journal, or due in the table.

use daybook_domain::{EntryId, Timestamp};
use daybook_jobs::{Outgoing, Queue, QueueError, Queues};
use daybook_store::Clock;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub number: u64,
    /// The queue.
    pub queue: Queue,
    /// The message.
    pub body: String,
    /// When it may be handed out.
    pub at: Timestamp,
    /// How often it was handed out before.
    pub receives: u32,
    /// The journal entry it comes from, where nothing else remembers it.
    pub entry: Option<EntryId>,
}

/// Messages in memory, in the order of their times.
#[derive(Clone, Debug)]
pub struct MemoryQueues {
    clock: Clock,
    optional: Vec<Queue>,
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    waiting: BTreeMap<(Timestamp, u64), Waiting>,
    handed_out: BTreeMap<u64, Option<EntryId>>,
}

impl MemoryQueues {
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    /// Empty queues: those that every deployment has, and these.
    pub fn new(clock: Clock, optional: Vec<Queue>) -> MemoryQueues {
        MemoryQueues { clock, optional, inner: Arc::default(), arrived: Arc::default() }
    }

    /// Takes the messages whose time has come, at most so many.
    pub fn take(&self, most: usize) -> Vec<Waiting> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(first) = inner.waiting.first_entry().filter(|first| first.key().0 <= now)
        {
            let message = first.remove();
            inner.handed_out.insert(message.number, message.entry);
            taken.push(message);
        }
        taken
    }

    /// The message is dealt with.
    pub fn done(&self, message: &Waiting) {
        self.inner().handed_out.remove(&message.number);
    }

    /// The message comes again, after a pause that doubles with every time it came. It is never given up:
    /// there is nobody to look into a dead-letter queue here.
    pub fn failed(&self, message: Waiting, first_pause: Duration) {
        let pause = first_pause.saturating_mul(1 << message.receives.min(16)).min(Self::LONGEST_PAUSE);
        let at = self.clock.now().plus(pause);
        let mut inner = self.inner();
        inner.handed_out.remove(&message.number);
        let again = Waiting { at, receives: message.receives + 1, ..message };
        inner.waiting.insert((at, again.number), again);
    }

    /// The oldest entry with a message that isn't dealt with.
    pub fn oldest_entry(&self) -> Option<EntryId> {
        let inner = self.inner();
        let waiting = inner.waiting.values().filter_map(|message| message.entry);
        waiting.chain(inner.handed_out.values().flatten().copied()).min()
    }

    /// Waits until a message arrives.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues for MemoryQueues {
    fn has(&self, queue: Queue) -> bool {
        queue.is_required() || self.optional.contains(&queue)
    }

    fn send(&self, queue: Queue, message: Outgoing) -> BoxFuture<'_, Result<(), QueueError>> {
        let at = self.clock.now().plus(message.delay);
        let mut inner = self.inner();
        inner.next += 1;
        let number = inner.next;
        let waiting = Waiting { number, queue, body: message.body, at, receives: 0, entry: message.entry };
        inner.waiting.insert((at, number), waiting);
        drop(inner);
        self.arrived.notify_one();
        Box::pin(async { Ok(()) })
    }
}
