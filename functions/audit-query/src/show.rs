//! Entries as they are shown.

use crate::filter::{AuditQuery, Filter, Outcome};
use daybook_domain::error::Thing;
use daybook_domain::permission::RoleRef;
use daybook_domain::{Actor, AnyId, Audit, EntryId, Error as Domain, Event, RecordType, Timestamp, UserId};
use daybook_http::{Argument, Call, Cx, Data, Listed, Operation, Path, Result, status_code};
use daybook_store::facts::{FactsAsk, Source};
use daybook_store::journal::{Detail, RequestDetail};
use daybook_store::rows::tally;
use daybook_store::{Fact, Page};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// The most bytes of JSON on one page.
const PAGE_BYTES: usize = 4 << 20;

/// How far back refusals are counted.
const COUNTED: Duration = Duration::from_secs(31 * 86_400);

/// An entry of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// The id.
    pub id: EntryId,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: Who,
    /// What was done.
    pub action: Audit,
    /// The event it was announced as.
    pub event: Event,
    /// To what it was done.
    pub resource: Which,
    /// How it ended.
    pub outcome: Outcome,
    /// What the request was answered with.
    pub status_code: u16,
    /// Milliseconds from the request's arrival until it was done.
    pub duration_ms: u64,
    /// The request's id.
    pub request_id: String,
    /// The request, with secrets masked; none where Daybook did it by itself.
    pub request: Option<Asked>,
    /// The names of the fields that changed.
    pub fields: Vec<String>,
    /// The fields that changed, as they were and as they are.
    pub changes: Vec<FieldChange>,
    /// Whether what it was about in words was erased since; the rest stays.
    pub erased: bool,
}

/// Who did something.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditActor)]
pub struct Who {
    /// What they are.
    #[serde(rename = "type")]
    pub kind: WhoKind,
    /// The user or API key.
    #[schema(value_type = Option<String>)]
    pub id: Option<AnyId>,
    /// The role a user acted in.
    pub role: Option<RoleRef>,
}

/// What somebody is who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditActorType)]
pub enum WhoKind {
    /// A user who is signed in.
    User,
    /// A program with an API key.
    ApiKey,
    /// Nobody known.
    Public,
    /// Daybook itself.
    System,
}

/// To what something was done.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditResource)]
pub struct Which {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// Its id.
    #[schema(value_type = String)]
    pub id: AnyId,
    /// The version it has since; 0 where it didn't change.
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
    /// The body; `null` where there was none, or where it was too large to keep.
    #[schema(value_type = Value)]
    pub body: Value,
    /// The address it came from.
    pub ip: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
}

/// A field that changed.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// As it was.
    #[schema(value_type = Value)]
    pub before: Value,
    /// As it is.
    #[schema(value_type = Value)]
    pub after: Value,
}

/// Refusals of a minute that came too fast to be written down one by one.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counted {
    /// The minute.
    pub minute: Timestamp,
    /// How they ended.
    pub outcome: Outcome,
    /// How many, besides the entries.
    pub count: u64,
}

/// Lists entries, the newest first.
pub async fn list(cx: Cx, query: AuditQuery) -> Result<Listed<Entry>> {
    let (page, mut next) = query.page(&cx).await?;
    let mut entries = shown(&cx, page.facts).await?;
    // What doesn't fit the answer begins the next page.
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|entry| {
        bytes += serde_json::to_string(entry).map_or(0, |json| json.len());
        bytes <= PAGE_BYTES
    });
    let fitting = fitting.count().max(1);
    if fitting < entries.len() {
        entries.truncate(fitting);
        next = entries.last().map(|last| query.cursor_behind(&cx, last.id));
    }
    Ok(Listed(Page::of(entries, query.limit, next)))
}

/// Lists what a user did.
pub async fn of_user(cx: Cx, Path(id): Path<UserId>, query: AuditQuery) -> Result<Listed<Entry>> {
    is_known(&cx, id.into(), [Source::Actor(id.into()), Source::Record(id.into())]).await?;
    let filter = Filter { actor_id: Some(id.into()), ..query.filter };
    list(cx, AuditQuery { filter, ..query }).await
}

/// Lists what was done to a record.
pub async fn of_record(cx: Cx, record: InPath, query: AuditQuery) -> Result<Listed<Entry>> {
    is_known(&cx, record.0, [Source::Record(record.0)]).await?;
    let filter = Filter { resource_id: Some(record.0), ..query.filter };
    list(cx, AuditQuery { filter, ..query }).await
}

/// Reads an entry.
pub async fn read(cx: Cx, Path(id): Path<EntryId>) -> Result<Data<Entry>> {
    let fact = cx.fact(id).await?.ok_or_else(|| Domain::not_found(Thing::Entry))?;
    let entry = shown(&cx, vec![fact]).await?.pop();
    Ok(Data(entry.ok_or_else(|| Domain::not_found(Thing::Entry))?))
}

/// Says how many refusals there were in each minute of the last 31 days that came too fast to have entries.
pub async fn counts(cx: Cx) -> Result<Data<Vec<Counted>>> {
    let tallies = tally::since(&cx.env, cx.org, cx.now().minus(COUNTED)).await?;
    let counted =
        |tally: tally::Tally| Counted { minute: tally.minute, outcome: Outcome::of(tally.answer), count: tally.count };
    Ok(Data(tallies.into_iter().map(counted).collect()))
}

/// Facts with what they were about.
pub async fn shown(cx: &Cx, facts: Vec<Fact>) -> Result<Vec<Entry>> {
    let mut details = cx.details(facts.iter().map(|fact| fact.id)).await?;
    let mut requests = requests(cx, &facts, &details).await?;
    Ok(facts
        .into_iter()
        .map(|fact| {
            let detail = details.remove(&fact.id);
            let request = requests.remove(&fact.id);
            entry(fact, detail, request)
        })
        .collect())
}

/// The requests of facts, by fact: one that did several things is written down with the first of them.
async fn requests(
    cx: &Cx,
    facts: &[Fact],
    details: &HashMap<EntryId, Detail>,
) -> Result<HashMap<EntryId, RequestDetail>> {
    let own = |id: &EntryId| details.get(id).and_then(|detail| detail.request.clone());
    let mut requests: HashMap<EntryId, RequestDetail> =
        facts.iter().filter_map(|fact| Some((fact.id, own(&fact.id)?))).collect();
    let others: BTreeSet<&str> =
        facts.iter().filter(|fact| !requests.contains_key(&fact.id)).map(|fact| fact.request_id.as_str()).collect();
    for id in others {
        for (first, entries) in cx.entries_of_request(id).await? {
            let missing: Vec<EntryId> = entries.into_iter().filter(|entry| !requests.contains_key(entry)).collect();
            let wanted = missing.iter().any(|entry| facts.iter().any(|fact| fact.id == *entry));
            if !wanted {
                continue;
            }
            let detail = cx.details(std::iter::once(first)).await?.remove(&first);
            if let Some(request) = detail.and_then(|detail| detail.request) {
                requests.extend(missing.into_iter().map(|entry| (entry, request.clone())));
            }
        }
    }
    Ok(requests)
}

fn entry(fact: Fact, detail: Option<Detail>, request: Option<RequestDetail>) -> Entry {
    let erased = detail.is_none();
    let changes = detail.map(changes).unwrap_or_default();
    let kind = match fact.actor {
        Actor::User { .. } => WhoKind::User,
        Actor::ApiKey { .. } => WhoKind::ApiKey,
        Actor::Public => WhoKind::Public,
        Actor::System => WhoKind::System,
    };
    Entry {
        id: fact.id,
        occurred_at: fact.at,
        actor: Who { kind, id: fact.actor.id(), role: fact.actor.role() },
        action: fact.action,
        event: fact.event,
        resource: Which { kind: fact.record.kind, id: fact.record, version: fact.version },
        outcome: Outcome::of(fact.answer),
        status_code: status_code(fact.answer),
        duration_ms: fact.duration_ms,
        request_id: fact.request_id,
        request: request.filter(|request| !request.method.is_empty()).map(|request| Asked {
            method: request.method,
            path: request.path,
            query: request.query,
            body: request.body,
            ip: request.ip,
            user_agent: request.user_agent,
        }),
        fields: fact.fields,
        changes,
        erased,
    }
}

fn changes(detail: Detail) -> Vec<FieldChange> {
    let Detail { mut before, after, request: _ } = detail;
    let mut changes: Vec<FieldChange> = after
        .into_iter()
        .map(|(field, after)| FieldChange { before: before.remove(&field).unwrap_or_default(), field, after })
        .collect();
    changes.extend(before.into_iter().map(|(field, before)| FieldChange { field, before, after: Value::Null }));
    // They change with every change, and say nothing of it that the entry doesn't.
    changes.retain(|change| !matches!(change.field.as_str(), "version" | "updated_at"));
    changes
}

/// Refuses to list what the log of this organisation never heard of.
async fn is_known<const N: usize>(cx: &Cx, id: AnyId, sources: [Source; N]) -> Result<()> {
    for source in &sources {
        let (from, to) = Filter::default().bounds(cx.org, cx.now())?;
        let ask = FactsAsk { source, from, to, ascending: false, after: None, limit: 1, keep: &|_| true };
        if !cx.facts(&ask).await?.facts.is_empty() {
            return Ok(());
        }
    }
    Err(Domain::not_found(id.kind).into())
}

/// The record in a path, by type and id.
#[derive(Clone, Copy, Debug)]
pub struct InPath(AnyId);

impl Argument for InPath {
    async fn read(call: &Call) -> Result<Self> {
        let part = |name: &str| call.path.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
        let kind = part("resource_type").and_then(|name| RecordType::ALL.iter().find(|kind| kind.name() == name));
        let id = part("id").and_then(|id| id.parse::<AnyId>().ok());
        let named = id.filter(|id| kind == Some(&id.kind));
        Ok(InPath(named.ok_or_else(|| Domain::not_found(Thing::Entry))?))
    }

    fn fingerprint(&self) -> Value {
        Value::from(self.0.to_string())
    }

    fn describe(operation: &mut Operation) {
        operation.path_parameter::<RecordType>();
        operation.path_parameter::<String>();
    }
}
