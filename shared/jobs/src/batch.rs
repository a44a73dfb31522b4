//! A batch of messages: each is worked on for itself, and only those that failed come back.

use crate::outcome::{Outcome, back_off};
use crate::worker::{Retry, Services, Worked, Worker};
use daybook_connectors::queues::{LONGEST_DELAY, Outgoing};
use daybook_store::rows::due::{self, DueRef};
use daybook_store::{Env, Error, Result, sha256_hex};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many messages of a batch are worked on at once.
const AT_ONCE: usize = 4;

/// With less time than this, a message goes back to the queue rather than be cut off.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// How long after a delayed message, and a worker's time for it, its due item steps in: longer than sweep looks ahead (75 s)
/// and until it runs again, so that the message comes first.
const NET: Duration = Duration::from_secs(120);

/// A message as a queue hands it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// What the queue calls it.
    pub id: String,
    /// The message.
    pub body: String,
}

/// Works on a batch and returns the ids of the messages that must come again.
///
/// A message that can't be read, a panic or an error touches no other message. A job that says when to
/// try again is not a failure: it waits as a due item.
pub async fn run_batch(
    worker: &Worker,
    services: &Arc<Services>,
    batch: Vec<Delivered>,
    until: Instant,
) -> Vec<String> {
    stream::iter(batch)
        .map(|message| async move {
            if until.saturating_duration_since(Instant::now()) < LEAST_TIME {
                return Some(message.id);
            }
            let started = Instant::now();
            let work = (worker.work)(services.clone(), message.body);
            let worked = AssertUnwindSafe(work).catch_unwind().await;
            let mut trace = None;
            let failure = match worked {
                Err(_) => Some("it panicked".to_owned()),
                Ok(Worked::Nothing) => None,
                Ok(Worked::Unreadable(why)) => Some(why),
                Ok(Worked::Tried(outcome, message)) => {
                    trace = message.trace().map(str::to_owned);
                    settle(worker, services, outcome, message.as_ref()).await.err().map(|e| e.chain())
                }
            };
            let ms = started.elapsed().as_micros() as f64 / 1000.0;
            match failure {
                None => {
                    tracing::info!(function = worker.function, message_id = %message.id, ms, xray_trace_id = trace, "job");
                    None
                }
                Some(why) => {
                    metrics::counter!("JobsFailed").increment(1);
                    tracing::error!(function = worker.function, message_id = %message.id, ms, xray_trace_id = trace, error = %why, "job failed");
                    Some(message.id)
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|failed| async move { failed })
        .collect()
        .await
}

/// Follows up on what a worker says: removes the due item of a job that is over, or writes the next one.
async fn settle(worker: &Worker, services: &Services, outcome: Result<Outcome>, message: &dyn Retry) -> Result<()> {
    let env = &services.env;
    let at = match outcome {
        Ok(Outcome::Done) => return over(env, message).await,
        Ok(Outcome::Failed(reason)) => {
            metrics::counter!("JobsGivenUp").increment(1);
            tracing::error!(function = worker.function, job = message.identity(), reason, "job given up");
            return over(env, message).await;
        }
        Ok(Outcome::RetryAt(at, reason)) => {
            tracing::info!(function = worker.function, job = message.identity(), %at, reason, "job waits");
            at
        }
        Err(error) => {
            tracing::warn!(function = worker.function, job = message.identity(), error = %error.chain(), "job waits");
            back_off(env.clock.now(), message.attempt(), env.settings.retry_base, env.ids.next().as_u128())
        }
    };
    retry(worker, services, message, at).await
}

/// Removes the due item of a job that is over.
async fn over(env: &Env, message: &dyn Retry) -> Result<()> {
    match message.due() {
        Some(place) => due::remove(env, place).await,
        None => Ok(()),
    }
}

/// Sees to it that a job is tried again at a time: by a delayed message with a due item as the net, or,
/// where the time is more than 15 minutes off, by the due item alone.
async fn retry(worker: &Worker, services: &Services, message: &dyn Retry, at: daybook_domain::Timestamp) -> Result<()> {
    metrics::counter!("JobsRetried").increment(1);
    let env = &services.env;
    let delay = env.clock.now().until(at);
    let near = delay <= LONGEST_DELAY;
    let id = sha256_hex(format!("{} {}", worker.queue.name(), message.identity()).as_bytes());
    let place = DueRef { at: if near { at.plus(NET + worker.queue.longest()) } else { at }, id };
    let body = message.next(place.clone());
    due::put(env, &place, worker.queue.name(), &body).await?;
    if let Some(old) = message.due().filter(|old| **old != place) {
        due::remove(env, old).await?;
    }
    let outgoing = Outgoing { body, delay, entry: None, trace: message.trace().map(str::to_owned) };
    if near && let Err(error) = services.queues.send(worker.queue, outgoing).await {
        // The due item stands: the job is late, not lost.
        tracing::warn!(function = worker.function, error = %Error::unavailable("send a retry", error).chain(), "retry left to sweep");
    }
    Ok(())
}
