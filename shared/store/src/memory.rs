//! Rows that are read with every request, remembered where one process alone writes the table.

use crate::item::Item;
use crate::schema::Key;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most rows that are remembered; then all are forgotten.
const MOST: usize = 10_000;

/// Rows by key, as they are: any write of one makes it forgotten, before and after.
#[derive(Debug, Default)]
pub struct Memory {
    rows: Mutex<HashMap<Key, Item>>,
    /// How many writes there were. What was read while one went on is not remembered.
    writes: AtomicU64,
}

impl Memory {
    pub(crate) fn recall(&self, key: &Key) -> Option<Item> {
        self.rows().get(key).cloned()
    }

    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn remember(&self, key: &Key, item: &Item, writes: u64) {
        let mut rows = self.rows();
        if rows.len() >= MOST {
            rows.clear();
        }
        if self.writes() == writes {
            rows.insert(key.clone(), item.clone());
        }
    }

    fn forget(&self, key: &Key) {
        let mut rows = self.rows();
        self.writes.fetch_add(1, Ordering::SeqCst);
        rows.remove(key);
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Key, Item>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the rows of a write when it begins, and again when it ends, however it ends.
pub(crate) struct Forgetting<'m> {
    memory: Option<&'m Memory>,
    keys: Vec<Key>,
}

impl<'m> Forgetting<'m> {
    pub(crate) fn in_memory(memory: Option<&'m Memory>) -> Forgetting<'m> {
        Forgetting { memory, keys: Vec::new() }
    }

    /// One row more.
    pub(crate) fn key(mut self, key: &Key) -> Forgetting<'m> {
        if let Some(memory) = self.memory {
            memory.forget(key);
            self.keys.push(key.clone());
        }
        self
    }
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        for key in &self.keys {
            if let Some(memory) = self.memory {
                memory.forget(key);
            }
        }
    }
}
