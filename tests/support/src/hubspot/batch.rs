//! HubSpot's batch endpoints: create, read, update, upsert and archive up to 100 contacts in one request.
//!
//! Without a trace id on every input, one bad input fails the whole batch and nothing is written; with them, the
//! others are written and the bad one is reported (page on error handling, section on multi-status errors).

use super::contacts::{Account, Writing};
use super::objects::{required, traced, values};
use super::problem::Problem;
use super::reply::Reply;
use daybook_domain::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The API version, which determines the form of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// v3.
    Three,
    /// A version named by a date.
    Dated,
}

const MOST_INPUTS: usize = 100;

/// The results and errors of a batch, in the form of the answer.
#[derive(Debug, Default)]
struct Done {
    results: Vec<Value>,
    errors: Vec<Value>,
}

/// The operation on each input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Create,
    Update,
    Upsert,
}

/// Carries out a batch.
pub(super) fn answer(
    account: &mut Account,
    now: Timestamp,
    version: Version,
    action: &str,
    body: &Value,
) -> Result<Reply, Problem> {
    let inputs = inputs(account, body)?;
    let mut done = match action {
        "read" => read(account, inputs, body)?,
        "create" => write(account, now, Action::Create, inputs, body)?,
        "update" => write(account, now, Action::Update, inputs, body)?,
        "upsert" => write(account, now, Action::Upsert, inputs, body)?,
        "archive" => return archive(account, now, inputs),
        _ => return Err(Problem::new(404, "resource not found")),
    };
    account.shuffle(&mut done.results);
    let status = match (done.errors.is_empty(), version, action) {
        (true, _, "create") => 201,
        (true, _, _) | (false, Version::Dated, _) => 200,
        (false, Version::Three, _) => 207,
    };
    let mut shown = json!({"status": "COMPLETE", "startedAt": now, "completedAt": now, "results": done.results});
    if !done.errors.is_empty() {
        shown["numErrors"] = json!(done.errors.len());
        shown["errors"] = Value::from(done.errors);
    }
    Ok(Reply::json(status, &shown))
}

/// Checks the inputs: at most 100, none twice, and each looked up by a unique property.
fn inputs<'a>(account: &Account, body: &'a Value) -> Result<&'a [Value], Problem> {
    let Some(inputs) = body["inputs"].as_array() else {
        return Err(Problem::validation("Some required fields were not set: [inputs]"));
    };
    if inputs.len() > MOST_INPUTS {
        let count = inputs.len();
        return Err(Problem::validation(format!("The batch has {count} inputs; at most {MOST_INPUTS} are allowed.")));
    }
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for input in inputs {
        let by = key(input, body);
        account.refuse_key(by)?;
        if let Ok(id) = required(input, "id") {
            let alike = if by == Some("email") { id.trim().to_lowercase() } else { id.clone() };
            if !seen.insert((by, alike)) {
                twice.insert(id);
            }
        }
    }
    if twice.is_empty() {
        return Ok(inputs);
    }
    let ids = twice.into_iter().collect::<Vec<String>>();
    let message = format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", ids.join(", "));
    Err(Problem::validation(message).with("context", json!({"ids": ids})))
}

/// The property by which an input names its contact.
fn key<'a>(input: &'a Value, body: &'a Value) -> Option<&'a str> {
    input["idProperty"].as_str().or_else(|| body["idProperty"].as_str())
}

fn read(account: &Account, inputs: &[Value], body: &Value) -> Result<Done, Problem> {
    let named = body["properties"].as_array().into_iter().flatten();
    let wanted: Vec<String> = named.filter_map(Value::as_str).map(str::to_owned).collect();
    let (mut done, mut missing) = (Done::default(), Vec::new());
    for input in inputs {
        let id = required(input, "id")?;
        match account.find(&id, key(input, body))? {
            Some(found) => done.results.push(account.contact(found).shown(&wanted)),
            None => missing.push(id),
        }
    }
    if !missing.is_empty() {
        done.errors.push(Problem::missing(&missing).for_item(&Value::Null));
    }
    Ok(done)
}

/// Writes the inputs one after the other. An input without an existing contact never fails the rest.
fn write(
    account: &mut Account,
    now: Timestamp,
    action: Action,
    inputs: &[Value],
    body: &Value,
) -> Result<Done, Problem> {
    let are_traced = inputs.iter().all(|input| input["objectWriteTraceId"].is_string());
    let before = (!are_traced).then(|| account.clone());
    let mut done = Done::default();
    for input in inputs {
        let problem = match one(account, now, action, input, key(input, body)) {
            Ok(shown) => {
                done.results.extend(shown);
                continue;
            }
            Err(problem) => problem,
        };
        match &before {
            Some(before) if !problem.is_not_found() => {
                *account = before.clone();
                return Err(problem);
            }
            _ => done.errors.push(problem.for_item(&input["objectWriteTraceId"])),
        }
    }
    Ok(done)
}

/// Writes an input and returns its result. An update of a merged contact writes nothing and has no result.
fn one(
    account: &mut Account,
    now: Timestamp,
    action: Action,
    input: &Value,
    by: Option<&str>,
) -> Result<Option<Value>, Problem> {
    let mut values = values(input)?;
    if action == Action::Create {
        let id = account.create(&values, now)?;
        return Ok(Some(traced(account.contact(id).whole(), input)));
    }
    let id = required(input, "id")?;
    if action == Action::Update && by.is_none() && account.is_merged(&id) {
        return Ok(None);
    }
    let found = account.find(&id, by)?;
    let written = match (found, action, by) {
        (Some(found), Action::Upsert, _) => {
            account.update(found, &values, now, Writing::Upsert)?;
            found
        }
        (Some(found), _, _) => {
            account.update(found, &values, now, Writing::Update)?;
            found
        }
        (None, Action::Upsert, Some(by)) if by != "hs_object_id" => {
            values.entry(by.to_owned()).or_insert(id);
            account.create(&values, now)?
        }
        (None, _, _) => return Err(Problem::missing(&[id])),
    };
    let mut shown = traced(account.contact(written).whole(), input);
    if action == Action::Upsert {
        shown["new"] = json!(found.is_none());
    }
    Ok(Some(shown))
}

/// Removes contacts; those that don't exist are ignored.
fn archive(account: &mut Account, now: Timestamp, inputs: &[Value]) -> Result<Reply, Problem> {
    for input in inputs {
        if let Some(found) = account.find(&required(input, "id")?, None)? {
            account.archive(found, now);
        }
    }
    Ok(Reply::empty())
}
