//! Send mail: each mail of a journal entry goes out once.
//!
//! A row per entry and mail is taken by condition before anything is sent. Where the answer of the other
//! side got lost, the mail is `unknown`: the mailbox or SES's events tell what became of it, and only when
//! they are silent for a quarter of an hour is it sent once more.

mod compose;
mod events;

use compose::Composed;
use daybook_domain::Timestamp;
use daybook_jobs::mail::{Mail, SendError};
use daybook_jobs::{MailJob, Message, Outcome, Queue, Services, Worker, back_off, mail_id};
use daybook_store::rows::delivery::{self, Delivery, State, Turn};
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
    let env = &services.env;
    let settle = Settle { services, entry: job.entry, consumer: job.kind.consumer() };
    let (to, content) = match compose::compose(services, job).await? {
        Composed::Mail(to, content) => (to, content),
        Composed::Nobody => return settle.over(State::Suppressed, None, Some("there is nobody to send it to")).await,
    };
    if suppression::holds(env, job.entry.org, &to).await? {
        return settle.over(State::Suppressed, None, Some("the addressee gets no mail")).await;
    }
    let mail = Mail { id: mail_id(&job), from: services.sender.clone(), to, reply_to: None, content };
    match services.mailer.send(&mail).await {
        Ok(remote_id) => settle.over(State::Sent, Some(&remote_id), None).await,
        Err(SendError::Refused(reason)) => settle.over(State::Failed, None, Some(&reason)).await,
        Err(SendError::NotNow(reason)) if attempt >= MOST_ATTEMPTS => {
            settle.over(State::Failed, None, Some(&reason)).await
        }
        Err(SendError::NotNow(reason)) => {
            let at = back_off(env.clock.now(), attempt, env.settings.retry_base, env.ids.next().as_u128());
            settle.wait(State::Waiting, at, reason).await
        }
        Err(SendError::Unheard(reason)) => settle.wait(State::Unknown, env.clock.now().plus(EVENTS), reason).await,
    }
}

/// Finds out what became of a mail that nobody heard of, and sends it again only if it didn't go out.
async fn find_out(services: &Services, job: MailJob, found: &Delivery, attempt: u32) -> Result<Outcome> {
    let env = &services.env;
    let settle = Settle { services, entry: job.entry, consumer: job.kind.consumer() };
    let id = mail_id(&job);
    let silent_since = found.updated_at.plus(EVENTS);
    match services.mailer.was_sent(&id).await {
        Some(true) => return settle.over(State::Sent, Some(&id), None).await,
        Some(false) => {}
        None if env.clock.now() < silent_since => {
            let reason = "waiting to hear whether it went out".to_owned();
            return match found.state {
                State::Unknown => Ok(Outcome::RetryAt(silent_since, reason)),
                _ => settle.wait(State::Unknown, env.clock.now().plus(EVENTS), reason).await,
            };
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
}

impl Settle<'_> {
    async fn over(&self, state: State, remote_id: Option<&str>, error: Option<&str>) -> Result<Outcome> {
        delivery::settle(&self.services.env, self.entry, self.consumer, state, remote_id, error).await?;
        Ok(match (state, error) {
            (State::Failed, Some(reason)) => Outcome::Failed(reason.to_owned()),
            _ => Outcome::Done,
        })
    }

    async fn wait(&self, state: State, at: Timestamp, reason: String) -> Result<Outcome> {
        delivery::settle(&self.services.env, self.entry, self.consumer, state, None, Some(&reason)).await?;
        Ok(Outcome::RetryAt(at, reason))
    }
}
