//! The job that exports the audit log to a file of up to 2 GiB.

use crate::unwritten;
use daybook_audit::{AuditQuery, EntryFile, shown};
use daybook_domain::audit::{Filter, Format};
use daybook_domain::job::Job;
use daybook_jobs::files::Files;
use daybook_records::power::Power;
use daybook_store::schema::day_of;
use daybook_store::{Cx, Result};

/// How many entries are read per page.
const AT_ONCE: usize = 200;

/// How many bytes are written per chunk.
const CHUNK: usize = 1 << 20;

/// The most bytes of a file.
const MOST_BYTES: u64 = 2 << 30;

/// Writes the entries, the newest first.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, format: Format, filter: &Filter) -> Result<Job> {
    // Entries since the request aren't part of the export.
    let to = filter.to.clone().or_else(|| Some(job.created_at.to_string()));
    let filter = Filter { to, ..filter.clone() };
    let mut query = AuditQuery { filter, limit: AT_ONCE, ascending: false, cursor: None };
    let reader = Power::of_job(job);
    let mut file = EntryFile::new(format)?;
    let mut writing = files.begin(&job.file_key(cx.org), format.media_type()).await.map_err(unwritten)?;
    let mut written = 0;
    loop {
        let (page, next) = query.page(cx).await?;
        for entry in shown(cx, &reader, page.facts).await? {
            file.add(&entry)?;
        }
        let is_last = next.is_none();
        query.cursor = next;
        if is_last {
            file.end();
        }
        if is_last || file.len() > CHUNK {
            written += file.len() as u64;
            writing.add(&file.take()).await.map_err(unwritten)?;
        }
        if written > MOST_BYTES {
            return Ok(job.failed(&format!("the file has more than {MOST_BYTES} bytes; export a shorter period")));
        }
        if is_last {
            break;
        }
    }
    let bytes = writing.finish().await.map_err(unwritten)?;
    let name = format!("audit-log-{}.{}", day_of(job.created_at), format.extension());
    Ok(job.with_file(name, bytes, cx.now()))
}
