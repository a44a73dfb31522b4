//! Reading the audit log: lists, single entries, and counts of refused requests.

use crate::filter::Asked;
use daybook_audit::{AuditQuery, Entry, Shown, bounds, outcome_of, shown};
use daybook_domain::audit::{Filter, Outcome};
use daybook_domain::error::Thing;
use daybook_domain::{AnyId, EntryId, Error as Domain, RecordType, Timestamp, UserId};
use daybook_http::{Argument, Call, Cx, Data, Listed, Operation, Path, Result};
use daybook_records::power::Power;
use daybook_store::Page;
use daybook_store::facts::{FactsAsk, Source};
use daybook_store::rows::tally;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// How far back the counts of refused requests go: 31 days.
const COUNTED: Duration = Duration::from_secs(31 * 86_400);

/// The refused requests of one minute that were too many to have entries of their own.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counted {
    /// The minute.
    pub minute: Timestamp,
    /// Their outcome.
    pub outcome: Outcome,
    /// Their number, without those that have entries.
    pub count: u64,
}

/// Lists entries, the newest first.
pub async fn list(cx: Cx, Asked(query): Asked) -> Result<Listed<Entry>> {
    let (page, mut next) = query.page(&cx).await?;
    let Shown { entries, left } = shown(&cx, &Power::of_caller(&cx), page.facts).await?;
    // Entries that don't fit the page begin the next one.
    if !left.is_empty() {
        next = entries.last().map(|last| query.cursor_behind(&cx, last.id)).transpose()?;
    }
    Ok(Listed(Page::of(entries, query.limit, next)))
}

/// Lists the entries of a user, the newest first.
pub async fn of_user(cx: Cx, Path(id): Path<UserId>, Asked(query): Asked) -> Result<Listed<Entry>> {
    is_known(&cx, id.into(), [Source::Actor(id.into()), Source::Record(id.into())]).await?;
    let filter = Filter { actor_id: Some(id.into()), ..query.filter };
    list(cx, Asked(AuditQuery { filter, ..query })).await
}

/// Lists the entries about a record, the newest first.
pub async fn of_record(cx: Cx, record: InPath, Asked(query): Asked) -> Result<Listed<Entry>> {
    is_known(&cx, record.0, [Source::Record(record.0)]).await?;
    let filter = Filter { resource_id: Some(record.0), ..query.filter };
    list(cx, Asked(AuditQuery { filter, ..query })).await
}

/// Reads an entry.
pub async fn read(cx: Cx, Path(id): Path<EntryId>) -> Result<Data<Entry>> {
    let fact = cx.journal().fact(id).await?.ok_or_else(|| Domain::not_found(Thing::Entry))?;
    let entry = shown(&cx, &Power::of_caller(&cx), vec![fact]).await?.entries.pop();
    Ok(Data(entry.ok_or_else(|| Domain::not_found(Thing::Entry))?))
}

/// Returns the number of refused requests without entries, per minute of the last 31 days.
pub async fn counts(cx: Cx) -> Result<Data<Vec<Counted>>> {
    let tallies = tally::since(&cx.env, cx.org, cx.now().minus(COUNTED)).await?;
    let counted =
        |tally: tally::Tally| Counted { minute: tally.minute, outcome: outcome_of(tally.answer), count: tally.count };
    Ok(Data(tallies.into_iter().map(counted).collect()))
}

/// Fails with "not found" if this organisation's log has no entry from one of the sources.
async fn is_known<const N: usize>(cx: &Cx, id: AnyId, sources: [Source; N]) -> Result<()> {
    for source in &sources {
        let (from, to) = bounds(&Filter::default(), cx.org, cx.now())?;
        let ask = FactsAsk { source, from, to, ascending: false, after: None, limit: 1, keep: &|_| true };
        if !cx.journal().page(&ask).await?.facts.is_empty() {
            return Ok(());
        }
    }
    Err(Domain::not_found(id.kind).into())
}

/// A record, named by type and id in the path.
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
