//! Data subject rows: the e-mail address that a job about a person works on. Stored apart from the job's record, and
//! removed when the job is done.

use super::RowWrite;
use crate::schema::Place;
use crate::table::parse_item;
use crate::{Env, Result};
use daybook_domain::{EmailAddress, Error as Domain, JobId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The person that a job is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataSubject {
    /// Their e-mail address.
    pub address: EmailAddress,
    /// When the row expires, in seconds since 1970; a job that isn't done by then can't be finished.
    expires_at: i64,
}

/// How long a row is kept at most.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

impl DataSubject {
    /// The row for a job about the person with an address.
    pub fn new(address: EmailAddress, at: Timestamp) -> DataSubject {
        DataSubject { address, expires_at: at.plus(KEPT).as_second() }
    }

    /// The row of a new job.
    pub fn write(&self, org: OrgId, job: JobId) -> Result<RowWrite> {
        RowWrite::new(&Place::DataSubject(org, job).key(), self, Domain::Duplicate { field: "id", existing_id: None })
    }

    /// The data subject of a job that isn't done.
    pub async fn read(env: &Env, org: OrgId, job: JobId) -> Result<Option<DataSubject>> {
        env.table.get(&Place::DataSubject(org, job).key()).await?.map(parse_item).transpose()
    }

    /// Removes the data subject of a job.
    pub async fn remove(env: &Env, org: OrgId, job: JobId) -> Result<()> {
        env.table.delete(&Place::DataSubject(org, job).key()).await
    }
}
