//! Undoing: a record becomes again what it was before an entry, as long as what the entry changed is still so.
//!
//! What is undone is a change of its own, with an entry of its own. Whoever undoes needs the permission to make the
//! change by hand, and the rules that hold for it then hold here.

use daybook_domain::contact::{Contact, Group};
use daybook_domain::customer::Customer;
use daybook_domain::demo::Demo;
use daybook_domain::error::Thing;
use daybook_domain::form::Form;
use daybook_domain::interaction::Interaction;
use daybook_domain::lead::Lead;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::organization::Organization;
use daybook_domain::permission::{Action, Permission, Resource, RoleRef, Scope};
use daybook_domain::pipeline::Pipeline;
use daybook_domain::role::CustomRole;
use daybook_domain::stored::{FORM, upgrade};
use daybook_domain::task::Task;
use daybook_domain::team::Team;
use daybook_domain::user::{User, may_change};
use daybook_domain::view::View;
use daybook_domain::{
    AnyId, Audit, Conflict, EntryId, Error as Domain, FormId, Record, RecordType, Rule, Stored, Timestamp,
};
use daybook_http::{Cx, Data, Error, Json, Path, Result};
use daybook_store::journal::Detail;
use daybook_store::{Fact, Tx, fields_of, object_of};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which request to undo.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditRevert)]
pub struct Ask {
    /// The request's id. Of several with the same id the last is undone.
    request_id: String,
}

/// What was undone.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reverted {
    /// The entries whose changes were undone.
    entries: Vec<EntryId>,
    /// The records that are again as they were.
    #[schema(value_type = Vec<String>)]
    records: Vec<AnyId>,
}

/// Undoes what an entry tells of; refused with the current values where the record has changed since.
pub async fn revert_entry(cx: Cx, Path(id): Path<EntryId>) -> Result<Data<Reverted>> {
    let fact = cx.fact(id).await?.ok_or_else(|| Domain::not_found(Thing::Entry))?;
    let change = if fact.version == 0 { meant(&cx, &fact).await? } else { None };
    undo(&cx, vec![change.unwrap_or(fact)]).await
}

/// The change that an entry says more of, where it does: of the same record, in the same request.
async fn meant(cx: &Cx, fact: &Fact) -> Result<Option<Fact>> {
    if fact.fields.is_empty() {
        return Ok(None);
    }
    let requests = cx.entries_of_request(&fact.request_id).await?;
    let entries = requests.into_values().find(|entries| entries.contains(&fact.id)).unwrap_or_default();
    for entry in entries.into_iter().rev().filter(|entry| *entry < fact.id) {
        let other = cx.fact(entry).await?;
        if let Some(other) = other.filter(|other| other.record == fact.record && other.version > 0) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// Undoes all that a request did, or nothing.
pub async fn revert_request(cx: Cx, Json(ask): Json<Ask>) -> Result<Data<Reverted>> {
    let requests = cx.entries_of_request(&ask.request_id).await?;
    let unknown = || {
        let expected = "the id of a request that is on record".to_owned();
        Domain::invalid("/request_id", Rule::Format { expected })
    };
    let (_, entries) = requests.into_iter().next_back().ok_or_else(unknown)?;
    let mut facts = Vec::new();
    // What was done last is undone first.
    for entry in entries.into_iter().rev() {
        facts.push(cx.fact(entry).await?.ok_or_else(unknown)?);
    }
    undo(&cx, facts).await
}

async fn undo(cx: &Cx, facts: Vec<Fact>) -> Result<Data<Reverted>> {
    let mut details = cx.details(facts.iter().map(|fact| fact.id)).await?;
    let mut tx = Tx::default();
    let mut reverted = Reverted { entries: Vec::new(), records: Vec::new() };
    // What went to the trash with a record comes back with it.
    let mut risen: Vec<AnyId> = Vec::new();
    for fact in facts.iter().filter(|fact| fact.record.kind.has_family() && fact.action == Audit::Delete) {
        risen.extend(cx.fallen_with(fact.record).await?);
    }
    tx = cx.rise(tx, &risen).await?;
    for fact in facts {
        if risen.contains(&fact.record) {
            reverted.entries.push(fact.id);
            reverted.records.push(fact.record);
            continue;
        }
        // What changed no record needs no undoing.
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

/// The change that undoes an entry; none where what it changed goes along with another record.
async fn of_type(cx: &Cx, fact: &Fact, detail: Detail) -> Result<Option<Tx>> {
    let change = Undoing { cx, fact, detail };
    match fact.record.kind {
        RecordType::Lead => change.undone::<Lead>(Resource::Leads, Action::Update).await,
        RecordType::Demo => change.undone::<Demo>(Resource::Demos, Action::Update).await,
        RecordType::Form => change.undone::<Form>(Resource::Forms, Action::Manage).await,
        RecordType::User => change.undone::<User>(Resource::Users, Action::Manage).await,
        RecordType::Team => change.undone::<Team>(Resource::Users, Action::Manage).await,
        RecordType::Role => change.undone::<CustomRole>(Resource::Roles, Action::Manage).await,
        RecordType::Organization => change.undone::<Organization>(Resource::Organization, Action::Manage).await,
        RecordType::Customer => change.undone::<Customer>(Resource::Customers, Action::Update).await,
        RecordType::Contact => change.undone::<Contact>(Resource::Contacts, Action::Update).await,
        RecordType::Group => change.undone::<Group>(Resource::Groups, Action::Manage).await,
        RecordType::Interaction => change.undone::<Interaction>(Resource::Interactions, Action::Update).await,
        RecordType::Pipeline => change.undone::<Pipeline>(Resource::Pipelines, Action::Manage).await,
        RecordType::Opportunity => change.undone::<Opportunity>(Resource::Opportunities, Action::Update).await,
        RecordType::Task => change.undone::<Task>(Resource::Tasks, Action::Update).await,
        RecordType::View => change.undone::<View>(Resource::Views, Action::Update).await,
        // A post was accepted, an invitation sent, a secret shown, a file written: that can't be taken back.
        RecordType::Submission
        | RecordType::Invitation
        | RecordType::ApiKey
        | RecordType::Job
        | RecordType::Unknown(_) => Err(Domain::Conflict(Conflict::NothingToUndo).into()),
    }
}

/// The rules of a type that hold for undoing, too.
trait Rules: Record {
    /// Fields that stay as they are, whatever is undone.
    const KEPT: &'static [&'static str] = &["id", "version", "created_at", "updated_at"];

    /// The record as it comes back from the trash.
    fn back(&self) -> Self {
        self.clone()
    }

    /// The record as it is to be again, where that isn't simply as it was.
    fn adjusted(&self, wanted: Self, _: Timestamp) -> Result<Self, Domain> {
        Ok(wanted)
    }

    /// The change with what goes along with it, or why it may not be.
    async fn checked(cx: &Cx, before: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        let _ = (cx, before, after);
        Ok(tx)
    }
}

impl Rules for Lead {}
impl Rules for Demo {}
impl Rules for Team {}
impl Rules for Customer {}
impl Rules for Contact {}
impl Rules for Group {}
impl Rules for Interaction {}
impl Rules for Task {}
impl Rules for View {}

impl Rules for Opportunity {
    async fn checked(cx: &Cx, before: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        let (Some(before), Some(after)) = (before, after) else { return Ok(tx) };
        if before.stage == after.stage {
            return Ok(tx);
        }
        // Nothing goes back to a stage that was removed.
        let pipeline = cx.find::<Pipeline>(after.pipeline_id).await?;
        let pipeline = pipeline.map_or_else(|| Pipeline::default_of(cx.org), Stored::into_inner);
        match pipeline.id == after.pipeline_id && pipeline.stage(&after.stage).is_some() {
            true => Ok(tx),
            false => Err(Domain::Conflict(Conflict::StageGone).into()),
        }
    }
}

impl Rules for Pipeline {
    const KEPT: &'static [&'static str] = &["id", "version", "created_at", "updated_at", "retired"];

    fn adjusted(&self, wanted: Self, at: Timestamp) -> Result<Self, Domain> {
        wanted.retiring(self, at)
    }

    async fn checked(cx: &Cx, before: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        let (Some(before), Some(after)) = (before, after) else {
            return if before.is_none() { Ok(tx) } else { Err(Domain::Conflict(Conflict::StageInUse).into()) };
        };
        let left: Vec<&str> = after.leaves(before).into_iter().map(|stage| stage.key.as_str()).collect();
        match cx.is_any_in::<Opportunity>(&left).await? {
            true => Err(Domain::Conflict(Conflict::StageInUse).into()),
            false => Ok(tx),
        }
    }
}

impl Rules for Form {
    async fn checked(cx: &Cx, before: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        match (before, after) {
            (Some(form), None) if form.id == FormId::default_of(cx.org) => {
                Err(Domain::Conflict(Conflict::DefaultForm).into())
            }
            _ => Ok(tx),
        }
    }
}

impl Rules for User {
    const KEPT: &'static [&'static str] = Self::READ_ONLY;

    /// Their sessions stay ended.
    fn back(&self) -> Self {
        self.clone().signed_out()
    }

    fn adjusted(&self, wanted: Self, _: Timestamp) -> Result<Self, Domain> {
        Ok(self.changed_to(wanted))
    }

    async fn checked(cx: &Cx, before: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        let roles: Vec<RoleRef> = [before, after].into_iter().flatten().map(|user| user.role).collect();
        cx.within_own_role(&roles).await?;
        let Some(id) = before.or(after).map(|user| user.id) else { return Ok(tx) };
        cx.with_owners(tx, id, after).await
    }
}

impl Rules for CustomRole {
    async fn checked(cx: &Cx, before: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        let of = |role: &CustomRole| (RoleRef::Custom(role.id), role.grants());
        let roles: Vec<_> = [before, after].into_iter().flatten().map(of).collect();
        may_change(&cx.grants, cx.actor.role(), &roles)?;
        Ok(tx)
    }
}

impl Rules for Organization {
    const KEPT: &'static [&'static str] = Self::READ_ONLY;

    async fn checked(cx: &Cx, _: Option<&Self>, after: Option<&Self>, tx: Tx) -> Result<Tx> {
        // An organisation isn't removed by undoing that it was made.
        let after = after.ok_or(Domain::Conflict(Conflict::NothingToUndo))?;
        after.keeps_in(cx.request.ip)?;
        Ok(tx)
    }
}

/// A change that is being undone.
struct Undoing<'a> {
    cx: &'a Cx,
    fact: &'a Fact,
    detail: Detail,
}

impl Undoing<'_> {
    async fn undone<T: Rules>(self, resource: Resource, action: Action) -> Result<Option<Tx>> {
        // Undoing that something was made takes what deleting it by hand does.
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
            // Made, or taken back from the trash.
            (true, false) => {
                let current = self.unchanged::<T>().await?;
                T::checked(self.cx, Some(&current), None, Tx::delete(&current)).await?
            }
            (false, true) => {
                let trashed = self.cx.find_trashed::<T>(self.fact.record).await?;
                let trashed = trashed.ok_or(Domain::Conflict(Conflict::NotInTrash))?;
                let restored = trashed.back().following(&trashed, self.cx.now());
                T::checked(self.cx, None, Some(&restored), Tx::restore(&trashed, &restored)).await?
            }
            (true, true) => return Err(Domain::Conflict(Conflict::NothingToUndo).into()),
        };
        Ok(Some(tx.all_called(Audit::Revert)))
    }

    async fn updated<T: Rules>(&self) -> Result<Option<Tx>> {
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
        // What only a newer version knows, only that one can undo.
        let written = fields_of(&current, &wanted)?;
        if fields.iter().any(|name| written.get(*name).cloned().unwrap_or_default() != was(name)) {
            return Err(Domain::Conflict(Conflict::NewerVersion).into());
        }
        let wanted = current.adjusted(wanted, self.cx.now())?.following(&current, self.cx.now());
        T::checked(self.cx, Some(&current), Some(&wanted), Tx::update(&current, &wanted)).await.map(Some)
    }

    /// The record, if nothing has happened to it since.
    async fn unchanged<T: Rules>(&self) -> Result<Stored<T>> {
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
