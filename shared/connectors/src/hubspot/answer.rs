//! Classification of HubSpot's error answers: temporary, permanent, duplicate, missing contact, bad property or unknown.

use serde_json::Value;
use std::time::Duration;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A temporary failure.
    #[error("{reason}")]
    Retryable {
        /// When to try again.
        wait: Wait,
        /// Whether it affects all calls of the account.
        account_wide: bool,
        /// HubSpot's message.
        reason: String,
    },
    /// Another contact already has the value.
    #[error("contact {0} already has this value")]
    Exists(String),
    /// HubSpot rejects these properties.
    #[error("{reason}")]
    Properties {
        /// Their names.
        names: Vec<String>,
        /// Whether HubSpot doesn't know the properties, rather than reject their values.
        unknown: bool,
        /// HubSpot's message.
        reason: String,
    },
    /// The contact doesn't exist, or was deleted.
    #[error("HubSpot has no such contact")]
    Gone,
    /// A permanent failure; the message says what to do.
    #[error("{0}")]
    Permanent(String),
    /// The outcome is unknown; the same call may be sent again at once.
    #[error("{0}")]
    Broken(String),
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// After a back-off that grows with each attempt.
    Growing,
    /// After this time, times the number of attempts.
    Times(Duration),
    /// After this time.
    Exactly(Duration),
    /// At midnight in the account's time zone.
    Midnight,
}

impl Refusal {
    /// A temporary failure that affects this call alone.
    pub(super) fn retryable(reason: impl Into<String>) -> Refusal {
        Refusal::Retryable { wait: Wait::Growing, account_wide: false, reason: reason.into() }
    }
}

/// An answer before classification.
pub(super) struct Answered {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Answered {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Classifies an error answer.
///
/// Policies and pauses of 429 are those of HubSpot's usage guidelines and its Node client; 423, 477 and 524
/// are explained on its page on error handling.
pub(super) fn classify(answered: &Answered) -> Refusal {
    let body = answered.json().unwrap_or_default();
    let described = |status: u16| format!("HubSpot answered {status}: {}", message(&body));
    let exactly = |default: u64| Wait::Exactly(answered.retry_after.unwrap_or(Duration::from_secs(default)));
    let wait =
        |wait: Wait, account_wide: bool| Refusal::Retryable { wait, account_wide, reason: described(answered.status) };
    match answered.status {
        500 | 502..=504 | 524 => Refusal::Broken(described(answered.status)),
        429 => match text(&body, "policyName") {
            "DAILY" => wait(Wait::Midnight, true),
            "SECONDLY" => wait(Wait::Times(Duration::from_secs(1)), true),
            _ => match answered.retry_after {
                Some(after) => wait(Wait::Exactly(after), true),
                None => wait(Wait::Times(Duration::from_secs(10)), true),
            },
        },
        423 => wait(Wait::Times(Duration::from_secs(2)), false),
        477 => wait(exactly(60), true),
        401 => Refusal::Permanent(format!("{}; set HUBSPOT_ACCESS_TOKEN to a valid token and replay", described(401))),
        403 => Refusal::Permanent(format!(
            "{}; give the token the scopes crm.objects.contacts.read, crm.objects.contacts.write and crm.schemas.contacts.write and replay",
            described(403)
        )),
        404 => Refusal::Gone,
        400 | 409 => item_problem(&body),
        status @ 400..=499 => Refusal::Permanent(described(status)),
        status => Refusal::retryable(described(status)),
    }
}

/// Classifies an error about one object, whether it is the whole answer or one of a batch's errors.
pub(super) fn item_problem(error: &Value) -> Refusal {
    let message = message(error);
    let beside = error.pointer("/context/existingId/0").and_then(Value::as_str).map(str::to_owned);
    if let Some(id) = beside.or_else(|| existing_id(&message)) {
        return Refusal::Exists(id);
    }
    if let Some((_, named)) = message.split_once("by non-unique ") {
        // The key property of an upsert doesn't exist, or isn't unique.
        let names = named.split_whitespace().last().map(str::to_owned).into_iter().collect();
        return Refusal::Properties { names, unknown: true, reason: format!("HubSpot refused: {message}") };
    }
    let (names, unknown) = bad_properties(error, &message);
    if !names.is_empty() {
        return Refusal::Properties { names, unknown, reason: format!("HubSpot refused: {message}") };
    }
    match text(error, "category") {
        "RATE_LIMITS" => {
            Refusal::Retryable { wait: Wait::Times(Duration::from_secs(10)), account_wide: true, reason: message }
        }
        "OBJECT_NOT_FOUND" => Refusal::Gone,
        "CONFLICT" if text(error, "subCategory").is_empty() && message.contains("already exists") => {
            Refusal::Exists(String::new())
        }
        _ => Refusal::Permanent(format!("HubSpot refused: {message}")),
    }
}

/// The contact's id: `12345` of "Contact already exists. Existing ID: 12345", or of "Cannot set
/// PropertyValueCoordinates{…} on 99. 12345 already has that value."
fn existing_id(message: &str) -> Option<String> {
    let id: String = match message.split_once("Existing ID:") {
        Some((_, rest)) => rest.trim_start().chars().take_while(char::is_ascii_digit).collect(),
        None => message.split_once(" already has that value")?.0.rsplit(' ').next()?.to_owned(),
    };
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// The rejected properties, from the JSON list in the message or from the answer's `errors`, and whether all of them
/// are unknown to HubSpot.
fn bad_properties(error: &Value, message: &str) -> (Vec<String>, bool) {
    let listed = message.split_once("Property values were not valid:").map(|(_, list)| list.trim());
    let from_message: Vec<Value> = listed
        .and_then(|list| serde_json::Deserializer::from_str(list).into_iter::<Vec<Value>>().next()?.ok())
        .unwrap_or_default();
    let mut names = Vec::new();
    let mut unknown = true;
    for wrong in &from_message {
        if let Some(name) = wrong.get("name").and_then(Value::as_str) {
            names.push(name.to_owned());
            unknown &= text(wrong, "error") == "PROPERTY_DOESNT_EXIST";
        }
    }
    let beside = error.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for wrong in beside {
        let context = wrong.pointer("/context/propertyName/0").or_else(|| wrong.get("in")).and_then(Value::as_str);
        if let Some(name) = context.filter(|name| !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
            unknown &= text(wrong, "code") == "PROPERTY_DOESNT_EXIST";
        }
    }
    (names, unknown)
}

fn message(body: &Value) -> String {
    let message = text(body, "message");
    let message = if message.is_empty() { "no reason given" } else { message };
    message.chars().take(500).collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_answer_has_a_class() {
        let check = |status: u16, body: Value, expected: &str| {
            let body = if body.is_null() { b"<html>oops</html>".to_vec() } else { body.to_string().into_bytes() };
            let refusal =
                classify(&Answered { status, retry_after: (status == 477).then_some(Duration::from_secs(7)), body });
            let found = match &refusal {
                Refusal::Retryable { wait, account_wide, .. } => format!("{wait:?} {account_wide}"),
                Refusal::Exists(id) => format!("exists {id}"),
                Refusal::Properties { names, unknown, .. } => format!("properties {names:?} {unknown}"),
                Refusal::Gone => "gone".to_owned(),
                Refusal::Permanent(_) => "never".to_owned(),
                Refusal::Broken(_) => "broken".to_owned(),
            };
            assert_eq!(found, expected, "{status}: {refusal:?}");
        };
        for status in [500, 502, 503, 504, 524] {
            check(status, Value::Null, "broken");
        }
        check(429, json!({"policyName": "TEN_SECONDLY_ROLLING"}), "Times(10s) true");
        check(429, json!({"policyName": "SECONDLY"}), "Times(1s) true");
        check(429, json!({"policyName": "DAILY"}), "Midnight true");
        check(429, Value::Null, "Times(10s) true");
        check(423, json!({}), "Times(2s) false");
        check(477, json!({}), "Exactly(7s) true");
        check(401, json!({"category": "INVALID_AUTHENTICATION"}), "never");
        check(403, json!({"category": "MISSING_SCOPES"}), "never");
        check(404, json!({}), "gone");
        check(414, Value::Null, "never");
        check(418, json!({}), "never");
        check(599, json!({}), "Growing false");
        check(
            409,
            json!({"message": "Contact already exists. Existing ID: 12345", "category": "CONFLICT"}),
            "exists 12345",
        );
        let key = "Unable to perform update/upsert by non-unique 0-1 property crm_external_id";
        check(400, json!({"message": key}), "properties [\"crm_external_id\"] true");
        let taken = "Cannot set PropertyValueCoordinates{objectTypeId=0-1, propertyName=email, value=a@b.example} on 99. 12345 already has that value.";
        check(400, json!({"message": taken, "category": "VALIDATION_ERROR"}), "exists 12345");
        check(400, json!({"category": "VALIDATION_ERROR", "message": "no"}), "never");
        let wrong = "Property values were not valid: [{\"isValid\":false,\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"foo\"}]";
        check(400, json!({"message": wrong}), "properties [\"foo\"] true");
        let wrong = "Property values were not valid: [{\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]";
        check(400, json!({"message": wrong}), "properties [\"email\"] false");
    }
}
