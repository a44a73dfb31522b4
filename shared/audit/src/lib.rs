//! The audit log: queries the journal by filter, and presents its entries with their details, as pages and as files.

mod entry;
mod file;
mod query;

pub use entry::{Asked, Entry, FieldChange, Shown, Which, Who, WhoKind, shown};
pub use file::EntryFile;
pub use query::{AuditQuery, as_query, bounds, outcome_of};
