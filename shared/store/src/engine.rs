//! What keeps the table's items: DynamoDB by its SDK, or a key-value store in this process. Both promise the same.

use crate::condition::{Condition, Update};
use crate::item::{Item, key_of};
use crate::schema::{Key, Range};
use crate::{Error, Result};
use futures::future::BoxFuture;
use std::error::Error as StdError;

/// The most actions one transaction has (DynamoDB).
pub const MOST_ACTIONS: usize = 100;

/// The most items that are read by key at once (DynamoDB).
pub const MOST_READ: usize = 100;

/// Keeps items by key, finds them by index, and changes them on condition.
///
/// Reads by key and of ranges of the table see every write that was acknowledged; indexes may follow by moments. What a
/// write does, it does as a whole or not at all.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// Items by key, each key once and at most [`MOST_READ`] of them, in no particular order; those that aren't there are left
    /// out.
    fn get<'a>(&'a self, keys: &'a [Key], part: Part) -> BoxFuture<'a, Result<Vec<Item>>>;

    /// A page of a range: at most so many items as were asked for, and at most 1 MB.
    fn query<'a>(&'a self, range: &'a Range, ask: QueryAsk) -> BoxFuture<'a, Result<QueryPage>>;

    /// Carries out one action; tells the attributes that an update changed, as they are since.
    fn write<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<Item, Failure>>;

    /// Carries out actions on different items, at most [`MOST_ACTIONS`]: all of them, or none. It isn't tried again
    /// where its outcome is unknown.
    fn transact<'a>(&'a self, actions: &'a [Action]) -> BoxFuture<'a, Result<(), Failure>>;
}

/// What is wanted of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All of their attributes.
    #[default]
    Whole,
    /// One attribute alone, without the key.
    Only(&'static str),
    /// Nothing: they are counted.
    Count,
}

/// How to ask for a page.
#[derive(Clone, Debug, Default)]
pub struct QueryAsk {
    /// The most items; as many as fit into 1 MB unless set.
    pub limit: Option<usize>,
    /// The place of the last item of the page before.
    pub after: Option<Position>,
    /// Whether the last come first.
    pub descending: bool,
    /// What is wanted of each item.
    pub part: Part,
}

/// A place in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The item's key.
    pub key: Key,
    /// Its key in the index, where the range is of one.
    pub indexed: Option<Key>,
}

impl Range {
    /// The place of an item in this range: its key, and where an index is asked, its sort key there.
    pub fn place(&self, key: Key, sk: impl FnOnce() -> String) -> Position {
        Position { key, indexed: self.index.map(|_| Key { pk: self.pk.clone(), sk: sk() }) }
    }
}

/// A page of items.
#[derive(Clone, Debug, Default)]
pub struct QueryPage {
    /// The items; none where they are counted.
    pub items: Vec<Item>,
    /// How many they are.
    pub count: usize,
    /// Where the next page begins, if there may be one.
    pub more: Option<Position>,
}

/// What is done to an item, if a condition on it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The item's key.
    pub key: Key,
    /// What is done.
    pub act: Act,
    /// The condition.
    pub condition: Condition,
}

/// What is done to an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// It is written, in place of whatever was there. Its attributes hold its key.
    Put(Item),
    /// Its attributes are changed.
    Update(Update),
    /// It is removed, if it is there.
    Delete,
    /// Nothing: only the condition matters.
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

    /// Does nothing, on condition.
    pub fn check(key: Key, condition: Condition) -> Action {
        Action { key, act: Act::Check, condition }
    }
}

/// Why a write failed.
#[derive(Debug)]
pub enum Failure {
    /// Conditions failed, so nothing was written: of each action whose condition failed, the item as it is, empty where there
    /// is none.
    Refused(Vec<Option<Item>>),
    /// Others wrote the same items at the same time; it didn't happen.
    Contended(Cause),
    /// Not now; it didn't happen.
    Busy(Cause),
    /// The outcome is unknown: it may have happened.
    OutcomeUnknown(Cause),
    /// It can't be done, now or later: a defect, or wrong rights.
    Invalid(Cause),
}

impl Failure {
    /// The error, where nothing but that can be told.
    pub fn into_error(self, operation: &'static str) -> Error {
        match self {
            Failure::Refused(_) => Error::internal(operation, "a condition failed where there is none"),
            Failure::Contended(cause) | Failure::Busy(cause) | Failure::OutcomeUnknown(cause) => {
                Error::unavailable(operation, cause)
            }
            Failure::Invalid(cause) => Error::internal(operation, cause),
        }
    }
}

/// What lies behind a failure.
pub type Cause = Box<dyn StdError + Send + Sync>;
