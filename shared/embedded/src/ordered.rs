//! An ordered key-value store: what an embedded table stands on.

use futures::future::BoxFuture;
use std::ops::{Bound, ControlFlow};

/// Bounds of keys.
pub type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// Is told of a key and its value, and says whether to go on.
pub type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Is told of the value of the key at a place.
pub type Read<'r> = &'r mut dyn FnMut(usize, &[u8]);

/// Keys to write, with their values, and keys to remove. No key is named twice.
pub type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Keeps values by key, in the order of the keys' bytes.
pub trait Ordered: Send + Sync {
    /// The values of keys, as they are at one moment: a function is told which of the keys it is, and its value, if it has one.
    fn get(&self, keys: &[&[u8]], read: Read<'_>) -> Result<(), OrderedError>;

    /// Visits a range of keys, as they are at one moment.
    fn visit(&self, bounds: Bounds, descending: bool, visit: Visit<'_>) -> Result<(), OrderedError>;

    /// Writes all of a batch, or nothing. A read sees all of it or nothing.
    fn apply(&self, batch: Batch) -> Result<(), OrderedError>;

    /// Is done once all that was applied is as durable as was asked for; none where it is already.
    fn settled(&self) -> Option<BoxFuture<'_, Result<(), OrderedError>>>;
}

/// Whether nothing can be between bounds.
pub fn is_empty((from, to): &Bounds) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

/// Why a key-value store fails.
#[derive(Debug, thiserror::Error)]
pub enum OrderedError {
    /// Nothing was written; it may work later.
    #[error("{0}")]
    Refused(String),
    /// It isn't known whether it was written.
    #[error("{0}")]
    Unknown(String),
    /// What is stored can't be read.
    #[error("{0}")]
    Unreadable(String),
}
