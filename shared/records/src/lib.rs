//! What knows types of record above the store: the one way to change a record, and the rules that need the table.

mod change;
mod phone;
mod rules;

pub use change::{change, change_called, created, deleted, remove, restore, restored, updated};
pub use phone::dialled;
pub use rules::guarded;
