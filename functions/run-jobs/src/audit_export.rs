//! The job that exports the audit log to a file of up to 2 GiB.

use crate::turn::{Progress, Turn};
use crate::unwritten;
use daybook_audit::{AuditQuery, EntryFile};
use daybook_domain::audit::{Filter, Format};
use daybook_domain::job::Job;
use daybook_jobs::files::{Files, Writing};
use daybook_records::power::Power;
use daybook_store::rows::paused_job;
use daybook_store::schema::day_of;
use daybook_store::{Cx, Result};
use serde::{Deserialize, Serialize};

/// How many entries are read per page.
const AT_ONCE: usize = 200;

/// How many bytes are written per chunk.
const CHUNK: usize = 1 << 20;

/// The most bytes of a file.
const MOST_BYTES: u64 = 2 << 30;

/// A file that is partly written.
#[derive(Serialize, Deserialize)]
struct PausedFile {
    /// What the file store needs to go on with it.
    file: String,
    /// The number of bytes written.
    bytes: u64,
    /// Whether it has entries.
    has_entries: bool,
    /// The cursor of the page that follows.
    cursor: String,
}

/// Writes the entries, the newest first. An attempt that goes on with a paused file and fails leaves the next one to begin
/// anew, as the file may be gone.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, what: (Format, &Filter), turn: Turn) -> Result<Progress> {
    let paused: Option<PausedFile> = paused_job::read(&cx.env, cx.org, job.id).await?;
    let is_resumed = paused.is_some();
    let written = write(cx, files, job, what, (turn, paused)).await;
    if written.is_err() && is_resumed {
        paused_job::remove(&cx.env, cx.org, job.id).await?;
    }
    written
}

async fn write(
    cx: &Cx,
    files: &dyn Files,
    job: &Job,
    (format, filter): (Format, &Filter),
    (turn, paused): (Turn, Option<PausedFile>),
) -> Result<Progress> {
    // Entries since the request aren't part of the export.
    let to = filter.to.clone().or_else(|| Some(job.created_at.to_string()));
    let filter = Filter { to, ..filter.clone() };
    let mut query = AuditQuery { filter, limit: AT_ONCE, ascending: false, cursor: None };
    let reader = Power::of_job(job);
    let key = job.file_key(cx.org);
    let (mut file, mut writing, mut written) = match paused {
        Some(paused) => {
            query.cursor = Some(paused.cursor);
            let writing = files.resume(&key, &paused.file).await.map_err(unwritten)?;
            (EntryFile::resumed(format, paused.has_entries), writing, paused.bytes)
        }
        None => (EntryFile::new(format)?, files.begin(&key, format.media_type()).await.map_err(unwritten)?, 0),
    };
    loop {
        let (page, next) = query.page(cx).await?;
        let mut facts = page.facts;
        while !facts.is_empty() {
            facts = file.add_some(cx, &reader, facts).await?;
            if file.len() > CHUNK {
                written += add(&mut writing, &mut file).await?;
            }
        }
        let is_last = next.is_none();
        query.cursor = next;
        if is_last {
            file.end();
            written += add(&mut writing, &mut file).await?;
        }
        if written > MOST_BYTES {
            let why = format!("the file has more than {MOST_BYTES} bytes; export a shorter period");
            return Ok(job.failed(&why).into());
        }
        if is_last {
            break;
        }
        if turn.is_over()
            && let Some(cursor) = &query.cursor
        {
            written += add(&mut writing, &mut file).await?;
            let paused = writing.pause().await.map_err(unwritten)?;
            let (has_entries, cursor) = (file.has_entries(), cursor.clone());
            let paused = PausedFile { file: paused, bytes: written, has_entries, cursor };
            paused_job::keep(&cx.env, cx.org, job.id, &paused).await?;
            return Ok(Progress::Paused);
        }
    }
    // Removed first: a finished file can't be gone on with.
    paused_job::remove(&cx.env, cx.org, job.id).await?;
    let bytes = writing.finish().await.map_err(unwritten)?;
    let name = format!("audit-log-{}.{}", day_of(job.created_at), format.extension());
    Ok(job.with_file(name, bytes, cx.now()).into())
}

/// Writes the buffered entries; returns their bytes.
async fn add(writing: &mut Box<dyn Writing>, file: &mut EntryFile) -> Result<u64> {
    let bytes = file.take();
    writing.add(&bytes).await.map_err(unwritten)?;
    Ok(bytes.len() as u64)
}
