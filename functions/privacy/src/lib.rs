//! The privacy API: exports and erases all personal data of a person, by jobs; and shows the state of jobs, these and
//! all others.

use daybook_domain::job::{Job, Status, Work};
use daybook_domain::permission::Action::{Manage, Read};
use daybook_domain::permission::Resource::{Jobs, Organization};
use daybook_domain::{Audit, EmailAddress, Error as Domain, Identity, JobId, Phone, Rule};
use daybook_http::{Accepted, Cx, Data, Error, Json, ListQuery, Listed, Path, Result, Routes, Stored, can};
use daybook_records::power::{Power, check_work};
use daybook_records::{Draft, created};
use daybook_store::Tx;
use daybook_store::rows::data_subject::DataSubject;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("privacy")
        .post("/api/privacy/exports", can(Organization, Manage), export)
        .post("/api/privacy/erasures", can(Organization, Manage), erase)
        .get("/api/jobs", can(Jobs, Read), list)
        .get("/api/jobs/{id}", can(Jobs, Read), read)
}

/// How long a link to a file is valid.
const LINKED: Duration = Duration::from_secs(15 * 60);

/// A person, identified by e-mail address, or by phone number where they gave no address.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The person's address.
    email: Option<EmailAddress>,
    /// The person's phone number, instead of the address: finds what is known under the number alone. Records of a person with
    /// an address are found by that.
    phone: Option<Phone>,
}

impl Person {
    async fn identity(self, cx: &Cx) -> Result<Identity> {
        let neither = Rule::format("an e-mail address, or else a phone number", "是邮箱；没有邮箱时提供电话号码");
        match (self.email, self.phone) {
            (Some(email), None) => Ok(Identity::Address(email)),
            (Some(_), Some(_)) => {
                let rule = Rule::format("left out if email is given", "在提供 email 时省略");
                Err(Domain::invalid("/phone", rule).into())
            }
            (None, Some(phone)) => {
                let number = daybook_records::compared(cx, &phone).await?;
                number.map(Identity::Number).ok_or_else(|| Domain::invalid("/phone", neither).into())
            }
            (None, None) => Err(Domain::invalid("/email", neither).into()),
        }
    }
}

/// A job with the link to its file.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobShown {
    /// The job.
    #[serde(flatten)]
    job: Job,
    /// Downloads the job's file. Any client that has the link can use it, for 15 minutes. None for callers who don't
    /// have the permissions that the file relies on.
    download_url: Option<String>,
}

/// Exports all data about a person as a JSON file: records, mail, the sync ledger and the audit log.
async fn export(cx: Cx, Json(person): Json<Person>) -> Result<Accepted<Job>> {
    let person = person.identity(&cx).await?;
    let work = Work::PersonExport { person: cx.env.pseudonym(cx.org, &person) };
    begin(&cx, person, work, Audit::Export).await
}

/// Erases all data about a person for good: records including those in the trash, mail, copies in other systems, and
/// the details of audit log entries. The entries stay, without the person.
async fn erase(cx: Cx, Json(person): Json<Person>) -> Result<Accepted<Job>> {
    let person = person.identity(&cx).await?;
    let work = Work::PersonErasure { person: cx.env.pseudonym(cx.org, &person) };
    begin(&cx, person, work, Audit::Erase).await
}

/// The address or number is stored in the data subject row alone, until the job is done: neither in the job nor in the journal.
async fn begin(cx: &Cx, person: Identity, work: Work, audit: Audit) -> Result<Accepted<Job>> {
    check_work(cx, &work)?;
    let job = Job::new(work, &cx.stamp());
    let subject = DataSubject::new(person, cx.now()).write(cx.org, job.id)?;
    let (job, tx) = created(cx, Tx::default(), Draft::of(job)).await?;
    cx.commit(tx.called(audit).with_row(subject).without_request(), Accepted(job)).await
}

/// Lists jobs, the newest first.
async fn list(cx: Cx, query: ListQuery<Job>) -> Result<Listed<Job>> {
    cx.list(&query.ask()).await.map(Listed)
}

/// Returns a job's progress, and the link to its file.
async fn read(cx: Cx, Path(id): Path<JobId>, Stored(files): Stored) -> Result<Data<JobShown>> {
    let job = cx.get::<Job>(id).await?;
    let there = job.file.as_ref().filter(|file| job.status == Status::Done && file.expires_at > cx.now());
    let download_url = match there {
        // The rights that the file relies on are checked now, as the caller may have lost them.
        Some(_) if !Power::of_caller(&cx).covers(&cx, &Power::of_job(&job)).await? => None,
        Some(file) => {
            let left = cx.now().until(file.expires_at).min(LINKED);
            let link = files.link(&job.file_key(cx.org), &file.name, left).await;
            Some(link.map_err(|error| Error::internal("link to a file", error))?)
        }
        None => None,
    };
    Ok(Data(JobShown { job: job.into_inner(), download_url }))
}
