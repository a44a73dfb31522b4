//! Sweep: every minute, sends on what has become due.

use daybook_jobs::{Outgoing, Queue, Services};
use daybook_store::Result;
use daybook_store::rows::due::{self, DueItem};
use std::sync::Arc;
use std::time::Duration;

/// The queues it sends to.
pub const QUEUES: &[Queue] = &Queue::ALL;

/// How far ahead it looks: a little more than until it runs again.
const AHEAD: Duration = Duration::from_secs(75);

/// How many leases of a worker an item is left alone after it was sent on; then it is due again.
const LEASES: u32 = 5;

/// Sends what is due to its queue, with the delay that is left, and says how many items that were.
pub async fn sweep(services: Arc<Services>) -> Result<usize> {
    let env = &services.env;
    let now = env.clock.now();
    // Not less than a worker of the queue may be at it.
    let lease = |item: &DueItem| {
        let usual = services.lease * LEASES;
        let longest = Queue::of(&item.queue).filter(|queue| *queue == Queue::Jobs).map(Queue::longest);
        longest.map_or(usual, |longest| usual.max(longest + AHEAD))
    };
    let items = due::take(env, now.plus(AHEAD), lease).await?;
    let mut sent = 0;
    for item in items {
        let Some(queue) = Queue::of(&item.queue) else {
            tracing::error!(queue = item.queue, "a due item names no queue");
            continue;
        };
        let outgoing = Outgoing { body: item.message, delay: now.until(item.place.at), entry: None, trace: None };
        match services.queues.send(queue, outgoing).await {
            Ok(()) => sent += 1,
            // It is due again when its lease ends.
            Err(error) => tracing::error!(%error, "a due item was not sent on"),
        }
    }
    Ok(sent)
}
