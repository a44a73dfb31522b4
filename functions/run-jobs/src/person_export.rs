//! The job that exports all personal data of a person to a JSON file.

use crate::person::{Known, known, pause};
use crate::turn::{Progress, Turn};
use crate::unwritten;
use daybook_audit::{Entry, Shown, WhoKind, shown};
use daybook_domain::job::Job;
use daybook_domain::{AnyId, EmailAddress, EntryId, Identity, RecordType, Timestamp};
use daybook_jobs::files::Files;
use daybook_records::power::Power;
use daybook_store::rows::data_subject::DataSubject;
use daybook_store::rows::{delivery, ledger, suppression};
use daybook_store::schema::day_of;
use daybook_store::{Cx, Error, Kept, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many entries are read at once.
const AT_ONCE: usize = 100;

/// The first fields of the file; the entries of the audit log and the mails follow.
#[derive(Serialize)]
struct PersonExport {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    generated_at: Timestamp,
    records: Vec<ExportedRecord>,
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

#[derive(Serialize, Deserialize)]
struct ExportedMail {
    mail: String,
    entry: EntryId,
    #[serde(flatten)]
    delivery: delivery::Delivery,
}

/// What was written in earlier turns.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    /// The paused file.
    file: Option<String>,
    /// The number of entries that were read.
    entries: usize,
    /// Whether any of these is in the file.
    has_entries: bool,
    /// The mails of these.
    mails: Vec<ExportedMail>,
}

/// Writes the data that existed at the time of the request.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, subject: &DataSubject, turn: Turn) -> Result<Progress> {
    let Some((known, mut done)) = known::<Written>(cx, subject, job, turn).await? else { return Ok(Progress::Paused) };
    let failed = |error| Error::internal("write a job's file", error);
    let key = job.file_key(cx.org);
    let mut file = match done.file.take() {
        Some(paused) => files.resume(&key, &paused).await.map_err(unwritten)?,
        None => {
            let text = serde_json::to_string_pretty(&export(cx, subject, &known).await?).map_err(failed)?;
            let mut file = files.begin(&key, "application/json").await.map_err(unwritten)?;
            let fields = text.strip_suffix("\n}").unwrap_or(&text);
            file.add(format!("{fields},\n  \"audit_log\": [").as_bytes()).await.map_err(unwritten)?;
            file
        }
    };
    for some in known.entries.get(done.entries..).unwrap_or_default().chunks(AT_ONCE) {
        let mut facts = Vec::with_capacity(some.len());
        for entry in some {
            facts.extend(cx.journal().fact(*entry).await?);
            for (mail, delivery) in delivery::of_entry(&cx.env, cx.org, *entry).await? {
                done.mails.push(ExportedMail { mail, entry: *entry, delivery });
            }
        }
        while !facts.is_empty() {
            let Shown { entries, left } = shown(cx, &Power::everything(), facts).await?;
            for entry in entries.into_iter().map(of_others_hidden) {
                let text = serde_json::to_string_pretty(&entry).map_err(failed)?;
                let separator = if done.has_entries { ",\n" } else { "\n" };
                file.add(format!("{separator}{text}").as_bytes()).await.map_err(unwritten)?;
                done.has_entries = true;
            }
            facts = left;
        }
        done.entries += some.len();
        if turn.is_over() && done.entries < known.entries.len() {
            done.file = Some(file.pause().await.map_err(unwritten)?);
            pause(cx, job, known, done).await?;
            return Ok(Progress::Paused);
        }
    }
    let mails = serde_json::to_string_pretty(&done.mails).map_err(failed)?;
    file.add(format!("\n],\n  \"mails\": {mails}\n}}\n").as_bytes()).await.map_err(unwritten)?;
    let bytes = file.finish().await.map_err(unwritten)?;
    let name = format!("person-{}.json", day_of(job.created_at));
    Ok(job.with_file(name, bytes, cx.now()).into())
}

/// The first fields of the file.
async fn export(cx: &Cx, subject: &DataSubject, known: &Known) -> Result<PersonExport> {
    let (email, phone) = match subject.person() {
        Identity::Address(address) => (Some(address), None),
        Identity::Number(number) => (None, Some(number)),
    };
    let gets_no_mail = match &email {
        Some(address) => suppression::holds(&cx.env, cx.org, address).await?,
        None => false,
    };
    let mut export = PersonExport {
        email,
        phone,
        generated_at: cx.now(),
        records: Vec::new(),
        gets_no_mail,
        sync: Vec::new(),
        // The data of others isn't disclosed; only the ids of what mentions the person.
        mentioned_by: known.mentions.clone(),
        mentioned_in: known.mentioning.clone(),
    };
    // Earlier requests about the person aren't their data.
    for found in known.records.iter().filter(|found| found.id.kind != RecordType::Job) {
        let Some(record) = found.read(cx).await? else { continue };
        export.records.push(ExportedRecord {
            in_trash: record.kept == Kept::InTrash,
            kind: record.id.kind.name(),
            record: json(&record.text)?,
        });
        if record.id.kind == RecordType::Lead {
            export.sync.extend(ledger::read(&cx.env, cx.org, ledger::HUBSPOT, record.id).await?);
        }
    }
    Ok(export)
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
