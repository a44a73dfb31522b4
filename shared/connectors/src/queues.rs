//! Queues between dispatch and the workers: one per consumer.

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use daybook_domain::EntryId;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::time::Duration;

/// The longest a message may be delayed (SQS).
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A consumer's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Mail to visitors and staff.
    Mail,
    /// Records that are kept equal in HubSpot.
    HubSpot,
    /// Work that takes longer than a request.
    Jobs,
    /// Moments at which something is to be done about a record.
    Reminders,
}

impl Queue {
    /// Every queue.
    pub const ALL: [Queue; 4] = [Queue::Mail, Queue::HubSpot, Queue::Jobs, Queue::Reminders];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Queue::Mail => "mail",
            Queue::HubSpot => "hubspot",
            Queue::Jobs => "jobs",
            Queue::Reminders => "reminders",
        }
    }

    /// The queue of this name.
    pub fn of(name: &str) -> Option<Queue> {
        Queue::ALL.into_iter().find(|queue| queue.name() == name)
    }

    /// Whether every deployment has it; the others are there where their system is switched on.
    pub fn is_required(self) -> bool {
        match self {
            Queue::Mail | Queue::Jobs | Queue::Reminders => true,
            Queue::HubSpot => false,
        }
    }

    /// How long a worker may be at one of its messages: its function's time-out.
    pub fn longest(self) -> Duration {
        match self {
            Queue::Mail | Queue::HubSpot | Queue::Reminders => Duration::from_secs(60),
            Queue::Jobs => Duration::from_secs(900),
        }
    }

    /// The variable that holds its address.
    pub fn variable(self) -> &'static str {
        match self {
            Queue::Mail => "MAIL_QUEUE_URL",
            Queue::HubSpot => "HUBSPOT_QUEUE_URL",
            Queue::Jobs => "JOBS_QUEUE_URL",
            Queue::Reminders => "REMINDERS_QUEUE_URL",
        }
    }
}

/// A message on its way to a queue.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message.
    pub body: String,
    /// How long it waits first, at most 15 minutes.
    pub delay: Duration,
    /// The journal entry it comes from, where no due item stands behind it.
    pub entry: Option<EntryId>,
    /// The trace it is part of, if any; X-Ray's goes along as its header.
    pub trace: Option<String>,
}

/// Why a message could not be queued.
#[derive(Debug, thiserror::Error)]
#[error("send to queue {queue}: {reason}")]
pub struct QueueError {
    /// The queue.
    pub queue: &'static str,
    /// What the other side said.
    pub reason: String,
}

/// Somewhere messages wait for a worker: SQS, or the memory of the one-machine server.
pub trait Queues: Send + Sync {
    /// Puts a message into a queue. It may come out more than once, and in any order.
    fn send(&self, queue: Queue, message: Outgoing) -> BoxFuture<'_, Result<(), QueueError>>;

    /// Whether the deployment has a queue.
    fn has(&self, queue: Queue) -> bool;
}

/// The queues of SQS.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: aws_sdk_sqs::Client,
    addresses: HashMap<Queue, String>,
}

impl Sqs {
    /// Queues at these addresses, as a configuration of the SDK reaches them.
    pub fn new(config: &aws_config::SdkConfig, addresses: HashMap<Queue, String>) -> Sqs {
        Sqs { client: aws_sdk_sqs::Client::new(config), addresses }
    }
}

impl Queues for Sqs {
    fn has(&self, queue: Queue) -> bool {
        self.addresses.contains_key(&queue)
    }

    fn send(&self, queue: Queue, message: Outgoing) -> BoxFuture<'_, Result<(), QueueError>> {
        let failed = move |reason: String| QueueError { queue: queue.name(), reason };
        Box::pin(async move {
            let address =
                self.addresses.get(&queue).ok_or_else(|| failed(format!("{} is not set", queue.variable())))?;
            let seconds = message.delay.min(LONGEST_DELAY).as_secs_f64().ceil() as i32;
            let mut call =
                self.client.send_message().queue_url(address).message_body(message.body).delay_seconds(seconds);
            if let Some(trace) = message.trace.filter(|trace| trace.starts_with("Root=")) {
                let header = MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
                let header = header.map_err(|error| failed(error.to_string()))?;
                call = call.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header);
            }
            call.send().await.map(|_| ()).map_err(|error| failed(DisplayErrorContext(&error).to_string()))
        })
    }
}
