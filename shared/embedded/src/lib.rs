//! The embedded table, for one machine: the guarantees of DynamoDB that Daybook relies on, over an ordered key-value
//! store in this process.
//!
//! [`Local`] is an engine of the store, as DynamoDB is: conditions, updates, transactions, both indexes, pages and TTL
//! give the same results (a test compares all three engines over random sequences). DynamoDB's limits are enforced, so
//! that what works on one machine works on AWS. The data is in a folder ([`Durability`] says what an acknowledged write
//! survives) or in memory.

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
