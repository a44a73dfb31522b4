//! All that is known of a person, as a file.

use crate::person::{Known, Of, known};
use crate::write;
use daybook_audit::{Entry, WhoKind, shown};
use daybook_domain::job::Job;
use daybook_domain::{AnyId, EmailAddress, EntryId, Stored, Timestamp};
use daybook_jobs::files::Files;
use daybook_store::rows::errand::Errand;
use daybook_store::rows::{delivery, ledger, suppression};
use daybook_store::schema::day_of;
use daybook_store::{Cx, Error, Kept, Result};
use serde::Serialize;
use serde_json::Value;

/// What the file says.
#[derive(Serialize)]
struct Told {
    email: EmailAddress,
    generated_at: Timestamp,
    records: Vec<ToldRecord>,
    mails: Vec<ToldMail>,
    gets_no_mail: bool,
    sync: Vec<ledger::Row>,
    audit_log: Vec<Entry>,
    mentioned_by: Vec<AnyId>,
    mentioned_in: Vec<EntryId>,
}

#[derive(Serialize)]
struct ToldRecord {
    in_trash: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    record: Value,
}

#[derive(Serialize)]
struct ToldMail {
    mail: String,
    entry: EntryId,
    #[serde(flatten)]
    delivery: delivery::Delivery,
}

/// Writes what was known when it was asked for.
pub async fn run(cx: &Cx, files: &dyn Files, job: &Job, errand: &Errand) -> Result<Job> {
    let Known { records, mentions, entries, mentioning, .. } = known(cx, &errand.address, job.created_at).await?;
    let mut told = Told {
        email: errand.address.clone(),
        generated_at: cx.now(),
        records: Vec::new(),
        mails: Vec::new(),
        gets_no_mail: suppression::holds(&cx.env, cx.org, &errand.address).await?,
        sync: Vec::new(),
        audit_log: Vec::new(),
        // What is about others is theirs; that it is there is told.
        mentioned_by: mentions,
        mentioned_in: mentioning,
    };
    for (record, kept) in &records {
        let (id, kind, record) = match record {
            Of::Lead(lead) => (Some(lead.id), "lead", json(lead)?),
            Of::Submission(submission) => (None, "submission", json(submission)?),
            Of::Demo(demo) => (None, "demo", json(demo)?),
            Of::Invitation(invitation) => (None, "invitation", json(invitation)?),
            Of::User(user) => (None, "user", json(user)?),
            Of::Customer(customer) => (None, "customer", json(customer)?),
            Of::Contact(contact) => (None, "contact", json(contact)?),
            Of::Interaction(interaction) => (None, "interaction", json(interaction)?),
            Of::Opportunity(opportunity) => (None, "opportunity", json(opportunity)?),
            Of::Task(task) => (None, "task", json(task)?),
            // What was asked about them before is no data of theirs.
            Of::Job(_) => continue,
        };
        told.records.push(ToldRecord { in_trash: *kept == Kept::InTrash, kind, record });
        if let Some(lead) = id {
            told.sync.extend(ledger::read(&cx.env, cx.org, ledger::HUBSPOT, lead.into()).await?);
        }
    }
    for entry in &entries {
        for (mail, delivery) in delivery::of_entry(&cx.env, cx.org, *entry).await? {
            told.mails.push(ToldMail { mail, entry: *entry, delivery });
        }
    }
    let mut facts = Vec::new();
    for entry in &entries {
        facts.extend(cx.fact(*entry).await?);
    }
    told.audit_log = shown(cx, facts).await?.into_iter().map(of_others_hidden).collect();
    let text = serde_json::to_vec_pretty(&told).map_err(|error| Error::internal("write a job's file", error))?;
    let bytes = write(cx, files, job, "application/json", &text).await?;
    let name = format!("person-{}.json", day_of(job.created_at));
    Ok(job.with_file(name, bytes, cx.now()))
}

/// Where others were when they did something is theirs.
fn of_others_hidden(mut entry: Entry) -> Entry {
    if entry.actor.kind != WhoKind::Public
        && let Some(request) = &mut entry.request
    {
        request.ip = None;
        request.user_agent = None;
    }
    entry
}

/// A record as it is stored, with what only a newer version knows of it.
fn json<T>(record: &Stored<T>) -> Result<Value> {
    serde_json::from_str(record.text()).map_err(|error| Error::internal("write a job's file", error))
}
