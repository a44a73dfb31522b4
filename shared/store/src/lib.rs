//! Storage of records: each change is one transaction, with its journal entry and everything derived from it.
//!
//! [`Cx`] is the context of a handler or worker. It reads with [`Cx::find`], [`Cx::get`] and [`Cx::list`], finds
//! dependents with [`Cx::children`] and [`Cx::records`], and writes with [`Cx::commit`], the only way to write a
//! record. [`Cx::decide`] and [`Cx::alter`] retry after concurrent changes. Other operations are grouped:
//! [`Cx::trash`], [`Cx::journal`], [`Cx::cursors`], [`Cx::every`] and [`Cx::erasure`]. `schema` builds all keys. This
//! crate knows no type of record.

mod ask;
pub mod aws;
pub mod chain;
mod clock;
mod commit;
pub mod condition;
pub mod config;
mod constraint;
mod cursor;
mod cx;
mod dynamodb;
pub mod engine;
mod erase;
mod error;
pub mod facts;
pub mod family;
mod feed;
pub mod filter;
mod handed;
pub mod item;
pub mod journal;
mod json;
mod keyring;
mod members;
mod merged;
mod meter;
mod page;
mod plan;
mod reach;
mod reply;
pub mod rows;
pub mod schema;
mod scope;
mod search;
pub mod secrets;
mod settings;
mod table;
pub mod telemetry;
mod trash;
pub mod turn;
mod tx;

pub use ask::{Order, PageAsk};
pub use clock::{Clock, Ids};
pub use cx::{Cx, Decision, Env, Holder, RequestInfo, changed_fields, is_at, overlap, record_of};
pub use dynamodb::DynamoDb;
pub use erase::JournalPosition;
pub use error::Error;
pub use feed::{Committed, Feed};
pub use journal::{Detail, EntryRef, Fact, SignedFact};
pub use json::{bytes_of, object_of};
pub use keyring::{BadKeyring, Keyring, Purpose, fill_random, ids_in_token, place_in_token, sha256_hex};
pub use meter::{Meter, Units};
pub use page::{PAGE_BYTES, Page, Total};
pub use plan::RECORD_BYTES;
pub use reach::Reach;
pub use reply::{Answer, Forbidden, Once, Reply, Unauthenticated};
pub use secrets::Secrets;
pub use settings::{CommonPasswords, FirstAddress, FirstOwner, LEASE, Registration, Settings};
pub use table::{Position, Table, TableOptions, parse_item};
pub use tx::{Kept, Tx, fields_of};

/// What store operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
