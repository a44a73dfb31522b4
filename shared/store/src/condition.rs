//! Conditions of writes, and updates, as values: what they come to is up to the engine.

use crate::item::{Item, attribute};
use crate::schema::{KIND, Kind, PK};
use crate::{Error, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use std::borrow::Cow;

/// A condition on an item as it is before a write. An attribute that isn't there is equal to nothing and less than nothing;
/// so is one of another type.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The attribute is there.
    Exists(&'static str),
    /// The attribute isn't there.
    Absent(&'static str),
    /// The attribute is equal to a value. Numbers are compared as numbers.
    Equal(&'static str, AttributeValue),
    /// The attribute is less than a value: numbers as numbers, texts by their bytes.
    Less(&'static str, AttributeValue),
    /// The attribute is equal to one of these.
    In(&'static str, Vec<AttributeValue>),
    /// All of these hold. Of none, they do.
    All(Vec<Condition>),
    /// One of these holds. Of none, it doesn't.
    Any(Vec<Condition>),
    /// This doesn't hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Always holds.
    pub const ALWAYS: Condition = Condition::All(Vec::new());

    /// There is an item.
    pub fn exists() -> Condition {
        Condition::Exists(PK)
    }

    /// There is no item.
    pub fn absent() -> Condition {
        Condition::Absent(PK)
    }

    /// The attribute is equal to a value.
    pub fn equal(name: &'static str, value: impl Serialize) -> Condition {
        Condition::Equal(name, attribute(value))
    }

    /// The attribute is less than a value.
    pub fn less(name: &'static str, value: impl Serialize) -> Condition {
        Condition::Less(name, attribute(value))
    }

    /// The attribute is less than a value, or equal to it.
    pub fn at_most(name: &'static str, value: impl Serialize) -> Condition {
        let value = attribute(value);
        Condition::Any(vec![Condition::Less(name, value.clone()), Condition::Equal(name, value)])
    }

    /// The attribute is equal to one of these.
    pub fn one_of<T: Serialize>(name: &'static str, values: impl IntoIterator<Item = T>) -> Condition {
        Condition::In(name, values.into_iter().map(attribute).collect())
    }

    /// Both this and another one hold.
    #[must_use]
    pub fn and(self, other: Condition) -> Condition {
        Condition::All(vec![self, other])
    }

    /// This or another one holds.
    #[must_use]
    pub fn or(self, other: Condition) -> Condition {
        Condition::Any(vec![self, other])
    }

    /// This doesn't hold.
    #[must_use]
    pub fn negated(self) -> Condition {
        Condition::Not(Box::new(self))
    }

    /// Whether it holds whatever the item is.
    pub fn is_always(&self) -> bool {
        matches!(self, Condition::All(all) if all.is_empty())
    }
}

/// A change of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It becomes a value.
    Set(AttributeValue),
    /// It becomes a value unless it has one.
    SetIfAbsent(AttributeValue),
    /// A number is added to it; where it isn't there, it becomes that number.
    Add(i64),
    /// It is taken away.
    Remove,
}

/// What is done to an item, which is made where there is none: one change an attribute; all others stay as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The changes, by attribute.
    pub changes: Vec<(Cow<'static, str>, Change)>,
}

impl Update {
    /// The update that makes a row its next version: its attributes are set, those without a value removed, and those that
    /// only a newer version of Daybook knows stay.
    pub fn following(row: &impl Serialize) -> Result<Update> {
        let mut item: Item =
            serde_dynamo::to_item(row).map_err(|error| Error::internal("write a row as attributes", error))?;
        item.entry(KIND.to_owned()).or_insert_with(|| attribute(Kind::Row.name()));
        let change = |(name, value): (String, AttributeValue)| match value.is_null() {
            true => (Cow::Owned(name), Change::Remove),
            false => (Cow::Owned(name), Change::Set(value)),
        };
        Ok(Update { changes: item.into_iter().map(change).collect() })
    }

    /// An attribute becomes a value.
    pub fn set(name: &'static str, value: impl Serialize) -> Update {
        Update::default().and_set(name, value)
    }

    /// A number is added to an attribute.
    pub fn add(name: &'static str, number: i64) -> Update {
        Update::default().and_add(name, number)
    }

    /// An attribute becomes a value, too.
    #[must_use]
    pub fn and_set(self, name: &'static str, value: impl Serialize) -> Update {
        self.and(name, Change::Set(attribute(value)))
    }

    /// A number is added to an attribute, too.
    #[must_use]
    pub fn and_add(self, name: &'static str, number: i64) -> Update {
        self.and(name, Change::Add(number))
    }

    /// An attribute is taken away, too.
    #[must_use]
    pub fn and_remove(self, name: &'static str) -> Update {
        self.and(name, Change::Remove)
    }

    /// One change more, in place of one of the same attribute.
    #[must_use]
    pub fn and(mut self, name: &'static str, change: Change) -> Update {
        self.changes.retain(|(changed, _)| changed != name);
        self.changes.push((Cow::Borrowed(name), change));
        self
    }
}
