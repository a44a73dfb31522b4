//! The message queues of the one-machine server, in memory. Messages lost with the process are dispatched again from the journal, or are due items in
//! the table.

use daybook_consumers::CONSUMERS;
use daybook_domain::{EntryId, Timestamp};
use daybook_jobs::{LONGEST_DELAY, Outgoing, Queue, QueueError, Queues};
use daybook_store::Clock;
use daybook_store::rows::is_too_far_ahead;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A waiting message.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub number: u64,
    /// The queue.
    pub queue: Queue,
    /// The message.
    pub body: String,
    /// When it may be delivered.
    pub at: Timestamp,
    /// The number of earlier deliveries.
    pub receives: u32,
    /// The journal entry it comes from, if it isn't stored elsewhere.
    pub entry: Option<EntryId>,
}

/// The queues in memory, each ordered by time.
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

    /// Empty queues of all consumers.
    pub fn new(clock: Clock) -> MemoryQueues {
        let arrived = CONSUMERS.iter().map(|consumer| (consumer.queue(), Notify::new())).collect();
        MemoryQueues { clock, absent: Vec::new(), inner: Arc::default(), arrived: Arc::new(arrived) }
    }

    /// The same queues as dispatch sees them: without those of consumers whose system is switched off.
    pub fn without(&self, absent: Vec<Queue>) -> MemoryQueues {
        MemoryQueues { absent, ..self.clone() }
    }

    /// Takes messages of a queue that are due, at most `most`. One with a later time than any delay allows is due, too:
    /// it was sent while the clock was ahead.
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
        while taken.len() < most
            && let Some(last) = waiting.last_entry().filter(|last| is_too_far_ahead(last.key().0, now, LONGEST_DELAY))
        {
            taken.push(last.remove());
        }
        inner.handed_out.extend(taken.iter().map(|message| (message.number, message.entry)));
        taken
    }

    /// Acknowledges a message.
    pub fn done(&self, message: &Waiting) {
        self.inner().handed_out.remove(&message.number);
    }

    /// Returns a failed message to its queue, with a pause that doubles on every delivery. It is never given up, as no
    /// operator watches a dead-letter queue here.
    pub fn failed(&self, message: Waiting, first_pause: Duration) {
        let pause = first_pause.saturating_mul(1 << message.receives.min(16)).min(Self::LONGEST_PAUSE);
        let at = self.clock.now().plus(pause);
        let mut inner = self.inner();
        inner.handed_out.remove(&message.number);
        let again = Waiting { at, receives: message.receives + 1, ..message };
        inner.waiting.entry(again.queue).or_default().insert((at, again.number), again);
    }

    /// The oldest entry with an unacknowledged message.
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
