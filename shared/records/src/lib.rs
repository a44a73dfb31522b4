//! The record layer above the store: create, update, delete and restore of records, the business rules that need the
//! table, list queries, and lookups for authentication.

pub mod admission;
mod ai;
mod change;
mod context;
mod draft;
mod erase;
pub mod family;
pub mod held_link;
pub mod invite;
mod moments;
mod named;
mod people;
mod phone;
mod pipelines;
pub mod power;
pub mod query;
mod rules;

pub use admission::{grants_of, reaching, seeing};
pub use ai::ai_settings;
pub use change::{amend, change, create, created, deleted, remove, restore, restored, stored_first, updated};
pub use context::{Context, Fields, Model, WriteKind};
pub use draft::{Draft, amended, draft};
pub use erase::forget_person;
pub use people::{
    address_of, check_confirmed, is_still_invited, is_still_requested, take_mail, take_mail_to, unless_suspended,
    with_owners,
};
pub use phone::compared;
pub use pipelines::{pipeline_of, pipelines};
