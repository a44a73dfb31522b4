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

use daybook_domain::AnyId;
use daybook_jobs::{Message, Outcome, Queue, Services, SyncJob, Worker, back_off, nothing_foreign};
use daybook_store::Result;
use daybook_store::rows::ledger::{self, HUBSPOT, Settled, State};
use governor::Governor;
use push::Push;
use pushed::Pushed;
use std::sync::Arc;
use std::time::Duration;

/// After so many tries a lead is given up: with back-off, most of a day or more.
const MOST_ATTEMPTS: u32 = 200;

/// How long a job waits while HubSpot is switched off.
const SWITCHED_OFF: Duration = Duration::from_secs(3600);

/// The worker of this function.
pub fn worker() -> Worker {
    Worker::new("sync-hubspot", Queue::HubSpot, handle, nothing_foreign)
}

/// Makes HubSpot's contact equal to the lead.
async fn handle(services: Arc<Services>, message: Message<SyncJob>) -> Result<Outcome> {
    let SyncJob { org, record, erased } = message.job;
    let env = &services.env;
    let cx = env.system(org, "sync-hubspot");
    let Some(id) = contact::lead_of(&cx, record).await? else { return Ok(Outcome::Done) };
    let record = AnyId::from(id);
    let Some(hubspot) = &services.hubspot else {
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
        Pushed::NotNow { at, reason } if row.attempts < MOST_ATTEMPTS => (
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
    let at = back_off(env.clock.now(), 0, env.settings.retry_base, env.ids.next().as_u128());
    Ok(Outcome::RetryAt(at, "another worker was at the same lead".to_owned()))
}
