//! Hashes of API keys' secrets, stored separately from the keys they belong to.

use super::{RowWrite, is_too_far_ahead};
use crate::schema::Place;
use crate::table::{Condition, Update, parse_item};
use crate::{Env, Result};
use daybook_domain::{ApiKeyId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The minimum time between two updates of a key's last use.
const NOTED: Duration = Duration::from_secs(60);

/// The hash of a key's secret, and when it was last used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeySecret {
    /// SHA-256 of the secret: 256 random bits need no slow hash (ASVS 6.5.2).
    pub sha256: String,
    /// When the key was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl KeySecret {
    /// The row for a key; replaces that of an older secret.
    pub fn write(&self, org: OrgId, key: ApiKeyId) -> Result<RowWrite> {
        RowWrite::replacing(&Place::KeySecret(org, key).key(), self)
    }

    /// Removes the secret of a key.
    pub async fn remove(env: &Env, org: OrgId, key: ApiKeyId) -> Result<()> {
        env.table.delete(&Place::KeySecret(org, key).key()).await
    }

    /// The row of a key.
    pub async fn read(env: &Env, org: OrgId, key: ApiKeyId) -> Result<Option<KeySecret>> {
        env.table.get(&Place::KeySecret(org, key).key()).await?.map(parse_item).transpose()
    }

    /// Records the use of the key, at most once a minute.
    pub async fn note_use(&self, env: &Env, org: OrgId, key: ApiKeyId) -> Result<()> {
        let now = env.clock.now();
        let is_recent = |last: Timestamp| last.until(now) < NOTED && !is_too_far_ahead(last, now, Duration::ZERO);
        if self.last_used_at.is_some_and(is_recent) {
            return Ok(());
        }
        let same = Condition::equal("sha256", &self.sha256);
        env.table.update(&Place::KeySecret(org, key).key(), Update::set("last_used_at", now), same).await.map(|_| ())
    }
}
