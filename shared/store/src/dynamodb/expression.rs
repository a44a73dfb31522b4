//! DynamoDB expressions of conditions, updates and key ranges; no other module writes their text.

use crate::condition::{Change, Condition, Update};
use crate::item::Item;
use crate::schema::{PK, Range, SK, SortRange};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;
use std::fmt::Write as _;

/// The attribute names and values of expressions, by placeholder.
#[derive(Debug, Default)]
pub(super) struct Words {
    names: Vec<String>,
    values: Vec<AttributeValue>,
}

impl Words {
    /// The placeholder of an attribute's name.
    pub fn name(&mut self, name: &str) -> String {
        let known = self.names.iter().position(|known| known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        format!("#n{at}")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        self.values.push(value);
        format!(":v{}", self.values.len() - 1)
    }

    /// The names behind the placeholders, if there are any.
    pub fn names(&self) -> Option<HashMap<String, String>> {
        let named = |(at, name): (usize, &String)| (format!("#n{at}"), name.clone());
        (!self.names.is_empty()).then(|| self.names.iter().enumerate().map(named).collect())
    }

    /// The values behind the placeholders, if there are any.
    pub fn into_values(self) -> Option<Item> {
        let valued = |(at, value)| (format!(":v{at}"), value);
        (!self.values.is_empty()).then(|| self.values.into_iter().enumerate().map(valued).collect())
    }

    /// The expression of a condition; `None` where it always holds.
    pub fn condition(&mut self, condition: &Condition) -> Option<String> {
        (!condition.is_always()).then(|| self.part(condition))
    }

    /// The expression of a condition, even where it always holds.
    pub fn part(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Exists(name) => format!("attribute_exists({})", self.name(name)),
            Condition::Absent(name) => format!("attribute_not_exists({})", self.name(name)),
            Condition::Equal(name, value) => format!("{} = {}", self.name(name), self.value(value.clone())),
            Condition::Less(name, value) => format!("{} < {}", self.name(name), self.value(value.clone())),
            Condition::In(_, values) if values.is_empty() => self.part(&Condition::Any(Vec::new())),
            Condition::In(name, values) => {
                let name = self.name(name);
                let values: Vec<String> = values.iter().map(|value| self.value(value.clone())).collect();
                format!("{name} IN ({})", values.join(", "))
            }
            // Every item has a key, so `OR` is always true here, and `AND` always false.
            Condition::All(all) if all.is_empty() => self.either(" OR "),
            Condition::Any(any) if any.is_empty() => self.either(" AND "),
            Condition::All(all) => self.parts(all, " AND "),
            Condition::Any(any) => self.parts(any, " OR "),
            Condition::Not(condition) => format!("NOT ({})", self.part(condition)),
        }
    }

    fn parts(&mut self, parts: &[Condition], between: &str) -> String {
        // DynamoDB refuses redundant parentheses.
        if let [only] = parts {
            return self.part(only);
        }
        let parts: Vec<String> = parts.iter().map(|part| format!("({})", self.part(part))).collect();
        parts.join(between)
    }

    fn either(&mut self, between: &str) -> String {
        let (is, isnt) = (self.part(&Condition::exists()), self.part(&Condition::absent()));
        format!("{is}{between}{isnt}")
    }

    /// The expression of an update.
    pub fn update(&mut self, update: &Update) -> String {
        let (mut set, mut add, mut remove) = (Vec::new(), Vec::new(), Vec::new());
        for (name, change) in &update.changes {
            let name = self.name(name);
            match change {
                Change::Set(value) => set.push(format!("{name} = {}", self.value(value.clone()))),
                Change::SetIfAbsent(value) => {
                    set.push(format!("{name} = if_not_exists({name}, {})", self.value(value.clone())));
                }
                Change::Add(number) => {
                    add.push(format!("{name} {}", self.value(AttributeValue::N(number.to_string()))));
                }
                Change::Remove => remove.push(name),
            }
        }
        let mut text = String::new();
        for (verb, changes) in [("SET", set), ("ADD", add), ("REMOVE", remove)] {
            if !changes.is_empty() {
                let _ = write!(text, "{}{verb} {}", if text.is_empty() { "" } else { " " }, changes.join(", "));
            }
        }
        text
    }

    /// The key condition of a range.
    pub fn range(&mut self, range: &Range) -> String {
        let (pk, sk) = range.index.map_or((PK, SK), |index| (index.pk(), index.sk()));
        let mut text = format!("{} = {}", self.name(pk), self.value(AttributeValue::S(range.pk.clone())));
        if range.sk == SortRange::All {
            return text;
        }
        let sk = self.name(sk);
        let mut bound = |bound: &String| self.value(AttributeValue::S(bound.clone()));
        let _ = match &range.sk {
            SortRange::All => Ok(()),
            SortRange::Prefix(prefix) => write!(text, " AND begins_with({sk}, {})", bound(prefix)),
            SortRange::From(from) => write!(text, " AND {sk} >= {}", bound(from)),
            SortRange::UpTo(to) => write!(text, " AND {sk} <= {}", bound(to)),
            SortRange::Between(from, to) => write!(text, " AND {sk} BETWEEN {} AND {}", bound(from), bound(to)),
        };
        text
    }
}
