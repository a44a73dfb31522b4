//! Messages: the envelope of a job on its way through a queue. Jobs hold ids, and nothing that is worth stealing.

use daybook_store::rows::due::DueRef;
use serde::{Deserialize, Serialize};

/// A job with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<J> {
    /// What to do.
    pub job: J,
    /// How often it was tried before.
    #[serde(default)]
    pub attempt: u32,
    /// The due item that stands for it until it is done.
    #[serde(default)]
    pub due: Option<DueRef>,
    /// The trace it is part of, from the request through the journal to the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl<J> Message<J> {
    /// A job that was never tried.
    pub fn new(job: J) -> Message<J> {
        Message { job, attempt: 0, due: None, trace: None }
    }
}
