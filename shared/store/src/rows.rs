//! Operational rows: the closed list of items that are not records, such as sessions and rate limits. Each kind has its
//! own conditions; none is journaled or dispatched.
//!
//! A machine's clock may be ahead for a time, and then set back. A stored time that lies further ahead than its period
//! allows was stored by such a clock, and counts as now.

pub mod ai_keys;
pub mod alarm;
pub mod attempts;
pub mod bucket;
pub mod cascade;
pub mod chat;
pub mod checkpoint;
pub mod counts;
pub mod credential;
pub mod data_subject;
pub mod delivery;
pub mod due;
pub mod failed_mail;
pub mod key_secret;
pub mod ledger;
pub mod mail_job;
pub mod paused_job;
pub mod power;
pub mod run;
pub mod run_reader;
pub mod second_factor;
pub mod session;
pub mod socket;
pub mod socket_ticket;
pub mod spending;
pub mod suppression;
pub mod tally;
pub mod ticket;
pub mod ui_chat;

use crate::item::key_of;
use crate::schema::Key;
use crate::table::{Condition, Item, Update, row_item};
use daybook_domain::{Conflict, Error as Domain, Timestamp};
use serde::Serialize;
use std::time::Duration;

/// The time by which the clocks of two processes may differ, and for which a write may be in progress.
pub const SKEW: Duration = Duration::from_secs(60);

/// Whether a stored time lies further ahead of now than its period allows: the clock was set back since it was stored.
pub fn is_too_far_ahead(at: Timestamp, now: Timestamp, period: Duration) -> bool {
    at > now.plus(period).plus(SKEW)
}

/// A row that is written in the transaction of a commit.
#[derive(Debug)]
pub struct RowWrite {
    pub(crate) write: Write,
    pub(crate) condition: Condition,
    pub(crate) refusal: Domain,
}

/// How a row is written.
#[derive(Debug)]
pub(crate) enum Write {
    /// Replaces any existing row.
    Put(Item),
    /// Updates the existing row to its next version; attributes that only a newer version of Daybook knows stay.
    Follow(Key, Update),
}

impl RowWrite {
    /// A row that must not exist yet.
    fn new(key: &Key, row: &impl Serialize, refusal: Domain) -> crate::Result<RowWrite> {
        Ok(RowWrite { write: Write::Put(row_item(key, row)?), condition: Condition::absent(), refusal })
    }

    /// The next version of a row, if a condition on the existing row holds.
    fn following(key: &Key, row: &impl Serialize, condition: Condition, refusal: Domain) -> crate::Result<RowWrite> {
        Ok(RowWrite { write: Write::Follow(key.clone(), Update::following(row)?), condition, refusal })
    }

    /// Changes of a row's attributes, if a condition on the existing row holds.
    fn changing(key: Key, update: Update, condition: Condition, refusal: Domain) -> RowWrite {
        RowWrite { write: Write::Follow(key, update), condition, refusal }
    }

    /// Its key.
    fn key(&self) -> Option<Key> {
        match &self.write {
            Write::Put(item) => key_of(item),
            Write::Follow(key, _) => Some(key.clone()),
        }
    }

    /// Whether it is the same row as another one.
    pub(crate) fn is_same(&self, other: &RowWrite) -> bool {
        self.key() == other.key()
    }

    /// A row that replaces any existing one.
    fn replacing(key: &Key, row: &impl Serialize) -> crate::Result<RowWrite> {
        let refusal = Domain::Conflict(Conflict::Contended);
        Ok(RowWrite { write: Write::Put(row_item(key, row)?), condition: Condition::ALWAYS, refusal })
    }
}
