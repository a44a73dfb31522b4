//! Send mail: each mail of a journal entry goes out once.
//!
//! A row per entry and mail is taken by condition before anything is sent. Where the answer of the other
//! side got lost, the mail is `unknown`: the mailbox or SES's events tell what became of it, and only when
//! they are silent for a quarter of an hour is it sent once more, and never a third time.

mod compose;
mod events;
mod message;
mod wants;

pub use message::{MailEvent, MailJob, MailKind, mail_id};

use compose::Composed;
use daybook_domain::{AnyId, Timestamp};
use daybook_jobs::mail::{Mail, Mailer, SendError, Sender};
use daybook_jobs::{Consumer, Limits, Message, NotSet, Outcome, Presence, Provider, Queue, RetryPolicy, Worker};
use daybook_store::rows::delivery::{self, Delivery, Settled, State, Turn};
use daybook_store::rows::suppression;
use daybook_store::{EntryRef, Env, Result};
use std::sync::Arc;
use std::time::Duration;

/// How long the other side's events are waited for before an unknown mail is sent once more.
const EVENTS: Duration = Duration::from_secs(15 * 60);

/// The consumer of entries that mails are sent about.
pub static CONSUMER: Consumer<MailJob> = Consumer {
    queue: Queue { name: "mail" },
    function: "send-mail",
    presence: Presence::Always,
    wants: Some(wants::mails),
    // A mail is written on this machine: a request waits for one of them, rather than ten.
    limits: Limits { batch_under_load: 1, ..Limits::DEFAULT },
    // With the pauses, more than a day.
    retry: RetryPolicy::attempts(100),
};

/// Its worker.
pub fn worker<P: Provider>(from: &mut P) -> std::result::Result<Worker, NotSet> {
    let post = Post { mailer: from.mailer()?, sender: from.sender()? };
    Ok(CONSUMER.worker(from.own_queue(&CONSUMER)?, post, handle).and_messages_of_others(events::take))
}

/// The way out for mail, and who mail is from.
pub(crate) struct Post {
    mailer: Arc<dyn Mailer>,
    sender: Sender,
}

/// Makes it true that the mail went out.
async fn handle(env: Arc<Env>, post: Arc<Post>, message: Message<MailJob>) -> Result<Outcome> {
    let job = message.job;
    let consumer = job.kind.consumer();
    match delivery::take(&env, job.entry, consumer, env.settings.lease).await? {
        Turn::Over => Ok(Outcome::Done),
        Turn::Busy(until) => Ok(Outcome::RetryAt(until, "another worker is at it".to_owned())),
        Turn::Go => send(&env, &post, job, message.attempt).await,
        Turn::FindOut(found) => find_out(&env, &post, job, &found, message.attempt).await,
    }
}

async fn send(env: &Arc<Env>, post: &Post, job: MailJob, attempt: u32) -> Result<Outcome> {
    let mut settle = Settle::of(env, job);
    let composed = match written(env, post, job).await {
        Ok(Written::Mail(composed)) => composed,
        Ok(Written::Nothing(why)) => return settle.over(State::Suppressed, None, Some(why)).await,
        // Nothing was sent yet, so nothing is in doubt.
        Err(error) => return settle.later(attempt, error.chain()).await,
    };
    let Composed { to, reply_to, content, about } = composed;
    settle.about = about;
    let mail = Mail { id: mail_id(&job), from: post.sender.clone(), to, reply_to, content };
    match post.mailer.send(&mail).await {
        Ok(remote_id) => settle.over(State::Sent, Some(&remote_id), None).await,
        Err(SendError::Refused(reason)) => settle.over(State::Failed, None, Some(&reason)).await,
        Err(SendError::NotNow(reason)) if CONSUMER.retry.is_exhausted(attempt) => {
            settle.over(State::Failed, None, Some(&reason)).await
        }
        Err(SendError::NotNow(reason)) => settle.later(attempt, reason).await,
        Err(SendError::OutcomeUnknown(reason)) => {
            settle.wait(State::OutcomeUnknown, env.clock.now().plus(EVENTS), reason).await
        }
    }
}

/// What to send, or why nothing is.
enum Written {
    Mail(Composed),
    Nothing(&'static str),
}

async fn written(env: &Arc<Env>, post: &Post, job: MailJob) -> Result<Written> {
    let Some(composed) = compose::compose(env, &post.sender, job).await? else {
        return Ok(Written::Nothing("there is nobody to send it to"));
    };
    if suppression::holds(env, job.entry.org, &composed.to).await? {
        return Ok(Written::Nothing("the addressee gets no mail"));
    }
    Ok(Written::Mail(composed))
}

/// Finds out what became of a mail that nobody heard of, and sends it again only if it didn't go out.
async fn find_out(env: &Arc<Env>, post: &Post, job: MailJob, found: &Delivery, attempt: u32) -> Result<Outcome> {
    let settle = Settle::of(env, job);
    let id = mail_id(&job);
    let silent_since = found.updated_at.plus(EVENTS);
    match post.mailer.was_sent(&id).await {
        Some(true) => return settle.over(State::Sent, Some(&id), None).await,
        Some(false) => {}
        None if env.clock.now() < silent_since => {
            let reason = "waiting to hear whether it went out".to_owned();
            return match found.state {
                State::OutcomeUnknown => Ok(Outcome::RetryAt(silent_since, reason)),
                _ => settle.wait(State::OutcomeUnknown, env.clock.now().plus(EVENTS), reason).await,
            };
        }
        None if found.resent => {
            let reason = "nobody heard whether it went out, twice";
            return settle.over(State::Failed, None, Some(reason)).await;
        }
        None => tracing::warn!(mail_id = id, "sending once more: nobody heard whether it went out"),
    }
    match delivery::again(env, job.entry, job.kind.consumer(), found, env.settings.lease).await? {
        Turn::Go => send(env, post, job, attempt).await,
        _ => Ok(Outcome::RetryAt(env.clock.now().plus(env.settings.lease), "another worker is at it".to_owned())),
    }
}

/// Writes down how a delivery went, and says so.
struct Settle<'a> {
    env: &'a Arc<Env>,
    entry: EntryRef,
    consumer: &'static str,
    /// The lead it is about, once that is known.
    about: Option<AnyId>,
}

impl<'a> Settle<'a> {
    fn of(env: &'a Arc<Env>, job: MailJob) -> Settle<'a> {
        Settle { env, entry: job.entry, consumer: job.kind.consumer(), about: None }
    }

    /// It didn't go out; again after a pause.
    async fn later(&self, attempt: u32, reason: String) -> Result<Outcome> {
        let at = CONSUMER.retry.next_attempt(self.env, attempt);
        self.wait(State::Waiting, at, reason).await
    }

    async fn over(&self, state: State, remote_id: Option<&str>, error: Option<&str>) -> Result<Outcome> {
        self.write(state, remote_id, error).await?;
        Ok(match (state, error) {
            (State::Failed, Some(reason)) => Outcome::Failed(reason.to_owned()),
            _ => Outcome::Done,
        })
    }

    async fn wait(&self, state: State, at: Timestamp, reason: String) -> Result<Outcome> {
        self.write(state, None, Some(&reason)).await?;
        Ok(Outcome::RetryAt(at, reason))
    }

    async fn write(&self, state: State, remote_id: Option<&str>, error: Option<&str>) -> Result<()> {
        let how = Settled { state, remote_id, error, about: self.about };
        delivery::settle(self.env, self.entry, self.consumer, how).await
    }
}
