//! Erasing all that is known of a person.

use crate::person::{Known, Of, known};
use daybook_domain::Record;
use daybook_domain::job::{Erased, Job};
use daybook_jobs::files::Files;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::errand::Errand;
use daybook_store::rows::ledger::{self, HUBSPOT};
use daybook_store::rows::second_factor::SecondFactor;
use daybook_store::{Cx, Error, Kept, Result};

/// Erases what was known when it was asked for: first what entries were about, then records, by which the entries are
/// found. A record that changed since it was looked at is refused, and all of it looked at once more, so no entry about it
/// is missed.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, errand: &Errand) -> Result<Job> {
    let Known { records, mentions, entries } = known(cx, &errand.address, job.created_at).await?;
    let signs_in = records.iter().find_map(|(record, kept)| match (record, kept) {
        (Of::User(user), Kept::Live) => Some(user.id),
        _ => None,
    });
    if let Some(user) = signs_in {
        return Ok(job.failed(&format!("this is the address of user {user}; remove the user first, and ask again")));
    }
    let mut erased = Erased { mentions, ..Erased::default() };
    let whole = cx.details(entries.iter().copied()).await?;
    let entries: Vec<_> = entries.into_iter().filter(|entry| whole.contains_key(entry)).collect();
    erased.entries = entries.len() as u64;
    erased.mails = cx.erase_details(&entries, job.id.into()).await?;
    for (record, kept) in &records {
        match record {
            Of::Lead(lead) => {
                erased.contacts += u64::from(ledger::hush(&cx.env, cx.org, HUBSPOT, lead.id.into()).await?);
                gone(cx, lead, *kept, &mut erased).await?;
            }
            Of::Submission(submission) => gone(cx, submission, *kept, &mut erased).await?,
            Of::Demo(demo) => gone(cx, demo, *kept, &mut erased).await?,
            Of::Invitation(invitation) => gone(cx, invitation, *kept, &mut erased).await?,
            Of::User(user) => {
                Credential::remove(&cx.env, cx.org, user.id).await?;
                SecondFactor::remove(&cx.env, cx.org, user.id).await?;
                gone(cx, user, *kept, &mut erased).await?;
            }
            // That somebody asked stays on record; what they got doesn't.
            Of::Job(earlier) => {
                let removed = files.remove(&earlier.file_key(cx.org)).await;
                removed.map_err(|error| Error::unavailable("remove a file", error))?;
            }
        }
    }
    Ok(job.with_erased(erased))
}

async fn gone<T: Record>(cx: &Cx, record: &T, kept: Kept, erased: &mut Erased) -> Result<()> {
    cx.erase(record, kept).await?;
    erased.records += 1;
    Ok(())
}
