//! The integrations API: the state of each record's sync to HubSpot, the mails that failed, and another try of both.

mod mail;

use daybook_domain::lead::Lead;
use daybook_domain::permission::Action::Manage;
use daybook_domain::permission::Resource::Integrations;
use daybook_domain::{AnyId, Audit, Conflict, Error as Domain, Event, LeadId, Rule, Unit};
use daybook_http::{Accepted, Cx, Json, Listed, Narrowed, PageQuery, Result, Routes, can};
use daybook_store::Tx;
use daybook_store::rows::ledger::{self, HUBSPOT, Row, State};
use serde::{Deserialize, Serialize};

/// The most records of one replay: each has its own journal entry in one transaction.
const AT_ONCE: usize = 30;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("integrations")
        .get("/api/integrations/hubspot/records", can(Integrations, Manage), records)
        .post("/api/integrations/hubspot/replay", can(Integrations, Manage), replay)
        .get("/api/integrations/mail/failed", can(Integrations, Manage), mail::failed)
        .post("/api/integrations/mail/replay", can(Integrations, Manage), mail::replay)
}

/// The states of the sync ledger.
struct States;

impl Narrowed for States {
    const FIELD: &'static str = "state";
    const NAMES: &'static [&'static str] = State::NAMES;
}

/// Which records to sync again.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// The leads, at most 30; by default those whose sync failed.
    records: Option<Vec<LeadId>>,
}

/// The records that will be synced again.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Replayed {
    /// The records, at most 30.
    #[schema(value_type = Vec<String>)]
    records: Vec<AnyId>,
    /// Whether there are more failed records: repeat the request then.
    has_more: bool,
}

/// Lists the sync states of leads: all by id, or those in one state, the last changed first.
async fn records(cx: Cx, query: PageQuery<States>) -> Result<Listed<Row>> {
    let page = ledger::page(&cx, HUBSPOT, query.only.as_deref(), query.limit, query.cursor.as_deref()).await?;
    Ok(Listed(page))
}

/// Syncs leads to HubSpot again: the given ones, or those whose sync failed.
async fn replay(cx: Cx, Json(ask): Json<Replay>) -> Result<Accepted<Replayed>> {
    if cx.org != cx.env.settings.default_org {
        return Err(Domain::Conflict(Conflict::NotConnected).into());
    }
    let asked = cx.now();
    let replayed = match ask.records {
        Some(records) if records.len() > AT_ONCE => {
            return Err(Domain::invalid("/records", Rule::TooLong { max: AT_ONCE, unit: Unit::Entries }).into());
        }
        Some(mut records) => {
            records.sort();
            records.dedup();
            let found = cx.records::<Lead>(records.iter().map(|id| (*id).into())).await?;
            if let Some(n) = records.iter().position(|id| !found.contains_key(&AnyId::from(*id))) {
                let rule = Rule::Id { prefix: LeadId::PREFIX.to_owned() };
                return Err(Domain::invalid(format!("/records/{n}"), rule).into());
            }
            Replayed { records: records.into_iter().map(AnyId::from).collect(), has_more: false }
        }
        None => {
            let failed = ledger::page(&cx, HUBSPOT, Some(State::Failed.name()), AT_ONCE, None).await?;
            let has_more = failed.next_cursor.is_some();
            Replayed { records: failed.items.into_iter().map(|row| row.record).collect(), has_more }
        }
    };
    let tx =
        replayed.records.iter().fold(Tx::default(), |tx, id| tx.and_happened(Event::SyncRequested, Audit::Sync, *id));
    if replayed.records.is_empty() {
        return Ok(Accepted(replayed));
    }
    let records = replayed.records.clone();
    let reply = cx.commit(tx, Accepted(replayed)).await?;
    // After the commit: a row that still says `failed` is replayed again, and one that waits has its entry. What a
    // worker has written since stays.
    for record in records {
        ledger::wait(&cx.env, cx.org, HUBSPOT, record, (asked, cx.now()), "waits for another try").await?;
    }
    Ok(reply)
}
