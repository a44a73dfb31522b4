//! Anchor the journal: every day, keeps the head of each organisation's chain where nobody can change it.
//!
//! So a chain whose end was cut off, or that was written anew by somebody with all secrets, differs from its anchors.

use daybook_domain::{OrgId, Timestamp};
use daybook_jobs::files::Archive;
use daybook_store::chain::Anchor;
use daybook_store::{Env, Error, Result};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Writes the anchor of the day before, once, for every organisation; says how many it wrote.
pub async fn anchor(env: Arc<Env>, anchors: Arc<dyn Archive>) -> Result<usize> {
    let day = env.clock.now().minus(DAY);
    let (mut written, mut failed) = (0, None);
    for org in env.organizations().await? {
        match anchored(&env, anchors.as_ref(), org, day).await {
            Ok(new) => written += usize::from(new),
            // The others get theirs; this one with the next try.
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
