//! Erasing: what HubSpot knows of a lead that was removed for good.

use crate::governor::Governor;
use crate::push::Pushed;
use daybook_domain::{AnyId, OrgId};
use daybook_jobs::Outcome;
use daybook_jobs::hubspot::{HubSpot, Refusal};
use daybook_store::Result;
use daybook_store::rows::ledger::{self, HUBSPOT, Settled, State};

/// Makes it true that HubSpot has forgotten the lead's contact, and that the ledger has, too.
pub async fn erase(
    governor: &Governor<'_>,
    hubspot: &HubSpot,
    org: OrgId,
    record: AnyId,
    attempt: u32,
) -> Result<Outcome> {
    let env = governor.env;
    let Some(row) = ledger::read(env, org, HUBSPOT, record).await? else { return Ok(Outcome::Done) };
    let Some(contact) = row.remote_id else {
        ledger::remove(env, org, HUBSPOT, record).await?;
        return Ok(Outcome::Done);
    };
    let refusal = match hubspot.forget(&contact).await {
        Ok(()) | Err(Refusal::Gone) => {
            ledger::remove(env, org, HUBSPOT, record).await?;
            return Ok(Outcome::Done);
        }
        Err(refusal) => refusal,
    };
    match governor.put_off(refusal, attempt).await? {
        Pushed::NotNow { at, reason } => Ok(Outcome::RetryAt(at, reason)),
        Pushed::Never(reason) | Pushed::Left(reason) => {
            let what = format!("{reason}; erase contact {contact} in HubSpot by hand");
            let taken = ledger::take(env, org, HUBSPOT, record).await?;
            let how = Settled {
                state: State::Failed,
                remote_id: Some(contact),
                version: row.version,
                written: row.written,
                error: Some(what.clone()),
                next_try: None,
            };
            ledger::settle(env, org, HUBSPOT, &taken, how).await?;
            Ok(Outcome::Failed(what))
        }
        Pushed::Equal { .. } => Ok(Outcome::Done),
    }
}
