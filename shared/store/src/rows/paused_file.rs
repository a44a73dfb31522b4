//! Paused files: how far a job that gave others their turn came with its file.

use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Result};
use daybook_domain::{JobId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A file that is partly written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedFile {
    /// What the file store needs to go on with it.
    pub file: String,
    /// The number of bytes written.
    pub bytes: u64,
    /// Whether it has entries.
    pub has_entries: bool,
    /// The cursor of the page that follows.
    pub cursor: String,
    /// When the row expires, in seconds since 1970; then the file is begun anew.
    expires_at: i64,
}

/// How long a row is kept at most: less than unfinished uploads are.
const KEPT: Duration = Duration::from_secs(86_400);

impl PausedFile {
    /// A file that was paused now, with its bytes.
    pub fn new(file: String, bytes: u64, has_entries: bool, cursor: String, now: Timestamp) -> PausedFile {
        PausedFile { file, bytes, has_entries, cursor, expires_at: now.plus(KEPT).as_second() }
    }

    /// Stores it.
    pub async fn keep(&self, env: &Env, org: OrgId, job: JobId) -> Result<()> {
        env.table.put(&Place::PausedFile(org, job).key(), self, Condition::ALWAYS).await.map(|_| ())
    }

    /// The paused file of a job, if it has one.
    pub async fn read(env: &Env, org: OrgId, job: JobId) -> Result<Option<PausedFile>> {
        let item = env.table.get(&Place::PausedFile(org, job).key()).await?;
        let file: Option<PausedFile> = item.map(parse_item).transpose()?;
        Ok(file.filter(|file| file.expires_at > env.clock.now().as_second()))
    }

    /// Removes the paused file of a job.
    pub async fn remove(env: &Env, org: OrgId, job: JobId) -> Result<()> {
        env.table.delete(&Place::PausedFile(org, job).key()).await
    }
}
