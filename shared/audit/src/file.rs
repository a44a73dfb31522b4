//! Export files of the audit log: entries written one by one as CSV or JSON.

use crate::entry::{Asked, Entry, Shown, shown};
use daybook_domain::audit::Format;
use daybook_domain::{Conflict, Error as Domain};
use daybook_http::csv;
use daybook_records::power::Power;
use daybook_store::turn::handled;
use daybook_store::{Cx, Error, Fact, Result, bytes_of};
use serde::Serialize;

/// An export file that is being written.
#[derive(Debug)]
pub struct EntryFile {
    format: Format,
    first: bool,
    bytes: Vec<u8>,
}

impl EntryFile {
    /// A file without entries.
    pub fn new(format: Format) -> Result<EntryFile> {
        let bytes = match format {
            Format::Json => b"[".to_vec(),
            Format::Csv => csv::heading(&[
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
                "hidden",
            ])?,
            Format::Unknown(_) => return Err(Domain::Conflict(Conflict::NewerVersion).into()),
        };
        Ok(EntryFile { format, first: true, bytes })
    }

    /// A file that goes on after a pause.
    pub fn resumed(format: Format, has_entries: bool) -> EntryFile {
        EntryFile { format, first: !has_entries, bytes: Vec::new() }
    }

    /// Whether any entry was added.
    pub fn has_entries(&self) -> bool {
        !self.first
    }

    /// Adds the entries of facts, as many as fit a page; returns the facts that are left.
    pub async fn add_some(&mut self, cx: &Cx, reader: &Power, facts: Vec<Fact>) -> Result<Vec<Fact>> {
        let Shown { entries, left } = shown(cx, reader, facts).await?;
        for entry in &entries {
            handled(bytes_of(entry)?).await;
            self.add(entry)?;
        }
        Ok(left)
    }

    /// Adds an entry.
    fn add(&mut self, entry: &Entry) -> Result<()> {
        match self.format {
            Format::Json => {
                if !self.first {
                    self.bytes.push(b',');
                }
                let json = serde_json::to_vec(entry).map_err(|error| Error::internal("write an entry", error))?;
                self.bytes.extend(json);
            }
            Format::Csv | Format::Unknown(_) => self.bytes.extend(csv::row(&cells(entry)?)?),
        }
        self.first = false;
        Ok(())
    }

    /// Ends the file; no entry may be added afterwards.
    pub fn end(&mut self) {
        if self.format == Format::Json {
            self.bytes.extend(b"]\n");
        }
    }

    /// The number of buffered bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the buffered bytes.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

fn cells(entry: &Entry) -> Result<Vec<String>> {
    let request = entry.request.as_ref();
    let of_request = |pick: fn(&Asked) -> Option<String>| request.and_then(pick).unwrap_or_default();
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
        entry.hidden.to_string(),
    ])
}

/// The serialised name of an enum value.
fn word(value: impl Serialize) -> Result<String> {
    let name = serde_json::to_value(value).map_err(|error| Error::internal("write an entry", error))?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}
