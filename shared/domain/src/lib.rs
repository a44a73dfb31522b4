//! The domain model: record types, value types, permissions and business rules.
//!
//! Everything here is a pure function of its arguments: no `async`, no AWS, no HTTP, no clock and no
//! randomness. Time, actor and a fresh id are passed in as a [`Stamp`]. A value of one of these types is
//! valid: input is parsed once, where a request is read.

pub mod actor;
pub mod ai;
pub mod ai_settings;
pub mod api_key;
pub mod ask;
pub mod audit;
pub mod chat;
pub mod contact;
pub mod customer;
pub mod demo;
mod door;
pub mod edit;
pub mod email;
pub mod enquiry;
pub mod error;
pub mod event;
pub mod field;
pub mod form;
pub mod id;
pub mod intake;
pub mod interaction;
pub mod invitation;
pub mod job;
pub mod lead;
pub mod locale;
pub mod masking;
pub mod message;
pub mod money;
pub mod network;
pub mod open;
pub mod opportunity;
pub mod organization;
pub mod origin;
pub mod permission;
pub mod phone;
pub mod pipeline;
pub mod quantity;
pub mod read;
pub mod record;
pub mod registry;
pub mod role;
pub mod secret;
pub mod several;
pub mod stored;
pub mod submission;
pub mod task;
pub mod team;
pub mod text;
pub mod time;
pub mod user;
pub mod view;
pub mod words;
pub mod zone;

pub use actor::{Actor, Epoch, Stamp};
pub use edit::Edit;
pub use email::EmailAddress;
pub use error::{Conflict, Error, Malformed, Rule, Unauthenticated, Unit, Violation, Violations};
pub use event::{Audit, Change, Event};
pub use field::Fields;
pub use id::*;
pub use locale::Locale;
pub use network::Network;
pub use open::Unknown;
pub use phone::Phone;
pub use quantity::{Currency, Day, Percent};
pub use record::{Claim, ClaimKind, Record, Reference};
pub use secret::{NewPassword, Secret};
pub use several::Several;
pub use stored::Stored;
pub use text::{Line, Prose};
pub use time::Timestamp;
pub use zone::{Moment, Zone};
