//! Erasing all that an organisation had.

use crate::remove;
use daybook_domain::api_key::ApiKey;
use daybook_domain::contact::{Contact, Group};
use daybook_domain::customer::Customer;
use daybook_domain::demo::Demo;
use daybook_domain::form::Form;
use daybook_domain::interaction::Interaction;
use daybook_domain::invitation::Invitation;
use daybook_domain::job::{Erased, Job};
use daybook_domain::lead::Lead;
use daybook_domain::opportunity::Opportunity;
use daybook_domain::organization::Organization;
use daybook_domain::pipeline::Pipeline;
use daybook_domain::role::CustomRole;
use daybook_domain::submission::Submission;
use daybook_domain::task::Task;
use daybook_domain::team::Team;
use daybook_domain::user::User;
use daybook_domain::view::View;
use daybook_domain::{Record, RecordType};
use daybook_store::rows::delivery;
use daybook_store::{Cx, Kept, Result};

/// Erases what entries were about, then all records but those that say that it was done.
pub async fn run(cx: &Cx, job: &Job) -> Result<Job> {
    // Brought back, or brought back and removed again since: then another job comes later.
    if cx.exists(cx.org.into()).await? {
        return Ok(job.failed("the organisation was brought back; nothing was erased"));
    }
    let mut entries = Vec::new();
    cx.each_entry(|fact, _| entries.push(fact.id)).await?;
    for entry in &entries {
        delivery::remove(&cx.env, cx.org, *entry).await?;
    }
    cx.erase_details(&entries, job.id.into()).await?;
    let mut erased = Erased { entries: entries.len() as u64, ..Erased::default() };
    for kind in RecordType::ALL {
        erased.records += match kind {
            RecordType::Lead => all::<Lead>(cx).await?,
            RecordType::Submission => all::<Submission>(cx).await?,
            RecordType::Demo => all::<Demo>(cx).await?,
            RecordType::Invitation => all::<Invitation>(cx).await?,
            RecordType::User => all::<User>(cx).await?,
            RecordType::Role => all::<CustomRole>(cx).await?,
            RecordType::Team => all::<Team>(cx).await?,
            RecordType::ApiKey => all::<ApiKey>(cx).await?,
            RecordType::Form => all::<Form>(cx).await?,
            RecordType::Organization => all::<Organization>(cx).await?,
            RecordType::Customer => all::<Customer>(cx).await?,
            RecordType::Contact => all::<Contact>(cx).await?,
            RecordType::Group => all::<Group>(cx).await?,
            RecordType::Interaction => all::<Interaction>(cx).await?,
            RecordType::Pipeline => all::<Pipeline>(cx).await?,
            RecordType::Opportunity => all::<Opportunity>(cx).await?,
            RecordType::Task => all::<Task>(cx).await?,
            RecordType::View => all::<View>(cx).await?,
            // Only a newer version can erase those.
            RecordType::Job | RecordType::Unknown(_) => 0,
        };
    }
    Ok(job.with_erased(erased))
}

/// Erases all records of a type, those in the trash too.
async fn all<T: Record>(cx: &Cx) -> Result<u64> {
    let mut count = 0;
    for kept in [Kept::Live, Kept::InTrash] {
        loop {
            let some = cx.some::<T>(kept).await?;
            if some.is_empty() {
                break;
            }
            for record in some {
                remove(cx, &record, kept).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}
