//! The interface of a storage engine: DynamoDB through its SDK, or a key-value store in this process, with the same
//! guarantees.

use crate::condition::{Condition, Update};
use crate::item::{Item, key_of};
use crate::schema::{Key, Range};
use crate::{Error, Result};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;

/// The maximum number of actions in a transaction (DynamoDB).
pub const MOST_ACTIONS: usize = 100;

/// The maximum number of items read by key at once (DynamoDB).
pub const MOST_READ: usize = 100;

/// A store of items by key, with indexes and conditional writes.
///
/// Reads of the table, by key or range, are strongly consistent; reads of an index are eventually consistent. Writes
/// are atomic.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// Items by key, in no particular order; missing ones are left out. Takes at most [`MOST_READ`] keys, all distinct.
    fn get<'a>(&'a self, keys: &'a [Key], part: Part) -> BoxFuture<'a, Result<Vec<Item>>>;

    /// A page of a range: at most `ask.limit` items, and at most 1 MB.
    fn query<'a>(&'a self, range: &'a Range, ask: QueryAsk) -> BoxFuture<'a, Result<QueryPage>>;

    /// Carries out one action; returns the attributes that an update changed, with their new values.
    fn write<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<Item, Failure>>;

    /// Carries out actions on distinct items in one transaction, at most [`MOST_ACTIONS`]. Not retried where the
    /// outcome is unknown.
    fn transact<'a>(&'a self, actions: &'a [Action]) -> BoxFuture<'a, Result<(), Failure>>;
}

/// The part of an item to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All attributes.
    #[default]
    Whole,
    /// One attribute, without the key.
    Only(&'static str),
    /// Nothing: the items are only counted.
    Count,
}

/// The parameters of a query for one page.
#[derive(Clone, Debug, Default)]
pub struct QueryAsk {
    /// The maximum number of items; unless set, as many as fit into 1 MB.
    pub limit: Option<usize>,
    /// The position of the last item of the previous page.
    pub after: Option<Position>,
    /// Whether the order is descending.
    pub descending: bool,
    /// The part of each item to return.
    pub part: Part,
}

/// A position in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The item's key.
    pub key: Key,
    /// Its key in the index, where the range is in one.
    pub indexed: Option<Key>,
}

impl Range {
    /// The position of an item in this range: its key and, for an index, its sort key there.
    pub fn place(&self, key: Key, sk: impl FnOnce() -> String) -> Position {
        Position { key, indexed: self.index.map(|_| Key { pk: self.pk.clone(), sk: sk() }) }
    }
}

/// A page of items.
#[derive(Clone, Debug, Default)]
pub struct QueryPage {
    /// The items; empty where they are only counted.
    pub items: Vec<Item>,
    /// The number of items.
    pub count: usize,
    /// The position behind which the next page begins, if there may be one.
    pub more: Option<Position>,
}

/// A conditional action on an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The item's key.
    pub key: Key,
    /// The action.
    pub act: Act,
    /// The condition.
    pub condition: Condition,
}

/// What an action does to an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Writes the item, in place of any existing one. Its attributes hold its key.
    Put(Item),
    /// Changes its attributes.
    Update(Update),
    /// Removes it, if it exists.
    Delete,
    /// Only checks the condition.
    Check,
}

impl Action {
    /// Writes an item. Its attributes must hold its key.
    pub fn put(item: Item, condition: Condition) -> Result<Action> {
        let key = key_of(&item).ok_or_else(|| Error::internal("write an item", "it has no key"))?;
        Ok(Action { key, act: Act::Put(item), condition })
    }

    /// Changes attributes of an item.
    pub fn update(key: Key, update: Update, condition: Condition) -> Action {
        Action { key, act: Act::Update(update), condition }
    }

    /// Removes an item.
    pub fn delete(key: Key, condition: Condition) -> Action {
        Action { key, act: Act::Delete, condition }
    }

    /// Only checks a condition.
    pub fn check(key: Key, condition: Condition) -> Action {
        Action { key, act: Act::Check, condition }
    }
}

/// Why a write failed.
#[derive(Debug)]
pub enum Failure {
    /// Conditions failed, and nothing was written. For each action whose condition failed: the current item, empty
    /// where there is none.
    Refused(Vec<Option<Item>>),
    /// A concurrent write of the same items; nothing was written.
    Contended(Cause),
    /// The store is busy or throttles; nothing was written.
    Busy(Cause),
    /// The outcome is unknown: it may have been written.
    OutcomeUnknown(Cause),
    /// A retry can't succeed: a defect, or missing permissions.
    Invalid(Cause),
}

impl Failure {
    /// The error, for an operation that doesn't handle failures itself.
    pub fn into_error(self, operation: &'static str) -> Error {
        match self {
            Failure::Refused(_) => Error::internal(operation, "a condition failed, but the operation has none"),
            Failure::Contended(cause) | Failure::Busy(cause) | Failure::OutcomeUnknown(cause) => {
                Error::unavailable(operation, cause)
            }
            Failure::Invalid(cause) => Error::internal(operation, cause),
        }
    }
}

/// The cause of a failure.
pub type Cause = Box<dyn StdError + Send + Sync>;
