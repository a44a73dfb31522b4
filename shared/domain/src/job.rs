//! Jobs: background work that takes longer than a request may, with progress and result files.

use crate::audit::{Filter, Format};
use crate::choices;
use crate::field::Fields;
use crate::permission::{Action, Grants, HeldPermission, Permission, Resource};
use crate::record::{Record, TRASH};
use crate::{
    AnyId, Change, ChatMessageId, ConversationId, Event, JobId, OrgId, RecordType, Stamp, Timestamp, UserId,
    record_head,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// How long a job's file can be downloaded: one day.
pub const KEPT: Duration = Duration::from_secs(86_400);

/// A background job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Job {
    /// The id.
    #[field(read_only)]
    pub id: JobId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was requested.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The work to do.
    pub work: Work,
    /// The status.
    pub status: Status,
    /// The user who requested it; for an API key, the key's creator.
    pub owner_id: Option<UserId>,
    /// The permissions that its file relies on, besides those that its work needs. Only callers who have them get a
    /// link to the file.
    #[serde(default)]
    pub permissions: Vec<HeldPermission>,
    /// The users whose records the permissions with the scope `team` covered, if there are any.
    #[serde(default)]
    pub team: Vec<UserId>,
    /// The resulting file.
    pub file: Option<JobFile>,
    /// The numbers of what was erased, if it is an erasure.
    pub erased: Option<Erased>,
    /// The progress, if it is counted.
    pub progress: Option<Progress>,
    /// The reason of a failure, and what to do about it.
    pub failure: Option<String>,
}

/// The progress of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JobProgress)]
pub struct Progress {
    /// The number of records done.
    pub done: u64,
    /// The number of records in all, as far as known.
    pub of: u64,
}

/// The work to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = JobWork)]
pub enum Work {
    /// Export entries of the audit log to a file.
    AuditExport {
        /// The file format.
        format: Format,
        /// The entries to export.
        #[schema(value_type = Filter)]
        filter: Box<Filter>,
    },
    /// Export all data about a person to a file.
    PersonExport {
        /// The person's pseudonym: the same for the same address, and meaningless without the deployment's secret.
        person: String,
    },
    /// Erase all data about a person.
    PersonErasure {
        /// The person's pseudonym: the same for the same address, and meaningless without the deployment's secret.
        person: String,
    },
    /// Cascade delete: move the children of a deleted record to the trash.
    Removal {
        /// The record.
        #[schema(value_type = String)]
        record: AnyId,
    },
    /// Cascade restore: restore the children that went to the trash with a record.
    Return {
        /// The record.
        #[schema(value_type = String)]
        record: AnyId,
    },
    /// Copy the messages up to one into another conversation.
    Fork {
        /// The last message to copy.
        message: ChatMessageId,
        /// The conversation to copy from.
        from: ConversationId,
        /// The conversation to copy into.
        to: ConversationId,
    },
    /// Erase a temporary conversation that has reached its end.
    Expiry {
        /// The conversation.
        conversation: ConversationId,
    },
    /// Erase all data of an organisation that has been in the trash for 30 days.
    OrganizationErasure,
    /// Work that only a newer version knows, as stored.
    #[serde(untagged)]
    #[schema(value_type = Object)]
    Unknown(Map<String, Value>),
}

impl Work {
    /// Whether it is a cascade delete or cascade restore.
    pub fn is_of_a_family(&self) -> bool {
        matches!(self, Work::Removal { .. } | Work::Return { .. })
    }

    /// The pseudonym of the person, if it is about one.
    pub fn person(&self) -> Option<&str> {
        match self {
            Work::AuditExport { .. }
            | Work::Removal { .. }
            | Work::Return { .. }
            | Work::Fork { .. }
            | Work::Expiry { .. }
            | Work::OrganizationErasure
            | Work::Unknown(_) => None,
            Work::PersonExport { person } | Work::PersonErasure { person } => Some(person),
        }
    }
}

choices! {
    /// The status of a job.
    Status as "JobStatus" {
        /// It is waiting or running.
        Queued = "queued",
        /// It is done.
        Done = "done",
        /// It has failed.
        Failed = "failed",
    }
}

/// The file that a job produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobFile {
    /// The name.
    pub name: String,
    /// The size in bytes.
    pub bytes: u64,
    /// Until when it can be downloaded.
    pub expires_at: Timestamp,
}

/// The result of an erasure; of the last attempt, if there were several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Erased {
    /// The number of records erased, including those in the trash.
    pub records: u64,
    /// The number of journal entries whose details were erased.
    pub entries: u64,
    /// The number of rows about mail.
    pub mails: u64,
    /// The number of contacts whose erasure in other systems was requested.
    pub contacts: u64,
    /// Other people's records that mention the address, at most 100: these need a manual check.
    #[schema(value_type = Vec<String>)]
    pub mentions: Vec<AnyId>,
}

/// The most records mentioning an erased address that are listed.
pub const MOST_MENTIONS: usize = 100;

impl Job {
    /// A new, queued job.
    pub fn new(work: Work, stamp: &Stamp) -> Job {
        Job {
            id: JobId::new(stamp.id),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            work,
            status: Status::Queued,
            owner_id: stamp.actor.owner(),
            permissions: Vec::new(),
            team: Vec::new(),
            file: None,
            erased: None,
            progress: None,
            failure: None,
        }
    }

    /// The job with the permissions to read that its requester has, and the team that they cover, as its file will hold the
    /// records of these.
    #[must_use]
    pub fn relying_on(self, grants: &Grants, team: Vec<UserId>) -> Job {
        let reads = |one: &Permission| matches!(one.action, Action::Read | Action::Manage | Action::Inspect);
        let permissions = grants.list().into_iter().filter(reads).map(HeldPermission::Known).collect();
        Job { permissions, team, ..self }
    }

    /// The earliest time at which the job may start.
    pub fn begins_at(&self) -> Timestamp {
        match self.work {
            Work::OrganizationErasure => self.created_at.plus(TRASH),
            Work::AuditExport { .. }
            | Work::PersonExport { .. }
            | Work::PersonErasure { .. }
            | Work::Removal { .. }
            | Work::Return { .. }
            | Work::Fork { .. }
            | Work::Expiry { .. }
            | Work::Unknown(_) => self.created_at,
        }
    }

    /// The storage key of its file.
    pub fn file_key(&self, org: OrgId) -> String {
        format!("{org}/{}", self.id)
    }

    /// The job done, with the file it produced.
    #[must_use]
    pub fn with_file(&self, name: String, bytes: u64, at: Timestamp) -> Job {
        let file = Some(JobFile { name, bytes, expires_at: at.plus(KEPT) });
        Job { status: Status::Done, file, ..self.clone() }
    }

    /// The job done, with the result of the erasure.
    #[must_use]
    pub fn with_erased(&self, erased: Erased) -> Job {
        Job { status: Status::Done, erased: Some(erased), ..self.clone() }
    }

    /// The job with the number of records to process.
    #[must_use]
    pub fn of_records(self, count: usize) -> Job {
        Job { progress: Some(Progress { done: 0, of: count as u64 }), ..self }
    }

    /// The job with this number of further records done.
    #[must_use]
    pub fn advanced(&self, by: usize) -> Job {
        let advanced = |Progress { done, of }: Progress| {
            let done = done + by as u64;
            Progress { done, of: of.max(done) }
        };
        Job { progress: self.progress.map(advanced), ..self.clone() }
    }

    /// The job done.
    #[must_use]
    pub fn finished(&self) -> Job {
        Job { status: Status::Done, ..self.clone() }
    }

    /// The job failed, with the reason.
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
                (_, Work::Expiry { .. }) => Event::ConversationExpired,
                (_, Work::Fork { .. } | Work::Unknown(_)) => Event::JobUpdated,
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
