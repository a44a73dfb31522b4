//! Removing a record with what belongs to it, and taking all of it back: in one transaction while it fits, else the
//! record at once and the rest by a job, which nobody sees at work.

use daybook_domain::job::{Job, Work as JobWork};
use daybook_domain::{Conflict, Error as Domain, Stored};
use daybook_http::{Accepted, Answer, Call, Cx, Data, Error, HttpReply, IfMatch, Operation, Path, Result};
use daybook_records::{Draft, Model, created, deleted, restored};
use daybook_store::family::Family;
use daybook_store::rows::cascade::Cascades;
use daybook_store::{Answer as Kind, Decision, Reply, Tx};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// So many may fit one transaction; of more nobody tries.
const MAY_FIT: usize = 25;

/// How often somebody decides anew, as what belongs to the record changes.
const DECISIONS: u32 = 10;

/// After so many tries of somebody who named a version, whoever joins goes along.
const PATIENCE: u32 = 4;

/// What became of a record with what belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + DeserializeOwned")]
pub enum Removed<T> {
    /// All of it is done.
    Done(Data<T>),
    /// The record itself is done, the rest is a job's.
    Started(Accepted<Box<Job>>),
}

impl<T: Model> Reply for Removed<T> {
    const ANSWER: Kind = Kind::Ok;
}

impl<T: Model> HttpReply for Removed<T> {
    fn answer(self, call: &Call) -> Result<Answer> {
        match self {
            Removed::Done(data) => data.answer(call),
            Removed::Started(job) => job.answer(call),
        }
    }

    fn describe(operation: &mut Operation) {
        Data::<T>::describe(operation);
        let job = operation.schema_of::<Job>();
        let job = operation.envelope(job);
        operation.or_accepted(job);
    }
}

/// Moves a record to the trash, and with it what belongs to it; where that doesn't fit one transaction, all of it is
/// hidden at once, and a job (202) moves the rest.
pub async fn delete_family<T: Model>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Removed<T>> {
    let mut removal_by = Removal::InOneTransaction;
    for attempt in 0..DECISIONS {
        removal_by = match cx.alter(id, version, |record| removed::<T>(&cx, record, removal_by)).await {
            Err(Error::Domain(Domain::Unfit { .. })) if removal_by == Removal::InOneTransaction => Removal::ByJob,
            Err(Error::Domain(Domain::Conflict(Conflict::Contended)))
                if removal_by != Removal::ByJobWithLateMembers =>
            {
                Removal::ByJobWithLateMembers
            }
            // One of those that belong to it changed, not the record itself.
            Err(Error::Domain(Domain::Stale { .. }))
                if version.is_some() && Some(cx.get::<T>(id).await?.version()) == version =>
            {
                cx.pause(attempt + 1).await;
                if attempt < PATIENCE { removal_by } else { Removal::ByJobWithLateMembers }
            }
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}

/// How a record goes to the trash with its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    /// In one transaction; where they are too many, by a job.
    InOneTransaction,
    /// The members by a job, as many as there are.
    ByJob,
    /// The members by a job, with whoever joins until the record is gone: others may join all the time.
    ByJobWithLateMembers,
}

async fn removed<T: Model>(cx: &Cx, record: Stored<T>, removal_by: Removal) -> Result<Decision<Removed<T>>> {
    let mut family = daybook_records::family::family_of(cx, record.id()).await?;
    family.joined = family.joined.filter(|_| removal_by != Removal::ByJobWithLateMembers);
    if removal_by == Removal::InOneTransaction && family.members.len() <= MAY_FIT {
        let tx = removal(cx, Tx::default(), &record, family).await?;
        return Ok(Decision::Commit(tx, Removed::Done(Data(record.into_inner()))));
    }
    let job = Job::new(JobWork::Removal { record: record.id() }, &cx.stamp()).of_records(family.members.len());
    let cascades = Cascades::read(&cx.env, cx.org).await?.and(cx.org, record.id(), (job.id, job.created_at))?;
    let tx = deleted(cx, Tx::default(), &record).await?.with_family(family);
    let (job, tx) = created(cx, tx, Draft::of(job)).await?;
    let tx = tx.with_row(cascades);
    Ok(Decision::Commit(tx, Removed::Started(Accepted(Box::new(job)))))
}

/// A change that removes a record with what belongs to it, too.
pub(crate) async fn removal<T: Model>(cx: &Cx, tx: Tx, record: &Stored<T>, family: Family) -> Result<Tx> {
    let members = family.members.clone();
    daybook_records::family::cascade_delete(
        cx,
        deleted(cx, tx, record).await?.with_family(family),
        &members,
        record.id(),
    )
    .await
}

/// Takes a record back from the trash, and with it what went there with it; where that doesn't fit one transaction,
/// the record at once, and a job (202) takes the rest back.
pub async fn restore_family<T: Model>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Removed<T>> {
    let trashed = cx.trash().get::<T>(id, version).await?;
    let finished = cx.trash().deleted_with(trashed.id()).await?;
    let (back, tx) = restored(&cx, Tx::default(), &trashed).await?;
    if finished.len() <= MAY_FIT {
        let whole = daybook_records::family::cascade_restore(&cx, tx, &finished).await?;
        match cx.commit(whole, Removed::Done(Data(back))).await {
            Err(Error::Domain(Domain::Unfit { .. })) => {}
            outcome => return outcome,
        }
    }
    let job = Job::new(JobWork::Return { record: trashed.id() }, &cx.stamp()).of_records(finished.len());
    let (_, tx) = restored(&cx, Tx::default(), &trashed).await?;
    let (job, tx) = created(&cx, tx, Draft::of(job)).await?;
    cx.commit(tx, Removed::Started(Accepted(Box::new(job)))).await
}
