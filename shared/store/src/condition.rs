//! Conditions and updates of writes as values, which each engine evaluates or translates.

use crate::item::{Item, attribute};
use crate::schema::{KIND, Kind, PK};
use crate::{Error, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use std::borrow::Cow;

/// A condition on an item before a write. Comparisons with a missing attribute, or with one of another type, are false.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// The attribute exists.
    Exists(Cow<'static, str>),
    /// The attribute doesn't exist.
    Absent(Cow<'static, str>),
    /// The attribute is equal to a value. Numbers are compared as numbers.
    Equal(Cow<'static, str>, AttributeValue),
    /// The attribute is less than a value: numbers as numbers, texts by their bytes.
    Less(Cow<'static, str>, AttributeValue),
    /// The attribute is equal to one of these.
    In(Cow<'static, str>, Vec<AttributeValue>),
    /// All of these hold; true of an empty list.
    All(Vec<Condition>),
    /// At least one of these holds; false of an empty list.
    Any(Vec<Condition>),
    /// This doesn't hold.
    Not(Box<Condition>),
}

impl Condition {
    /// Always holds.
    pub const ALWAYS: Condition = Condition::All(Vec::new());

    /// The item exists.
    pub fn exists() -> Condition {
        Condition::has(PK)
    }

    /// The item doesn't exist.
    pub fn absent() -> Condition {
        Condition::lacks(PK)
    }

    /// The attribute exists.
    pub fn has(name: impl Into<Cow<'static, str>>) -> Condition {
        Condition::Exists(name.into())
    }

    /// The attribute doesn't exist.
    pub fn lacks(name: impl Into<Cow<'static, str>>) -> Condition {
        Condition::Absent(name.into())
    }

    /// The attribute is equal to a value.
    pub fn equal(name: impl Into<Cow<'static, str>>, value: impl Serialize) -> Condition {
        Condition::Equal(name.into(), attribute(value))
    }

    /// The attribute is less than a value.
    pub fn less(name: impl Into<Cow<'static, str>>, value: impl Serialize) -> Condition {
        Condition::Less(name.into(), attribute(value))
    }

    /// The attribute is less than a value, or equal to it.
    pub fn at_most(name: impl Into<Cow<'static, str>>, value: impl Serialize) -> Condition {
        let (name, value) = (name.into(), attribute(value));
        Condition::Any(vec![Condition::Less(name.clone(), value.clone()), Condition::Equal(name, value)])
    }

    /// The attribute is equal to one of these.
    pub fn one_of<T: Serialize>(name: impl Into<Cow<'static, str>>, values: impl IntoIterator<Item = T>) -> Condition {
        Condition::In(name.into(), values.into_iter().map(attribute).collect())
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

    /// Whether it is the condition that always holds.
    pub fn is_always(&self) -> bool {
        matches!(self, Condition::All(all) if all.is_empty())
    }
}

/// A change of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets it to a value.
    Set(AttributeValue),
    /// Sets it to a value unless it exists.
    SetIfAbsent(AttributeValue),
    /// Adds a number to it; a missing attribute counts as 0.
    Add(i64),
    /// Removes it.
    Remove,
}

/// An upsert of an item: one change per attribute; all other attributes stay as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The changes, by attribute.
    pub changes: Vec<(Cow<'static, str>, Change)>,
}

impl Update {
    /// The update of a row to its next version: sets its attributes, removes those without a value, and keeps those
    /// that only a newer version of Daybook knows.
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

    /// Sets an attribute to a value.
    pub fn set(name: impl Into<Cow<'static, str>>, value: impl Serialize) -> Update {
        Update::default().and_set(name, value)
    }

    /// Adds a number to an attribute.
    pub fn add(name: impl Into<Cow<'static, str>>, number: i64) -> Update {
        Update::default().and_add(name, number)
    }

    /// Also sets an attribute to a value.
    #[must_use]
    pub fn and_set(self, name: impl Into<Cow<'static, str>>, value: impl Serialize) -> Update {
        self.and(name, Change::Set(attribute(value)))
    }

    /// Also adds a number to an attribute.
    #[must_use]
    pub fn and_add(self, name: impl Into<Cow<'static, str>>, number: i64) -> Update {
        self.and(name, Change::Add(number))
    }

    /// Also removes an attribute.
    #[must_use]
    pub fn and_remove(self, name: impl Into<Cow<'static, str>>) -> Update {
        self.and(name, Change::Remove)
    }

    /// Adds a change, in place of an earlier one of the same attribute.
    #[must_use]
    pub fn and(mut self, name: impl Into<Cow<'static, str>>, change: Change) -> Update {
        let name = name.into();
        self.changes.retain(|(changed, _)| *changed != name);
        self.changes.push((name, change));
        self
    }
}
