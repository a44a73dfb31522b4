//! What belongs to a record goes to the trash after it, or comes back after it.

use daybook_domain::job::Job;
use daybook_domain::{AnyId, Audit, Conflict, Error as Domain, Event, Stored};
use daybook_records::{Draft, updated};
use daybook_store::rows::falling::{Fallen, Falling};
use daybook_store::{Cx, Error, Result, Tx};

/// Of so many records most fit one transaction.
const AT_ONCE: usize = 8;

/// Moves what belongs to a record to the trash. Nobody sees any of it meanwhile, and nobody can join, as the record is
/// there already; a crash leaves less to do.
pub async fn remove(cx: &Cx, job: &Stored<Job>, record: AnyId) -> Result<Job> {
    let mut job = job.clone();
    // Where an earlier try got as far as the last step, the record may be back with all that belongs to it, and may
    // have been removed once more.
    if !Falling::read(&cx.env, cx.org).await?.is_of(record, job.id) {
        return Ok(job.finished());
    }
    loop {
        let members = daybook_records::family::members(cx, record).await?;
        if members.is_empty() {
            break;
        }
        for some in members.chunks(AT_ONCE) {
            job = moved(cx, job, some, Way::ToTrash(record)).await?;
        }
    }
    let falling = || async {
        let falling = Falling::read(&cx.env, cx.org).await?;
        if !falling.is_of(record, job.id) {
            return Ok(());
        }
        let count = job.progress.map_or(0, |progress| progress.done);
        let row = falling.without(cx.org, Fallen { parent: record, count, at: cx.now() })?;
        let tx = Tx::happened(Event::FamilyMoved, Audit::Delete, record).with_row(row);
        cx.next_step().commit(tx, ()).await
    };
    cx.decide(falling).await?;
    Ok(job.finished())
}

/// Takes what went to the trash with a record back from there; what was erased or taken back meanwhile stays as it is, and
/// so does what needs another record that has gone since.
pub async fn restore(cx: &Cx, job: &Stored<Job>, record: AnyId) -> Result<Job> {
    let mut job = job.clone();
    if !cx.is_there(record).await? {
        return Ok(job.failed("the record was moved to the trash again"));
    }
    let fallen = cx.trash().indexed_with(record).await?;
    for some in fallen.chunks(AT_ONCE) {
        job = moved(cx, job, some, Way::Back).await?;
    }
    Ok(job.finished())
}

/// Which way a family goes.
#[derive(Clone, Copy)]
enum Way {
    /// To the trash with a record.
    ToTrash(AnyId),
    /// Back from there.
    Back,
}

/// Moves some records, in one transaction with how far the job has come; in smaller ones where they don't fit.
async fn moved(cx: &Cx, mut job: Stored<Job>, some: &[AnyId], way: Way) -> Result<Stored<Job>> {
    let mut open = vec![some];
    while let Some(some) = open.pop() {
        let (after, tx) = updated(cx, Tx::default(), &job, Draft::of(job.advanced(some.len()))).await?;
        let tx = match way {
            Way::ToTrash(record) => daybook_records::family::cascade_delete(cx, tx, some, record).await?,
            Way::Back => daybook_records::family::cascade_restore(cx, tx, some).await?,
        };
        match cx.next_step().commit(tx, ()).await {
            Ok(()) => {
                let moved = job.followed_by(after);
                job = moved.map_err(|error| Error::internal("write a record as JSON", error))?;
            }
            Err(Error::Domain(refused)) if some.len() > 1 && (is_unfit(&refused) || is_refused(way, &refused)) => {
                let (first, second) = some.split_at(some.len() / 2);
                open.extend([second, first]);
            }
            Err(Error::Domain(refused)) if is_refused(way, &refused) => {
                tracing::warn!(record = ?some, error = %refused, "a record stays in the trash");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(job)
}

fn is_unfit(refused: &Domain) -> bool {
    matches!(refused, Domain::Unfit { .. })
}

/// Whether a record can't come back, however often that is tried.
fn is_refused(way: Way, refused: &Domain) -> bool {
    matches!(
        (way, refused),
        (Way::Back, Domain::Invalid(_) | Domain::Duplicate { .. } | Domain::Conflict(Conflict::ParentGone))
    )
}
