//! Audit log export: a file in the response if it is small enough, otherwise a background job that writes the file.

use daybook_audit::{AuditQuery, EntryFile, bounds};
use daybook_domain::audit::{Filter, Format};
use daybook_domain::job::{Job, Work};
use daybook_domain::{Audit, Event};
use daybook_http::{Accepted, Answer, Call, Cx, Download, HttpReply, Json, Operation, Result};
use daybook_records::power::Power;
use daybook_records::{Draft, created};
use daybook_store::schema::day_of;
use daybook_store::{Answer as Kind, Reply, Tx};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most bytes of a file in a response; a response has 6 MB at most.
const MOST_BYTES: usize = 4 << 20;

/// How long a request may spend on a file; a longer export becomes a job.
const LONGEST: Duration = Duration::from_secs(10);

/// How many entries are read per page.
const AT_ONCE: usize = 200;

/// Which entries to export, and in which format.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditExport)]
pub struct Export {
    /// The format; `csv` by default.
    #[serde(default)]
    format: Format,
    /// Only entries from this moment or day on.
    from: Option<String>,
    /// Only entries until this moment, or the end of this day.
    to: Option<String>,
    /// Only entries of this user or API key.
    #[serde(alias = "user_id")]
    #[schema(value_type = Option<String>)]
    actor_id: Option<daybook_domain::AnyId>,
    /// Only entries with this action.
    action: Option<Audit>,
    /// Only entries with this event.
    event: Option<Event>,
    /// Only entries about records of this type.
    resource_type: Option<daybook_domain::RecordType>,
    /// Only entries about this record.
    #[schema(value_type = Option<String>)]
    resource_id: Option<daybook_domain::AnyId>,
    /// Only entries with this outcome.
    outcome: Option<daybook_domain::audit::Outcome>,
    /// Only entries of this request.
    request_id: Option<String>,
}

/// The exported file, or the job that writes it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Exported {
    /// The job.
    Job(Box<Accepted<Job>>),
    /// The file.
    File(Download),
}

impl Reply for Exported {
    const ANSWER: Kind = Kind::Ok;
}

impl HttpReply for Exported {
    fn answer(self, call: &Call) -> Result<Answer> {
        match self {
            Exported::Job(job) => job.answer(call),
            Exported::File(file) => file.answer(call),
        }
    }

    fn describe(operation: &mut Operation) {
        operation.file();
        let job = operation.schema_of::<Job>();
        let job = operation.envelope(job);
        operation.or_accepted(job);
    }
}

/// Exports entries as a file, the newest first. What doesn't fit a response is written by a job, which then links to
/// the file. The export is itself in the audit log.
pub async fn export(cx: Cx, Json(ask): Json<Export>) -> Result<Exported> {
    let format = ask.format;
    let filter = Filter {
        from: ask.from,
        to: ask.to,
        actor_id: ask.actor_id,
        action: ask.action,
        event: ask.event,
        resource_type: ask.resource_type,
        resource_id: ask.resource_id,
        outcome: ask.outcome,
        request_id: ask.request_id,
    };
    bounds(&filter, cx.org, cx.now())?;
    let mut query = AuditQuery { filter, limit: AT_ONCE, ascending: false, cursor: None };
    let mut file = EntryFile::new(format)?;
    let reader = Power::of_caller(&cx);
    loop {
        let (page, next) = query.page(&cx).await?;
        let mut facts = page.facts;
        while !facts.is_empty() && file.len() <= MOST_BYTES {
            facts = file.add_some(&cx, &reader, facts).await?;
        }
        match next {
            _ if file.len() > MOST_BYTES => break,
            Some(_) if cx.request.started.elapsed() > LONGEST => break,
            Some(next) => query.cursor = Some(next),
            None => {
                file.end();
                let name = format!("audit-log-{}.{}", day_of(cx.now()), format.extension());
                let download = Download::new(format.media_type(), &name, file.take());
                let tx = Tx::happened(Event::AuditExported, Audit::Export, cx.org);
                return cx.commit(tx, download).await.map(Exported::File);
            }
        }
    }
    let work = Work::AuditExport { format, filter: Box::new(query.filter) };
    let job = Job::new(work, &cx.stamp()).relying_on(&cx.grants, reader.team(&cx).await?);
    let (job, tx) = created(&cx, Tx::default(), Draft::of(job)).await?;
    cx.commit(tx.called(Audit::Export), Accepted(job)).await.map(|job| Exported::Job(Box::new(job)))
}
