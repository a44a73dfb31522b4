//! The outcome of an attempt at a job: done, to be retried, or failed.

use daybook_domain::Timestamp;

/// How an attempt at a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job is done.
    Done,
    /// Not done yet: it stored how far it came, gives others their turn, and goes on in the queue of long jobs, if its
    /// consumer has one.
    Yielded,
    /// Not done yet: retry at this time, for this reason.
    RetryAt(Timestamp, String),
    /// Not done, and it won't be before an operator acts, for this reason: alarms ring, and it is retried at this time.
    Stuck(Timestamp, String),
    /// Failed permanently, for this reason; the job's row records it.
    Failed(String),
}
