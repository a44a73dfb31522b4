//! Suppression list: addresses that get no mail, as they bounced, complained or unsubscribed. Kept as hashes, so that
//! the list outlives the erasure of a person without naming them.

use crate::schema::Place;
use crate::table::Condition;
use crate::{Env, Result, sha256_hex};
use daybook_domain::{EmailAddress, OrgId, Timestamp, choices};
use serde::Serialize;

choices! {
    /// Why an address gets no mail.
    Reason {
        /// Mail to it bounced permanently.
        Bounce = "bounce",
        /// Its owner reported our mail as spam.
        Complaint = "complaint",
        /// Its owner unsubscribed.
        Unsubscribed = "unsubscribed",
    }
}

#[derive(Serialize)]
struct Row {
    reason: Reason,
    since: Timestamp,
}

/// Adds an address to the list.
pub async fn add(env: &Env, org: OrgId, address: &EmailAddress, reason: Reason) -> Result<()> {
    let row = Row { reason, since: env.clock.now() };
    env.table.put(&Place::Suppression(org, &hash(address)).key(), &row, Condition::ALWAYS).await.map(|_| ())
}

/// Whether an address is on the list.
pub async fn holds(env: &Env, org: OrgId, address: &EmailAddress) -> Result<bool> {
    Ok(env.table.get(&Place::Suppression(org, &hash(address)).key()).await?.is_some())
}

fn hash(address: &EmailAddress) -> String {
    sha256_hex(address.normalized().as_bytes())
}
