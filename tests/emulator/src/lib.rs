//! An emulator of DynamoDB: tests compare the embedded table with it, and functions started by hand use it.

mod engine;
mod wire;

pub use engine::{Emulator, client_of};
pub use wire::{TABLE, WireError, serve_table};
