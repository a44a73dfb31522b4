//! The job that exports all personal data of a person to a JSON file.

use crate::person::{Known, known};
use crate::unwritten;
use daybook_audit::{Entry, Shown, WhoKind, shown};
use daybook_domain::job::Job;
use daybook_domain::{AnyId, EmailAddress, EntryId, RecordType, Timestamp};
use daybook_jobs::files::Files;
use daybook_records::power::Power;
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::{delivery, ledger, suppression};
use daybook_store::schema::day_of;
use daybook_store::{Cx, Error, Kept, Result};
use serde::Serialize;
use serde_json::Value;

/// How many entries are read at once.
const AT_ONCE: usize = 100;

/// The content of the file, but for the entries of the audit log, which are its last field.
#[derive(Serialize)]
struct PersonExport {
    email: EmailAddress,
    generated_at: Timestamp,
    records: Vec<ExportedRecord>,
    mails: Vec<ExportedMail>,
    gets_no_mail: bool,
    sync: Vec<ledger::Row>,
    mentioned_by: Vec<AnyId>,
    mentioned_in: Vec<EntryId>,
}

#[derive(Serialize)]
struct ExportedRecord {
    in_trash: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    record: Value,
}

#[derive(Serialize)]
struct ExportedMail {
    mail: String,
    entry: EntryId,
    #[serde(flatten)]
    delivery: delivery::Delivery,
}

/// Writes the data that existed at the time of the request.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, subject: &DataSubject) -> Result<Job> {
    let Known { records, mentions, entries, mentioning, .. } = known(cx, &subject.address, job.created_at).await?;
    let mut export = PersonExport {
        email: subject.address.clone(),
        generated_at: cx.now(),
        records: Vec::new(),
        mails: Vec::new(),
        gets_no_mail: suppression::holds(&cx.env, cx.org, &subject.address).await?,
        sync: Vec::new(),
        // The data of others isn't disclosed; only the ids of what mentions the person.
        mentioned_by: mentions,
        mentioned_in: mentioning,
    };
    // Earlier requests about the person aren't their data.
    for record in records.iter().filter(|record| record.id.kind != RecordType::Job) {
        export.records.push(ExportedRecord {
            in_trash: record.kept == Kept::InTrash,
            kind: record.id.kind.name(),
            record: json(&record.text)?,
        });
        if record.id.kind == RecordType::Lead {
            export.sync.extend(ledger::read(&cx.env, cx.org, ledger::HUBSPOT, record.id).await?);
        }
    }
    for entry in &entries {
        for (mail, delivery) in delivery::of_entry(&cx.env, cx.org, *entry).await? {
            export.mails.push(ExportedMail { mail, entry: *entry, delivery });
        }
    }
    let failed = |error| Error::internal("write a job's file", error);
    let text = serde_json::to_string_pretty(&export).map_err(failed)?;
    let mut file = files.begin(&job.file_key(cx.org), "application/json").await.map_err(unwritten)?;
    let fields = text.strip_suffix("\n}").unwrap_or(&text);
    file.add(format!("{fields},\n  \"audit_log\": [").as_bytes()).await.map_err(unwritten)?;
    let mut separator = "\n";
    for some in entries.chunks(AT_ONCE) {
        let mut facts = Vec::with_capacity(some.len());
        for entry in some {
            facts.extend(cx.journal().fact(*entry).await?);
        }
        while !facts.is_empty() {
            let Shown { entries, left } = shown(cx, &Power::everything(), facts).await?;
            for entry in entries.into_iter().map(of_others_hidden) {
                let text = serde_json::to_string_pretty(&entry).map_err(failed)?;
                file.add(format!("{separator}{text}").as_bytes()).await.map_err(unwritten)?;
                separator = ",\n";
            }
            facts = left;
        }
    }
    file.add(b"\n]}\n").await.map_err(unwritten)?;
    let bytes = file.finish().await.map_err(unwritten)?;
    let name = format!("person-{}.json", day_of(job.created_at));
    Ok(job.with_file(name, bytes, cx.now()))
}

/// Removes the IP address and the client of other people's actions, as these are their data.
fn of_others_hidden(mut entry: Entry) -> Entry {
    if entry.actor.kind != WhoKind::Public
        && let Some(request) = &mut entry.request
    {
        request.ip = None;
        request.user_agent = None;
    }
    entry
}

/// A record as stored, including fields that only a newer version knows.
fn json(record: &str) -> Result<Value> {
    serde_json::from_str(record).map_err(|error| Error::internal("write a job's file", error))
}
