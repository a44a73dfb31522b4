//! HubSpot's endpoints for single contacts and for the list of contacts.

use super::contacts::{Account, Writing};
use super::problem::Problem;
use super::properties::Values;
use super::reply::Reply;
use super::wire::Request;
use daybook_domain::Timestamp;
use serde_json::{Value, json};

/// The maximum number of contacts on a page of the list.
const MOST_LISTED: usize = 100;

/// Lists the contacts by id, a page at a time.
pub(super) fn list(account: &Account, request: &Request) -> Result<Reply, Problem> {
    let number = |name: &str, otherwise: u64| match request.param(name) {
        Some(text) => text.parse::<u64>().map_err(|_| Problem::validation(format!("{name} is not a number: {text}"))),
        None => Ok(otherwise),
    };
    let limit = number("limit", 10)? as usize;
    if !(1..=MOST_LISTED).contains(&limit) {
        return Err(Problem::validation(format!("limit must be between 1 and {MOST_LISTED}, not {limit}")));
    }
    let (after, wanted) = (number("after", 0)?, request.wanted());
    let living = account.all().filter(|contact| !contact.archived);
    let rest: Vec<_> = living.filter(|contact| contact.id.parse().is_ok_and(|id: u64| id > after)).collect();
    let page = &rest[..rest.len().min(limit)];
    let mut body = json!({"results": page.iter().map(|contact| contact.shown(&wanted)).collect::<Vec<Value>>()});
    if let (Some(last), true) = (page.last(), rest.len() > limit) {
        let link = format!("https://api.hubapi.com{}?after={}", request.path, last.id);
        body["paging"] = json!({"next": {"after": last.id, "link": link}});
    }
    Ok(Reply::json(200, &body))
}

/// Creates a contact.
pub(super) fn create(account: &mut Account, now: Timestamp, body: &Value) -> Result<Reply, Problem> {
    let id = account.create(&values(body)?, now)?;
    Ok(Reply::json(201, &traced(account.contact(id).whole(), body)))
}

/// Reads a contact.
pub(super) fn read(account: &Account, request: &Request, id: &str) -> Result<Reply, Problem> {
    let found = existing(account, id, request.param("idProperty").as_deref())?;
    Ok(Reply::json(200, &account.contact(found).shown(&request.wanted())))
}

/// Updates a contact.
pub(super) fn update(account: &mut Account, now: Timestamp, request: &Request, id: &str) -> Result<Reply, Problem> {
    let body = request.json()?;
    let values = values(&body)?;
    let found = existing(account, id, request.param("idProperty").as_deref())?;
    account.update(found, &values, now, Writing::Update)?;
    Ok(Reply::json(200, &traced(account.contact(found).whole(), &body)))
}

/// Removes a contact.
pub(super) fn archive(account: &mut Account, now: Timestamp, id: &str) -> Result<Reply, Problem> {
    let found = existing(account, id, None)?;
    account.archive(found, now);
    Ok(Reply::empty())
}

/// Merges a contact into another.
pub(super) fn merge(account: &mut Account, now: Timestamp, body: &Value) -> Result<Reply, Problem> {
    let into = existing(account, &required(body, "primaryObjectId")?, None)?;
    let other = existing(account, &required(body, "objectIdToMerge")?, None)?;
    if into == other {
        return Err(Problem::validation("Cannot merge an object with itself"));
    }
    account.merge(into, other, now);
    Ok(Reply::json(200, &account.contact(into).whole()))
}

/// Erases a contact for good (GDPR deletion). An address without a contact is no error. HubSpot's list of blocked
/// addresses isn't simulated.
pub(super) fn forget(account: &mut Account, body: &Value) -> Result<Reply, Problem> {
    let (id, by) = (required(body, "objectId")?, body["idProperty"].as_str());
    match account.find(&id, by)? {
        Some(found) => account.forget(found),
        None if by.is_some() => {}
        None => return Err(Problem::not_found(&id, by)),
    }
    Ok(Reply::empty())
}

fn existing(account: &Account, id: &str, by: Option<&str>) -> Result<u64, Problem> {
    account.find(id, by)?.ok_or_else(|| Problem::not_found(id, by))
}

/// A required text of a body. Numbers are accepted too.
pub(super) fn required(body: &Value, name: &str) -> Result<String, Problem> {
    match &body[name] {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Problem::validation(format!("Some required fields were not set: [{name}]"))),
    }
}

/// The property values of a body. Numbers and booleans are accepted too, and null clears.
pub(super) fn values(body: &Value) -> Result<Values, Problem> {
    let Some(properties) = body["properties"].as_object() else {
        return Err(Problem::validation("Some required fields were not set: [properties]"));
    };
    let text = |name: &str, value: &Value| match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            Err(Problem::validation(format!("Invalid input JSON: the value of {name} is no text")))
        }
    };
    properties.iter().map(|(name, value)| Ok((name.clone(), text(name, value)?))).collect()
}

/// Adds the trace id of the input, if it has one.
pub(super) fn traced(mut shown: Value, input: &Value) -> Value {
    if let Some(trace) = input["objectWriteTraceId"].as_str() {
        shown["objectWriteTraceId"] = Value::from(trace);
    }
    shown
}
