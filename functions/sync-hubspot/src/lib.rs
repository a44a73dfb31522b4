//! The worker that syncs leads to HubSpot: makes each HubSpot contact equal to its lead, by idempotent upserts.
//!
//! The lead's id is a unique property of the contact, so that a repeated push creates one contact. If a contact
//! already has the address, it becomes the lead's. A ledger row per lead stores its sync state. One token bucket in
//! the table keeps all workers within HubSpot's limits.

mod contact;
mod erase;
mod governor;
mod mapping;
mod push;
mod pushed;

use daybook_domain::{AnyId, Event, LeadId, OrgId};
use daybook_jobs::hubspot::HubSpot;
use daybook_jobs::{Consumer, Limits, Message, Outcome, Presence, Provided, Provider, Queue, RetryPolicy, Worker};
use daybook_store::rows::ledger::{self, HUBSPOT, Settled, State};
use daybook_store::{Env, Fact, Result, Settings};
use governor::Governor;
use push::Push;
use pushed::Pushed;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long a job waits before it checks again whether HubSpot is switched on.
const SWITCHED_OFF: Duration = Duration::from_secs(3600);

/// The reason for a retry after another worker changed the lead's row.
const ANOTHER_WORKER: &str = "another worker synced the same lead meanwhile";

/// The consumer of entries about records that are synced to HubSpot.
pub static CONSUMER: Consumer<SyncJob> = Consumer {
    queue: Queue { name: "hubspot" },
    long: None,
    function: "sync-hubspot",
    presence: Presence::Optional,
    wants: Some(wanted),
    org: |job| job.org,
    limits: Limits::DEFAULT,
    // With the pauses between them, most of a day or more.
    retry: RetryPolicy::attempts(200),
};

/// A record to sync to HubSpot, in its state at the time of the sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncJob {
    /// The organisation.
    pub org: OrgId,
    /// The record.
    pub record: AnyId,
    /// Whether it was erased, and its contact is to be deleted.
    #[serde(default)]
    pub erased: bool,
}

/// Changes of leads are synced for the default organisation only, as the credentials in the environment are its own.
fn wanted(fact: &Fact, settings: &Settings) -> Vec<SyncJob> {
    let erased = match fact.event {
        Event::LeadCreated
        | Event::LeadUpdated
        | Event::LeadAssigned
        | Event::LeadStatusChanged
        | Event::LeadDeleted
        | Event::LeadRestored
        | Event::LeadConverted
        | Event::ContactUpdated
        | Event::ContactRestored
        | Event::SyncRequested => false,
        Event::RecordErased if LeadId::try_from(fact.record).is_ok() => true,
        _ => return Vec::new(),
    };
    match fact.org == settings.default_org {
        true => vec![SyncJob { org: fact.org, record: fact.record, erased }],
        false => Vec::new(),
    }
}

/// The worker of this consumer.
pub fn worker<P: Provider>(from: &mut P) -> Provided<Worker> {
    let (queue, hubspot) = (from.own_queues(&CONSUMER), from.hubspot());
    let hubspot = hubspot?;
    let is_on = hubspot.is_some();
    let worker = CONSUMER.worker(queue?, hubspot, handle);
    Ok(if is_on { worker } else { worker.switched_off() })
}

/// Makes HubSpot's contact equal to the lead.
async fn handle(env: Arc<Env>, hubspot: Option<HubSpot>, message: Message<SyncJob>) -> Result<Outcome> {
    let SyncJob { org, record, erased } = message.job;
    let env = &env;
    let cx = env.system(org, "sync-hubspot");
    let Some(id) = contact::lead_of(&cx, record).await? else { return Ok(Outcome::Done) };
    let record = AnyId::from(id);
    let Some(hubspot) = &hubspot else {
        // It may be switched on again, and waiting jobs must not be lost.
        return Ok(Outcome::RetryAt(env.clock.now().plus(SWITCHED_OFF), "HubSpot is switched off".to_owned()));
    };
    let governor = Governor { env, settings: hubspot.settings() };
    if let Some(at) = governor.closed(message.attempt).await? {
        let reason = "waiting for HubSpot's rate limit";
        ledger::wait(env, org, HUBSPOT, record, (env.clock.now(), at), reason).await?;
        return Ok(Outcome::RetryAt(at, reason.to_owned()));
    }
    // A lead that was never synced needs no row either.
    if erased && ledger::read(env, org, HUBSPOT, record).await?.is_none() {
        return Ok(Outcome::Done);
    }
    // Read after the row is taken, so that the last worker to take it has seen the newest version.
    let taken = ledger::take(env, org, HUBSPOT, record).await?;
    let row = &taken.row;
    if erased || row.erased {
        return erase::erase(&governor, hubspot, org, record, &taken).await;
    }
    let lead = contact::as_known(&cx, id).await?;
    let version = lead.as_ref().map_or(row.version, |lead| lead.version);
    let pushed = match lead.filter(contact::is_meant) {
        Some(lead) => match contact::successor(&cx, &lead).await? {
            Some(other) => Pushed::Left(format!("its address now belongs to lead {other}, which owns the contact")),
            None => Push::of(hubspot, &governor, &cx, &lead, row).run().await?,
        },
        None => Pushed::Left("deleted here, spam, or demo data: the contact in HubSpot is left as it is".to_owned()),
    };
    let how = Settled {
        state: State::Synced,
        remote_id: row.remote_id.clone(),
        version,
        written: row.written.clone(),
        error: None,
        next_try: None,
    };
    let (how, outcome) = match pushed {
        Pushed::Equal { id, left_out, written } => {
            (Settled { remote_id: Some(id), error: left_out, written, ..how }, Outcome::Done)
        }
        Pushed::Left(why) => (Settled { state: State::Skipped, error: Some(why), ..how }, Outcome::Done),
        Pushed::Retry { at, reason } if !CONSUMER.retry.is_exhausted(row.attempts) => (
            Settled {
                state: State::Waiting,
                version: row.version,
                error: Some(reason.clone()),
                next_try: Some(at),
                ..how
            },
            Outcome::RetryAt(at, reason),
        ),
        Pushed::Retry { reason, .. } | Pushed::Failed(reason) => (
            Settled { state: State::Failed, version: row.version, error: Some(reason.clone()), ..how },
            Outcome::Failed(reason),
        ),
    };
    if ledger::settle(env, org, HUBSPOT, &taken, how).await? {
        return Ok(outcome);
    }
    let at = CONSUMER.retry.next_attempt(env, 0);
    Ok(Outcome::RetryAt(at, ANOTHER_WORKER.to_owned()))
}
