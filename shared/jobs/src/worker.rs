//! Workers, and what they work with.

use crate::message::Message;
use crate::outcome::Outcome;
use daybook_connectors::files::{Archive, Files};
use daybook_connectors::hubspot::HubSpot;
use daybook_connectors::queues::{Queue, Queues};
use daybook_mail::{Mailer, Sender};
use daybook_store::rows::due::{self, DueRef};
use daybook_store::{Env, Result};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// What workers share.
#[derive(Clone)]
pub struct Services {
    /// The table, the time, the settings.
    pub env: Arc<Env>,
    /// The queues.
    pub queues: Arc<dyn Queues>,
    /// The way out for mail.
    pub mailer: Arc<dyn Mailer>,
    /// Who mail is from.
    pub sender: Sender,
    /// HubSpot, where it is switched on.
    pub hubspot: Option<HubSpot>,
    /// The place for files that jobs make, where the function has one.
    pub files: Option<Arc<dyn Files>>,
    /// The place for what nobody may change, where the function has one.
    pub anchors: Option<Arc<dyn Archive>>,
    /// How long a worker has a piece of work for itself; not less than a function may run.
    pub lease: Duration,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("env", &self.env).finish_non_exhaustive()
    }
}

type Working = Arc<dyn Fn(Arc<Services>, String) -> BoxFuture<'static, Worked> + Send + Sync>;

/// What a worker made of a message.
pub(crate) enum Worked {
    /// There was nothing to do, and nothing follows.
    Nothing,
    /// The message isn't one of its own.
    Unreadable(String),
    /// It did the job, or says when to try again; with the message, to be sent again.
    Tried(Result<Outcome>, Box<dyn Retry>),
}

/// A message that can be sent again.
pub(crate) trait Retry: Send + Sync {
    /// The due item that stands for it.
    fn due(&self) -> Option<&DueRef>;
    /// How often it was tried before.
    fn attempt(&self) -> u32;
    /// The trace it is part of.
    fn trace(&self) -> Option<&str>;
    /// What identifies the job, the same at every try.
    fn identity(&self) -> String;
    /// The message for the next try, with the due item that stands for it.
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

    fn next(&self, due: DueRef) -> String {
        let next = Message { attempt: self.attempt + 1, due: Some(due), ..self.clone() };
        serde_json::to_string(&next).unwrap_or_default()
    }
}

/// A function that works on the messages of a queue.
#[derive(Clone)]
pub struct Worker {
    /// The function's name.
    pub function: &'static str,
    /// The queue.
    pub queue: Queue,
    pub(crate) work: Working,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.function, self.queue.name())
    }
}

/// Takes no messages but one's own.
pub async fn nothing_foreign(_: Arc<Services>, _: String) -> Result<bool> {
    Ok(false)
}

impl Worker {
    /// A worker of jobs of one type. `foreign` may take messages that other systems put into the queue.
    pub fn new<J, W, Fut, F, Other>(function: &'static str, queue: Queue, work: W, foreign: F) -> Worker
    where
        J: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        W: Fn(Arc<Services>, Message<J>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Outcome>> + Send,
        F: Fn(Arc<Services>, String) -> Other + Clone + Send + Sync + 'static,
        Other: Future<Output = Result<bool>> + Send,
    {
        let working: Working = Arc::new(move |services, body| {
            let (work, foreign) = (work.clone(), foreign.clone());
            Box::pin(async move {
                match serde_json::from_str::<Message<J>>(&body) {
                    Ok(message) => {
                        if let Some(place) = &message.due {
                            match due::stands(&services.env, place).await {
                                Ok(true) => {}
                                // Another copy of this message came first.
                                Ok(false) => return Worked::Nothing,
                                Err(error) => return Worked::Unreadable(error.chain()),
                            }
                        }
                        Worked::Tried(work(services, message.clone()).await, Box::new(message))
                    }
                    Err(unreadable) => match foreign(services, body.clone()).await {
                        Ok(true) => Worked::Nothing,
                        Ok(false) => Worked::Unreadable(unreadable.to_string()),
                        Err(error) => Worked::Unreadable(error.chain()),
                    },
                }
            })
        });
        Worker { function, queue, work: working }
    }
}
