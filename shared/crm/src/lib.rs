//! What the records of the CRM have in common: how they are made, changed, removed and restored, one by one and in batches,
//! and what their timelines show.

mod batch;
mod family;
mod handlers;
mod pipelines;
mod timeline;
mod types;
mod work;

pub use batch::batch;
pub use family::{Removed, delete_family, restore_family};
pub use handlers::{amended, change, create, delete, list, read, restore, search, update};
pub use pipelines::{pipeline_of, pipelines};
pub use timeline::{Moment, SentMail, timeline, timeline_of};
pub use work::{Fields, Work, make};
