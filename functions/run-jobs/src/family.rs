//! What belongs to a record goes to the trash after it, or comes back after it.

use daybook_domain::job::Job;
use daybook_domain::{AnyId, Audit, Conflict, Error as Domain, Event, Stored};
use daybook_records::{Draft, updated};
use daybook_store::rows::cascade::{Cascades, FinishedCascade};
use daybook_store::{Cx, Error, Result, Tx};

/// Of so many records most fit one transaction.
const AT_ONCE: usize = 8;

/// Moves what belongs to a record to the trash. Nobody sees any of it meanwhile, and nobody can join, as the record is
/// there already; a crash leaves less to do.
pub async fn remove(cx: &Cx, job: &Stored<Job>, record: AnyId) -> Result<Job> {
    let mut job = job.clone();
    // Where an earlier try got as far as the last step, the record may be back with all that belongs to it, and may
    // have been removed once more.
    if !Cascades::read(&cx.env, cx.org).await?.is_of(record, job.id) {
        return Ok(job.finished());
    }
    loop {
        let members = daybook_records::family::members(cx, record).await?;
        if members.is_empty() {
            break;
        }
        for some in members.chunks(AT_ONCE) {
            job = moved(cx, job, some, Direction::Delete(record)).await?;
        }
    }
    let cascades = || async {
        let cascades = Cascades::read(&cx.env, cx.org).await?;
        if !cascades.is_of(record, job.id) {
            return Ok(());
        }
        let count = job.progress.map_or(0, |progress| progress.done);
        let row = cascades.without(cx.org, FinishedCascade { parent: record, count, at: cx.now() })?;
        let tx = Tx::happened(Event::FamilyMoved, Audit::Delete, record).with_row(row);
        cx.next_step().commit(tx, ()).await
    };
    cx.decide(cascades).await?;
    Ok(job.finished())
}

/// Takes what went to the trash with a record back from there; what was erased or taken back meanwhile stays as it is, and
/// so does what needs another record that has gone since.
pub async fn restore(cx: &Cx, job: &Stored<Job>, record: AnyId) -> Result<Job> {
    let mut job = job.clone();
    if !cx.is_there(record).await? {
        return Ok(job.failed("the record was moved to the trash again"));
    }
    let finished = cx.trash().indexed_with(record).await?;
    for some in finished.chunks(AT_ONCE) {
        job = moved(cx, job, some, Direction::Restore).await?;
    }
    Ok(job.finished())
}

/// Which way a family goes.
#[derive(Clone, Copy)]
enum Direction {
    /// To the trash with a record.
    Delete(AnyId),
    /// Back from there.
    Restore,
}

/// Moves some records, in one transaction with how far the job has come; in smaller ones where they don't fit.
async fn moved(cx: &Cx, mut job: Stored<Job>, some: &[AnyId], direction: Direction) -> Result<Stored<Job>> {
    let mut open = vec![some];
    while let Some(some) = open.pop() {
        let (after, tx) = updated(cx, Tx::default(), &job, Draft::of(job.advanced(some.len()))).await?;
        let tx = match direction {
            Direction::Delete(record) => daybook_records::family::cascade_delete(cx, tx, some, record).await?,
            Direction::Restore => daybook_records::family::cascade_restore(cx, tx, some).await?,
        };
        match cx.next_step().commit(tx, ()).await {
            Ok(()) => {
                let moved = job.followed_by(after);
                job = moved.map_err(|error| Error::internal("write a record as JSON", error))?;
            }
            Err(Error::Domain(refused))
                if some.len() > 1 && (is_unfit(&refused) || is_refused(direction, &refused)) =>
            {
                let (first, second) = some.split_at(some.len() / 2);
                open.extend([second, first]);
            }
            Err(Error::Domain(refused)) if is_refused(direction, &refused) => {
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
fn is_refused(direction: Direction, refused: &Domain) -> bool {
    matches!(
        (direction, refused),
        (Direction::Restore, Domain::Invalid(_) | Domain::Duplicate { .. } | Domain::Conflict(Conflict::ParentGone))
    )
}
