//! The job that erases all data of a deleted organisation.

use crate::turn::{Progress, Turn};
use crate::{erased_so_far, remove};
use daybook_domain::job::{Erased, Job};
use daybook_domain::registry::boxed;
use daybook_domain::{Record, RecordType, Stored, for_each_record_type};
use daybook_store::rows::ai_keys::AiKeys;
use daybook_store::rows::delivery;
use daybook_store::{Cx, Kept, Result};

/// Erases the details of entries, then all records but the jobs, which record the erasure.
pub async fn run(cx: &Cx, job: &Stored<Job>, turn: Turn) -> Result<Progress> {
    // Restored, or restored and deleted again since: then another job follows.
    if cx.erasure().exists(cx.org.into()).await? {
        return Ok(job.failed("the organisation was restored; nothing was erased").into());
    }
    let mut erased = match &job.erased {
        Some(so_far) => so_far.clone(),
        None => Erased { entries: entries(cx, job).await?, ..Erased::default() },
    };
    for_each_record_type!(T => if T::TYPE != RecordType::Job {
        erased.records += boxed(|| all::<T>(cx, turn)).await?;
        if turn.is_over() {
            return erased_so_far(cx, job, erased).await;
        }
    });
    AiKeys::remove(&cx.env, cx.org).await?;
    Ok(job.with_erased(erased).into())
}

/// Erases the details of all entries, and the rows about their mails; returns their number.
async fn entries(cx: &Cx, job: &Job) -> Result<u64> {
    let mut entries = Vec::new();
    cx.journal().each(|fact, _| entries.push(fact.id)).await?;
    for entry in &entries {
        delivery::remove(&cx.env, cx.org, *entry).await?;
    }
    cx.journal().erase(&entries, job.id.into()).await?;
    Ok(entries.len() as u64)
}

/// Erases records of a type, including those in the trash, as many as the turn lasts for; returns their number.
async fn all<T: Record>(cx: &Cx, turn: Turn) -> Result<u64> {
    let mut count = 0;
    for kept in [Kept::Live, Kept::InTrash] {
        loop {
            let some = cx.every::<T>(kept).some().await?;
            if some.is_empty() {
                break;
            }
            for record in some {
                remove(cx, &record, kept).await?;
                count += 1;
                if turn.is_over() {
                    return Ok(count);
                }
            }
        }
    }
    Ok(count)
}
