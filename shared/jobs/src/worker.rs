//! Workers: a consumer's function for each message of its queue, with the dependencies it needs.

use crate::consumer::{AnyConsumer, Consumer};
use crate::message::Message;
use crate::outcome::Outcome;
use daybook_connectors::queues::Queues;
use daybook_store::rows::due::{self, DueRef};
use daybook_store::{Env, Result};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

type Working = Arc<dyn Fn(Arc<Env>, String) -> BoxFuture<'static, Attempt> + Send + Sync>;
type Other = Arc<dyn Fn(Arc<Env>, String) -> BoxFuture<'static, Result<bool>> + Send + Sync>;

/// The result of processing a message.
pub(crate) enum Attempt {
    /// There was nothing to do.
    Nothing,
    /// The message can't be parsed as one of the consumer's.
    Unreadable(String),
    /// The job wasn't attempted; the queue redelivers the message.
    Failed(String),
    /// The job was attempted; with the message, for a retry.
    Made(Result<Outcome>, Box<dyn Retry>),
}

/// A message that can be retried.
pub(crate) trait Retry: Send + Sync {
    /// The due item that keeps the job, if any.
    fn due(&self) -> Option<&DueRef>;
    /// The number of earlier attempts.
    fn attempt(&self) -> u32;
    /// The trace it is part of.
    fn trace(&self) -> Option<&str>;
    /// What identifies the job, the same at every attempt.
    fn identity(&self) -> String;
    /// The message for the same attempt to go on, with the due item that keeps the job.
    fn continued(&self, due: DueRef) -> String;
    /// The message for the next attempt, with the due item that keeps the job.
    fn next(&self, due: DueRef) -> String;
}

impl<J: Serialize + Clone + Send + Sync> Retry for Message<J> {
    fn due(&self) -> Option<&DueRef> {
        self.due.as_ref()
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    fn identity(&self) -> String {
        serde_json::to_string(&self.job).unwrap_or_default()
    }

    fn continued(&self, due: DueRef) -> String {
        serde_json::to_string(&Message { turns: self.turns + 1, due: Some(due), ..self.clone() }).unwrap_or_default()
    }

    fn next(&self, due: DueRef) -> String {
        let next = Message { attempt: self.attempt + 1, due: Some(due), ..self.clone() };
        serde_json::to_string(&next).unwrap_or_default()
    }
}

/// A consumer with the dependencies it needs to process its messages.
#[derive(Clone)]
pub struct Worker {
    /// The consumer whose messages it processes.
    pub consumer: &'static dyn AnyConsumer,
    /// The consumer's queues, for retries.
    pub(crate) queues: Arc<dyn Queues>,
    /// Whether its system is switched on. If not, messages that are already queued wait, and no new ones are sent.
    pub is_on: bool,
    work: Working,
    other: Option<Other>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.consumer.function(), self.consumer.queue().name)
    }
}

impl<J: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Consumer<J> {
    /// Builds the consumer's worker from its queues, for retries, its other dependencies, and the function for a message.
    pub fn worker<N, W, Fut>(&'static self, queue: Arc<dyn Queues>, needs: N, work: W) -> Worker
    where
        N: Clone + Send + Sync + 'static,
        W: Fn(Arc<Env>, N, Message<J>) -> Fut + Copy + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome>> + Send,
    {
        let working: Working = Arc::new(move |env, body| {
            let needs = needs.clone();
            Box::pin(async move {
                let message = match serde_json::from_str::<Message<J>>(&body) {
                    Ok(message) => message,
                    Err(error) => return Attempt::Unreadable(error.to_string()),
                };
                if let Some(place) = &message.due {
                    match due::exists(&env, place).await {
                        Ok(true) => {}
                        // Another copy of this message was processed first.
                        Ok(false) => return Attempt::Nothing,
                        Err(error) => return Attempt::Failed(error.chain()),
                    }
                }
                Attempt::Made(work(env, needs, message.clone()).await, Box::new(message))
            })
        });
        Worker { consumer: self, queues: queue, is_on: true, work: working, other: None }
    }
}

impl Worker {
    /// Marks its system as switched off.
    pub fn switched_off(self) -> Worker {
        Worker { is_on: false, ..self }
    }

    /// Also accepts messages that other systems put into the queue; `take` returns whether a message was one of them.
    pub fn and_messages_of_others<F, Fut>(self, take: F) -> Worker
    where
        F: Fn(Arc<Env>, String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool>> + Send + 'static,
    {
        Worker { other: Some(Arc::new(move |env, body| Box::pin(take(env, body)))), ..self }
    }

    /// Attempts the job of a message.
    pub(crate) async fn attempt(&self, env: &Arc<Env>, body: String) -> Attempt {
        let Some(other) = &self.other else { return (self.work)(env.clone(), body).await };
        match (self.work)(env.clone(), body.clone()).await {
            Attempt::Unreadable(why) => match other(env.clone(), body).await {
                Ok(true) => Attempt::Nothing,
                Ok(false) => Attempt::Unreadable(why),
                Err(error) => Attempt::Failed(error.chain()),
            },
            attempt => attempt,
        }
    }
}
