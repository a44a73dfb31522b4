//! Message queues between dispatch and the workers, one per consumer: an interface, and its client of SQS.

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use daybook_domain::{EntryId, OrgId};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::time::Duration;

/// The longest delay of a message: 15 minutes (SQS).
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// A queue, by its name: lower-case letters, digits and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Queue {
    /// The name.
    pub name: &'static str,
}

impl Queue {
    /// The environment variable that holds its address.
    pub fn variable(self) -> String {
        format!("{}_QUEUE_URL", self.name.to_uppercase().replace('-', "_"))
    }
}

/// A message on its way to a queue.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message.
    pub body: String,
    /// The delay before its delivery, at most 15 minutes.
    pub delay: Duration,
    /// The journal entry it comes from, if no due item keeps the job.
    pub entry: Option<EntryId>,
    /// The organisation that it is for: organisations take turns (SQS's fair queues).
    pub org: Option<OrgId>,
    /// The trace it is part of, if any; an X-Ray trace is sent as the message's trace header.
    pub trace: Option<String>,
}

/// Why a message could not be queued.
#[derive(Debug, thiserror::Error)]
#[error("send to queue {queue}: {reason}")]
pub struct QueueError {
    /// The queue.
    pub queue: &'static str,
    /// The queue service's error message.
    pub reason: String,
}

/// A message queue service: SQS, or the memory of the one-machine server.
pub trait Queues: Send + Sync {
    /// Puts a message into a queue. Delivery is at-least-once, and in any order.
    fn send(&self, queue: Queue, message: Outgoing) -> BoxFuture<'_, Result<(), QueueError>>;

    /// Whether the deployment has a queue.
    fn has(&self, queue: Queue) -> bool;
}

/// The client of Amazon SQS.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: aws_sdk_sqs::Client,
    addresses: HashMap<Queue, String>,
}

impl Sqs {
    /// The queues at these URLs, reached by this SDK configuration.
    pub fn new(config: &aws_config::SdkConfig, addresses: HashMap<Queue, String>) -> Sqs {
        Sqs { client: aws_sdk_sqs::Client::new(config), addresses }
    }
}

impl Queues for Sqs {
    fn has(&self, queue: Queue) -> bool {
        self.addresses.contains_key(&queue)
    }

    fn send(&self, queue: Queue, message: Outgoing) -> BoxFuture<'_, Result<(), QueueError>> {
        let failed = move |reason: String| QueueError { queue: queue.name, reason };
        Box::pin(async move {
            let address =
                self.addresses.get(&queue).ok_or_else(|| failed(format!("{} is not set", queue.variable())))?;
            let seconds = message.delay.min(LONGEST_DELAY).as_secs_f64().ceil() as i32;
            let mut call =
                self.client.send_message().queue_url(address).message_body(message.body).delay_seconds(seconds);
            call = call.set_message_group_id(message.org.map(|org| org.to_string()));
            if let Some(trace) = message.trace.filter(|trace| trace.starts_with("Root=")) {
                let header = MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
                let header = header.map_err(|error| failed(error.to_string()))?;
                call = call.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header);
            }
            call.send().await.map(|_| ()).map_err(|error| failed(DisplayErrorContext(&error).to_string()))
        })
    }
}
