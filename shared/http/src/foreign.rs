//! Replies in the shape of other systems' APIs.

use crate::call::Call;
use crate::events::Events;
use crate::operation::Operation;
use crate::reply::{Answer, HttpReply, json_answer};
use daybook_store::{Answer as Kind, Reply, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer in the shape of another system's API; never stored for repeats.
#[derive(Debug, Serialize, Deserialize)]
pub enum Foreign {
    /// JSON.
    Json(Value),
    /// Server-sent events.
    Events(Events),
}

impl Reply for Foreign {
    const ANSWER: Kind = Kind::Ok;
    const SECRET: bool = true;
}

impl HttpReply for Foreign {
    const REPLAYED: bool = false;

    fn answer(self, call: &Call) -> Result<Answer> {
        match self {
            Foreign::Json(value) => json_answer(Self::ANSWER, &value),
            Foreign::Events(events) => events.answer(call),
        }
    }

    fn describe(operation: &mut Operation) {
        operation.foreign();
    }
}
