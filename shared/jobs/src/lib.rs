//! Background jobs: consumers, workers, retries, and entry points of functions on a queue, the table's stream, a schedule or a
//! gateway's WebSockets.
//!
//! A worker is an async function of a job that returns how the attempt ended ([`Outcome`]). A job that must wait becomes a
//! due item in the table; `sweep` sends it to its queue when it is due.

mod batch;
pub mod config;
mod consumer;
mod message;
mod outcome;
mod provider;
mod start;
mod trigger;
mod worker;

pub use batch::{Delivered, run_batch};
pub use consumer::{AnyConsumer, Consumer, Limits, Line, LongJobs, Places, Presence, RetryPolicy};
pub use daybook_connectors::ai;
pub use daybook_connectors::files;
pub use daybook_connectors::hubspot;
pub use daybook_connectors::llm;
pub use daybook_connectors::queues::{LONGEST_DELAY, Outgoing, Queue, QueueError, Queues, Sqs};
pub use daybook_mail as mail;
pub use message::Message;
pub use outcome::Outcome;
pub use provider::{NotSet, Provided, Provider};
pub use start::{FunctionEnvironment, run_queue, run_schedule, run_sockets, run_stream};
pub use trigger::{DEAD_LETTERS, SocketEvent, SqsEvent, StreamEvent, on_queue, on_stream};
pub use worker::Worker;
