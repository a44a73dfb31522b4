//! The worker for background jobs: exports, erasures and cascades that take longer than a request may.
//!
//! A job can be restarted at any point: a file becomes visible once it is complete, and an erasure is idempotent.

mod audit_export;
mod conversation;
mod erasure;
mod family;
mod organization;
mod person;
mod person_export;
mod turn;

use daybook_domain::job::{Erased, Job, Status, Work};
use daybook_domain::{
    ApiKeyId, Audit, Conflict, ConversationId, Error as Domain, Event, JobId, Record, Stored, UserId,
};
use daybook_jobs::files::{FileError, Files};
use daybook_jobs::{
    Consumer, Limits, Line, LongJobs, Message, Outcome, Places, Presence, Provided, Provider, Queue, RetryPolicy,
    Worker,
};
use daybook_records::{Draft, updated};
use daybook_store::rows::chat::ChatState;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::key_secret::KeySecret;
use daybook_store::rows::paused_job;
use daybook_store::rows::second_factor::SecondFactor;
use daybook_store::rows::session::Session;
use daybook_store::{Cx, EntryRef, Env, Error, Fact, Kept, Result, Settings, Tx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use turn::{Progress, Turn};

/// The time-out of an attempt at a job: what is left of the function's time-out is for recording how it ended.
const LONGEST: Duration = TIMEOUT.saturating_sub(Duration::from_secs(2 * 60));

/// The time-out of the function: the longest that Lambda allows.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The consumer of entries that request a job.
pub static CONSUMER: Consumer<JobRun> = Consumer {
    queue: Queue { name: "jobs" },
    long: Some(LongJobs {
        line: Line { queue: Queue { name: "long-jobs" }, places: Places { at_once: 4, of_one_org: 2, under_load: 2 } },
        is_long: |job| job.long,
    }),
    function: "run-jobs",
    presence: Presence::Always,
    wants: Some(wanted),
    org: |job| job.entry.org,
    limits: Limits { timeout: TIMEOUT, ..Limits::DEFAULT },
    // With the pauses between them, most of a day.
    retry: RetryPolicy::attempts(100),
};

/// The message to run a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// The entry that requested it.
    #[serde(flatten)]
    pub entry: EntryRef,
    /// The job.
    pub job: JobId,
    /// Whether it reads all data of an organisation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub long: bool,
}

fn wanted(fact: &Fact, _: &Settings) -> Vec<JobRun> {
    let entry = EntryRef { org: fact.org, entry: fact.id };
    let job = JobId::try_from(fact.record).ok().filter(|_| fact.event == Event::JobQueued);
    let long = matches!(fact.action, Audit::Export | Audit::Erase);
    job.map(|job| JobRun { entry, job, long }).into_iter().collect()
}

/// The worker of this consumer.
pub fn worker<P: Provider>(from: &mut P) -> Provided<Worker> {
    let (queue, files) = (from.own_queues(&CONSUMER), from.files());
    Ok(CONSUMER.worker(queue?, files?, handle))
}

/// Ensures that the job is done or has failed.
async fn handle(env: Arc<Env>, files: Arc<dyn Files>, message: Message<JobRun>) -> Result<Outcome> {
    let JobRun { entry, job: id, .. } = message.job;
    let env = &env;
    // A process with write access to the table can forge a row, but not a signed entry.
    let asked = Fact::genuine(env, entry).await?;
    let Some(fact) = asked.filter(|fact| fact.event == Event::JobQueued && fact.record == id.into()) else {
        return Ok(Outcome::Failed("no journal entry requests this job".to_owned()));
    };
    let cx = env.on_behalf_of(&fact, "run-jobs");
    let Some(job) = cx.find::<Job>(id).await?.filter(|job| job.status == Status::Queued) else {
        // An earlier try may have stopped before this step.
        DataSubject::remove(env, cx.org, id).await?;
        return Ok(Outcome::Done);
    };
    if env.clock.now() < job.begins_at() {
        return Ok(Outcome::RetryAt(job.begins_at(), "the deletion can still be reverted".to_owned()));
    }
    let done = tokio::time::timeout(LONGEST, done(files.as_ref(), &cx, &fact, &job)).await;
    let done = match done.unwrap_or_else(|late| Err(Error::unavailable("do a job in time", late))) {
        Ok(Progress::Ended(done)) => *done,
        Ok(Progress::Paused) => return Ok(Outcome::Yielded),
        // Cascades are never given up half-way, nor is work that only a newer version can do.
        Err(error)
            if !CONSUMER.retry.is_exhausted(message.attempt) || job.work.is_of_a_family() || is_for_newer(&error) =>
        {
            let at = CONSUMER.retry.next_attempt(env, message.attempt);
            return Ok(Outcome::RetryAt(at, error.chain()));
        }
        Err(error) => {
            let failed =
                job.failed("it failed several times; ask for it again, and give the operator of Daybook its id");
            paused_job::remove(env, cx.org, id).await?;
            end(&cx, &job, failed).await?;
            return Ok(Outcome::Failed(error.chain()));
        }
    };
    end(&cx, &job, done).await
}

/// Does the job's work; returns the job as done, or as failed for good.
async fn done(files: &dyn Files, cx: &Cx, fact: &Fact, job: &Stored<Job>) -> Result<Progress> {
    let turn = Turn::begin(&cx.env);
    match &job.work {
        Work::AuditExport { format, filter } => audit_export::run(cx, files, job, (*format, filter), turn).await,
        Work::PersonExport { .. } => person_export::run(cx, files, job, &subject(cx, fact, job).await?, turn).await,
        Work::PersonErasure { .. } => erasure::run(cx, files, job, &subject(cx, fact, job).await?, turn).await,
        Work::Removal { record } => family::remove(cx, job, *record, turn).await,
        Work::Return { record } => family::restore(cx, job, *record, turn).await,
        Work::Fork { message, from, to } => conversation::copy(cx, job, (*from, *message, *to), turn).await,
        Work::Expiry { conversation } => conversation::erase(cx, job, *conversation, turn).await,
        Work::OrganizationErasure => organization::run(cx, job, turn).await,
        Work::Unknown(_) => Err(Domain::Conflict(Conflict::NewerVersion).into()),
    }
}

/// Whether only a newer version can do the job.
fn is_for_newer(error: &Error) -> bool {
    matches!(error, Error::Domain(Domain::Conflict(Conflict::NewerVersion)))
}

/// The data subject of a job about a person, checked against the pseudonym in the job's signed entry.
async fn subject(cx: &Cx, fact: &Fact, job: &Job) -> Result<DataSubject> {
    let untrue = || Error::internal("run a job", "its data subject isn't the requested one");
    let subject = DataSubject::read(&cx.env, cx.org, job.id).await?.ok_or_else(untrue)?;
    let detail = fact.detail(&cx.env).await?.ok_or_else(untrue)?;
    let person = detail.after.get("work").and_then(|work| work.get("person")?.as_str()).ok_or_else(untrue)?;
    let asked = job.work.person() == Some(person);
    match asked && cx.env.is_pseudonym(cx.org, &subject.person(), person) {
        true => Ok(subject),
        false => Err(untrue()),
    }
}

/// Stores the job's result, then deletes its data subject row.
async fn end(cx: &Cx, job: &Job, done: Job) -> Result<Outcome> {
    // Read again, as the work may have stored its progress.
    let Some(job) = &cx.find::<Job>(job.id).await? else { return Ok(Outcome::Done) };
    let audit = match &job.work {
        Work::AuditExport { .. } | Work::PersonExport { .. } => Audit::Export,
        Work::PersonErasure { .. } | Work::Expiry { .. } | Work::OrganizationErasure => Audit::Erase,
        Work::Fork { .. } => Audit::Create,
        Work::Removal { .. } => Audit::Delete,
        Work::Return { .. } => Audit::Restore,
        Work::Unknown(_) => Audit::Update,
    };
    let (_, tx) = updated(cx, Tx::default(), job, Draft::of(done)).await?;
    cx.next_step().commit(tx.called(audit), ()).await?;
    DataSubject::remove(&cx.env, cx.org, job.id).await?;
    Ok(Outcome::Done)
}

/// Stores how much of an erasure is done, for the turn that goes on with it.
async fn erased_so_far(cx: &Cx, job: &Stored<Job>, erased: Erased) -> Result<Progress> {
    let so_far = Job { erased: Some(erased), ..(**job).clone() };
    let (_, tx) = updated(cx, Tx::default(), job, Draft::of(so_far)).await?;
    cx.next_step().commit(tx.called(Audit::Update), ()).await?;
    Ok(Progress::Paused)
}

fn unwritten(error: FileError) -> Error {
    Error::unavailable("write a job's file", error)
}

/// Erases a record, with the secrets that belong to it.
async fn remove<T: Record>(cx: &Cx, record: &Stored<T>, kept: Kept) -> Result<()> {
    if let Ok(user) = UserId::try_from(record.id()) {
        Credential::remove(&cx.env, cx.org, user).await?;
        SecondFactor::remove(&cx.env, cx.org, user).await?;
        Session::remove_all(&cx.env, cx.org, user).await?;
    }
    if let Ok(key) = ApiKeyId::try_from(record.id()) {
        KeySecret::remove(&cx.env, cx.org, key).await?;
    }
    if let Ok(conversation) = ConversationId::try_from(record.id()) {
        ChatState::remove(&cx.env, cx.org, conversation).await?;
    }
    cx.erasure().record(record, kept).await
}
