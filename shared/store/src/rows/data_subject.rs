//! Data subject rows: the e-mail address or phone number that a job about a person works on. Stored apart from the job's
//! record, and removed when the job is done.

use super::RowWrite;
use crate::schema::Place;
use crate::table::parse_item;
use crate::{Env, Result};
use daybook_domain::{EmailAddress, Error as Domain, Identity, JobId, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The person that a job is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DataSubject {
    /// Their e-mail address.
    address: Option<EmailAddress>,
    /// Or else their phone number, in the form in which numbers are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// When the row expires, in seconds since 1970; a job that isn't done by then can't be finished.
    expires_at: i64,
}

/// How long a row is kept at most.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

impl DataSubject {
    /// The row for a job about a person.
    pub fn new(person: Identity, at: Timestamp) -> DataSubject {
        let (address, number) = match person {
            Identity::Address(address) => (Some(address), None),
            Identity::Number(number) => (None, Some(number)),
        };
        DataSubject { address, number, expires_at: at.plus(KEPT).as_second() }
    }

    /// The person.
    pub fn person(&self) -> Identity {
        match &self.address {
            Some(address) => Identity::Address(address.clone()),
            None => Identity::Number(self.number.clone().unwrap_or_default()),
        }
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
