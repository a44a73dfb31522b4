//! Sync HubSpot: makes HubSpot's contact equal to the lead, whatever came before.
//!
//! The lead's id is a unique property of the contact, so the same push twice makes one contact; where the
//! address belongs to a contact already, that one becomes the lead's. A row of the ledger per lead says how it
//! stands. All workers together keep within HubSpot's limits by one bucket of the table.

mod contact;
mod erase;
mod governor;
mod mapping;
mod push;
mod pushed;

use daybook_domain::{AnyId, Event, LeadId, OrgId};
use daybook_jobs::hubspot::HubSpot;
use daybook_jobs::{Consumer, Limits, Message, NotSet, Outcome, Presence, Provider, Queue, RetryPolicy, Worker};
use daybook_store::rows::ledger::{self, HUBSPOT, Settled, State};
use daybook_store::{Env, Fact, Result, Settings};
use governor::Governor;
use push::Push;
use pushed::Pushed;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long a job waits while HubSpot is switched off.
const SWITCHED_OFF: Duration = Duration::from_secs(3600);

/// The consumer of entries about what HubSpot has, too.
pub static CONSUMER: Consumer<SyncJob> = Consumer {
    queue: Queue { name: "hubspot" },
    function: "sync-hubspot",
    presence: Presence::Optional,
    wants: Some(wanted),
    limits: Limits::DEFAULT,
    // With the pauses, most of a day or more.
    retry: RetryPolicy::attempts(200),
};

/// A record to be made equal in HubSpot, as it is when the job is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncJob {
    /// The organisation.
    pub org: OrgId,
    /// The record.
    pub record: AnyId,
    /// Whether it was removed for good, and is to be there.
    #[serde(default)]
    pub erased: bool,
}

/// HubSpot is told of changes of leads, those of the default organisation alone: the credentials in the environment are its own.
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

/// Its worker.
pub fn worker<P: Provider>(from: &mut P) -> std::result::Result<Worker, NotSet> {
    let hubspot = from.hubspot()?;
    Ok(CONSUMER.worker(from.own_queue(&CONSUMER)?, hubspot, handle))
}

/// Makes HubSpot's contact equal to the lead.
async fn handle(env: Arc<Env>, hubspot: Arc<Option<HubSpot>>, message: Message<SyncJob>) -> Result<Outcome> {
    let SyncJob { org, record, erased } = message.job;
    let env = &env;
    let cx = env.system(org, "sync-hubspot");
    let Some(id) = contact::lead_of(&cx, record).await? else { return Ok(Outcome::Done) };
    let record = AnyId::from(id);
    let Some(hubspot) = hubspot.as_ref() else {
        // It may be switched on again, and nothing that waits is to be lost.
        return Ok(Outcome::RetryAt(env.clock.now().plus(SWITCHED_OFF), "HubSpot is switched off".to_owned()));
    };
    let governor = Governor { env, settings: hubspot.settings() };
    if let Some(at) = governor.closed(message.attempt).await? {
        let reason = "waits for its turn within the limit of calls";
        ledger::wait(env, org, HUBSPOT, record, (env.clock.now(), at), reason).await?;
        return Ok(Outcome::RetryAt(at, reason.to_owned()));
    }
    // What never was there needs no row either.
    if erased && ledger::read(env, org, HUBSPOT, record).await?.is_none() {
        return Ok(Outcome::Done);
    }
    // Read after the row is taken, so that whoever takes it last has seen the newest version.
    let taken = ledger::take(env, org, HUBSPOT, record).await?;
    let row = &taken.row;
    if erased || row.erased {
        return erase::erase(&governor, hubspot, org, record, &taken).await;
    }
    let lead = contact::as_known(&cx, id).await?;
    let version = lead.as_ref().map_or(row.version, |lead| lead.version);
    let pushed = match lead.filter(contact::is_meant) {
        Some(lead) => match contact::successor(&cx, &lead).await? {
            Some(other) => Pushed::Left(format!("its address, and so the contact, is lead {other}'s now")),
            None => Push::of(hubspot, &governor, &cx, &lead, row).run().await?,
        },
        None => Pushed::Left("deleted here, spam, or demo data: left as it is there".to_owned()),
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
        Pushed::NotNow { at, reason } if !CONSUMER.retry.is_exhausted(row.attempts) => (
            Settled {
                state: State::Waiting,
                version: row.version,
                error: Some(reason.clone()),
                next_try: Some(at),
                ..how
            },
            Outcome::RetryAt(at, reason),
        ),
        Pushed::NotNow { reason, .. } | Pushed::Never(reason) => (
            Settled { state: State::Failed, version: row.version, error: Some(reason.clone()), ..how },
            Outcome::Failed(reason),
        ),
    };
    if ledger::settle(env, org, HUBSPOT, &taken, how).await? {
        return Ok(outcome);
    }
    let at = CONSUMER.retry.next_attempt(env, 0);
    Ok(Outcome::RetryAt(at, "another worker was at the same lead".to_owned()))
}
