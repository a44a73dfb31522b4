//! Meter of DynamoDB calls and capacity units, for the table of costs in the README.

use std::sync::Mutex;

/// Calls and capacity units, as DynamoDB reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    /// Calls of the table.
    pub calls: u32,
    /// Items written or checked.
    pub items: usize,
    /// Read capacity units.
    pub read: f64,
    /// Write capacity units, including those of the indexes.
    pub write: f64,
}

/// Sums up the usage of a table's calls. Only tests have one.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Units>);

impl Meter {
    pub(crate) fn add(&self, items: usize, read: f64, write: f64) {
        let mut units = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        units.calls += 1;
        units.items += items;
        units.read += read;
        units.write += write;
    }

    /// The usage since the last call of this.
    pub fn take(&self) -> Units {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
