//! The message queues of the one-machine server, in memory. Messages lost with the process are dispatched again from the journal, or are due items in
//! the table.

use daybook_consumers::CONSUMERS;
use daybook_domain::{EntryId, OrgId, Timestamp};
use daybook_jobs::{LONGEST_DELAY, Outgoing, Queue, QueueError, Queues};
use daybook_store::Clock;
use daybook_store::rows::is_too_far_ahead;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
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
    /// The organisation that it is for.
    pub org: Option<OrgId>,
}

/// The queues in memory. Organisations take turns in each; the messages of one are ordered by time.
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
    lines: HashMap<Queue, Lines>,
    handed_out: BTreeMap<u64, Option<EntryId>>,
}

/// The messages of a queue.
#[derive(Debug, Default)]
struct Lines {
    of_org: BTreeMap<Option<OrgId>, Line>,
    /// The organisation that had the last turn.
    last: Option<Option<OrgId>>,
}

/// The messages of an organisation in a queue.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<(Timestamp, u64), Waiting>,
    /// The number of messages that are worked on.
    working: usize,
}

impl Line {
    /// Takes the first message that is due. One with a later time than any delay allows is due, too: it was sent while
    /// the clock was ahead.
    fn take(&mut self, now: Timestamp) -> Option<Waiting> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now);
        let taken = match first {
            Some(first) => first.remove(),
            None => {
                let is_ahead = |at: Timestamp| is_too_far_ahead(at, now, LONGEST_DELAY);
                self.waiting.last_entry().filter(|last| is_ahead(last.key().0))?.remove()
            }
        };
        self.working += 1;
        Some(taken)
    }
}

impl MemoryQueues {
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    /// Empty queues of all consumers.
    pub fn new(clock: Clock) -> MemoryQueues {
        let lines = CONSUMERS.iter().flat_map(|consumer| consumer.lines());
        let arrived = lines.map(|line| (line.queue, Notify::new())).collect();
        MemoryQueues { clock, absent: Vec::new(), inner: Arc::default(), arrived: Arc::new(arrived) }
    }

    /// The same queues as dispatch sees them: without those of consumers whose system is switched off.
    pub fn without(&self, absent: Vec<Queue>) -> MemoryQueues {
        MemoryQueues { absent, ..self.clone() }
    }

    /// Takes messages of a queue that are due, at most `most`: one of each organisation in turn, and of none that more
    /// than `of_one_org` are worked on.
    pub fn take(&self, queue: Queue, most: usize, of_one_org: usize) -> Vec<Waiting> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let mut taken = Vec::new();
        let lines = inner.lines.entry(queue).or_default();
        while taken.len() < most
            && let Some(message) = lines.take(now, of_one_org)
        {
            taken.push(message);
        }
        inner.handed_out.extend(taken.iter().map(|message| (message.number, message.entry)));
        taken
    }

    /// Acknowledges a message.
    pub fn done(&self, message: &Waiting) {
        self.inner().returned(message);
    }

    /// Returns a failed message to its queue, with a pause that doubles on every delivery. It is never given up, as no
    /// operator watches a dead-letter queue here.
    pub fn failed(&self, message: Waiting, first_pause: Duration) {
        let pause = first_pause.saturating_mul(1 << message.receives.min(16)).min(Self::LONGEST_PAUSE);
        let at = self.clock.now().plus(pause);
        let mut inner = self.inner();
        inner.returned(&message);
        inner.add(Waiting { at, receives: message.receives + 1, ..message });
    }

    /// The oldest entry with an unacknowledged message.
    pub fn oldest_entry(&self) -> Option<EntryId> {
        let inner = self.inner();
        let lines = inner.lines.values().flat_map(|lines| lines.of_org.values());
        let waiting = lines.flat_map(|line| line.waiting.values()).filter_map(|message| message.entry);
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

impl Inner {
    fn add(&mut self, message: Waiting) {
        let line = self.lines.entry(message.queue).or_default().of_org.entry(message.org).or_default();
        line.waiting.insert((message.at, message.number), message);
    }

    /// Notes that a message isn't worked on any more.
    fn returned(&mut self, message: &Waiting) {
        self.handed_out.remove(&message.number);
        let lines = self.lines.entry(message.queue).or_default();
        if let Some(line) = lines.of_org.get_mut(&message.org) {
            line.working = line.working.saturating_sub(1);
            if line.working == 0 && line.waiting.is_empty() {
                lines.of_org.remove(&message.org);
            }
        }
    }
}

impl Lines {
    /// Takes the next message: of the first organisation after the one that had the last turn.
    fn take(&mut self, now: Timestamp, of_one_org: usize) -> Option<Waiting> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let before = self.last.map_or(Bound::Unbounded, Bound::Included);
        let mut taken = None;
        for range in [(after, Bound::Unbounded), (Bound::Unbounded, before)] {
            for (org, line) in self.of_org.range_mut(range) {
                if line.working < of_one_org
                    && let Some(message) = line.take(now)
                {
                    taken = Some((*org, message));
                    break;
                }
            }
            if taken.is_some() {
                break;
            }
        }
        let (org, message) = taken?;
        self.last = Some(org);
        Some(message)
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
        let Outgoing { body, entry, org, .. } = message;
        inner.add(Waiting { number, queue, body, at, receives: 0, entry, org });
        drop(inner);
        if let Some(arrived) = self.arrived.get(&queue) {
            arrived.notify_one();
        }
        Box::pin(async { Ok(()) })
    }
}
