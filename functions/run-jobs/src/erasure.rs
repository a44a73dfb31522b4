//! The job that erases all personal data of a person.

use crate::person::{Found, Known, known, pause};
use crate::remove;
use crate::turn::{Progress, Turn};
use daybook_domain::job::{Erased, Job, Status, Work};
use daybook_domain::registry::boxed;
use daybook_domain::user::User;
use daybook_domain::{AnyId, Audit, Event, Identity, RecordType, Stored, with_record_type};
use daybook_jobs::files::Files;
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::delivery;
use daybook_store::rows::ledger::{self, HUBSPOT};
use daybook_store::{Cx, Error, Kept, Result, Tx};
use serde::{Deserialize, Serialize};

/// How many entries' details are erased at once.
const AT_ONCE: usize = 80;

/// What was erased in earlier turns.
#[derive(Default, Serialize, Deserialize)]
struct Done {
    erased: Erased,
    /// The number of entries.
    entries: usize,
    /// The number of records that were purged from the trash.
    gone: usize,
    /// The number of records.
    records: usize,
}

/// Erases the data that existed at the time of the request: first the details of entries, then the records, by which
/// the entries are found. If a record has changed since it was found, the job fails and starts over with a new search,
/// so that no entry about it is missed.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, subject: &DataSubject, turn: Turn) -> Result<Progress> {
    let Some((known, mut done)) = known::<Done>(cx, subject, job, turn).await? else { return Ok(Progress::Paused) };
    for found in known.records.iter().skip(done.records) {
        let Some(record) = found.read(cx).await? else { continue };
        if let (Some(user), Kept::Live) = (record.record::<User>(), record.kept) {
            let why = format!("this is the address of user {}; delete the user first, then ask again", user.id);
            return Ok(job.failed(&why).into());
        }
        // The export's file would outlive the erasure.
        let exports =
            |other: &&Stored<Job>| other.status == Status::Queued && matches!(other.work, Work::PersonExport { .. });
        if let Some(other) = record.record::<Job>().filter(exports) {
            return Err(Error::unavailable("erase a person", format!("{} is exporting their data", other.id)));
        }
    }
    // A number may be shared, so what mentions it may be another person's.
    let mentioning = match subject.person() {
        Identity::Address(_) => known.mentioning.as_slice(),
        Identity::Number(_) => &[],
    };
    let entries = [known.entries.as_slice(), mentioning].concat();
    for some in entries.get(done.entries..).unwrap_or_default().chunks(AT_ONCE) {
        for entry in some.iter().take(known.entries.len().saturating_sub(done.entries)) {
            done.erased.mails += delivery::remove(&cx.env, cx.org, *entry).await?;
        }
        cx.journal().erase(some, job.id.into()).await?;
        done.entries += some.len();
        done.erased.entries += some.len() as u64;
        if turn.is_over() {
            return paused(cx, job, known, done).await;
        }
    }
    for lead in known.gone.iter().skip(done.gone).copied().collect::<Vec<_>>() {
        forget_remotely(cx, lead, &mut done.erased).await?;
        cx.next_step().commit(Tx::happened(Event::RecordErased, Audit::Erase, lead), ()).await?;
        done.gone += 1;
        if turn.is_over() {
            return paused(cx, job, known, done).await;
        }
    }
    for found in known.records.iter().skip(done.records).copied().collect::<Vec<_>>() {
        erase(cx, files, found, &mut done.erased).await?;
        done.records += 1;
        if turn.is_over() {
            return paused(cx, job, known, done).await;
        }
    }
    for person in known.former.iter().chain([&subject.person().normalized()]) {
        daybook_records::forget_person(cx, person).await?;
    }
    Ok(job.with_erased(Erased { mentions: known.mentions, ..done.erased }).into())
}

async fn paused(cx: &Cx, job: &Job, known: Known, done: Done) -> Result<Progress> {
    pause(cx, job, known, done).await?;
    Ok(Progress::Paused)
}

/// Erases a record about the person.
async fn erase(cx: &Cx, files: &dyn Files, found: Found, erased: &mut Erased) -> Result<()> {
    // One that left the trash for good meanwhile is erased already.
    let Some(record) = found.read(cx).await? else { return Ok(()) };
    // The earlier request stays on record; its file is erased.
    if let Some(earlier) = record.record::<Job>() {
        let removed = files.remove(&earlier.file_key(cx.org)).await;
        return removed.map_err(|error| Error::unavailable("remove a file", error));
    }
    if (record.kept, record.version) != (found.kept, found.version) {
        return Err(Error::unavailable("erase a person", format!("{} has changed since it was found", record.id)));
    }
    if record.id.kind == RecordType::Lead {
        forget_remotely(cx, record.id, erased).await?;
    }
    // Other systems know a converted contact under the id of its lead.
    if let Some(lead) = record.lead_id.filter(|_| record.id.kind == RecordType::Contact) {
        forget_remotely(cx, lead.into(), erased).await?;
        cx.next_step().commit(Tx::happened(Event::RecordErased, Audit::Erase, lead), ()).await?;
    }
    with_record_type!(record.id.kind, T => if let Some(theirs) = record.record::<T>() {
        boxed(|| remove(cx, theirs, record.kept)).await?;
    });
    erased.records += 1;
    Ok(())
}

async fn forget_remotely(cx: &Cx, lead: AnyId, erased: &mut Erased) -> Result<()> {
    erased.contacts += u64::from(ledger::mark_erased(&cx.env, cx.org, HUBSPOT, lead).await?);
    Ok(())
}
