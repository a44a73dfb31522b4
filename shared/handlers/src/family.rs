//! Cascade delete and cascade restore of a record with the records that belong to it: in one transaction if they fit,
//! else the record at once and its members by a job. No reader sees a cascade delete in progress.

use daybook_domain::job::{Job, Work as JobWork};
use daybook_domain::{Conflict, Error as Domain, Stored};
use daybook_http::{Accepted, Answer, Call, Cx, Data, Error, HttpReply, IfMatch, Operation, Path, Result};
use daybook_records::{Draft, Model, created, deleted, restored};
use daybook_store::family::Family;
use daybook_store::rows::cascade::Cascades;
use daybook_store::{Answer as Kind, Decision, Reply, Tx};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The maximum number of members for which one transaction is tried.
const MAY_FIT: usize = 25;

/// The maximum number of attempts while the members of the record change.
const DECISIONS: u32 = 10;

/// The number of attempts with a given version after which records that join meanwhile are deleted too.
const PATIENCE: u32 = 4;

/// The result of a cascade delete or restore.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + DeserializeOwned")]
pub enum Removed<T> {
    /// The record and its members are done.
    Done(Data<T>),
    /// The record is done; a job does the members.
    #[serde(rename = "Begun")]
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

/// Moves a record and its members to the trash (cascade delete). If they don't fit one transaction, all of them are
/// hidden at once, and a job (202) moves the members.
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
            // A member changed, not the record itself.
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

/// How a cascade delete is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    /// In one transaction, or by a job if there are too many members.
    InOneTransaction,
    /// The members by a job; fails if another record joins them meanwhile.
    ByJob,
    /// The members by a job, including records that join until the record is deleted: some may join all the time.
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

/// Adds the cascade delete of a record and its members to a transaction.
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

/// Restores a record from the trash with the members that were deleted with it (cascade restore). If they don't fit one
/// transaction, the record is restored at once, and a job (202) restores the members.
pub async fn restore_family<T: Model>(cx: Cx, Path(id): Path<T::Id>, IfMatch(version): IfMatch) -> Result<Removed<T>> {
    let trashed = cx.trash().get::<T>(id, version).await?;
    let dependants = cx.trash().deleted_with(trashed.id()).await?;
    let (back, tx) = restored(&cx, Tx::default(), &trashed).await?;
    if dependants.len() <= MAY_FIT {
        let whole = daybook_records::family::cascade_restore(&cx, tx, &dependants).await?;
        match cx.commit(whole, Removed::Done(Data(back))).await {
            Err(Error::Domain(Domain::Unfit { .. })) => {}
            outcome => return outcome,
        }
    }
    let job = Job::new(JobWork::Return { record: trashed.id() }, &cx.stamp()).of_records(dependants.len());
    let (_, tx) = restored(&cx, Tx::default(), &trashed).await?;
    let (job, tx) = created(&cx, tx, Draft::of(job)).await?;
    cx.commit(tx, Removed::Started(Accepted(Box::new(job)))).await
}
