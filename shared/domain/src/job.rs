//! Jobs: work that takes longer than a request may.

use crate::audit::{Filter, Format};
use crate::choices;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Record, TRASH};
use crate::{AnyId, Change, Event, JobId, OrgId, RecordType, Stamp, Timestamp, UserId, record_head};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// How long the file of a job can be fetched.
pub const KEPT: Duration = Duration::from_secs(86_400);

/// Work that takes longer than a request may, and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Job {
    /// The id.
    #[field(read_only)]
    pub id: JobId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was asked for.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// What is to be done.
    pub work: Work,
    /// How far it has come.
    pub status: Status,
    /// Who asked for it; a key's maker, where a program did.
    pub owner_id: Option<UserId>,
    /// The file it made.
    pub file: Option<JobFile>,
    /// What was erased.
    pub erased: Option<Erased>,
    /// How much of it is done, where that is counted.
    pub progress: Option<Progress>,
    /// Why it failed, and what to do about it.
    pub failure: Option<String>,
}

/// How much of a job is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JobProgress)]
pub struct Progress {
    /// How many records are done.
    pub done: u64,
    /// How many there are to do, as far as that is known.
    pub of: u64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = JobWork)]
pub enum Work {
    /// Take entries of the audit log out as a file.
    AuditExport {
        /// How to write it.
        format: Format,
        /// Which entries.
        #[schema(value_type = Filter)]
        filter: Box<Filter>,
    },
    /// Take out all that is known of a person, as a file.
    PersonExport {
        /// Their pseudonym: the same for the same address, and worthless without the deployment's secret.
        person: String,
    },
    /// Erase all that is known of a person.
    PersonErasure {
        /// Their pseudonym: the same for the same address, and worthless without the deployment's secret.
        person: String,
    },
    /// Move what belongs to a record to the trash, where the record is already.
    Removal {
        /// The record.
        #[schema(value_type = String)]
        record: AnyId,
    },
    /// Take what went to the trash with a record back from there, as the record was.
    Return {
        /// The record.
        #[schema(value_type = String)]
        record: AnyId,
    },
    /// Erase all that the organisation has, once it has been in the trash for 30 days.
    OrganizationErasure,
    /// Work that only a newer version can do, as it is stored.
    #[serde(untagged)]
    #[schema(value_type = Object)]
    Unknown(Map<String, Value>),
}

impl Work {
    /// Whether it moves what belongs to a record.
    pub fn is_of_a_family(&self) -> bool {
        matches!(self, Work::Removal { .. } | Work::Return { .. })
    }

    /// The pseudonym of the person it is about.
    pub fn person(&self) -> Option<&str> {
        match self {
            Work::AuditExport { .. }
            | Work::Removal { .. }
            | Work::Return { .. }
            | Work::OrganizationErasure
            | Work::Unknown(_) => None,
            Work::PersonExport { person } | Work::PersonErasure { person } => Some(person),
        }
    }
}

choices! {
    /// How far a job has come.
    Status as "JobStatus" {
        /// It waits, or somebody is at it.
        Queued = "queued",
        /// It is done.
        Done = "done",
        /// It can't be done.
        Failed = "failed",
    }
}

/// The file that a job made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobFile {
    /// What it is called.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Until when it can be fetched.
    pub expires_at: Timestamp,
}

/// What was erased, by the last try where there were several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Erased {
    /// How many records, those in the trash among them.
    pub records: u64,
    /// Of how many journal entries the details.
    pub entries: u64,
    /// How many rows about mail.
    pub mails: u64,
    /// How many contacts in other systems are being erased, if they are there.
    pub contacts: u64,
    /// Records about others that mention the address, the first hundred of them: a person has to look at these.
    #[schema(value_type = Vec<String>)]
    pub mentions: Vec<AnyId>,
}

/// The most records that mention an erased address and are named.
pub const MOST_MENTIONS: usize = 100;

impl Job {
    /// A job that nobody is at yet.
    pub fn new(work: Work, stamp: &Stamp) -> Job {
        Job {
            id: JobId::new(stamp.id),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            work,
            status: Status::Queued,
            owner_id: stamp.actor.owner(),
            file: None,
            erased: None,
            progress: None,
            failure: None,
        }
    }

    /// When it may be begun.
    pub fn begins_at(&self) -> Timestamp {
        match self.work {
            Work::OrganizationErasure => self.created_at.plus(TRASH),
            Work::AuditExport { .. }
            | Work::PersonExport { .. }
            | Work::PersonErasure { .. }
            | Work::Removal { .. }
            | Work::Return { .. }
            | Work::Unknown(_) => self.created_at,
        }
    }

    /// Where its file is kept.
    pub fn file_key(&self, org: OrgId) -> String {
        format!("{org}/{}", self.id)
    }

    /// The job with the file it made.
    #[must_use]
    pub fn with_file(&self, name: String, bytes: u64, at: Timestamp) -> Job {
        let file = Some(JobFile { name, bytes, expires_at: at.plus(KEPT) });
        Job { status: Status::Done, file, ..self.clone() }
    }

    /// The job of an erasure that is done.
    #[must_use]
    pub fn with_erased(&self, erased: Erased) -> Job {
        Job { status: Status::Done, erased: Some(erased), ..self.clone() }
    }

    /// The job with so many records to do.
    #[must_use]
    pub fn of_records(self, count: usize) -> Job {
        Job { progress: Some(Progress { done: 0, of: count as u64 }), ..self }
    }

    /// The job with so many more records done.
    #[must_use]
    pub fn advanced(&self, by: usize) -> Job {
        let advanced = |Progress { done, of }: Progress| {
            let done = done + by as u64;
            Progress { done, of: of.max(done) }
        };
        Job { progress: self.progress.map(advanced), ..self.clone() }
    }

    /// The job once it is done.
    #[must_use]
    pub fn finished(&self) -> Job {
        Job { status: Status::Done, ..self.clone() }
    }

    /// The job as it can't be done.
    #[must_use]
    pub fn failed(&self, why: &str) -> Job {
        Job { status: Status::Failed, failure: Some(why.to_owned()), ..self.clone() }
    }
}

impl Record for Job {
    const TYPE: RecordType = RecordType::Job;
    type Id = JobId;
    type Context = ();
    const RESOURCE: Resource = Resource::Jobs;
    const UNDONE: bool = false;
    const SAMPLE: &'static str = r#"{"work": {"kind": "person_export", "person": "x"}, "status": "queued"}"#;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", Status::NAMES));
    const OWNER: Option<&'static str> = Some("owner_id");

    record_head!();

    fn event(change: Change<'_, Self>) -> Event {
        match change {
            Change::Create(_) => Event::JobQueued,
            Change::Update(_, after) => match (after.status, &after.work) {
                (Status::Failed, _) => Event::JobFailed,
                (Status::Queued, _) => Event::JobUpdated,
                (_, Work::Removal { .. } | Work::Return { .. }) => Event::FamilyMoved,
                (_, Work::AuditExport { .. }) => Event::AuditExported,
                (_, Work::PersonExport { .. }) => Event::PersonExported,
                (_, Work::PersonErasure { .. }) => Event::PersonErased,
                (_, Work::OrganizationErasure) => Event::OrganizationErased,
                (_, Work::Unknown(_)) => Event::JobUpdated,
            },
            Change::Delete(_) => Event::JobDeleted,
            Change::Restore(_) => Event::JobRestored,
        }
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

crate::as_text!(Work, JobFile, Erased, Progress);
