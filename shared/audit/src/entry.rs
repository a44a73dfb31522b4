//! Audit log entries as clients see them: journal facts joined with their details and requests.

use crate::outcome_of;
use daybook_domain::audit::Outcome;
use daybook_domain::permission::RoleRef;
use daybook_domain::stored::FORM;
use daybook_domain::{Actor, AnyId, Audit, EntryId, Event, RecordType, Timestamp, Unknown, choices};
use daybook_http::status_code;
use daybook_records::power::Power;
use daybook_store::facts::FirstDetails;
use daybook_store::journal::{Detail, RequestDetail};
use daybook_store::{Cx, Fact, Result, bytes_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// An entry of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// The id.
    pub id: EntryId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The actor.
    pub actor: Who,
    /// The action.
    pub action: Audit,
    /// The event that was published.
    pub event: Event,
    /// The record that it concerns.
    pub resource: Which,
    /// The outcome.
    pub outcome: Outcome,
    /// The HTTP status of the answer.
    pub status_code: u16,
    /// Milliseconds from the request's arrival until it was done.
    pub duration_ms: u64,
    /// The request's id.
    pub request_id: String,
    /// The request, with secrets masked; none if Daybook acted by itself, or if the request concerned a record that the
    /// caller can't read.
    pub request: Option<Asked>,
    /// The names of the fields that changed.
    pub fields: Vec<String>,
    /// The fields that changed, with their values before and after.
    pub changes: Vec<FieldChange>,
    /// Whether the request and the values were erased since; the rest stays.
    pub erased: bool,
    /// Whether the request and the values are left out, as the caller can't read the record.
    pub hidden: bool,
}

/// The actor of an entry.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditActor)]
pub struct Who {
    /// The type of actor.
    #[serde(rename = "type")]
    pub kind: WhoKind,
    /// The user or API key.
    #[schema(value_type = Option<String>)]
    pub id: Option<AnyId>,
    /// The role a user acted in.
    pub role: Option<RoleRef>,
}

choices! {
    /// A type of actor.
    WhoKind as "AuditActorType" {
        /// A signed-in user.
        User = "user",
        /// A program with an API key.
        ApiKey = "api_key",
        /// An anonymous client.
        Public = "public",
        /// Daybook itself.
        System = "system",
    }
}

/// The record that an entry concerns.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditResource)]
pub struct Which {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// Its id.
    #[schema(value_type = String)]
    pub id: AnyId,
    /// Its version after the change; 0 if it didn't change, or if another entry of the same request has the change.
    pub version: u64,
}

/// A request, with secrets masked.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditRequest)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query.
    pub query: Option<String>,
    /// The body: the fields that fit 8 KB together; `null` if there was none.
    #[schema(value_type = Value)]
    pub body: Value,
    /// The number of the body's fields that are left out.
    pub omitted_fields: usize,
    /// The client's network address.
    pub ip: Option<String>,
    /// The client's `User-Agent` header.
    pub user_agent: Option<String>,
}

/// A field that changed.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// The value before.
    #[schema(value_type = Value)]
    pub before: Value,
    /// The value after.
    #[schema(value_type = Value)]
    pub after: Value,
}

/// The bytes of details that are read for one page. JSON values take up to ten times as much memory as their text.
const SHOWN_BYTES: usize = 1 << 20;

/// Entries, and the facts that are left for the next page.
#[derive(Debug)]
pub struct Shown {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The facts whose entries didn't fit.
    pub left: Vec<Fact>,
}

/// Joins facts with their details into entries, for a reader with this power: as many as fit a page, and one at least.
/// Details of records that the reader can't read are left out.
pub async fn shown(cx: &Cx, reader: &Power, mut facts: Vec<Fact>) -> Result<Shown> {
    let ids: Vec<EntryId> = facts.iter().map(|fact| fact.id).collect();
    let FirstDetails { mut details, read } = cx.journal().first_details(&ids, SHOWN_BYTES).await?;
    let mut left = facts.split_off(read);
    let Requests { of_entry: mut requests, read } = requests(cx, &facts, &details).await?;
    left.splice(..0, facts.split_off(read));
    let readable = readable(cx, reader, &facts, &requests).await?;
    let entry = |fact: Fact| {
        let (detail, request) = (details.remove(&fact.id), requests.remove(&fact.id));
        let whole = entry(fact, detail, request);
        match &readable {
            Some(readable) => readable.shown(whole),
            None => whole,
        }
    };
    Ok(Shown { entries: facts.into_iter().map(entry).collect(), left })
}

/// The records that a reader can read, and the entries whose requests the reader may see.
struct Readable {
    records: HashSet<AnyId>,
    requests: HashSet<EntryId>,
}

impl Readable {
    fn shown(&self, entry: Entry) -> Entry {
        let request = entry.request.filter(|_| self.requests.contains(&entry.id));
        match self.records.contains(&entry.resource.id) {
            true => Entry { request, ..entry },
            false => Entry { request: None, changes: Vec::new(), hidden: true, ..entry },
        }
    }
}

/// What a reader can read of these entries; `None` if that is all of them.
///
/// A request is shown if it changed a record, and the reader can read all records that it changed or names. That of a
/// refused change or a list has no record to go by, and that of a batch may hold values of items that were refused: only
/// readers of everything see these.
async fn readable(
    cx: &Cx,
    reader: &Power,
    facts: &[Fact],
    requests: &HashMap<EntryId, RequestDetail>,
) -> Result<Option<Readable>> {
    if reader.reads_everything() {
        return Ok(None);
    }
    let mut of_entry: HashMap<EntryId, Fact> = facts.iter().map(|fact| (fact.id, fact.clone())).collect();
    let mut groups: Vec<Vec<EntryId>> = Vec::new();
    for fact in facts {
        if !groups.iter().any(|entries| entries.contains(&fact.id)) {
            groups.extend(cx.journal().request_of(fact.id, &fact.request_id).await?.map(|(_, entries)| entries));
        }
    }
    let others: BTreeSet<EntryId> =
        groups.iter().flatten().copied().filter(|entry| !of_entry.contains_key(entry)).collect();
    of_entry.extend(cx.journal().facts(others.into_iter()).await?.into_iter().map(|fact| (fact.id, fact)));
    let named: HashMap<EntryId, BTreeSet<AnyId>> =
        requests.iter().map(|(entry, request)| (*entry, named_in(request))).collect();
    let all = of_entry.values().map(|fact| fact.record).chain(named.values().flatten().copied());
    let records = reader.readable_of(cx, all).await?;
    let may_see = |entries: &[EntryId]| {
        let facts = || entries.iter().map(|entry| of_entry.get(entry));
        let is_whole = facts().all(|fact| fact.is_some_and(|fact| records.contains(&fact.record)));
        is_whole && facts().flatten().any(|fact| fact.version > 0)
    };
    let of_requests = groups.into_iter().filter(|entries| may_see(entries)).flatten();
    let is_plain = |entry: &EntryId| {
        requests.get(entry).is_some_and(|request| !is_batch(request))
            && named.get(entry).is_some_and(|ids| ids.iter().all(|id| records.contains(id)))
    };
    let requests = of_requests.filter(is_plain).collect();
    Ok(Some(Readable { records, requests }))
}

fn is_batch(request: &RequestDetail) -> bool {
    request.path.ends_with("/batch")
}

/// The records that a request names: in its path, its query or its body.
fn named_in(request: &RequestDetail) -> BTreeSet<AnyId> {
    let mut ids: BTreeSet<AnyId> = request.path.split('/').filter_map(|part| part.parse().ok()).collect();
    let query = request.query.as_deref().unwrap_or_default();
    ids.extend(query.split(['&', '=', ',']).filter_map(|part| part.parse::<AnyId>().ok()));
    add_named(&request.body, &mut ids);
    ids
}

fn add_named(value: &Value, ids: &mut BTreeSet<AnyId>) {
    match value {
        Value::String(text) => ids.extend(text.parse::<AnyId>().ok()),
        Value::Array(list) => list.iter().for_each(|one| add_named(one, ids)),
        Value::Object(map) => map.values().for_each(|one| add_named(one, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The requests of the first of some entries.
struct Requests {
    of_entry: HashMap<EntryId, RequestDetail>,
    /// The number of entries whose requests fit a page.
    read: usize,
}

/// The requests of facts, in their order. A request with several facts is stored with the first of them.
async fn requests(cx: &Cx, facts: &[Fact], details: &HashMap<EntryId, Detail>) -> Result<Requests> {
    let mut of_entry = HashMap::new();
    let mut firsts: HashMap<EntryId, EntryId> = HashMap::new();
    let mut stored: HashMap<EntryId, Option<(RequestDetail, usize)>> = HashMap::new();
    let mut bytes = 0;
    for (read, fact) in facts.iter().enumerate() {
        if let Some(own) = details.get(&fact.id).and_then(|detail| detail.request.clone()) {
            of_entry.insert(fact.id, own);
            continue;
        }
        if !firsts.contains_key(&fact.id)
            && let Some((first, entries)) = cx.journal().request_of(fact.id, &fact.request_id).await?
        {
            firsts.extend(entries.into_iter().map(|entry| (entry, first)));
        }
        let Some(first) = firsts.get(&fact.id) else { continue };
        if !stored.contains_key(first) {
            let detail = cx.journal().details(std::iter::once(*first)).await?.remove(first);
            let request = detail.and_then(|detail| detail.request);
            let sized = request.map(|request| bytes_of(&request).map(|bytes| (request, bytes))).transpose()?;
            stored.insert(*first, sized);
        }
        let Some((request, size)) = &stored[first] else { continue };
        bytes += size;
        if bytes > SHOWN_BYTES && read > 0 {
            return Ok(Requests { of_entry, read });
        }
        of_entry.insert(fact.id, request.clone());
    }
    Ok(Requests { of_entry, read: facts.len() })
}

fn entry(fact: Fact, detail: Option<Detail>, request: Option<RequestDetail>) -> Entry {
    let erased = detail.is_none();
    let changes = detail.map(changes).unwrap_or_default();
    let kind = match &fact.actor {
        Actor::User { .. } => WhoKind::User,
        Actor::ApiKey { .. } => WhoKind::ApiKey,
        Actor::Public => WhoKind::Public,
        Actor::System => WhoKind::System,
        Actor::Unknown(fields) => {
            let kind = fields.get("type").and_then(|kind| Unknown::of(kind.as_str()?));
            kind.map_or(WhoKind::System, WhoKind::Unknown)
        }
    };
    Entry {
        id: fact.id,
        occurred_at: fact.at,
        actor: Who { kind, id: fact.actor.id(), role: fact.actor.role() },
        action: fact.action,
        event: fact.event,
        resource: Which { kind: fact.record.kind, id: fact.record, version: fact.version },
        outcome: outcome_of(fact.answer),
        status_code: status_code(fact.answer),
        duration_ms: fact.duration_ms,
        request_id: fact.request_id,
        request: request.filter(|request| !request.method.is_empty()).map(|request| Asked {
            method: request.method,
            path: request.path,
            query: request.query,
            body: request.body,
            omitted_fields: request.omitted,
            ip: request.ip,
            user_agent: request.user_agent,
        }),
        fields: fact.fields,
        changes,
        erased,
        hidden: false,
    }
}

fn changes(detail: Detail) -> Vec<FieldChange> {
    let Detail { mut before, after, .. } = detail;
    let mut changes: Vec<FieldChange> = after
        .into_iter()
        .map(|(field, after)| FieldChange { before: before.remove(&field).unwrap_or_default(), field, after })
        .collect();
    changes.extend(before.into_iter().map(|(field, before)| FieldChange { field, before, after: Value::Null }));
    // These change with every write, and add nothing to the entry.
    changes.retain(|change| !matches!(change.field.as_str(), "version" | "updated_at" | FORM));
    changes
}
