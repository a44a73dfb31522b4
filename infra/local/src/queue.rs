//! The queues, in memory. What is lost with the process is dispatched again from the journal, or due in the table.

use daybook_consumers::CONSUMERS;
use daybook_domain::{EntryId, Timestamp};
use daybook_jobs::{Outgoing, Queue, QueueError, Queues};
use daybook_store::Clock;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, HashMap};
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
    absent: Vec<Queue>,
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<HashMap<Queue, Notify>>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    waiting: HashMap<Queue, BTreeMap<(Timestamp, u64), Waiting>>,
    handed_out: BTreeMap<u64, Option<EntryId>>,
}

impl MemoryQueues {
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    /// Empty queues of all consumers; entries are not sent to those that are absent.
    pub fn new(clock: Clock, absent: Vec<Queue>) -> MemoryQueues {
        let arrived = CONSUMERS.iter().map(|consumer| (consumer.queue(), Notify::new())).collect();
        MemoryQueues { clock, absent, inner: Arc::default(), arrived: Arc::new(arrived) }
    }

    /// Takes the messages of a queue whose time has come, at most so many.
    pub fn take(&self, queue: Queue, most: usize) -> Vec<Waiting> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let mut taken = Vec::new();
        let waiting = inner.waiting.entry(queue).or_default();
        while taken.len() < most
            && let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= now)
        {
            taken.push(first.remove());
        }
        inner.handed_out.extend(taken.iter().map(|message| (message.number, message.entry)));
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
        inner.waiting.entry(again.queue).or_default().insert((at, again.number), again);
    }

    /// The oldest entry with a message that isn't dealt with.
    pub fn oldest_entry(&self) -> Option<EntryId> {
        let inner = self.inner();
        let waiting = inner.waiting.values().flat_map(BTreeMap::values).filter_map(|message| message.entry);
        waiting.chain(inner.handed_out.values().flatten().copied()).min()
    }

    /// Waits until a message arrives in a queue.
    pub async fn arrival(&self, queue: Queue) {
        match self.arrived.get(&queue) {
            Some(arrived) => arrived.notified().await,
            None => std::future::pending().await,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues for MemoryQueues {
    fn has(&self, queue: Queue) -> bool {
        !self.absent.contains(&queue)
    }

    fn send(&self, queue: Queue, message: Outgoing) -> BoxFuture<'_, Result<(), QueueError>> {
        let at = self.clock.now().plus(message.delay);
        let mut inner = self.inner();
        inner.next += 1;
        let number = inner.next;
        let waiting = Waiting { number, queue, body: message.body, at, receives: 0, entry: message.entry };
        inner.waiting.entry(queue).or_default().insert((at, number), waiting);
        drop(inner);
        if let Some(arrived) = self.arrived.get(&queue) {
            arrived.notify_one();
        }
        Box::pin(async { Ok(()) })
    }
}
