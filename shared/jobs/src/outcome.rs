//! Outcomes: what a worker says of a job after an attempt.

use daybook_domain::Timestamp;

/// How an attempt at a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What it should make true is true.
    Done,
    /// Not yet; again at this time.
    RetryAt(Timestamp, String),
    /// It never will be; its row says so.
    Failed(String),
}
