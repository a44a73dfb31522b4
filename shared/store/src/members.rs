//! Families that records join and leave in a transaction.

use crate::tx::{ChangeKind, Tx};
use daybook_domain::AnyId;

/// Families that records join and leave in a transaction.
pub(crate) struct Members {
    joining: Vec<AnyId>,
    leaving: Vec<AnyId>,
    new: Vec<AnyId>,
}

impl Members {
    pub fn of(tx: &Tx) -> Members {
        let mut members = Members { joining: Vec::new(), leaving: Vec::new(), new: Vec::new() };
        for change in &tx.changes {
            match (change.change_kind, change.earlier(), change.later()) {
                (ChangeKind::Create | ChangeKind::Restore, _, Some(image)) => {
                    members.new.push(image.id);
                    members.joining.extend(&image.cascade_parents);
                }
                (ChangeKind::Delete, Some(image), _) => members.leaving.extend(&image.cascade_parents),
                _ => {}
            }
        }
        members
    }

    /// The number of records that join a family.
    pub fn joining(&self, id: AnyId) -> usize {
        self.joining.iter().filter(|parent| **parent == id).count()
    }

    /// The number of records that leave a family.
    pub fn leaving(&self, id: AnyId) -> u64 {
        self.leaving.iter().filter(|parent| **parent == id).count() as u64
    }

    /// Whether the transaction creates or restores a record.
    pub fn is_new(&self, id: AnyId) -> bool {
        self.new.contains(&id)
    }
}
