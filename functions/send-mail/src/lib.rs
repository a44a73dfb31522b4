//! The worker that sends e-mails about journal entries, each once.
//!
//! A row per entry and mail is leased by a conditional write before anything is sent. If the mail service's response
//! got lost, the mail is `unknown`: the mailbox or SES's events tell whether it was sent. If there is no event for a
//! quarter of an hour, the mail is sent once more, and never a third time.

mod compose;
mod events;
mod held;
mod message;
mod wants;

pub use daybook_store::rows::mail_job::{MailJob, MailKind};
pub use message::{MailEvent, mail_id};

use compose::Composed;
use daybook_domain::{AnyId, Timestamp};
use daybook_jobs::mail::{Mail, Mailer, SendError, Sender};
use daybook_jobs::{
    Consumer, Limits, Message, Outcome, Places, Presence, Provided, Provider, Queue, RetryPolicy, Worker,
};
use daybook_store::rows::delivery::{self, Delivery, Settled, State, Turn};
use daybook_store::rows::{is_too_far_ahead, mail_job, suppression};
use daybook_store::{EntryRef, Env, Result};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for events of the mail service before a mail with unknown outcome is sent once more.
const EVENTS: Duration = Duration::from_secs(15 * 60);

/// The consumer of entries that lead to mails.
pub static CONSUMER: Consumer<MailJob> = Consumer {
    queue: Queue { name: mail_job::QUEUE },
    long: None,
    function: "send-mail",
    presence: Presence::Always,
    wants: Some(wants::mails),
    org: |job| job.entry.org,
    // On one machine a request then waits for one mail to be written, rather than ten.
    limits: Limits { places: Places { under_load: 1, ..Places::DEFAULT }, ..Limits::DEFAULT },
    // With the pauses between them, more than a day.
    retry: RetryPolicy::attempts(100),
};

/// The worker of this consumer.
pub fn worker<P: Provider>(from: &mut P) -> Provided<Worker> {
    let (queue, mailer, sender) = (from.own_queues(&CONSUMER), from.mailer(), from.sender());
    let post = Post { mailer: mailer?, sender: sender? };
    Ok(CONSUMER.worker(queue?, post, handle).and_messages_of_others(events::take))
}

/// The mail service and the sender of mails.
#[derive(Clone)]
pub(crate) struct Post {
    mailer: Arc<dyn Mailer>,
    sender: Sender,
}

/// Ensures that the mail is sent.
async fn handle(env: Arc<Env>, post: Post, message: Message<MailJob>) -> Result<Outcome> {
    let job = message.job;
    let consumer = job.kind.consumer();
    if let Some(at) = held::waits_until(&job, env.clock.now()) {
        return Ok(Outcome::RetryAt(at, "held posts are told once an hour".to_owned()));
    }
    match delivery::take(&env, job.entry, consumer, env.settings.lease).await? {
        Turn::Finished => Ok(Outcome::Done),
        Turn::Busy(until) => Ok(Outcome::RetryAt(until, "another worker leased it".to_owned())),
        Turn::Go => send(&env, &post, job, message.attempt).await,
        Turn::FindOut(found) => find_out(&env, &post, job, &found, message.attempt).await,
    }
}

async fn send(env: &Arc<Env>, post: &Post, job: MailJob, attempt: u32) -> Result<Outcome> {
    let mut settle = Settle::of(env, job);
    let composed = match written(env, post, job).await {
        Ok(Written::Mail(composed)) => composed,
        Ok(Written::Nothing(why)) => return settle.finish(State::Suppressed, None, Some(why)).await,
        // Nothing has been sent yet, so a retry is safe.
        Err(error) => return settle.later(attempt, error.chain()).await,
    };
    let Composed { to, reply_to, content, about } = composed;
    settle.about = about;
    let mail = Mail { id: mail_id(&job), from: post.sender.clone(), to, reply_to, content };
    match post.mailer.send(&mail).await {
        Ok(remote_id) => settle.finish(State::Sent, Some(&remote_id), None).await,
        Err(SendError::Refused(reason)) => settle.finish(State::Failed, None, Some(&reason)).await,
        Err(SendError::Temporary(reason) | SendError::Blocked(reason)) if CONSUMER.retry.is_exhausted(attempt) => {
            settle.finish(State::Failed, None, Some(&reason)).await
        }
        Err(SendError::Blocked(reason)) => match settle.later(attempt, reason).await? {
            Outcome::RetryAt(at, reason) => Ok(Outcome::Stuck(at, reason)),
            other => Ok(other),
        },
        Err(SendError::Temporary(reason)) => settle.later(attempt, reason).await,
        Err(SendError::OutcomeUnknown(reason)) => {
            settle.wait(State::OutcomeUnknown, env.clock.now().plus(EVENTS), reason).await
        }
    }
}

/// The mail to send, or why none is sent.
enum Written {
    Mail(Composed),
    Nothing(&'static str),
}

async fn written(env: &Arc<Env>, post: &Post, job: MailJob) -> Result<Written> {
    let Some(composed) = compose::compose(env, &post.sender, job).await? else {
        return Ok(Written::Nothing("there is no recipient, or nothing to tell"));
    };
    if suppression::holds(env, job.entry.org, &composed.to).await? {
        return Ok(Written::Nothing("the recipient's address is on the suppression list"));
    }
    Ok(Written::Mail(composed))
}

/// Determines whether a mail with unknown outcome was sent, and sends it again only if not.
async fn find_out(env: &Arc<Env>, post: &Post, job: MailJob, found: &Delivery, attempt: u32) -> Result<Outcome> {
    let settle = Settle::of(env, job);
    let id = mail_id(&job);
    let silent_since = found.updated_at.plus(EVENTS);
    match post.mailer.was_sent(&id).await {
        Some(true) => return settle.finish(State::Sent, Some(&id), None).await,
        Some(false) => {}
        None if env.clock.now() < silent_since => {
            let reason = "waiting for the mail service to report whether it was sent".to_owned();
            return match found.state {
                // A time further ahead was stored while the clock was ahead, and is stored again below.
                State::OutcomeUnknown if !is_too_far_ahead(silent_since, env.clock.now(), EVENTS) => {
                    Ok(Outcome::RetryAt(silent_since, reason))
                }
                _ => settle.wait(State::OutcomeUnknown, env.clock.now().plus(EVENTS), reason).await,
            };
        }
        None if found.resent => {
            let reason = "sent twice without a report of its delivery";
            return settle.finish(State::Failed, None, Some(reason)).await;
        }
        None => tracing::warn!(mail_id = id, "no report of a mail's delivery, sending it once more"),
    }
    match delivery::again(env, job.entry, job.kind.consumer(), found, env.settings.lease).await? {
        Turn::Go => send(env, post, job, attempt).await,
        _ => Ok(Outcome::RetryAt(env.clock.now().plus(env.settings.lease), "another worker leased it".to_owned())),
    }
}

/// Stores the state of a delivery; returns the outcome for the queue.
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

    /// The mail wasn't sent: retry after a pause.
    async fn later(&self, attempt: u32, reason: String) -> Result<Outcome> {
        let at = CONSUMER.retry.next_attempt(self.env, attempt);
        self.wait(State::Waiting, at, reason).await
    }

    async fn finish(&self, state: State, remote_id: Option<&str>, error: Option<&str>) -> Result<Outcome> {
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
