//! Conditions of writes, and updates that follow what is there.

use crate::item::{Item, attribute};
use crate::schema::{KIND, Kind};
use crate::{Error, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use std::collections::HashMap;

/// A condition on an item, with its names and values.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The expression.
    pub expression: &'static str,
    /// Values by placeholder.
    pub values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    /// A condition without values.
    pub fn of(expression: &'static str) -> Condition {
        Condition { expression, values: Vec::new() }
    }

    /// The condition with a value for a placeholder.
    pub fn with(mut self, placeholder: &'static str, value: impl Serialize) -> Condition {
        self.values.push((placeholder, attribute(value)));
        self
    }
}

/// The update that makes a row its next version: its attributes set, those without a value removed, all others as they are.
#[derive(Debug)]
pub(crate) struct Follow {
    pub expression: String,
    set: Item,
    names: Vec<String>,
}

impl Follow {
    pub fn of(row: &impl Serialize) -> Result<Follow> {
        let mut item: Item =
            serde_dynamo::to_item(row).map_err(|error| Error::internal("write a row as attributes", error))?;
        item.entry(KIND.to_owned()).or_insert_with(|| attribute(Kind::Row.name()));
        let names: Vec<String> = item.keys().cloned().collect();
        let (set, removed): (Item, Item) = item.into_iter().partition(|(_, value)| !value.is_null());
        let assigned = |name: &String| format!("#row_{name} = :row_{name}");
        let mut expression = format!("SET {}", set.keys().map(assigned).collect::<Vec<_>>().join(", "));
        if !removed.is_empty() {
            let names = removed.keys().map(|name| format!("#row_{name}")).collect::<Vec<_>>();
            expression = format!("{expression} REMOVE {}", names.join(", "));
        }
        Ok(Follow { expression, set, names })
    }

    /// The names behind its `#`s, with those of a condition.
    pub fn names(&self, condition: &str) -> Option<HashMap<String, String>> {
        let mut all: HashMap<String, String> =
            self.names.iter().map(|name| (format!("#row_{name}"), name.clone())).collect();
        all.extend(names("", condition).unwrap_or_default());
        Some(all)
    }

    /// The values behind its `:`s, with those of a condition.
    pub fn values(&self, condition: Vec<(&'static str, AttributeValue)>) -> Option<Item> {
        let mut all: Item = self.set.iter().map(|(name, value)| (format!(":row_{name}"), value.clone())).collect();
        all.extend(values(condition).unwrap_or_default());
        Some(all)
    }
}

pub(crate) fn values(values: Vec<(&'static str, AttributeValue)>) -> Option<Item> {
    (!values.is_empty()).then(|| values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The names behind the `#name`s of two expressions: themselves, without the sign.
pub(crate) fn names(update: &str, condition: &str) -> Option<HashMap<String, String>> {
    let words = update.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '#')));
    let words = words.chain(condition.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '#'))));
    let found: HashMap<String, String> =
        words.filter_map(|word| Some((word.to_owned(), word.strip_prefix('#')?.to_owned()))).collect();
    (!found.is_empty()).then_some(found)
}
