//! An in-memory key-value store, lost when the process ends.

use crate::ordered::{Batch, Bounds, Ordered, OrderedError, Read, Visit, is_empty};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// A sorted map under a lock.
#[derive(Debug, Default)]
pub struct Memory(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Ordered for Memory {
    fn get(&self, keys: &[&[u8]], read: Read<'_>) -> Result<(), OrderedError> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for (at, key) in keys.iter().enumerate() {
            if let Some(value) = all.get(*key) {
                read(at, value);
            }
        }
        Ok(())
    }

    fn visit(&self, bounds: Bounds, descending: bool, visit: Visit<'_>) -> Result<(), OrderedError> {
        if is_empty(&bounds) {
            return Ok(());
        }
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let range = all.range(bounds);
        let mut each = |(key, value): (&Vec<u8>, &Vec<u8>)| visit(key, value);
        let _ = match descending {
            true => range.rev().try_for_each(&mut each),
            false => { range }.try_for_each(&mut each),
        };
        Ok(())
    }

    fn apply(&self, batch: Batch) -> Result<(), OrderedError> {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch {
            match value {
                Some(value) => all.insert(key, value),
                None => all.remove(&key),
            };
        }
        Ok(())
    }

    fn settled(&self) -> Option<BoxFuture<'_, Result<(), OrderedError>>> {
        None
    }
}
