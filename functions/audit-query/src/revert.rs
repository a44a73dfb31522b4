//! Reverting a change: gives a record the values it had before an entry, unless these fields have changed again since.
//!
//! A revert is a change with an entry of its own. The caller needs the permission to make that change by hand, and the
//! same rules apply.

use daybook_domain::error::Thing;
use daybook_domain::permission::{Action, Permission, Scope};
use daybook_domain::registry::boxed;
use daybook_domain::stored::{FORM, upgrade};
use daybook_domain::{AnyId, Audit, Conflict, EntryId, Error as Domain, RecordType, Rule, Stored, with_record_type};
use daybook_http::{Cx, Data, Error, Json, Path, Result};
use daybook_records::{Draft, Model, deleted, restored, updated};
use daybook_store::journal::Detail;
use daybook_store::{Fact, Tx, fields_of, object_of};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which request to revert.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditRevert)]
pub struct Ask {
    /// The request's id. If several requests have it, the last one is reverted.
    request_id: String,
}

/// What was reverted.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reverted {
    /// The entries whose changes were reverted.
    entries: Vec<EntryId>,
    /// The records that have their previous values again.
    #[schema(value_type = Vec<String>)]
    records: Vec<AnyId>,
}

/// Reverts the change of an entry. Refused with the record's current values if it has changed since.
pub async fn revert_entry(cx: Cx, Path(id): Path<EntryId>) -> Result<Data<Reverted>> {
    let fact = cx.journal().fact(id).await?.ok_or_else(|| Domain::not_found(Thing::Entry))?;
    let change = if fact.version == 0 { meant(&cx, &fact).await? } else { None };
    undo(&cx, vec![change.unwrap_or(fact)]).await
}

/// The change that an entry without a version belongs to, if any: the one to the same record in the same request.
async fn meant(cx: &Cx, fact: &Fact) -> Result<Option<Fact>> {
    if fact.fields.is_empty() {
        return Ok(None);
    }
    let requests = cx.journal().of_request(&fact.request_id).await?;
    let entries = requests.into_values().find(|entries| entries.contains(&fact.id)).unwrap_or_default();
    for entry in entries.into_iter().rev().filter(|entry| *entry < fact.id) {
        let other = cx.journal().fact(entry).await?;
        if let Some(other) = other.filter(|other| other.record == fact.record && other.version > 0) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// Reverts all changes of a request, or none.
pub async fn revert_request(cx: Cx, Json(ask): Json<Ask>) -> Result<Data<Reverted>> {
    let requests = cx.journal().of_request(&ask.request_id).await?;
    let unknown = || {
        let rule = Rule::format("the id of a request in the audit log", "是审计日志中的请求编号");
        Domain::invalid("/request_id", rule)
    };
    let (_, entries) = requests.into_iter().next_back().ok_or_else(unknown)?;
    let mut facts = Vec::new();
    // The last change is reverted first.
    for entry in entries.into_iter().rev() {
        facts.push(cx.journal().fact(entry).await?.ok_or_else(unknown)?);
    }
    undo(&cx, facts).await
}

async fn undo(cx: &Cx, facts: Vec<Fact>) -> Result<Data<Reverted>> {
    let mut details = cx.journal().details(facts.iter().map(|fact| fact.id)).await?;
    let mut tx = Tx::default();
    let mut reverted = Reverted { entries: Vec::new(), records: Vec::new() };
    // A cascade delete is reverted by a cascade restore.
    let mut restored: Vec<AnyId> = Vec::new();
    for fact in facts.iter().filter(|fact| fact.record.kind.has_family() && fact.action == Audit::Delete) {
        restored.extend(cx.trash().deleted_with(fact.record).await?);
    }
    tx = daybook_records::family::cascade_restore(cx, tx, &restored).await?;
    for fact in facts {
        if restored.contains(&fact.record) {
            reverted.entries.push(fact.id);
            reverted.records.push(fact.record);
            continue;
        }
        // An entry that changed no record needs no revert.
        if fact.version == 0 {
            continue;
        }
        let detail = details.remove(&fact.id).ok_or(Domain::Conflict(Conflict::Erased))?;
        let Some(undone) = of_type(cx, &fact, detail).await? else { continue };
        tx = tx.and(undone);
        reverted.entries.push(fact.id);
        reverted.records.push(fact.record);
    }
    if reverted.entries.is_empty() {
        return Err(Domain::Conflict(Conflict::NothingToUndo).into());
    }
    cx.commit(tx, Data(reverted)).await
}

/// The transaction that reverts an entry; none if the change follows from that of another record.
async fn of_type(cx: &Cx, fact: &Fact, detail: Detail) -> Result<Option<Tx>> {
    let change = Undoing { cx, fact, detail };
    // A type that only a newer version knows can't be reverted here.
    match with_record_type!(fact.record.kind, T => boxed(|| change.undone::<T>())) {
        Some(undone) => undone.await,
        None => Err(Domain::Conflict(Conflict::NothingToUndo).into()),
    }
}

/// A change that is being reverted.
struct Undoing<'a> {
    cx: &'a Cx,
    fact: &'a Fact,
    detail: Detail,
}

impl Undoing<'_> {
    async fn undone<T: Model>(self) -> Result<Option<Tx>> {
        // Reverting its creation doesn't delete an organisation.
        let unmakes = self.detail.before.is_empty() && T::TYPE == RecordType::Organization;
        if !T::UNDONE || unmakes {
            return Err(Domain::Conflict(Conflict::NothingToUndo).into());
        }
        let resource = T::RESOURCE;
        let updates = resource.actions().contains(&Action::Update);
        let action = if updates { Action::Update } else { Action::Manage };
        // Reverting a creation needs the permission to delete the record.
        let deletes = self.detail.before.is_empty() && resource.actions().contains(&Action::Delete);
        let action = if deletes { Action::Delete } else { action };
        if self.cx.grants.scope(resource, action) != Some(Scope::All) {
            return Err(Domain::Forbidden(Permission { resource, action, scope: Scope::All }).into());
        }
        let tx = match (self.detail.before.is_empty(), self.detail.after.is_empty()) {
            (false, false) => match self.updated::<T>().await? {
                Some(tx) => tx,
                None => return Ok(None),
            },
            // Created, or restored from the trash.
            (true, false) => {
                let current = self.unchanged::<T>().await?;
                deleted(self.cx, Tx::default(), &current).await?
            }
            (false, true) => {
                let trashed = self.cx.trash().find::<T>(self.fact.record).await?;
                let trashed = trashed.ok_or(Domain::Conflict(Conflict::NotInTrash))?;
                restored(self.cx, Tx::default(), &trashed).await?.1
            }
            (true, true) => return Err(Domain::Conflict(Conflict::NothingToUndo).into()),
        };
        Ok(Some(tx.all_called(Audit::Revert)))
    }

    async fn updated<T: Model>(&self) -> Result<Option<Tx>> {
        let form = self.detail.form.unwrap_or(1);
        if form > T::FORM {
            return Err(Domain::Conflict(Conflict::NewerVersion).into());
        }
        let [before, after] = [&self.detail.before, &self.detail.after].map(|fields| {
            let mut fields = fields.clone();
            upgrade::<T>(form, &mut fields);
            fields
        });
        let current = self.cx.get::<T>(self.fact.record).await?;
        let mut data = fields_of(&current, &current)?;
        let fields: Vec<&String> =
            after.keys().filter(|name| *name != FORM && !T::KEPT.contains(&name.as_str())).collect();
        if fields.is_empty() {
            return Ok(None);
        }
        let now = |name: &str| data.get(name).cloned().unwrap_or_default();
        let changed: Map<String, Value> = fields
            .iter()
            .filter(|name| now(name) != after[name.as_str()])
            .map(|name| ((*name).clone(), now(name)))
            .collect();
        if !changed.is_empty() {
            return Err(Domain::Stale { version: current.version(), current: changed }.into());
        }
        let was = |name: &str| before.get(name).cloned().unwrap_or_default();
        for &name in &fields {
            data.insert(name.clone(), was(name));
        }
        let wanted: T = serde_json::from_value(Value::Object(data))
            .map_err(|error| Error::internal("read a record as it was", error))?;
        // Fields that only a newer version knows can only be reverted by that version.
        let written = fields_of(&current, &wanted)?;
        if fields.iter().any(|name| written.get(*name).cloned().unwrap_or_default() != was(name)) {
            return Err(Domain::Conflict(Conflict::NewerVersion).into());
        }
        updated(self.cx, Tx::default(), &current, Draft::again(wanted)).await.map(|(_, tx)| Some(tx))
    }

    /// The record, if it hasn't changed since.
    async fn unchanged<T: Model>(&self) -> Result<Stored<T>> {
        let current = self.cx.get::<T>(self.fact.record).await?;
        if current.version() == self.fact.version {
            return Ok(current);
        }
        let data = object_of(&*current)?;
        let differs = |(name, value): &(&String, &Value)| self.detail.after.get(*name) != Some(value);
        let changed = data.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect();
        Err(Domain::Stale { version: current.version(), current: changed }.into())
    }
}
