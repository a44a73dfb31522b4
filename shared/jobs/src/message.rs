//! Queue messages: the envelope of a job, with its attempts, due item and trace. Jobs hold ids and no confidential data.

use daybook_store::rows::due::DueRef;
use serde::{Deserialize, Serialize};

/// A job with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<J> {
    /// The job.
    pub job: J,
    /// The number of earlier attempts.
    #[serde(default)]
    pub attempt: u32,
    /// The number of turns that it has had, in all attempts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turns: u32,
    /// The due item that keeps the job until it is done.
    #[serde(default)]
    pub due: Option<DueRef>,
    /// The trace it is part of, from the request through the journal to the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// Whether a number is left out of a message.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl<J> Message<J> {
    /// The message for the first attempt of a job.
    pub fn new(job: J) -> Message<J> {
        Message { job, attempt: 0, turns: 0, due: None, trace: None }
    }
}
