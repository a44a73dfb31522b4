//! The interface of the ordered key-value store that the embedded table is built on.

use futures::future::BoxFuture;
use std::ops::{Bound, ControlFlow};

/// Bounds of keys.
pub type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// A callback for each key and value; returns whether to go on.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// A callback for each value found, with the index of its key in the list of keys.
pub type Read<'r> = &'r mut dyn FnMut(usize, &[u8]);

/// An atomic batch: keys to write, with their values, and keys to remove (`None`). No key occurs twice.
pub type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// A store of values by key, in the order of the keys' bytes.
pub trait Ordered: Send + Sync {
    /// Reads the values of keys from one snapshot; keys without a value are skipped.
    fn get(&self, keys: &[&[u8]], read: Read<'_>) -> Result<(), OrderedError>;

    /// Visits a range of keys in one snapshot.
    fn visit(&self, bounds: Bounds, descending: bool, visit: Visit<'_>) -> Result<(), OrderedError>;

    /// Writes a batch atomically; reads see all of it or nothing.
    fn apply(&self, batch: Batch) -> Result<(), OrderedError>;

    /// Completes once everything applied so far is as durable as configured; `None` where it is already.
    fn settled(&self) -> Option<BoxFuture<'_, Result<(), OrderedError>>>;
}

/// Whether a range is empty because of its bounds.
pub fn is_empty((from, to): &Bounds) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

/// The error of an operation of the store.
#[derive(Debug, thiserror::Error)]
pub enum OrderedError {
    /// Nothing was written; a retry may succeed.
    #[error("{0}")]
    Refused(String),
    /// The outcome is unknown: it may have been written.
    #[error("{0}")]
    Unknown(String),
    /// Stored data can't be read.
    #[error("{0}")]
    Unreadable(String),
}
