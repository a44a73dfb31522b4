//! Alarms: due items for moments at which a record needs attention, such as reminders. A commit writes them as it
//! writes words and links. None is removed before its time, so the worker that receives one checks whether it is still
//! valid.

use super::due::{self, DueItem, DueRef};
use crate::table::{Item, row_item};
use crate::{Error, Result};
use daybook_domain::{AnyId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The queue that alarms go to.
pub const QUEUE: &str = "reminders";

/// A moment at which a record needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The organisation.
    pub org: OrgId,
    /// The record.
    pub record: AnyId,
    /// The moment.
    pub at: Timestamp,
}

impl Alarm {
    /// The due item; its id is the same for the same alarm.
    pub(crate) fn item(&self) -> Result<Item> {
        let place = DueRef { at: self.at, id: format!("alarm {} {}", self.record, self.at) };
        let message = serde_json::to_string(&json!({"job": self, "due": place}));
        let message = message.map_err(|error| Error::internal("write an alarm", error))?;
        let key = due::key(&place);
        row_item(&key, &DueItem { place, queue: QUEUE.to_owned(), message, leased_until: 0 })
    }
}
