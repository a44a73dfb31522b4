//! Daybook on one machine: the same routes and workers as in the cloud, in one process, with the table in a folder.

mod backup;
mod connections;
mod data;
mod demo_data;
mod feed;
mod files;
mod host;
mod log;
mod pace;
mod pages;
mod queue;
mod redrive;
mod reference;
mod secrets;
mod serve;
mod sockets;
mod system;
mod workers;

pub use backup::{BackupError, backup, restore};
pub use connections::{Admission, ConnectionLimits, Connections};
pub use data::DataError;
pub use demo_data::{DemoData, demo_data};
pub use files::Folder;
pub use queue::MemoryQueues;
pub use redrive::redrive;
pub use reference::reference;
pub use serve::{ServeError, ServeOptions, serve};
pub use system::{DEFAULT_ORG, Options, StartError, System, functions};
pub use workers::Workers;
