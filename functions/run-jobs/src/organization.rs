//! The job that erases all data of a deleted organisation.

use crate::turn::{Progress, Turn};
use crate::{erased_so_far, remove};
use daybook_domain::job::{Erased, Job};
use daybook_domain::registry::boxed;
use daybook_domain::{Record, RecordType, Stored, for_each_record_type};
use daybook_store::rows::ai_keys::AiKeys;
use daybook_store::rows::{delivery, paused_job};
use daybook_store::{Cx, JournalPosition, Kept, Result};
use serde::{Deserialize, Serialize};

/// Erases the details of entries, then all records but the jobs, which record the erasure.
pub async fn run(cx: &Cx, job: &Stored<Job>, turn: Turn) -> Result<Progress> {
    // Restored, or restored and deleted again since: then another job follows.
    if cx.erasure().exists(cx.org.into()).await? {
        return Ok(job.failed("the organisation was restored; nothing was erased").into());
    }
    let mut erased = match &job.erased {
        Some(so_far) => so_far.clone(),
        None => match entries(cx, job, turn).await? {
            Some(entries) => Erased { entries, ..Erased::default() },
            None => return Ok(Progress::Paused),
        },
    };
    for_each_record_type!(T => if T::TYPE != RecordType::Job {
        let of_type = boxed(|| all::<T>(cx, turn)).await?;
        erased.records += of_type;
        // Types that are erased already are no step of a turn.
        if of_type > 0 && turn.is_over() {
            return erased_so_far(cx, job, erased).await;
        }
    });
    // Records that are converted or have another address leave the name of their last holder.
    for of in RecordType::ALL {
        cx.erasure().claims(*of).await?;
    }
    AiKeys::remove(&cx.env, cx.org).await?;
    Ok(job.with_erased(erased).into())
}

/// How far the erasure of entries came.
#[derive(Default, Serialize, Deserialize)]
struct Entries {
    erased: u64,
    after: Option<JournalPosition>,
}

/// Erases the details of all entries, and the rows about their mails; returns their number, or `None` if the turn ended first.
async fn entries(cx: &Cx, job: &Job, turn: Turn) -> Result<Option<u64>> {
    let paused: Option<Entries> = paused_job::read(&cx.env, cx.org, job.id).await?;
    let mut so_far = paused.unwrap_or_default();
    loop {
        let mut entries = Vec::new();
        so_far.after = cx.journal().each_of_page(so_far.after, |fact, _| entries.push(fact.id)).await?;
        for entry in &entries {
            delivery::remove(&cx.env, cx.org, *entry).await?;
        }
        cx.journal().erase(&entries, job.id.into()).await?;
        so_far.erased += entries.len() as u64;
        if so_far.after.is_none() {
            paused_job::remove(&cx.env, cx.org, job.id).await?;
            return Ok(Some(so_far.erased));
        }
        if turn.is_over() {
            paused_job::keep(&cx.env, cx.org, job.id, &so_far).await?;
            return Ok(None);
        }
    }
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
