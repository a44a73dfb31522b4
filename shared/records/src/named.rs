//! References in given fields, and the check that the caller may see the referenced records.

use crate::admission::seeing;
use crate::context::Fields;
use daybook_domain::field::FieldKind;
use daybook_domain::permission::{Action, Resource, Scope};
use daybook_domain::{Actor, AnyId, Record, RecordType, Rule, Violations, with_record_type};
use daybook_store::{Cx, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks that the caller may see the referenced records, if its scope doesn't cover all records of their type. Whether
/// they exist is checked by a condition of the transaction.
pub(crate) async fn known(cx: &Cx, named: &[(String, AnyId)]) -> Result<()> {
    let owned = |id: &AnyId| {
        resource_of(id.kind).filter(|resource| cx.grants.scope(*resource, Action::Read) != Some(Scope::All))
    };
    let mut asked: Vec<AnyId> = named.iter().map(|(_, id)| *id).filter(|id| owned(id).is_some()).collect();
    asked.sort();
    asked.dedup();
    if asked.is_empty() || cx.actor == Actor::System {
        return Ok(());
    }
    let mut unseen = BTreeSet::new();
    for resource in asked.iter().filter_map(owned).collect::<BTreeSet<_>>() {
        let ids: Vec<AnyId> = asked.iter().copied().filter(|id| owned(id) == Some(resource)).collect();
        let Some(seeing) = seeing(cx, (resource, Action::Read)).await? else {
            // An API key that creates children may have no permission to read their parents.
            unseen.extend(ids.into_iter().filter(|_| cx.actor.user().is_some()));
            continue;
        };
        let reached = seeing.reached_by_id(&ids).await?;
        unseen.extend(reached.into_iter().filter(|(_, reached)| !reached).map(|(id, _)| id));
    }
    let mut violations = Violations::default();
    for (pointer, id) in named.iter().filter(|(_, id)| unseen.contains(id)) {
        violations.add(pointer.clone(), Rule::Id { prefix: id.kind.prefix().to_owned() });
    }
    Ok(violations.into_result()?)
}

/// The records that the fields reference, with the pointers to the references.
pub(crate) fn named<T: Record>(fields: &Fields) -> Vec<(String, AnyId)> {
    let mut named = Vec::new();
    for field in T::FIELDS {
        let Some(value) = fields.get(field.name) else { continue };
        let place = format!("/{}", field.name);
        match (field.kind, value) {
            (FieldKind::Id, Value::String(text)) => named.extend(id_at(place, text)),
            (FieldKind::Ids, Value::Array(list)) => {
                let ids = list.iter().enumerate().filter_map(|(n, one)| id_at(format!("{place}/{n}"), one.as_str()?));
                named.extend(ids);
            }
            (FieldKind::Named, Value::Object(related)) => {
                named.extend(related.get("id").and_then(Value::as_str).and_then(|id| id_at(format!("{place}/id"), id)));
            }
            _ => {}
        }
    }
    named
}

fn id_at(place: String, text: &str) -> Option<(String, AnyId)> {
    Some((place, text.parse().ok()?))
}

/// The permission resource of a record type, if its records have owners.
fn resource_of(kind: RecordType) -> Option<Resource> {
    with_record_type!(kind, T => T::OWNER.map(|_| T::RESOURCE)).flatten()
}
