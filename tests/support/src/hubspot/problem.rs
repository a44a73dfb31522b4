//! HubSpot's error answers, in the form shown by its page on error handling.

use super::reply::{Reply, correlation};
use serde_json::{Map, Value, json};

/// An error of a whole request, or of one item of a batch.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: u16,
    body: Map<String, Value>,
    /// Context that is shown only for an item of a batch.
    item: Map<String, Value>,
}

/// An invalid property value.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) name: String,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Problem {
    /// With a status and a message alone.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Problem {
        let body = Map::from_iter([
            ("status".to_owned(), Value::from("error")),
            ("message".to_owned(), Value::from(message.into())),
        ]);
        Problem { status, body, item: Map::new() }
    }

    pub(super) fn validation(message: impl Into<String>) -> Problem {
        Problem::new(400, message).with("category", json!("VALIDATION_ERROR"))
    }

    pub(super) fn unauthorized() -> Problem {
        let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can \
                       find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview";
        Problem::new(401, message).with("category", json!("INVALID_AUTHENTICATION"))
    }

    pub(super) fn missing_scope(scope: &str) -> Problem {
        let message = "This app hasn't been granted all required scopes to make this call. Read more about required \
                       scopes here: https://developers.hubspot.com/scopes.";
        let error = json!({
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": [scope]}
        });
        Problem::new(403, message)
            .with("errors", json!([error]))
            .with("links", json!({"scopes": "https://developers.hubspot.com/scopes"}))
            .with("category", json!("MISSING_SCOPES"))
    }

    /// No contact has this id, or this value of a unique property.
    pub(super) fn not_found(id: &str, by: Option<&str>) -> Problem {
        if by.is_some() || id.parse::<u64>().is_ok() {
            return Problem::new(404, "resource not found");
        }
        Problem::new(404, "Object not found.  objectId are usually numeric.")
            .with("context", json!({"id": [id]}))
            .with("category", json!("OBJECT_NOT_FOUND"))
    }

    /// A batch names contacts that don't exist.
    pub(super) fn missing(ids: &[String]) -> Problem {
        let message = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.";
        let mut problem = Problem::new(404, message).with("category", json!("OBJECT_NOT_FOUND"));
        problem.item.insert("ids".to_owned(), json!(ids));
        problem
    }

    /// Another contact has the value of a unique property.
    pub(super) fn exists(holder: u64) -> Problem {
        let mut problem = Problem::new(409, format!("Contact already exists. Existing ID: {holder}"))
            .with("category", json!("CONFLICT"));
        problem.item.insert("existingId".to_owned(), json!([holder.to_string()]));
        problem
    }

    /// An update would give a contact another contact's value of a unique custom property.
    pub(super) fn value_taken(name: &str, value: &str, writer: u64, holder: u64) -> Problem {
        Problem::validation(format!(
            "Cannot set PropertyValueCoordinates{{portalId=12345, \
             objectTypeId=ObjectTypeId{{legacyObjectType=CONTACT}}, propertyName={name}, value={value}}} on {writer}. \
             {holder} already has that value."
        ))
    }

    /// Values that the properties don't accept.
    pub(super) fn properties(wrong: &[Invalid]) -> Problem {
        let quoted = |text: &str| Value::from(text).to_string();
        let list: Vec<String> = wrong
            .iter()
            .map(|Invalid { name, code, message }| {
                let (name, message) = (quoted(name), quoted(message));
                let told = format!(r#""message":{message},"error":"{code}","name":{name}"#);
                format!(r#"{{"isValid":false,{told},"localizedErrorMessage":{message}}}"#)
            })
            .collect();
        let errors: Vec<Value> = wrong
            .iter()
            .map(|Invalid { name, code, message }| {
                json!({"message": message, "code": code, "context": {"propertyName": [name]}})
            })
            .collect();
        Problem::validation(format!("Property values were not valid: [{}]", list.join(",")))
            .with("errors", Value::from(errors))
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: Value) -> Problem {
        self.body.insert(name.to_owned(), value);
        self
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.status == 404
    }

    /// The answer to a whole request.
    pub(super) fn reply(mut self, number: u64) -> Reply {
        self.body.insert("correlationId".to_owned(), Value::from(correlation(number)));
        Reply::json(self.status, &Value::Object(self.body))
    }

    /// One of the errors of a batch; the trace id is that of the input, if it has one.
    pub(super) fn for_item(self, trace: &Value) -> Value {
        let mut context = self.item;
        if trace.is_string() {
            context.insert("objectWriteTraceId".to_owned(), json!([trace]));
        }
        let mut body = self.body;
        body.remove("errors");
        body.insert("context".to_owned(), Value::Object(context));
        Value::Object(body)
    }
}
