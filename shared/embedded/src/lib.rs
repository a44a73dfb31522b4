//! The table on one machine: the promises of DynamoDB that Daybook relies on, over an ordered key-value store in this process.
//!
//! [`Local`] is an engine of the store beside DynamoDB: conditions, updates, transactions, both indexes, pages and TTL come to
//! the same (a test compares all three over random sequences), and DynamoDB's limits hold, so that what works on one machine
//! works on AWS. It lies in a folder ([`Durability`] says what an acknowledged write survives), or in memory.

mod codec;
mod disk;
mod evaluate;
mod layout;
mod local;
mod memory;
mod ordered;
mod size;
mod writer;

pub use disk::{Durability, OpenError};
pub use local::{Copied, Local};
