//! Daybook on one machine: the same routes and workers as in the cloud, in one process, on the embedded engine.

mod demo_data;
mod engine;
mod feed;
mod files;
mod log;
mod pace;
mod pages;
mod queue;
mod secrets;
mod serve;
mod system;
mod wire;
mod workers;

pub use demo_data::{DemoData, demo_data};
pub use engine::Engine;
pub use files::Folder;
pub use queue::MemoryQueues;
pub use serve::{ServeError, ServeOptions, serve};
pub use system::{DEFAULT_ORG, Options, StartError, System, functions};
pub use wire::{TABLE, WireError, serve_table};
pub use workers::Workers;
