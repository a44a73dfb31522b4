//! The audit log as it is shown: the journal's entries by filter, with what they were about, on pages and in files.

mod entry;
mod file;
mod query;

pub use entry::{Asked, Entry, FieldChange, Which, Who, WhoKind, shown};
pub use file::EntryFile;
pub use query::{AuditQuery, as_query, bounds, outcome_of};
