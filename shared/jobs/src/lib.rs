//! Jobs: what everything behind a queue shares, from the batch to the retry.
//!
//! A worker is an async function of a context and a job that says how it went ([`Outcome`]). A job that
//! must wait becomes a due item in the table; `sweep` sends it on when its time has come.

mod batch;
pub mod config;
mod message;
mod outcome;
mod start;
mod stream;
mod trigger;
mod worker;

pub use batch::{Delivered, run_batch};
pub use daybook_connectors::files;
pub use daybook_connectors::hubspot;
pub use daybook_connectors::queues::{LONGEST_DELAY, Outgoing, Queue, QueueError, Queues, Sqs};
pub use daybook_mail as mail;
pub use message::{JobRun, MailEvent, MailJob, MailKind, Message, SyncJob, mail_id};
pub use outcome::{Outcome, back_off};
pub use start::{run_queue, run_queue_with_files, run_schedule, run_schedule_with_anchors, run_stream};
pub use stream::{Dispatched, dispatch_all};
pub use trigger::{SqsEvent, StreamEvent, on_queue, on_stream};
pub use worker::{Services, Worker, nothing_foreign};
