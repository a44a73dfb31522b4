//! Daily anchors of the audit journal: the head of each organisation's hash chain, copied to write-once storage.
//!
//! Anchors reveal a chain whose end was cut off, or that was rewritten by an attacker who holds all secrets.

use daybook_domain::{OrgId, Timestamp};
use daybook_jobs::files::Archive;
use daybook_store::chain::Anchor;
use daybook_store::{Env, Error, Result};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Writes yesterday's anchor of every organisation, unless it exists; returns the number of anchors written.
pub async fn anchor(env: Arc<Env>, anchors: Arc<dyn Archive>) -> Result<usize> {
    let day = env.clock.now().minus(DAY);
    let (mut written, mut failed) = (0, None);
    for org in env.organizations().await? {
        match anchored(&env, anchors.as_ref(), org, day).await {
            Ok(new) => written += usize::from(new),
            // The other organisations go on; this one is retried.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(written), Err)
}

async fn anchored(env: &Env, anchors: &dyn Archive, org: OrgId, day: Timestamp) -> Result<bool> {
    let file = Anchor::of(env, org, day).await?.file(env)?;
    let written = anchors.write_once(&Anchor::key(org, day), file).await;
    written.map_err(|error| Error::unavailable("write an anchor", error))
}
