//! What Lambda hands over to workers, and what it hears back: which part must come again.

use crate::batch::{Delivered, run_batch};
use crate::worker::{Services, Worker};
pub use aws_lambda_events::event::dynamodb::Event as StreamEvent;
pub use aws_lambda_events::event::sqs::SqsEvent;
use aws_lambda_events::event::sqs::SqsMessage;
use daybook_store::{Error, Fact, Result};
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

/// Works on a batch of a queue. Messages that failed come again, by themselves.
pub async fn on_queue(worker: &Worker, services: &Arc<Services>, event: SqsEvent, until: Instant) -> Value {
    let delivered =
        |message: SqsMessage| Some(Delivered { id: message.message_id?, body: message.body.unwrap_or_default() });
    let batch: Vec<Delivered> = event.records.into_iter().filter_map(delivered).collect();
    let count = batch.len();
    let failed = run_batch(worker, services, batch, until).await;
    tracing::info!(function = worker.function, count, failed = failed.len(), "batch");
    failures(failed)
}

/// Hands on the entries in a batch of the table's stream. After a failure the rest of the batch comes again, in order.
pub async fn on_stream<F, Fut>(services: &Arc<Services>, event: StreamEvent, handle: F) -> Value
where
    F: Fn(Arc<Services>, Fact) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let count = event.records.len();
    for record in event.records {
        let id = record.change.sequence_number.clone().unwrap_or_default();
        // The stream's filter lets only new facts through; anything else must not stop it.
        if record.change.new_image.is_empty() {
            continue;
        }
        let outcome = match serde_dynamo::from_item(record.change.new_image) {
            Ok(fact) => handle(services.clone(), fact).await,
            Err(error) => Err(Error::internal("read a stream record", error)),
        };
        if let Err(error) = outcome {
            tracing::error!(error = %error.chain(), sequence_number = id, "entry not dispatched");
            return failures(vec![id]);
        }
    }
    tracing::info!(count, "dispatched");
    failures(Vec::new())
}

fn failures(ids: Vec<String>) -> Value {
    let items: Vec<Value> = ids.into_iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": items})
}
