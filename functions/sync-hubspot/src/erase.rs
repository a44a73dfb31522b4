//! Erasure in HubSpot: deletes the contact of a lead that was erased here.

use crate::governor::Governor;
use crate::pushed::Pushed;
use crate::{ANOTHER_WORKER, CONSUMER};
use daybook_domain::{AnyId, OrgId};
use daybook_jobs::Outcome;
use daybook_jobs::hubspot::{HubSpot, Refusal};
use daybook_store::Result;
use daybook_store::rows::ledger::{self, HUBSPOT, Settled, State, Taken};

/// Ensures that HubSpot has deleted the lead's contact. The ledger row stays, with the lead's id alone: a worker that
/// synced the lead meanwhile, and created the contact again, finds it and repeats the erasure.
pub async fn erase(
    governor: &Governor<'_>,
    hubspot: &HubSpot,
    org: OrgId,
    record: AnyId,
    taken: &Taken,
) -> Result<Outcome> {
    let (env, row) = (governor.env, &taken.row);
    let forgotten = Settled {
        state: State::Skipped,
        remote_id: None,
        version: row.version,
        written: Vec::new(),
        error: None,
        next_try: None,
    };
    let (how, outcome) = match forget(hubspot, record, row.remote_id.as_deref()).await {
        Ok(()) => (forgotten, Outcome::Done),
        Err(refusal) => match governor.put_off(refusal, row.attempts).await? {
            Pushed::Retry { at, reason } => {
                let waits =
                    Settled { state: State::Waiting, next_try: Some(at), error: Some(reason.clone()), ..forgotten };
                (Settled { remote_id: row.remote_id.clone(), ..waits }, Outcome::RetryAt(at, reason))
            }
            Pushed::Failed(reason) | Pushed::Left(reason) => {
                let what = format!("{reason}; delete the contact in HubSpot by hand, or fix the cause and replay");
                let failed = Settled { state: State::Failed, error: Some(what.clone()), ..forgotten };
                (Settled { remote_id: row.remote_id.clone(), ..failed }, Outcome::Failed(what))
            }
            Pushed::Equal { .. } => (forgotten, Outcome::Done),
        },
    };
    if ledger::settle(env, org, HUBSPOT, taken, how).await? {
        return Ok(outcome);
    }
    let at = CONSUMER.retry.next_attempt(env, 0);
    Ok(Outcome::RetryAt(at, ANOTHER_WORKER.to_owned()))
}

/// Deletes the contact with the lead's external id: a lost response may have created one that is unknown here. The
/// known one may belong to another lead by now.
async fn forget(hubspot: &HubSpot, record: AnyId, known: Option<&str>) -> Result<(), Refusal> {
    let id = record.to_string();
    let contact = match hubspot.contact_of(&id).await? {
        Some(contact) => contact,
        None => match known {
            Some(known) => match hubspot.external_id_of(known).await {
                Ok(None) => known.to_owned(),
                Ok(Some(_)) | Err(Refusal::Gone) => return Ok(()),
                Err(refusal) => return Err(refusal),
            },
            None => return Ok(()),
        },
    };
    match hubspot.forget(&contact).await {
        Ok(()) | Err(Refusal::Gone) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}
