//! Dispatch, sweep and workers in one process: fed from the local journal, with queues in memory.

use crate::feed::Feed;
use crate::queue::MemoryQueues;
use daybook_domain::Timestamp;
use daybook_jobs::files::Archive;
use daybook_jobs::{Delivered, Line, Queue, Queues, Worker, run_batch};
use daybook_store::rows::{SKEW, checkpoint, due};
use daybook_store::{Env, Result};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most messages per batch of a worker, as with SQS.
const BATCH: usize = 10;

/// How long a batch may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Dispatch, sweep and the workers of all consumers, on one machine.
pub struct Workers {
    /// The environment: table, clock, settings.
    pub env: Arc<Env>,
    feed: Feed,
    queues: MemoryQueues,
    /// The archive of write-once files.
    pub(crate) anchors: Arc<dyn Archive>,
    workers: Vec<Worker>,
    /// The time of the last sweep, by which a clock that was set back is noticed.
    swept: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.workers).finish()
    }
}

impl Workers {
    /// Workers with their feed and queues.
    pub(crate) fn new(
        env: Arc<Env>,
        feed: Feed,
        queues: MemoryQueues,
        anchors: Arc<dyn Archive>,
        workers: Vec<Worker>,
    ) -> Workers {
        Workers { env, feed, queues, anchors, workers, swept: Mutex::default() }
    }

    /// The worker of every consumer.
    pub fn all(&self) -> &[Worker] {
        &self.workers
    }

    /// The worker that the Lambda function of this name runs.
    pub fn of_function(&self, function: &str) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.consumer.function() == function)
    }

    /// The queues that dispatch and sweep send to.
    pub fn queues(&self) -> Arc<dyn Queues> {
        Arc::new(self.queues.clone())
    }

    /// Takes over from an earlier process: reads the entries since its checkpoint, and frees the due items that it had taken.
    /// Returns the number of entries.
    pub async fn catch_up(&self) -> Result<usize> {
        due::end_leases(&self.env).await?;
        // What an earlier process stored last is as good as its last sweep.
        let checkpoint = checkpoint::read(&self.env).await?;
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = checkpoint;
        self.feed.catch_up(&self.env).await
    }

    /// Does all work that is due; returns the number of entries and messages.
    pub async fn run(&self) -> usize {
        let mut total = 0;
        loop {
            let mut done = self.dispatch().await;
            for worker in &self.workers {
                for line in worker.consumer.lines() {
                    done += self.work_on(worker, line, BATCH).await;
                }
            }
            if done == 0 {
                return total;
            }
            total += done;
        }
    }

    /// Dispatches the entries that are due; returns their number.
    pub async fn dispatch(&self) -> usize {
        self.feed.run(&self.env, &self.queues()).await
    }

    /// Waits until an entry is committed.
    pub async fn committed(&self) {
        self.feed.arrival(&self.env).await;
    }

    /// Sends due items to their queues; returns their number. After the clock was set back, retries that were stored
    /// before are due.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.env.clock.now();
        let last = *self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sent = 0;
        if last.is_some_and(|last| last > now.plus(SKEW)) {
            sent += daybook_sweep::recall(self.env.clone(), self.queues()).await?;
        }
        sent += daybook_sweep::sweep(self.env.clone(), self.queues()).await?;
        *self.swept.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(sent)
    }

    /// Writes yesterday's anchors of the journal's chains; returns the number of anchors written.
    pub async fn anchor(&self) -> Result<usize> {
        daybook_anchor_journal::anchor(self.env.clone(), self.anchors.clone()).await
    }

    /// Stores the checkpoint: the time up to which every entry is done or stored as a due item.
    pub async fn keep_checkpoint(&self) -> Result<()> {
        let now = self.env.clock.now();
        let oldest = [self.feed.oldest(), self.queues.oldest_entry()].into_iter().flatten().min();
        checkpoint::keep(&self.env, oldest.map_or(now, |entry| entry.time().min(now))).await
    }

    /// Waits until a message arrives in a queue.
    pub async fn arrival(&self, queue: Queue) {
        self.queues.arrival(queue).await;
    }

    /// Lets a worker process at most `most` messages of one of its queues; returns the number of messages.
    pub async fn work_on(&self, worker: &Worker, line: Line, most: usize) -> usize {
        let messages = self.queues.take(line.queue, most, line.places.of_one_org);
        let batch = messages
            .iter()
            .map(|message| Delivered { id: message.number.to_string(), body: message.body.clone() })
            .collect();
        let failed = run_batch(worker, &self.env, batch, Instant::now() + LONGEST).await;
        let count = messages.len();
        for message in messages {
            if failed.contains(&message.number.to_string()) {
                self.queues.failed(message, self.env.settings.retry_base);
            } else {
                self.queues.done(&message);
            }
        }
        count
    }
}
