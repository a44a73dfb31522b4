//! What functions answer, whatever the type of their records: how these are made, changed, removed and restored, one by one
//! and in batches, and what their timelines show.

mod batch;
mod family;
mod one;
mod timeline;

pub use batch::batch;
pub use family::{Removed, delete_family, restore_family};
pub use one::{create, delete, list, read, restore, search, update};
pub use timeline::{Moment, SentMail, timeline, timeline_of};
