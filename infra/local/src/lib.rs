//! Daybook on one machine: the same routes and workers as in the cloud, in one process, with the table in a folder.

mod backup;
mod data;
mod demo_data;
mod feed;
mod files;
mod host;
mod log;
mod pace;
mod pages;
mod queue;
mod secrets;
mod serve;
mod sockets;
mod system;
mod workers;

pub use backup::{BackupError, backup, restore};
pub use data::DataError;
pub use demo_data::{DemoData, demo_data};
pub use files::Folder;
pub use queue::MemoryQueues;
pub use serve::{ServeError, ServeOptions, serve};
pub use system::{DEFAULT_ORG, Options, StartError, System, functions};
pub use workers::Workers;
