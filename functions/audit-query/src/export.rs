//! The audit log as a file: CSV or JSON, with the filters of the list.

use crate::filter::{AuditQuery, Filter};
use crate::show::{Entry, shown};
use daybook_domain::{Audit, Error as Domain, Event};
use daybook_http::csv::Csv;
use daybook_http::{Cx, Download, Json, Result};
use daybook_store::{Error, Tx};
use serde::{Deserialize, Serialize};

/// The most bytes of a file: an answer has 6 MB at most.
const MOST_BYTES: usize = 4 << 20;

/// How many entries are read at once.
const AT_ONCE: usize = 200;

/// What to take out, and how.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditExport)]
pub struct Export {
    /// How to write it; `csv` unless said otherwise.
    #[serde(default)]
    format: Format,
    /// From this moment or day on.
    from: Option<String>,
    /// Until this moment, or the end of this day.
    to: Option<String>,
    /// What this user or API key did.
    #[serde(alias = "user_id")]
    #[schema(value_type = Option<String>)]
    actor_id: Option<daybook_domain::AnyId>,
    /// What was done.
    action: Option<Audit>,
    /// The event it was announced as.
    event: Option<Event>,
    /// What was done to records of this type.
    resource_type: Option<daybook_domain::RecordType>,
    /// What was done to this record.
    #[schema(value_type = Option<String>)]
    resource_id: Option<daybook_domain::AnyId>,
    /// How it ended.
    outcome: Option<crate::filter::Outcome>,
    /// What this request did.
    request_id: Option<String>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditExportFormat)]
pub enum Format {
    /// A table, for spreadsheets.
    #[default]
    Csv,
    /// A list of entries.
    Json,
}

/// Takes entries out as a file, the newest first. The export is itself on record.
pub async fn export(cx: Cx, Json(ask): Json<Export>) -> Result<Download> {
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
    filter.bounds(cx.org, cx.now())?;
    let mut query = AuditQuery { filter, limit: AT_ONCE, ascending: false, cursor: None };
    let mut file = File::new(format)?;
    loop {
        let (page, next) = query.page(&cx).await?;
        for entry in shown(&cx, page.facts).await? {
            file.add(&entry)?;
        }
        match next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    let name = format!("audit-log-{}", &cx.now().to_string()[..10]);
    let download = file.finish(&name)?;
    cx.commit(Tx::happened(Event::AuditExported, Audit::Export, cx.org), download).await
}

/// A file that is being written.
enum File {
    Csv(Box<Csv>),
    Json(String),
}

impl File {
    fn new(format: Format) -> Result<File> {
        Ok(match format {
            Format::Json => File::Json("[".to_owned()),
            Format::Csv => File::Csv(Box::new(Csv::with_header(&[
                "id",
                "occurred_at",
                "actor_type",
                "actor_id",
                "actor_role",
                "action",
                "event",
                "resource_type",
                "resource_id",
                "outcome",
                "status_code",
                "duration_ms",
                "request_id",
                "method",
                "path",
                "query",
                "ip",
                "user_agent",
                "changes",
            ])?)),
        })
    }

    fn add(&mut self, entry: &Entry) -> Result<()> {
        let written = |error| Error::internal("write an entry", error);
        let length = match self {
            File::Json(text) => {
                if text.len() > 1 {
                    text.push(',');
                }
                text.push_str(&serde_json::to_string(entry).map_err(written)?);
                text.len()
            }
            File::Csv(csv) => {
                csv.row(&cells(entry)?)?;
                csv.len()
            }
        };
        if length > MOST_BYTES {
            return Err(Domain::TooLarge { what: "the export", limit: MOST_BYTES as u64, unit: "bytes" }.into());
        }
        Ok(())
    }

    fn finish(self, name: &str) -> Result<Download> {
        match self {
            File::Json(text) => Ok(Download::new("application/json", &format!("{name}.json"), text + "]\n")),
            File::Csv(csv) => Ok(Download::new("text/csv; charset=utf-8", &format!("{name}.csv"), csv.finish()?)),
        }
    }
}

fn cells(entry: &Entry) -> Result<Vec<String>> {
    let request = entry.request.as_ref();
    let of_request = |pick: fn(&crate::show::Asked) -> Option<String>| request.and_then(pick).unwrap_or_default();
    Ok(vec![
        entry.id.to_string(),
        entry.occurred_at.to_string(),
        word(entry.actor.kind)?,
        entry.actor.id.map(|id| id.to_string()).unwrap_or_default(),
        entry.actor.role.map(|role| role.to_string()).unwrap_or_default(),
        word(entry.action)?,
        entry.event.name().to_owned(),
        entry.resource.kind.name().to_owned(),
        entry.resource.id.to_string(),
        word(entry.outcome)?,
        entry.status_code.to_string(),
        entry.duration_ms.to_string(),
        entry.request_id.clone(),
        of_request(|request| Some(request.method.clone())),
        of_request(|request| Some(request.path.clone())),
        of_request(|request| request.query.clone()),
        of_request(|request| request.ip.clone()),
        of_request(|request| request.user_agent.clone()),
        serde_json::to_string(&entry.changes).map_err(|error| Error::internal("write an entry", error))?,
    ])
}

/// The name of a value that has one.
fn word(value: impl Serialize) -> Result<String> {
    let name = serde_json::to_value(value).map_err(|error| Error::internal("write an entry", error))?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}
