//! Edits: the requested creation or update of a record, before its type validates it and derives fields.

use crate::read::{fresh, merge};
use crate::{Error, Record, Timestamp};
use serde_json::{Map, Value};

/// The requested state of a record. [`Record::settle`] validates it and derives fields.
#[derive(Clone, Debug)]
pub struct Edit<'a, T> {
    /// The current version; none if the record is created.
    pub before: Option<&'a T>,
    /// The requested version.
    pub wanted: T,
    /// The fields that the client gave, unchanged; `null` clears a field. Any other difference is a default or derived.
    pub given: &'a Map<String, Value>,
    /// Whether an earlier version is restored (undo): then the derived fields are restored too, not derived anew.
    pub again: bool,
    /// The time of the change.
    pub at: Timestamp,
}

impl<T> Edit<'_, T> {
    /// Whether a field was given a value.
    pub fn gives(&self, field: &str) -> bool {
        self.given.get(field).is_some_and(|value| !value.is_null())
    }
}

/// A record with a JSON merge patch (RFC 7396) applied, or all violations.
pub fn merged<T: Record>(before: &T, mut fields: Map<String, Value>) -> Result<T, Error> {
    T::as_kept(&mut fields, Some(before))?;
    merge(before, fields, &[T::READ_ONLY, T::FIXED].concat())
}

/// A new record from the given fields, with defaults for the others; or all violations.
pub fn made<T: Record>(defaults: Map<String, Value>, mut fields: Map<String, Value>) -> Result<T, Error> {
    T::as_kept(&mut fields, None)?;
    fresh(defaults, fields, T::READ_ONLY)
}

/// A record with fields applied and derived fields updated.
#[cfg(test)]
pub(crate) fn patched<T: Record<Context = ()>>(
    before: &T,
    patch: &Map<String, Value>,
    at: Timestamp,
) -> Result<T, Error> {
    let wanted = merged(before, patch.clone())?;
    T::settle(Edit { before: Some(before), wanted, given: patch, again: false, at }, &())
}
