//! Planner of a commit: turns changes into the actions of one transaction (records, journal, claims, links, tokens,
//! reply).
//!
//! Items derived from a record are written as the difference between its old and new version, so an update that changes
//! no name writes no token. Each action has a constraint, which says what a failure of its condition means.

use crate::constraint::Constraint;
use crate::engine::{Action, MOST_ACTIONS};
use crate::family::Family;
use crate::handed::{Handed, claims_of};
use crate::journal::{Detail, ERASED, EntryRef, Fact, RETENTION, RequestDetail, SignedFact, difference};
use crate::json::text_of;
use crate::keyring::sha256_base64;
use crate::members::Members;
use crate::reply::{KeptReply, Once};
use crate::rows::alarm::Alarm;
use crate::rows::{SKEW, Write, counts};
use crate::schema::{self, DATA, EXPIRES_AT, Index, KIND, Key, Kind, Place};
use crate::table::{Condition, Item, Update, attribute, key_item};
use crate::tx::{ChangeKind, Changed, Image, Kept, Tx};
use crate::{Cx, Result};
use daybook_domain::error::Oversized;
use daybook_domain::record::TRASH;
use daybook_domain::stored::FORM;
use daybook_domain::{AnyId, Audit, Claim, EntryId, Event, OrgId, RecordType, Timestamp};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The maximum size of a record's JSON, in bytes.
pub const RECORD_BYTES: usize = 64 * 1024;

/// A record's part in a cascade delete: the parent it is deleted with, and its own dependents.
#[derive(Clone, Copy)]
struct Cascade<'a> {
    with: Option<AnyId>,
    family: Option<&'a Family>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub actions: Vec<Action>,
    /// The constraint of each action, in the same order.
    pub constraints: Vec<Constraint>,
    pub facts: Vec<SignedFact>,
}

impl Plan {
    /// The first entry; if that is stored, the whole plan is committed.
    pub fn first_entry(&self) -> Option<EntryRef> {
        self.facts.first().map(|fact| EntryRef { org: fact.org, entry: fact.id })
    }
}

/// Plans the transaction for these changes. Refuses what is too large, and what is outside the actor's scope.
pub(crate) fn plan(cx: &Cx, tx: Tx, reply: KeptReply) -> Result<Plan> {
    let KeptReply { answer, json } = reply;
    let mut plan =
        Planner { cx, org: cx.org, actions: Vec::new(), constraints: Vec::new(), handed: Handed::of(cx.org, &tx) };
    let at = cx.now();
    // Records written by this transaction exist; a check would be a second action on the same item.
    let members = Members::of(&tx);
    let written: Vec<AnyId> = tx.changes.iter().filter_map(|change| change.later().map(|image| image.id)).collect();

    let (mut facts, mut unjournaled) = (Vec::new(), Vec::new());
    let (mut checked, mut families) = (Vec::new(), Vec::new());
    let mut counted: Vec<(RecordType, i64)> = Vec::new();
    for change in tx.changes {
        let Changed { change_kind, audit, event, also, before, after, deleted_with, family } = change;
        let (before, after) = (before?, after?);
        let (live_before, live_after) = match change_kind {
            ChangeKind::Restore | ChangeKind::Erase(Kept::InTrash) => (None, after.as_ref()),
            _ => (before.as_ref(), after.as_ref()),
        };
        let Some(image) = after.as_ref().or(before.as_ref()) else { continue };
        plan.record(
            change_kind,
            live_before,
            live_after,
            before.as_ref(),
            at,
            Cascade { with: deleted_with, family: family.as_ref() },
        )?;
        plan.head(change_kind, image.id, &members, family.as_ref(), deleted_with)?;
        match change_kind {
            ChangeKind::Erase(_) => plan.freed(image),
            _ => plan.claims(change_kind, image.id, live_before, live_after, at)?,
        }
        plan.links(image.id, live_before, live_after)?;
        plan.tokens(image.id, live_before, live_after)?;
        plan.existence(change_kind, live_before, live_after, (&written, &members), (&mut checked, &mut families));
        plan.alarms(live_before, live_after)?;
        if image.counted {
            counted.push((image.id.kind, i64::from(live_after.is_some()) - i64::from(live_before.is_some())));
        }
        let empty = Map::new();
        let form = Some(image.form).filter(|form| *form > 1);
        let (old, new) = match change_kind {
            // An erased record leaves no values in the journal either.
            ChangeKind::Erase(_) => (Map::new(), Map::new()),
            _ => difference(live_before.map_or(&empty, |i| &i.data), live_after.map_or(&empty, |i| &i.data)),
        };
        let fields = fields_of(&old, &new);
        let kept = |values: Map<String, Value>| -> Map<String, Value> {
            values.into_iter().filter(|(name, _)| !image.unjournaled.contains(&name.as_str())).collect()
        };
        let (old, new) = (kept(old), kept(new));
        unjournaled.extend(image.unjournaled);
        // The further events have version 0, as they can't be reverted by themselves: reverting the change covers them.
        let draft =
            FactDraft { audit, event, record: image.id, version: image.version, form, fields, before: old, after: new };
        let others: Vec<_> = also.into_iter().map(|event| FactDraft { event, version: 0, ..draft.clone() }).collect();
        facts.push(draft);
        facts.extend(others);
    }
    for (event, audit, record, detail) in tx.events {
        facts.push(FactDraft::of(audit, event, record, detail));
    }
    let mut erased = Vec::new();
    if let Some((by, entries)) = tx.erased {
        let named = Map::from_iter([(ERASED.to_owned(), entries.iter().map(ToString::to_string).collect())]);
        facts.push(FactDraft::of(Audit::Erase, Event::AuditErased, by, named));
        erased = entries;
    }
    for row in tx.rows {
        let constraint = Constraint::Row(row.refusal);
        match row.write {
            Write::Put(item) => plan.put(item, row.condition, constraint)?,
            Write::Follow(key, update) => plan.add(Action::update(key, update, row.condition), constraint),
        }
    }
    if let Some(action) = counts::change(cx.org, &counted) {
        plan.add(action, Constraint::Nothing);
    }
    let once = plan.actions.len();
    if let Some(key) = &cx.once {
        plan.once(key, json, at)?;
    }

    let mut written_facts: Vec<SignedFact> = Vec::new();
    let detail_of = if tx.discreet { RequestDetail::discreet } else { RequestDetail::of };
    let mut request = Some(detail_of(&cx.request).without(&unjournaled));
    for FactDraft { audit, event, record, version, form, fields, before, after } in facts {
        let id = EntryId::new(cx.env.ids.next());
        let detail = Detail { before, after, form, request: request.take() }.json()?;
        let fact = SignedFact::new(Fact {
            id,
            org: cx.org,
            at,
            actor: cx.actor.clone(),
            action: audit,
            event,
            record,
            version,
            fields,
            answer,
            duration_ms: cx.request.started.elapsed().as_millis() as u64,
            request_id: cx.request.id.clone(),
            trace: cx.request.trace.clone(),
            detail_sha256: sha256_base64(detail.as_bytes()),
        })?;
        plan.put(fact.item(&cx.env.keys), Condition::absent(), Constraint::Fact)?;
        plan.put(Detail::item(cx.org, id, &detail), Condition::ALWAYS, Constraint::Nothing)?;
        written_facts.push(fact);
    }
    if let Some(by) = written_facts.last().map(|fact| fact.id) {
        for entry in erased {
            plan.put(Detail::erased_item(cx.org, entry, by), Condition::ALWAYS, Constraint::Nothing)?;
        }
    }
    let entries: Vec<EntryId> = written_facts.iter().map(|fact| fact.id).collect();
    if let Some(first) = entries.first() {
        plan.request(*first, &entries, at)?;
    }
    // The idempotency record comes first: a repeat must be recognised before other conditions are looked at.
    if cx.once.is_some() {
        plan.actions[..=once].rotate_right(1);
        plan.constraints[..=once].rotate_right(1);
    }
    let Planner { actions, constraints, .. } = plan;
    if actions.len() > MOST_ACTIONS {
        return Err(daybook_domain::Error::Unfit { actions: actions.len(), limit: MOST_ACTIONS }.into());
    }
    Ok(Plan { actions, constraints, facts: written_facts })
}

/// The content of an entry.
#[derive(Clone)]
struct FactDraft {
    audit: Audit,
    event: Event,
    record: AnyId,
    version: u64,
    form: Option<u32>,
    fields: Vec<String>,
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl FactDraft {
    /// The content of an entry that changes no record.
    fn of(audit: Audit, event: Event, record: AnyId, after: Map<String, Value>) -> FactDraft {
        let fields = fields_of(&Map::new(), &after);
        FactDraft { audit, event, record, version: 0, form: None, fields, before: Map::new(), after }
    }
}

struct Planner<'a> {
    cx: &'a Cx,
    org: OrgId,
    actions: Vec<Action>,
    constraints: Vec<Constraint>,
    handed: Handed,
}

impl Planner<'_> {
    fn add(&mut self, action: Action, constraint: Constraint) {
        self.actions.push(action);
        self.constraints.push(constraint);
    }

    fn put(&mut self, item: Item, condition: Condition, constraint: Constraint) -> Result<()> {
        self.add(Action::put(item, condition)?, constraint);
        Ok(())
    }

    fn delete(&mut self, place: Place<'_>, condition: Condition, constraint: Constraint) {
        self.add(Action::delete(place.key(), condition), constraint);
    }

    fn record(
        &mut self,
        change_kind: ChangeKind,
        before: Option<&Image>,
        after: Option<&Image>,
        trashed: Option<&Image>,
        at: Timestamp,
        cascade: Cascade<'_>,
    ) -> Result<()> {
        let org = self.org;
        if let Some(image) = before
            && cascade.with.is_none()
            && !self.cx.reach.holds(image.owner)
        {
            return Err(daybook_domain::Error::not_found(image.id.kind).into());
        }
        match (before, after) {
            (None, Some(new)) => {
                if change_kind == ChangeKind::Restore
                    && let Some(old) = trashed
                {
                    self.delete(Place::Trash(org, old.id), at_version(old), Constraint::Trash);
                }
                let item = record_item(org, new, Place::Record(org, new.id).key())?;
                self.put(item, Condition::absent(), Constraint::Id)
            }
            (Some(old), Some(new)) => {
                let (_, changed) = difference(&old.data, &new.data);
                let constraint = Constraint::Version(new.id.kind, fields_of(&Map::new(), &changed));
                self.put(record_item(org, new, Place::Record(org, new.id).key())?, at_version(old), constraint)
            }
            (None, None) => {
                if let Some(old) = trashed {
                    self.delete(Place::Trash(org, old.id), at_version(old), Constraint::Trash);
                }
                Ok(())
            }
            (Some(old), None) => {
                let constraint = Constraint::Version(old.id.kind, Vec::new());
                self.delete(Place::Record(org, old.id), at_version(old), constraint);
                if matches!(change_kind, ChangeKind::Erase(_)) {
                    return Ok(());
                }
                let mut item = record_item(org, old, Place::Trash(org, old.id).key())?;
                for index in Index::ALL {
                    item.remove(index.pk());
                    item.remove(index.sk());
                }
                item.insert("deleted_at".to_owned(), attribute(at));
                item.insert(EXPIRES_AT.to_owned(), attribute(at.plus(TRASH).as_second()));
                if let Some(parent) = cascade.with {
                    item.insert(Index::ByState.pk().to_owned(), attribute(schema::deleted_with(org, parent)));
                    item.insert(Index::ByState.sk().to_owned(), attribute(old.id));
                }
                if let Some(family) = cascade.family {
                    // Where the count isn't checked, more records may have joined.
                    let others = usize::from(family.joined.is_none());
                    item.insert("fell".to_owned(), attribute(family.members.len() + others));
                }
                self.put(item, Condition::ALWAYS, Constraint::Nothing)
            }
        }
    }

    /// Creates or deletes the head of a family together with its record.
    fn head(
        &mut self,
        change_kind: ChangeKind,
        id: AnyId,
        members: &Members,
        family: Option<&Family>,
        deleted_with: Option<AnyId>,
    ) -> Result<()> {
        let place = Place::Family(self.org, id);
        if !id.kind.has_family() {
            return Ok(());
        }
        match change_kind {
            ChangeKind::Create | ChangeKind::Restore => {
                let mut item = key_item(&place.key());
                item.insert(KIND.to_owned(), attribute(Kind::Link.name()));
                item.insert("joined".to_owned(), attribute(members.joining(id)));
                self.put(item, Condition::ALWAYS, Constraint::Nothing)
            }
            ChangeKind::Update | ChangeKind::Erase(Kept::InTrash) => Ok(()),
            // A record that joined this family also joined that of the parent.
            ChangeKind::Delete if deleted_with.is_some() => {
                self.delete(place, Condition::ALWAYS, Constraint::Nothing);
                Ok(())
            }
            ChangeKind::Erase(Kept::Live) => {
                self.delete(place, Condition::ALWAYS, Constraint::Nothing);
                Ok(())
            }
            ChangeKind::Delete => {
                let joined = family.map_or_else(|| Some(members.leaving(id)), |family| family.joined);
                let same = joined.map_or(Condition::ALWAYS, |joined| Condition::equal("joined", joined));
                self.delete(place, same, Constraint::Family(family.is_some()));
                Ok(())
            }
        }
    }

    /// Counts a record that joins the family of a parent, which must exist.
    fn join(&mut self, parent: AnyId, constraint: Constraint) {
        let key = Place::Family(self.org, parent).key();
        self.add(Action::update(key, Update::add("joined", 1), Condition::exists()), constraint);
    }

    fn alarms(&mut self, before: Option<&Image>, after: Option<&Image>) -> Result<()> {
        let Some(after) = after else { return Ok(()) };
        let known = before.map_or(&[][..], |before| &before.alarms);
        for &at in after.alarms.iter().filter(|at| !known.contains(at)) {
            self.put(Alarm { org: self.org, record: after.id, at }.item()?, Condition::ALWAYS, Constraint::Nothing)?;
        }
        Ok(())
    }

    /// Frees the unique values of an erased record, without a trace of their holder.
    fn freed(&mut self, image: &Image) {
        for claim in &image.claims {
            let place = Place::Claim(self.org, image.id.kind, claim);
            self.delete(place, free_or_held_by(image.id), Constraint::Claim(claim.clone()));
        }
    }

    fn claims(
        &mut self,
        change_kind: ChangeKind,
        id: AnyId,
        before: Option<&Image>,
        after: Option<&Image>,
        at: Timestamp,
    ) -> Result<()> {
        let org = self.org;
        let (old, new) = (claims_of(before), claims_of(after));
        for claim in old.iter().filter(|claim| !new.contains(claim)) {
            // The record that takes it in the same transaction writes it.
            if self.handed.taken.contains(&Place::Claim(org, id.kind, claim).key()) {
                continue;
            }
            // The remaining item names the last holder, for as long as that record can be found.
            let mut item = claim_item(org, id.kind, claim);
            item.insert("previous".to_owned(), attribute(id));
            if change_kind == ChangeKind::Delete {
                item.insert(EXPIRES_AT.to_owned(), attribute(at.plus(TRASH).as_second()));
            }
            self.put(item, free_or_held_by(id), Constraint::Claim((*claim).clone()))?;
        }
        for claim in new.iter().filter(|claim| !old.contains(claim)) {
            let mut item = claim_item(org, id.kind, claim);
            let key = Place::Claim(org, id.kind, claim).key();
            if self.handed.taken.iter().filter(|taken| **taken == key).count() > 1 {
                return Err(daybook_domain::Error::Duplicate { field: claim.field(), existing_id: None }.into());
            }
            item.insert("id".to_owned(), attribute(id));
            let holder = self.handed.left.iter().find(|(left, _)| *left == key).map_or(id, |(_, holder)| *holder);
            self.put(item, free_or_held_by(holder), Constraint::Claim((*claim).clone()))?;
        }
        Ok(())
    }

    fn links(&mut self, id: AnyId, before: Option<&Image>, after: Option<&Image>) -> Result<()> {
        let org = self.org;
        let parents = |image: Option<&Image>| image.map(|image| image.parents.clone()).unwrap_or_default();
        let (old, new) = (parents(before), parents(after));
        for parent in old.iter().filter(|parent| !new.contains(parent)) {
            self.delete(Place::Link(org, *parent, id), Condition::ALWAYS, Constraint::Nothing);
        }
        for parent in new.iter().filter(|parent| !old.contains(parent)) {
            let mut item = key_item(&Place::Link(org, *parent, id).key());
            item.insert(KIND.to_owned(), attribute(Kind::Link.name()));
            self.put(item, Condition::ALWAYS, Constraint::Nothing)?;
        }
        Ok(())
    }

    fn tokens(&mut self, id: AnyId, before: Option<&Image>, after: Option<&Image>) -> Result<()> {
        let org = self.org;
        let words = |image: Option<&Image>| image.map(|image| image.words.clone()).unwrap_or_default();
        let (old, new) = (words(before), words(after));
        for token in old.tokens().iter().filter(|token| !new.tokens().contains(token)) {
            self.delete(Place::Token(org, token, id), Condition::ALWAYS, Constraint::Nothing);
        }
        for token in new.tokens().iter().filter(|token| old.text() != new.text() || !old.tokens().contains(token)) {
            let mut item = key_item(&Place::Token(org, token, id).key());
            item.insert(KIND.to_owned(), attribute(Kind::Token.name()));
            item.insert("text".to_owned(), attribute(new.text()));
            self.put(item, Condition::ALWAYS, Constraint::Nothing)?;
        }
        Ok(())
    }

    /// Foreign keys: parents and references that this change sets must exist; those created by it do. A restored record
    /// also needs the records that it depends on.
    fn existence(
        &mut self,
        change_kind: ChangeKind,
        before: Option<&Image>,
        after: Option<&Image>,
        (written, members): (&[AnyId], &Members),
        (checked, families): (&mut Vec<AnyId>, &mut Vec<AnyId>),
    ) {
        let Some(after) = after else { return };
        // Other records that it refers to may have been deleted since, as they may while the record is live.
        let known = |id: &AnyId| {
            (change_kind == ChangeKind::Restore && !after.depends_on.contains(id))
                || before.is_some_and(|old| old.parents.contains(id) || old.references.iter().any(|r| r.id == *id))
        };
        let parents = after.parents.iter().map(|id| (*id, Constraint::Parent));
        let references = after.references.iter().map(|reference| (reference.id, Constraint::Reference(*reference)));
        // Records that exist by default may not be stored.
        let org = self.org;
        for (id, constraint) in references.chain(parents).filter(|(id, _)| !id.is_from_start(org)) {
            // A request to restore a record has no fields that the error could name.
            let constraint = if change_kind == ChangeKind::Restore { Constraint::Parent } else { constraint };
            if after.cascade_parents.contains(&id) {
                let joined = before.is_some_and(|old| old.cascade_parents.contains(&id));
                if !joined && !members.is_new(id) && !families.contains(&id) {
                    families.push(id);
                    self.join(id, constraint);
                }
                continue;
            }
            if !known(&id) && !written.contains(&id) && !checked.contains(&id) {
                checked.push(id);
                self.add(Action::check(Place::Record(org, id).key(), Condition::exists()), constraint);
            }
        }
    }

    fn once(&mut self, once: &Once, reply: Option<String>, at: Timestamp) -> Result<()> {
        let mut item = key_item(&Place::Once(once.org, &once.hash).key());
        item.insert(KIND.to_owned(), attribute(Kind::Once.name()));
        item.insert("fingerprint".to_owned(), attribute(&once.fingerprint));
        item.insert(EXPIRES_AT.to_owned(), attribute(at.plus(once.kept).as_second()));
        if let Some(json) = reply {
            item.insert("reply".to_owned(), attribute(json));
        }
        let expired = Condition::at_most(EXPIRES_AT, at.as_second());
        let within = Condition::at_most(EXPIRES_AT, latest_end(once, at));
        let too_far_ahead = Condition::has(EXPIRES_AT).and(within.negated());
        self.put(item, Condition::absent().or(expired).or(too_far_ahead), Constraint::Once)
    }

    fn request(&mut self, entry: EntryId, entries: &[EntryId], at: Timestamp) -> Result<()> {
        let mut item = key_item(&Place::Request(self.org, &self.cx.request.id, entry).key());
        item.insert("entries".to_owned(), attribute(entries));
        if let Some(batch) = &self.cx.request.batch {
            item.insert("batch".to_owned(), attribute(batch));
        }
        item.insert(KIND.to_owned(), attribute(Kind::Request.name()));
        item.insert(EXPIRES_AT.to_owned(), attribute(at.plus(RETENTION).as_second()));
        self.put(item, Condition::ALWAYS, Constraint::Nothing)
    }
}

/// When an idempotency key that is stored by now ends at the latest, in seconds since 1970. One that ends later was
/// stored while the clock was ahead, and counts as expired.
pub(crate) fn latest_end(once: &Once, now: Timestamp) -> i64 {
    now.plus(once.kept).plus(SKEW).as_second()
}

/// The condition that a record is still at a version (optimistic concurrency).
fn at_version(image: &Image) -> Condition {
    Condition::equal("version", image.version)
}

/// The condition that no other record holds a unique value.
fn free_or_held_by(id: AnyId) -> Condition {
    Condition::lacks("id").or(Condition::equal("id", id))
}

fn record_item(org: OrgId, image: &Image, key: Key) -> Result<Item> {
    let too_large = daybook_domain::Error::TooLarge { what: Oversized::Record, limit: RECORD_BYTES as u64 };
    let data = text_of(&stored_fields(image))?;
    if data.len() > RECORD_BYTES {
        return Err(too_large.into());
    }
    let mut item = key_item(&key);
    item.insert(KIND.to_owned(), attribute(Kind::Record.name()));
    item.insert("version".to_owned(), attribute(image.version));
    item.insert(DATA.to_owned(), attribute(data));
    let mut index = |index: Index, pk: String| {
        item.insert(index.pk().to_owned(), attribute(pk));
        item.insert(index.sk().to_owned(), attribute(schema::by_date(image.date, &image.id.to_string())));
    };
    if image.owner.is_some() || image.is_owned {
        index(Index::ByOwner, schema::owned_by(org, image.id.kind, image.owner));
    }
    if let Some(state) = &image.state {
        index(Index::ByState, schema::in_state(org, image.id.kind, state));
    }
    Ok(item)
}

/// The fields of a record as they are stored: without those that are null, unless the version before needs them.
fn stored_fields(image: &Image) -> BTreeMap<&str, Cow<'_, Value>> {
    let present = image.data.iter().filter(|(_, value)| !value.is_null());
    let mut fields: BTreeMap<&str, Cow<'_, Value>> =
        present.map(|(name, value)| (name.as_str(), Cow::Borrowed(value))).collect();
    for path in image.once_required {
        let Some((name, inner)) = path.split_first() else { continue };
        let mut field = fields.remove(name).unwrap_or(Cow::Owned(Value::Null));
        let reached =
            |value: &Value| inner.iter().try_fold(value, |at, name| at.get(name)).is_some_and(Value::is_string);
        if !reached(&field) {
            let at = inner.iter().fold(field.to_mut(), |at, name| &mut at[*name]);
            *at = Value::from("");
        }
        fields.insert(name, field);
    }
    fields
}

fn claim_item(org: OrgId, of: RecordType, claim: &Claim) -> Item {
    let mut item = key_item(&Place::Claim(org, of, claim).key());
    item.insert(KIND.to_owned(), attribute(Kind::Claim.name()));
    if claim.kind.is_global() {
        item.insert("org".to_owned(), attribute(org));
    }
    item
}

fn fields_of(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let mut fields: Vec<String> =
        before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))).cloned().collect();
    fields.retain(|name| !matches!(name.as_str(), "version" | "updated_at" | FORM));
    fields
}
