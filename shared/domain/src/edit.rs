//! Making and changing a record: what somebody wants it to be, and what its type makes of that.

use crate::read::{fresh, merge};
use crate::{Error, Record, Timestamp};
use serde_json::{Map, Value};

/// What somebody wants a record to be. [`Record::settle`] says what becomes of it.
#[derive(Clone, Debug)]
pub struct Edit<'a, T> {
    /// What it is; none where it is made.
    pub before: Option<&'a T>,
    /// What it is to be.
    pub wanted: T,
    /// The fields that were given, as they were; `null` clears. What else differs follows from them.
    pub given: &'a Map<String, Value>,
    /// Whether it becomes again what it was: then what follows from the fields is given with them.
    pub again: bool,
    /// When.
    pub at: Timestamp,
}

impl<T> Edit<'_, T> {
    /// Whether a field was given a value.
    pub fn gives(&self, field: &str) -> bool {
        self.given.get(field).is_some_and(|value| !value.is_null())
    }
}

/// A record with fields laid over it (JSON merge patch, RFC 7396), or everything that is wrong with that.
pub fn merged<T: Record>(before: &T, mut fields: Map<String, Value>) -> Result<T, Error> {
    T::as_kept(&mut fields, Some(before))?;
    merge(before, fields, &[T::READ_ONLY, T::FIXED].concat())
}

/// A new record of fields and of defaults for those that are left out, or everything that is wrong with it.
pub fn made<T: Record>(defaults: Map<String, Value>, mut fields: Map<String, Value>) -> Result<T, Error> {
    T::as_kept(&mut fields, None)?;
    fresh(defaults, fields, T::READ_ONLY)
}

/// A record with fields laid over it, and what follows from them.
#[cfg(test)]
pub(crate) fn patched<T: Record<Context = ()>>(
    before: &T,
    patch: &Map<String, Value>,
    at: Timestamp,
) -> Result<T, Error> {
    let wanted = merged(before, patch.clone())?;
    T::settle(Edit { before: Some(before), wanted, given: patch, again: false, at }, &())
}
