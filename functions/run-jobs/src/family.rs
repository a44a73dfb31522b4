//! The jobs of cascade delete and cascade restore: move a record's dependants to the trash after it, or back.

use crate::turn::{Progress, Turn};
use daybook_domain::job::Job;
use daybook_domain::{AnyId, Audit, Conflict, Error as Domain, Event, Stored};
use daybook_records::{Draft, updated};
use daybook_store::rows::cascade::{Cascades, FinishedCascade};
use daybook_store::{Cx, Error, Result, Tx};

/// How many records to move per transaction; most fit.
const AT_ONCE: usize = 8;

/// Cascade delete: moves a record's dependants to the trash. Meanwhile they are hidden and none can be added, as the
/// record is in the trash already. After a crash the next try continues with what is left.
pub async fn remove(cx: &Cx, job: &Stored<Job>, record: AnyId, turn: Turn) -> Result<Progress> {
    let mut job = job.clone();
    // If an earlier try completed the last step, the record may have been restored with its dependants, and may have
    // been deleted again since.
    if !Cascades::read(&cx.env, cx.org).await?.is_of(record, job.id) {
        return Ok(job.finished().into());
    }
    loop {
        let members = daybook_records::family::members(cx, record).await?;
        if members.is_empty() {
            break;
        }
        for some in members.chunks(AT_ONCE) {
            job = moved(cx, job, some, Direction::Delete(record)).await?;
            if turn.is_over() {
                return Ok(Progress::Paused);
            }
        }
    }
    let end_cascade = || async {
        let cascades = Cascades::read(&cx.env, cx.org).await?;
        if !cascades.is_of(record, job.id) {
            return Ok(());
        }
        let count = job.progress.map_or(0, |progress| progress.done);
        let row = cascades.without(cx.org, FinishedCascade { parent: record, count, at: cx.now() })?;
        let tx = Tx::happened(Event::FamilyMoved, Audit::Delete, record).with_row(row);
        cx.next_step().commit(tx, ()).await
    };
    cx.decide(end_cascade).await?;
    Ok(job.finished().into())
}

/// Cascade restore: restores the records that a cascade delete moved to the trash. Records erased or restored
/// meanwhile are left alone, and so are those that refer to another record that no longer exists.
pub async fn restore(cx: &Cx, job: &Stored<Job>, record: AnyId, turn: Turn) -> Result<Progress> {
    let (mut job, done) = (job.clone(), job.progress.map(|progress| progress.done));
    if !cx.is_there(record).await? {
        return Ok(job.failed("the record has been moved to the trash again").into());
    }
    let dependants = cx.trash().indexed_with(record).await?;
    for some in dependants.chunks(AT_ONCE) {
        job = moved(cx, job, some, Direction::Restore).await?;
        // Records that can't be restored are tried in each turn; one that moves no other ends nothing.
        if turn.is_over() && job.progress.map(|progress| progress.done) > done {
            return Ok(Progress::Paused);
        }
    }
    Ok(job.finished().into())
}

/// The direction of a cascade.
#[derive(Clone, Copy)]
enum Direction {
    /// Cascade delete of this record.
    Delete(AnyId),
    /// Cascade restore.
    Restore,
}

/// Moves records in one transaction with the job's progress; in smaller ones if they don't fit.
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

/// Whether a record can't be restored, however often that is tried.
fn is_refused(direction: Direction, refused: &Domain) -> bool {
    matches!(
        (direction, refused),
        (Direction::Restore, Domain::Invalid(_) | Domain::Duplicate { .. } | Domain::Conflict(Conflict::ParentGone))
    )
}
