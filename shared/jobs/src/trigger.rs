//! Lambda triggers: handles queue and stream events, and reports which parts must be redelivered.

use crate::batch::{Delivered, run_batch};
use crate::worker::Worker;
pub use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest as SocketEvent;
pub use aws_lambda_events::event::dynamodb::Event as StreamEvent;
pub use aws_lambda_events::event::sqs::SqsEvent;
use aws_lambda_events::event::sqs::SqsMessage;
use daybook_connectors::queues::{Outgoing, Queue, Queues};
use daybook_store::telemetry::Invocation;
use daybook_store::{Env, Error, Result, SignedFact};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Processes a batch of a queue. Only failed messages are redelivered.
pub async fn on_queue(
    worker: &Worker,
    env: &Arc<Env>,
    event: SqsEvent,
    until: Instant,
    invocation: &Invocation,
) -> Value {
    let delivered =
        |message: SqsMessage| Some(Delivered { id: message.message_id?, body: message.body.unwrap_or_default() });
    let batch: Vec<Delivered> = event.records.into_iter().filter_map(delivered).collect();
    let count = batch.len();
    let failed = run_batch(worker, env, batch, until).await;
    ended(worker.consumer.function(), count, failed.len(), invocation);
    failures(failed)
}

/// The dead-letter queue of the table's stream.
pub const DEAD_LETTERS: Queue = Queue { name: "dispatch-dead-letters" };

/// Handles the entries in a batch of the table's stream. After a failure the rest of the batch is redelivered, in order.
/// An entry that can't be read would fail for ever: it goes to the dead-letter queue at once, by its key.
pub async fn on_stream<F, Fut>(event: StreamEvent, handle: F, aside: &dyn Queues, invocation: &Invocation) -> Value
where
    F: Fn(SignedFact) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let count = event.records.len();
    for record in event.records {
        let id = record.change.sequence_number.clone().unwrap_or_default();
        // The stream's filter passes only new facts; any other record must not block the stream.
        if record.change.new_image.is_empty() {
            continue;
        }
        let outcome = match serde_dynamo::from_item(record.change.new_image) {
            Ok(fact) => handle(fact).await,
            Err(error) => set_aside(aside, &id, &record.change.keys, &error).await,
        };
        if let Err(error) = outcome {
            tracing::error!(error = %error.chain(), sequence_number = id, "entry not dispatched");
            ended("dispatch", count, 1, invocation);
            return failures(vec![id]);
        }
    }
    ended("dispatch", count, 0, invocation);
    failures(Vec::new())
}

/// Puts an entry that can't be read into the dead-letter queue, by its key.
async fn set_aside(
    aside: &dyn Queues,
    sequence_number: &str,
    keys: &serde_dynamo::Item,
    why: &serde_dynamo::Error,
) -> Result<()> {
    tracing::error!(error = %why, sequence_number, "an entry can't be read, and goes to the dead letters");
    let keys: Value = serde_dynamo::from_item(keys.clone()).unwrap_or_default();
    let body = json!({"key": keys, "sequence_number": sequence_number, "error": why.to_string()}).to_string();
    let outgoing = Outgoing { body, delay: Duration::ZERO, entry: None, org: None, trace: None };
    let sent = aside.send(DEAD_LETTERS, outgoing).await;
    sent.map_err(|error| Error::unavailable("set an unreadable entry aside", error))
}

/// Writes the log line of an invocation: the number of its items, and of those that will be redelivered.
pub(crate) fn ended(function: &str, count: usize, failed: usize, invocation: &Invocation) {
    let Invocation { id, trace, cold_start, .. } = invocation;
    let ms = invocation.ms();
    tracing::info!(
        function,
        count,
        failed,
        ms,
        function_request_id = id,
        xray_trace_id = trace,
        cold_start,
        "invocation"
    );
}

fn failures(ids: Vec<String>) -> Value {
    let items: Vec<Value> = ids.into_iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": items})
}
