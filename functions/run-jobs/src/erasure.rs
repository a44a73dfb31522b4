//! The job that erases all personal data of a person.

use crate::person::{Known, known};
use crate::remove;
use daybook_domain::job::{Erased, Job, Status, Work};
use daybook_domain::registry::boxed;
use daybook_domain::user::User;
use daybook_domain::{AnyId, Audit, Event, RecordType, Stored, with_record_type};
use daybook_jobs::files::Files;
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::delivery;
use daybook_store::rows::ledger::{self, HUBSPOT};
use daybook_store::{Cx, Error, Kept, Result, Tx};

/// Erases the data that existed at the time of the request: first the details of entries, then the records, by which
/// the entries are found. If a record has changed since it was read, the job fails and starts over with a new search,
/// so that no entry about it is missed.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, subject: &DataSubject) -> Result<Job> {
    let Known { records, gone, mentions, entries, mentioning, former } =
        known(cx, &subject.address, job.created_at).await?;
    for record in &records {
        if let (Some(user), Kept::Live) = (record.record::<User>(), record.kept) {
            let why = format!("this is the address of user {}; delete the user first, then ask again", user.id);
            return Ok(job.failed(&why));
        }
        // The export's file would outlive the erasure.
        let exports =
            |other: &&Stored<Job>| other.status == Status::Queued && matches!(other.work, Work::PersonExport { .. });
        if let Some(other) = record.record::<Job>().filter(exports) {
            return Err(Error::unavailable("erase a person", format!("{} is exporting their data", other.id)));
        }
    }
    let mut erased = Erased { mentions, entries: (entries.len() + mentioning.len()) as u64, ..Erased::default() };
    for entry in &entries {
        erased.mails += delivery::remove(&cx.env, cx.org, *entry).await?;
    }
    cx.journal().erase(&[entries, mentioning].concat(), job.id.into()).await?;
    for lead in &gone {
        forget_remotely(cx, *lead, &mut erased).await?;
        cx.next_step().commit(Tx::happened(Event::RecordErased, Audit::Erase, *lead), ()).await?;
    }
    for record in &records {
        // The earlier request stays on record; its file is erased.
        if let Some(earlier) = record.record::<Job>() {
            let removed = files.remove(&earlier.file_key(cx.org)).await;
            removed.map_err(|error| Error::unavailable("remove a file", error))?;
            continue;
        }
        if record.id.kind == RecordType::Lead {
            forget_remotely(cx, record.id, &mut erased).await?;
        }
        // Other systems know a converted contact under the id of its lead.
        if let Some(lead) = record.lead_id.filter(|_| record.id.kind == RecordType::Contact) {
            forget_remotely(cx, lead.into(), &mut erased).await?;
            cx.next_step().commit(Tx::happened(Event::RecordErased, Audit::Erase, lead), ()).await?;
        }
        with_record_type!(record.id.kind, T => if let Some(theirs) = record.record::<T>() {
            boxed(|| remove(cx, theirs, record.kept)).await?;
        });
        erased.records += 1;
    }
    for address in former.iter().chain([&subject.address.normalized()]) {
        daybook_records::forget_address(cx, address).await?;
    }
    Ok(job.with_erased(erased))
}

async fn forget_remotely(cx: &Cx, lead: AnyId, erased: &mut Erased) -> Result<()> {
    erased.contacts += u64::from(ledger::mark_erased(&cx.env, cx.org, HUBSPOT, lead).await?);
    Ok(())
}
