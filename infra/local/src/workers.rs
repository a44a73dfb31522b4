//! The workers of the process: fed from the journal, with queues in memory.

use crate::feed::Feed;
use crate::queue::MemoryQueues;
use daybook_jobs::{Delivered, Queue, Services, Worker, run_batch};
use daybook_store::Result;
use daybook_store::rows::checkpoint;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most messages handed to a worker at once, as SQS does.
pub const BATCH: usize = 10;

/// How long a batch may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Dispatch, sweep and the workers, on one machine.
#[derive(Debug)]
pub struct Workers {
    /// What they work with.
    pub services: Arc<Services>,
    feed: Feed,
    queues: MemoryQueues,
    workers: Vec<Worker>,
}

impl Workers {
    /// The workers of these services.
    pub(crate) fn new(services: Arc<Services>, feed: Feed, queues: MemoryQueues) -> Workers {
        Workers {
            services,
            feed,
            queues,
            workers: vec![
                daybook_send_mail::worker(),
                daybook_sync_hubspot::worker(),
                daybook_run_jobs::worker(),
                daybook_remind::worker(),
            ],
        }
    }

    /// Takes up what an earlier process left: the entries since the checkpoint.
    pub async fn catch_up(&self) -> Result<usize> {
        self.feed.catch_up(&self.services).await
    }

    /// Does everything that can be done now; says how many entries and messages that were.
    pub async fn run(&self) -> usize {
        let mut total = 0;
        loop {
            let mut done = self.dispatch().await;
            for queue in Queue::ALL {
                done += self.work_on(queue, BATCH).await;
            }
            if done == 0 {
                return total;
            }
            total += done;
        }
    }

    /// Dispatches what is told; says how many entries that were.
    pub async fn dispatch(&self) -> usize {
        self.feed.run(&self.services).await
    }

    /// Waits until an entry is told.
    pub async fn told(&self) {
        self.feed.arrival(&self.services).await;
    }

    /// Sends on what has become due.
    pub async fn sweep(&self) -> Result<usize> {
        daybook_sweep::sweep(self.services.clone()).await
    }

    /// Keeps the heads of the journal's chains, as every day.
    pub async fn anchor(&self) -> Result<usize> {
        daybook_anchor_journal::anchor(self.services.clone()).await
    }

    /// Keeps the moment up to which every entry is finished: done, or standing as a due item.
    pub async fn keep_checkpoint(&self) -> Result<()> {
        let now = self.services.env.clock.now();
        let oldest = [self.feed.oldest(), self.queues.oldest_entry()].into_iter().flatten().min();
        checkpoint::keep(&self.services.env, oldest.map_or(now, |entry| entry.time().min(now))).await
    }

    /// Waits until a message arrives in a queue.
    pub async fn arrival(&self, queue: Queue) {
        self.queues.arrival(queue).await;
    }

    /// Works on so many messages of a queue at most; says how many there were.
    pub async fn work_on(&self, queue: Queue, most: usize) -> usize {
        let messages = self.queues.take(queue, most);
        let Some(worker) = self.workers.iter().find(|worker| worker.queue == queue) else { return 0 };
        let batch = messages
            .iter()
            .map(|message| Delivered { id: message.number.to_string(), body: message.body.clone() })
            .collect();
        let failed = run_batch(worker, &self.services, batch, Instant::now() + LONGEST).await;
        let count = messages.len();
        for message in messages {
            if failed.contains(&message.number.to_string()) {
                self.queues.failed(message, self.services.env.settings.retry_base);
            } else {
                self.queues.done(&message);
            }
        }
        count
    }
}
