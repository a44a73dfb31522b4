//! From journal entries to the queues of their consumers.

use crate::message::{JobRun, MailJob, Message, SyncJob};
use crate::worker::Services;
use daybook_connectors::queues::{Outgoing, Queue};
use daybook_store::{Error, Fact, Result};
use serde::Serialize;
use std::time::Duration;

/// A message that an entry gives rise to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatched {
    /// A mail.
    Mail(MailJob),
    /// A record to be made equal in HubSpot.
    HubSpot(SyncJob),
    /// Work that takes longer than a request.
    Job(JobRun),
}

/// Sends what an entry gives rise to, as far as the deployment has the queues. What was sent before a failure is sent again with the retry;
/// consumers take that.
pub async fn dispatch_all(services: &Services, fact: &Fact, messages: &[Dispatched]) -> Result<()> {
    for message in messages {
        let (queue, body) = match message {
            Dispatched::Mail(job) => (Queue::Mail, body_of(job, fact)?),
            Dispatched::HubSpot(job) => (Queue::HubSpot, body_of(job, fact)?),
            Dispatched::Job(job) => (Queue::Jobs, body_of(job, fact)?),
        };
        if !services.queues.has(queue) {
            continue;
        }
        let outgoing = Outgoing { body, delay: Duration::ZERO, entry: Some(fact.id), trace: fact.trace.clone() };
        let sent = services.queues.send(queue, outgoing).await;
        sent.map_err(|error| Error::unavailable("dispatch a journal entry", error))?;
    }
    Ok(())
}

fn body_of<J: Serialize>(job: &J, fact: &Fact) -> Result<String> {
    serde_json::to_string(&Message { trace: fact.trace.clone(), ..Message::new(job) })
        .map_err(|error| Error::internal("write a message", error))
}
