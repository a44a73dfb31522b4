//! Send mail: each mail of a journal entry goes out once.
//!
//! A row per entry and mail is taken by condition before anything is sent. Where the answer of the other
//! side got lost, the mail is `unknown`: the mailbox or SES's events tell what became of it, and only when
//! they are silent for a quarter of an hour is it sent once more, and never a third time.

mod compose;
mod events;

use compose::Composed;
use daybook_domain::{AnyId, Timestamp};
use daybook_jobs::mail::{Mail, SendError};
use daybook_jobs::{MailJob, Message, Outcome, Queue, Services, Worker, back_off, mail_id};
use daybook_store::rows::delivery::{self, Delivery, Settled, State, Turn};
use daybook_store::rows::suppression;
use daybook_store::{EntryRef, Result};
use std::sync::Arc;
use std::time::Duration;

/// How long the other side's events are waited for before an unknown mail is sent once more.
const EVENTS: Duration = Duration::from_secs(15 * 60);

/// After so many tries a mail is given up: with back-off, more than a day.
const MOST_ATTEMPTS: u32 = 100;

/// The worker of this function.
pub fn worker() -> Worker {
    Worker::new("send-mail", Queue::Mail, handle, events::take)
}

/// Makes it true that the mail went out.
async fn handle(services: Arc<Services>, message: Message<MailJob>) -> Result<Outcome> {
    let job = message.job;
    let consumer = job.kind.consumer();
    match delivery::take(&services.env, job.entry, consumer, services.lease).await? {
        Turn::Over => Ok(Outcome::Done),
        Turn::Busy(until) => Ok(Outcome::RetryAt(until, "another worker is at it".to_owned())),
        Turn::Go => send(&services, job, message.attempt).await,
        Turn::FindOut(found) => find_out(&services, job, &found, message.attempt).await,
    }
}

async fn send(services: &Services, job: MailJob, attempt: u32) -> Result<Outcome> {
    let mut settle = Settle::of(services, job);
    let composed = match written(services, job).await {
        Ok(Written::Mail(composed)) => composed,
        Ok(Written::Nothing(why)) => return settle.over(State::Suppressed, None, Some(why)).await,
        // Nothing was sent yet, so nothing is in doubt.
        Err(error) => return settle.later(attempt, error.chain()).await,
    };
    let Composed { to, reply_to, content, about } = composed;
    settle.about = about;
    let mail = Mail { id: mail_id(&job), from: services.sender.clone(), to, reply_to, content };
    match services.mailer.send(&mail).await {
        Ok(remote_id) => settle.over(State::Sent, Some(&remote_id), None).await,
        Err(SendError::Refused(reason)) => settle.over(State::Failed, None, Some(&reason)).await,
        Err(SendError::NotNow(reason)) if attempt >= MOST_ATTEMPTS => {
            settle.over(State::Failed, None, Some(&reason)).await
        }
        Err(SendError::NotNow(reason)) => settle.later(attempt, reason).await,
        Err(SendError::Unheard(reason)) => {
            settle.wait(State::Unheard, services.env.clock.now().plus(EVENTS), reason).await
        }
    }
}

/// What to send, or why nothing is.
enum Written {
    Mail(Composed),
    Nothing(&'static str),
}

async fn written(services: &Services, job: MailJob) -> Result<Written> {
    let Some(composed) = compose::compose(services, job).await? else {
        return Ok(Written::Nothing("there is nobody to send it to"));
    };
    if suppression::holds(&services.env, job.entry.org, &composed.to).await? {
        return Ok(Written::Nothing("the addressee gets no mail"));
    }
    Ok(Written::Mail(composed))
}

/// Finds out what became of a mail that nobody heard of, and sends it again only if it didn't go out.
async fn find_out(services: &Services, job: MailJob, found: &Delivery, attempt: u32) -> Result<Outcome> {
    let env = &services.env;
    let settle = Settle::of(services, job);
    let id = mail_id(&job);
    let silent_since = found.updated_at.plus(EVENTS);
    match services.mailer.was_sent(&id).await {
        Some(true) => return settle.over(State::Sent, Some(&id), None).await,
        Some(false) => {}
        None if env.clock.now() < silent_since => {
            let reason = "waiting to hear whether it went out".to_owned();
            return match found.state {
                State::Unheard => Ok(Outcome::RetryAt(silent_since, reason)),
                _ => settle.wait(State::Unheard, env.clock.now().plus(EVENTS), reason).await,
            };
        }
        None if found.resent => {
            let reason = "nobody heard whether it went out, twice";
            return settle.over(State::Failed, None, Some(reason)).await;
        }
        None => tracing::warn!(mail_id = id, "sending once more: nobody heard whether it went out"),
    }
    match delivery::again(env, job.entry, job.kind.consumer(), found, services.lease).await? {
        Turn::Go => send(services, job, attempt).await,
        _ => Ok(Outcome::RetryAt(env.clock.now().plus(services.lease), "another worker is at it".to_owned())),
    }
}

/// Writes down how a delivery went, and says so.
struct Settle<'a> {
    services: &'a Services,
    entry: EntryRef,
    consumer: &'static str,
    /// The lead it is about, once that is known.
    about: Option<AnyId>,
}

impl<'a> Settle<'a> {
    fn of(services: &'a Services, job: MailJob) -> Settle<'a> {
        Settle { services, entry: job.entry, consumer: job.kind.consumer(), about: None }
    }

    /// It didn't go out; again after a pause.
    async fn later(&self, attempt: u32, reason: String) -> Result<Outcome> {
        let env = &self.services.env;
        let at = back_off(env.clock.now(), attempt, env.settings.retry_base, env.ids.next().as_u128());
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
        delivery::settle(&self.services.env, self.entry, self.consumer, how).await
    }
}
