//! Sweep: every minute, sends on what has become due.

use daybook_jobs::{Outgoing, Queue, Services};
use daybook_store::rows::due;
use daybook_store::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

/// The queues it sends to.
pub const QUEUES: &[Queue] = &Queue::ALL;

/// How far ahead it looks: a little more than until it runs again.
const AHEAD: Duration = Duration::from_secs(75);

/// How long an item is left alone after it was sent on; then it is due again.
const LEASE: Duration = Duration::from_secs(300);

/// Sends what is due to its queue, with the delay that is left, and says how many items that were.
pub async fn sweep(services: Arc<Services>) -> Result<usize> {
    let env = &services.env;
    let now = env.clock.now();
    let items = due::take(env, now.plus(AHEAD), LEASE).await?;
    let count = items.len();
    for item in items {
        let queue = Queue::of(&item.queue)
            .ok_or_else(|| Error::internal("sweep", format!("there is no queue {}", item.queue)))?;
        let outgoing = Outgoing { body: item.message, delay: now.until(item.place.at), entry: None };
        services.queues.send(queue, outgoing).await.map_err(|error| Error::unavailable("sweep", error))?;
    }
    Ok(count)
}
