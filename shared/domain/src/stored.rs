//! Stored records: schema versions, upgrades when reading, and preservation of fields that only a newer version knows.
//!
//! Several versions run at the same time during a deployment, and a release may be rolled back. So a record that a newer
//! version wrote is read as far as it is known, and the rest is preserved when it is written again: unknown fields at any
//! depth are kept in [`Stored`] from the read to the commit, unknown enumeration values in their types (`crate::open`).
//!
//! The field [`FORM`] holds the schema version; without it, it is 1. It is only raised if the meaning of fields changes.
//! Older versions are upgraded when they are read ([`Record::upgrade`]). Newer ones are read as far as possible and never
//! written.

use crate::{Conflict, Error, Record};
use serde_json::{Map, Value};
use std::ops::Deref;

/// The field of a stored record that holds its schema version.
pub const FORM: &str = "_form";

/// A record as it was read from the store, with its unknown fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    record: T,
    /// The JSON it was read from, upgraded to this program's schema version, or in a newer one.
    text: String,
    form: u32,
}

impl<T: Record> Stored<T> {
    /// Parses a stored record from JSON.
    pub fn read(text: String) -> Result<Stored<T>, serde_json::Error> {
        // The common case: schema version 1, for which the field is left out.
        if T::FORM == 1 && !text.contains(FORM) {
            return Ok(Stored { record: serde_json::from_str(&text)?, text, form: 1 });
        }
        let mut fields: Map<String, Value> = serde_json::from_str(&text)?;
        let form = form_of(&fields);
        upgrade::<T>(form, &mut fields);
        let record = match form > T::FORM {
            true => readable(fields.clone())?,
            false => serde_json::from_value(Value::Object(fields.clone()))?,
        };
        Ok(Stored { record, text: serde_json::to_string(&fields)?, form: form.max(T::FORM) })
    }

    /// The next version of the record, as it is stored.
    pub fn followed_by(&self, record: T) -> Result<Stored<T>, serde_json::Error> {
        let fields = match self.fields_of(&record)? {
            Ok(fields) => fields,
            Err(refused) => return Err(serde::de::Error::custom(refused)),
        };
        Ok(Stored { text: serde_json::to_string(&fields)?, form: self.form, record })
    }

    /// The fields to store for a new version of the record, including those that this program doesn't know.
    /// Refused if its schema version is newer than this program can write.
    pub fn fields_of(&self, record: &T) -> Result<Result<Map<String, Value>, Error>, serde_json::Error> {
        if self.form > T::FORM {
            return Ok(Err(Error::Conflict(Conflict::NewerVersion)));
        }
        let stored: Value = serde_json::from_str(&self.text)?;
        let whole = carried(&stored, &serde_json::to_value(&self.record)?, serde_json::to_value(record)?);
        match whole {
            Value::Object(fields) => Ok(Ok(fields)),
            _ => Err(serde::de::Error::custom("a record is an object")),
        }
    }
}

impl<T> Stored<T> {
    /// The record.
    pub fn into_inner(self) -> T {
        self.record
    }

    /// The JSON it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

fn form_of(fields: &Map<String, Value>) -> u32 {
    fields.get(FORM).and_then(Value::as_u64).map_or(1, |form| u32::try_from(form).unwrap_or(u32::MAX))
}

/// Upgrades fields of an older schema version to the current one.
pub fn upgrade<T: Record>(form: u32, fields: &mut Map<String, Value>) {
    for older in form..T::FORM {
        T::upgrade(older, fields);
        fields.insert(FORM.to_owned(), Value::from(older + 1));
    }
}

/// Reads a record of a newer schema version, without the fields that can't be read.
fn readable<T: Record>(mut fields: Map<String, Value>) -> Result<T, serde_json::Error> {
    loop {
        let failure = match serde_path_to_error::deserialize(Value::Object(fields.clone())) {
            Ok(record) => return Ok(record),
            Err(failure) => failure,
        };
        let first = match failure.path().iter().next() {
            Some(serde_path_to_error::Segment::Map { key }) => Some(key.clone()),
            _ => None,
        };
        if first.is_none_or(|name| fields.remove(&name).is_none()) {
            return Err(failure.into_inner());
        }
    }
}

/// The new version `after` of a value, with the unknown fields carried over: those that are in `stored` but not in
/// `before`, which is the same value as this program read it. Entries of lists are matched by their known fields, or else
/// by position.
fn carried(stored: &Value, before: &Value, after: Value) -> Value {
    match (stored, before, after) {
        (Value::Object(stored), Value::Object(before), Value::Object(mut after)) => {
            for (name, value) in stored {
                match (before.get(name), after.remove(name)) {
                    (None, None) => _ = after.insert(name.clone(), value.clone()),
                    (None, Some(set)) => _ = after.insert(name.clone(), set),
                    (Some(before), Some(set)) => _ = after.insert(name.clone(), carried(value, before, set)),
                    (Some(_), None) => {}
                }
            }
            Value::Object(after)
        }
        (Value::Array(stored), Value::Array(before), Value::Array(after)) if stored.len() == before.len() => {
            // Entries that aren't objects have no unknown fields.
            if !stored.iter().any(|entry| entry.is_object() || entry.is_array()) {
                return Value::Array(after);
            }
            let mut free: Vec<bool> = before.iter().map(|_| true).collect();
            let same: Vec<Option<usize>> = after
                .iter()
                .map(|entry| {
                    let at = (0..before.len()).find(|&at| free[at] && before[at] == *entry)?;
                    free[at] = false;
                    Some(at)
                })
                .collect();
            let entries = after.into_iter().zip(same).enumerate().map(|(place, (entry, same))| {
                match same.or_else(|| free.get(place).copied().unwrap_or(false).then_some(place)) {
                    Some(at) => carried(&stored[at], &before[at], entry),
                    None => entry,
                }
            });
            Value::Array(entries.collect())
        }
        (_, _, after) => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_unknown_stays_and_what_is_known_is_as_it_was_set() {
        let check = |stored: Value, before: Value, after: Value, expected: Value| {
            assert_eq!(carried(&stored, &before, after), expected, "{stored}");
        };
        check(json!({"a": 1, "new": 2}), json!({"a": 1}), json!({"a": 3}), json!({"a": 3, "new": 2}));
        check(json!({"a": 1}), json!({"a": 1}), json!({}), json!({}));
        check(
            json!({"in": {"a": 1, "new": [1]}}),
            json!({"in": {"a": 1}}),
            json!({"in": {"a": 2}}),
            json!({"in": {"a": 2, "new": [1]}}),
        );
        check(json!({"in": {"a": 1, "new": 2}}), json!({"in": {"a": 1}}), json!({"in": null}), json!({"in": null}));
        // Entries that were moved, one changed in place, one added and one removed.
        let steps = |list: Vec<Value>| json!({"steps": list});
        check(
            steps(vec![json!({"t": "a", "n": 1}), json!({"t": "b", "n": 2}), json!({"t": "c", "n": 3})]),
            steps(vec![json!({"t": "a"}), json!({"t": "b"}), json!({"t": "c"})]),
            steps(vec![json!({"t": "c"}), json!({"t": "B"}), json!({"t": "a"}), json!({"t": "d"})]),
            steps(vec![
                json!({"t": "c", "n": 3}),
                json!({"t": "B", "n": 2}),
                json!({"t": "a", "n": 1}),
                json!({"t": "d"}),
            ]),
        );
    }

    /// The value without its unknown fields, whose names begin with `x`.
    fn known(value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(
                map.iter()
                    .filter(|(name, _)| !name.starts_with('x'))
                    .map(|(name, value)| (name.clone(), known(value)))
                    .collect(),
            ),
            Value::Array(list) => Value::Array(list.iter().map(known).collect()),
            other => other.clone(),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..9_u8).prop_map(Value::from)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[abx][ab]?", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_isnt_changed_is_written_as_it_was(value in any_value()) {
            let before = known(&value);
            prop_assert_eq!(carried(&value, &before, before.clone()), value);
        }

        #[test]
        fn what_is_set_is_all_there(value in any_value(), set in any_value()) {
            let set = known(&set);
            prop_assert_eq!(known(&carried(&value, &known(&value), set.clone())), set);
        }
    }
}
