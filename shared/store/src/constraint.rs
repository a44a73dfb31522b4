//! What a refused action of a transaction means, and what it tells the client.

use crate::Error;
use crate::table::Item;
use daybook_domain::{Claim, RecordType, Reference, Rule};
use serde_json::{Map, Value};

/// What a failed condition means.
#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// The journal entry is there: an earlier attempt of this very commit got through.
    Fact,
    /// The idempotency key was used: the request is a repeat.
    Once,
    /// The id is taken.
    Id,
    /// The record isn't at the version it was read at; names the fields that were to change.
    Version(RecordType, Vec<String>),
    /// The record isn't in the trash any more.
    Trash,
    /// Another record holds the value.
    Claim(Claim),
    /// The parent is gone.
    Parent,
    /// A field names a record that isn't there.
    Reference(Reference),
    /// A row refused; carries what that means.
    Row(daybook_domain::Error),
    /// Others joined the family since it was looked up, or were never looked up.
    Family(bool),
    /// Has no condition.
    Nothing,
}

/// What a refused action tells the client.
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
            // Values that are unique in the whole deployment may be another organisation's.
            let existing_id = holder.filter(|_| !claim.kind.is_global());
            Domain::Duplicate { field: claim.field(), existing_id }.into()
        }
        Constraint::Id => Domain::Duplicate { field: "id", existing_id: None }.into(),
        Constraint::Trash => Domain::Conflict(Conflict::NotInTrash).into(),
        Constraint::Parent => Domain::Conflict(Conflict::ParentGone).into(),
        // Whoever looked them up looks once more.
        Constraint::Family(true) => Domain::Stale { version: 0, current: Map::new() }.into(),
        Constraint::Family(false) => Domain::Conflict(Conflict::HasFamily).into(),
        Constraint::Reference(reference) => {
            Domain::invalid(reference.pointer, Rule::Id { prefix: reference.id.kind.prefix().to_owned() }).into()
        }
        Constraint::Row(error) => error.clone().into(),
        Constraint::Fact | Constraint::Once | Constraint::Nothing => {
            Error::internal("commit", "a condition failed that has no meaning")
        }
    }
}
