//! Errands: what a job needs to know and may not keep. Gone when the job is done.

use super::RowWrite;
use crate::schema::Place;
use crate::table::parse_item;
use crate::{Env, Result};
use daybook_domain::{EmailAddress, Error as Domain, JobId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a job about a person needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataSubject {
    /// Their address.
    pub address: EmailAddress,
    /// Seconds since 1970; a job that isn't done by then never is.
    expires_at: i64,
}

/// How long an errand is kept at most.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

impl DataSubject {
    /// The errand of a job about the person with an address.
    pub fn new(address: EmailAddress, at: Timestamp) -> DataSubject {
        DataSubject { address, expires_at: at.plus(KEPT).as_second() }
    }

    /// The row of a new job.
    pub fn write(&self, org: OrgId, job: JobId) -> Result<RowWrite> {
        RowWrite::new(&Place::DataSubject(org, job).key(), self, Domain::Duplicate { field: "id", existing_id: None })
    }

    /// The errand of a job that isn't done.
    pub async fn read(env: &Env, org: OrgId, job: JobId) -> Result<Option<DataSubject>> {
        env.table.get(&Place::DataSubject(org, job).key()).await?.map(parse_item).transpose()
    }

    /// Removes what a job needed to know.
    pub async fn remove(env: &Env, org: OrgId, job: JobId) -> Result<()> {
        env.table.delete(&Place::DataSubject(org, job).key()).await
    }
}
