//! An emulator of DynamoDB in this process: what the embedded table is held to, and what functions run on by hand.

mod engine;
mod wire;

pub use engine::{Emulator, client_of};
pub use wire::{TABLE, WireError, serve_table};
