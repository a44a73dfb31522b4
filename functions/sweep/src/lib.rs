//! The sweep of due items: every minute, sends delayed and retried messages that have become due to their queues.

use daybook_consumers::CONSUMERS;
use daybook_jobs::{AnyConsumer, Outgoing, Provided, Provider, Queues};
use daybook_store::rows::alarm;
use daybook_store::rows::due::{self, DueItem};
use daybook_store::{Env, LEASE, Result};
use std::sync::Arc;
use std::time::Duration;

/// How far ahead it looks: a little more than the minute until its next run.
const AHEAD: Duration = Duration::from_secs(75);

/// How many worker leases an item is left alone after it was sent; then it is due again.
const LEASES: u32 = 5;

/// The queues of all consumers.
pub fn queues<P: Provider>(from: &mut P) -> Provided<Arc<dyn Queues>> {
    from.queues(CONSUMERS.iter().flat_map(|consumer| consumer.queues()))
}

/// Sends due items to their queues, with the remaining delay; returns the number of items sent.
pub async fn sweep(env: Arc<Env>, queues: Arc<dyn Queues>) -> Result<usize> {
    let now = env.clock.now();
    let items = due::take(&env, now.plus(AHEAD), lease(&env)).await?;
    Ok(send(queues.as_ref(), items, |item| now.until(item.place.at)).await)
}

/// Sends all retries to their queues at once, whenever they are due; returns the number of items sent. For a machine
/// whose clock was set back: retries that were stored before would wait for as long as it had been ahead. A worker that
/// gets one too early schedules it again. Alarms keep their times, which don't depend on when they were stored.
pub async fn recall(env: Arc<Env>, queues: Arc<dyn Queues>) -> Result<usize> {
    let items = due::recall(&env, alarm::QUEUE, lease(&env)).await?;
    Ok(send(queues.as_ref(), items, |_| Duration::ZERO).await)
}

fn consumer_of(item: &DueItem) -> Option<&'static dyn AnyConsumer> {
    CONSUMERS.iter().copied().find(|consumer| consumer.lines().iter().any(|line| line.queue.name == item.queue))
}

/// How long an item is left alone after it was sent.
fn lease(env: &Env) -> impl Fn(&DueItem) -> Duration {
    let least = env.settings.lease * LEASES;
    // A function that may run for longer than a lease gets at least its timeout.
    move |item| {
        let timeout = consumer_of(item).map(|consumer| consumer.limits().timeout).filter(|timeout| *timeout > LEASE);
        timeout.map_or(Duration::ZERO, |timeout| timeout + AHEAD).max(least)
    }
}

async fn send(queues: &dyn Queues, items: Vec<DueItem>, delay: impl Fn(&DueItem) -> Duration) -> usize {
    let mut sent = 0;
    for item in items {
        let Some(consumer) = consumer_of(&item) else {
            tracing::error!(queue = item.queue, "a due item names an unknown queue");
            continue;
        };
        let delay = delay(&item);
        let (queue, org) = (consumer.queue_of(&item.message), consumer.org_of(&item.message));
        let outgoing = Outgoing { body: item.message, delay, entry: None, org, trace: None };
        match queues.send(queue, outgoing).await {
            Ok(()) => sent += 1,
            // It is due again when its lease ends.
            Err(error) => tracing::error!(%error, "a due item could not be sent to its queue"),
        }
    }
    sent
}
