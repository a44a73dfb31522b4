//! Generic handlers for every record type: list, search, create, read, update, delete and restore, one by one and in
//! batches, and timelines.

mod batch;
mod family;
mod one;
mod timeline;

pub use batch::batch;
pub use family::{Removed, delete_family, restore_family};
pub use one::{create, delete, list, read, restore, search, update};
pub use timeline::{Moment, SentMail, timeline, timeline_of};
