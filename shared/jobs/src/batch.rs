//! Processing of a batch of queue messages: each message is independent, and only failed ones are redelivered.

use crate::outcome::Outcome;
use crate::worker::{Attempt, Retry, Worker};
use daybook_connectors::queues::{LONGEST_DELAY, Outgoing};
use daybook_domain::Timestamp;
use daybook_store::rows::due::{self, DueRef};
use daybook_store::{Env, Error, Result, sha256_hex};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The number of messages of a batch that are processed concurrently.
const AT_ONCE: usize = 4;

/// The least time left to start a message; with less, it goes back to the queue rather than be cut off.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// How long after a delayed message, and its worker's time-out, the due item takes over. Longer than sweep looks ahead
/// (75 s), and than the time until it runs again, so that the message comes first.
const FALLBACK_DELAY: Duration = Duration::from_secs(120);

/// The number of attempts after which a job that is retried for ever counts as stuck.
const STUCK: u32 = 100;

/// A message as a queue delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The queue's id of the message.
    pub id: String,
    /// The message.
    pub body: String,
}

/// Processes a batch, and returns the ids of the messages that must be redelivered.
///
/// An unreadable message, a panic or an error affects no other message. A job that returns when to try again
/// is not a failure: it waits as a due item.
pub async fn run_batch(worker: &Worker, env: &Arc<Env>, batch: Vec<Delivered>, until: Instant) -> Vec<String> {
    let function = worker.consumer.function();
    stream::iter(batch)
        .map(|message| async move {
            if until.saturating_duration_since(Instant::now()) < LEAST_TIME {
                return Some(message.id);
            }
            let started = Instant::now();
            let attempt = AssertUnwindSafe(worker.attempt(env, message.body)).catch_unwind().await;
            let mut trace = None;
            let failure = match attempt {
                Err(_) => Some("the worker panicked".to_owned()),
                Ok(Attempt::Nothing) => None,
                Ok(Attempt::Unreadable(why) | Attempt::Failed(why)) => Some(why),
                Ok(Attempt::Made(outcome, message)) => {
                    trace = message.trace().map(str::to_owned);
                    settle(worker, env, outcome, message.as_ref()).await.err().map(|e| e.chain())
                }
            };
            let ms = started.elapsed().as_micros() as f64 / 1000.0;
            match failure {
                None => {
                    tracing::info!(function, message_id = %message.id, ms, xray_trace_id = trace, "job");
                    None
                }
                Some(why) => {
                    metrics::counter!("JobsFailed").increment(1);
                    tracing::error!(function, message_id = %message.id, ms, xray_trace_id = trace, error = %why, "job failed");
                    Some(message.id)
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(|failed| async move { failed })
        .collect()
        .await
}

/// Handles the outcome of an attempt: removes the due item of a finished job, or schedules the retry.
async fn settle(worker: &Worker, env: &Env, outcome: Result<Outcome>, message: &dyn Retry) -> Result<()> {
    let function = worker.consumer.function();
    let at = match outcome {
        Ok(Outcome::Done) => return finish(env, message).await,
        Ok(Outcome::Failed(reason)) => {
            given_up();
            tracing::error!(function, job = message.identity(), reason, "job given up");
            return finish(env, message).await;
        }
        Ok(Outcome::Stuck(at, reason)) => {
            given_up();
            tracing::error!(function, job = message.identity(), %at, reason, "job needs an operator; it will be retried");
            at
        }
        Ok(Outcome::Yielded) => {
            return send_again(worker, env, message, env.clock.now(), |place| message.continued(place)).await;
        }
        Ok(Outcome::RetryAt(at, reason)) => {
            tracing::info!(function, job = message.identity(), %at, reason, "job will be retried");
            at
        }
        Err(error) => {
            tracing::warn!(function, job = message.identity(), error = %error.chain(), "job will be retried");
            worker.consumer.retry().next_attempt(env, message.attempt())
        }
    };
    metrics::counter!("JobsRetried").increment(1);
    if message.attempt() >= STUCK {
        given_up();
        tracing::error!(function, job = message.identity(), attempts = message.attempt(), "job keeps failing");
    }
    send_again(worker, env, message, at, |place| message.next(place)).await
}

/// Counts a job that was given up, or that no further attempt will help: an alarm rings at one.
fn given_up() {
    metrics::counter!("JobsGivenUp").increment(1);
}

/// Removes the due item of a finished job.
async fn finish(env: &Env, message: &dyn Retry) -> Result<()> {
    match message.due() {
        Some(place) => due::remove(env, place).await,
        None => Ok(()),
    }
}

/// Schedules the next message of a job: by a delayed message with a due item as a fallback, or, if the time is more
/// than 15 minutes away, by the due item alone.
async fn send_again(
    worker: &Worker,
    env: &Env,
    message: &dyn Retry,
    at: Timestamp,
    next: impl FnOnce(DueRef) -> String,
) -> Result<()> {
    let timeout = worker.consumer.limits().timeout;
    let delay = env.clock.now().until(at);
    let near = delay <= LONGEST_DELAY;
    let id = sha256_hex(format!("{} {}", worker.consumer.queue().name, message.identity()).as_bytes());
    let place = DueRef { at: if near { at.plus(FALLBACK_DELAY + timeout) } else { at }, id };
    let body = next(place.clone());
    let queue = worker.consumer.queue_of(&body);
    // A version that knows one queue only sends it there.
    due::put(env, &place, worker.consumer.queue().name, &body).await?;
    if let Some(old) = message.due().filter(|old| **old != place) {
        due::remove(env, old).await?;
    }
    let (org, trace) = (worker.consumer.org_of(&body), message.trace().map(str::to_owned));
    let outgoing = Outgoing { body, delay, entry: None, org, trace };
    if near && let Err(error) = worker.queues.send(queue, outgoing).await {
        let function = worker.consumer.function();
        // The due item is stored: the job is late, not lost.
        tracing::warn!(function, error = %Error::unavailable("send a retry", error).chain(), "retry left to sweep");
    }
    Ok(())
}
