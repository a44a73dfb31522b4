//! Constraints behind the conditions of a transaction, and the error for the client where one is violated.

use crate::Error;
use crate::table::Item;
use daybook_domain::{Claim, RecordType, Reference, Rule};
use serde_json::{Map, Value};

/// The constraint that a condition enforces.
#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// The journal entry exists: an earlier attempt of this commit succeeded.
    Fact,
    /// The idempotency key was used: the request is a repeat.
    Once,
    /// The id is taken.
    Id,
    /// Optimistic concurrency: the record changed since it was read. Names the fields that were to change.
    Version(RecordType, Vec<String>),
    /// The record isn't in the trash any more.
    Trash,
    /// Another record holds the unique value.
    Claim(Claim),
    /// The parent doesn't exist.
    Parent,
    /// Foreign key: a field names a record that doesn't exist.
    Reference(Reference),
    /// The condition of a row failed; holds the error for the client.
    Row(daybook_domain::Error),
    /// Records joined the family since it was read (`true`), or the family was never read (`false`).
    Family(bool),
    /// The action has no condition.
    Nothing,
}

/// The error for the client, from the violated constraint and the current item.
pub(crate) fn refusal(constraint: &Constraint, old: &Item) -> Error {
    use daybook_domain::{Conflict, Error as Domain};
    match constraint {
        Constraint::Version(kind, fields) => match crate::cx::data_of(old) {
            Some((version, data)) => {
                let current =
                    fields.iter().map(|name| (name.clone(), data.get(name).cloned().unwrap_or(Value::Null))).collect();
                Domain::Stale { version, current }.into()
            }
            None => Domain::not_found(*kind).into(),
        },
        Constraint::Claim(claim) => {
            let holder = old.get("id").and_then(|id| id.as_s().ok()).and_then(|id| id.parse().ok());
            // A value that is unique in the whole deployment may be held by another organisation.
            let existing_id = holder.filter(|_| !claim.kind.is_global());
            Domain::Duplicate { field: claim.field(), existing_id }.into()
        }
        Constraint::Id => Domain::Duplicate { field: "id", existing_id: None }.into(),
        Constraint::Trash => Domain::Conflict(Conflict::NotInTrash).into(),
        Constraint::Parent => Domain::Conflict(Conflict::ParentGone).into(),
        // The caller reads the family again and retries.
        Constraint::Family(true) => Domain::Stale { version: 0, current: Map::new() }.into(),
        Constraint::Family(false) => Domain::Conflict(Conflict::HasFamily).into(),
        Constraint::Reference(reference) => {
            Domain::invalid(reference.pointer, Rule::Id { prefix: reference.id.kind.prefix().to_owned() }).into()
        }
        Constraint::Row(error) => error.clone().into(),
        Constraint::Fact | Constraint::Once | Constraint::Nothing => {
            Error::internal("commit", "a condition failed that has no error for the client")
        }
    }
}
