//! The HubSpot client: creates, updates, looks up and deletes contacts, which mirror leads.
//!
//! Every error answer is classified ([`Refusal`]) by what HubSpot's documentation and its own clients say of it;
//! an unknown one counts as temporary.

mod answer;

use crate::address;
use crate::causes::in_words;
use answer::{Answered, classify, item_problem};
pub use answer::{Refusal, Wait};
use daybook_domain::{Secret, Zone};
use reqwest::{Method, redirect::Policy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The time-out of one call.
const LONGEST: Duration = Duration::from_secs(10);

/// The maximum size of an answer, in bytes; a larger one is discarded.
const MOST_BYTES: usize = 1 << 20;

/// The settings of the HubSpot client.
#[derive(Clone, Debug)]
pub struct HubSpotSettings {
    /// The base URL: `https://api.hubapi.com`, except in tests.
    pub base_url: String,
    /// A service key or a token of a private app.
    pub token: Secret,
    /// `v3`, or a date version such as `2026-09`.
    pub api_version: String,
    /// The contact property that holds Daybook's id; its values are unique.
    pub external_id: String,
    /// The maximum number of calls in 10 seconds, of all workers together.
    pub calls_per_10s: u32,
    /// The account's time zone: the daily limit ends at its midnight.
    pub timezone: Zone,
    /// The pause before an interrupted call is sent again, times the number of attempts.
    pub pause: Duration,
}

impl HubSpotSettings {
    /// Settings with a base URL and a token; the others suit HubSpot's smallest plan.
    pub fn new(base_url: &str, token: Secret) -> Result<HubSpotSettings, &'static str> {
        Ok(HubSpotSettings {
            base_url: address::base_url(base_url)?,
            token,
            api_version: "v3".to_owned(),
            external_id: "crm_external_id".to_owned(),
            calls_per_10s: 90,
            timezone: Zone::parse("UTC").map_err(|_| "UTC is a zone")?,
            pause: Duration::from_millis(200),
        })
    }
}

/// Properties of a contact. All values are strings; an empty one clears the property.
pub type Properties = BTreeMap<String, String>;

/// A client of HubSpot.
#[derive(Clone)]
pub struct HubSpot {
    http: reqwest::Client,
    settings: HubSpotSettings,
    token: Arc<RwLock<Secret>>,
}

impl fmt::Debug for HubSpot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubSpot at {}", self.settings.base_url)
    }
}

impl HubSpot {
    /// A client with these settings. It follows no redirects.
    pub fn new(settings: HubSpotSettings) -> Result<HubSpot, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(LONGEST).redirect(Policy::none()).no_proxy().build()?;
        let token = Arc::new(RwLock::new(settings.token.clone()));
        Ok(HubSpot { http, settings, token })
    }

    /// Replaces the token in this client and all of its clones.
    pub fn renew(&self, token: Secret) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The settings of the client.
    pub fn settings(&self) -> &HubSpotSettings {
        &self.settings
    }

    /// Updates a contact by its HubSpot id; returns its current id, which changes when contacts are merged.
    pub async fn update(&self, id: &str, properties: &Properties) -> Result<String, Refusal> {
        let path = format!("{}/{}", self.contacts(), plain(id));
        let answer = self.call(Method::PATCH, &path, Some(&json!({"properties": properties}))).await?;
        id_in(&answer).ok_or_else(|| Refusal::retryable("the answer has no contact id"))
    }

    /// Returns the Daybook id of a contact, if it has one.
    pub async fn external_id_of(&self, id: &str) -> Result<Option<String>, Refusal> {
        let name = &self.settings.external_id;
        let path = format!("{}/{}?properties={}", self.contacts(), plain(id), plain_name(name));
        let answer = self.call(Method::GET, &path, None).await?;
        let value = answer.get("properties").and_then(|properties| properties.get(name)).and_then(Value::as_str);
        Ok(value.filter(|value| !value.is_empty()).map(str::to_owned))
    }

    /// Upserts the contact with a Daybook id, and returns its HubSpot id. Idempotent.
    pub async fn upsert(&self, external_id: &str, properties: &Properties) -> Result<String, Refusal> {
        let input = json!({
            "id": external_id,
            "idProperty": self.settings.external_id,
            "properties": properties,
            "objectWriteTraceId": external_id,
        });
        let path = format!("{}/batch/upsert", self.contacts());
        let answer = self.call(Method::POST, &path, Some(&json!({"inputs": [input]}))).await?;
        // Statuses of partial failures differ between versions, so the body decides.
        if let Some(error) = answer.pointer("/errors/0") {
            return Err(item_problem(error));
        }
        let result = answer.pointer("/results/0").and_then(id_in);
        result.ok_or_else(|| Refusal::retryable("the answer has no contact id"))
    }

    /// Returns the HubSpot id of the contact with a Daybook id, if there is one.
    pub async fn contact_of(&self, external_id: &str) -> Result<Option<String>, Refusal> {
        let name = plain_name(&self.settings.external_id);
        let path = format!("{}/{}?idProperty={name}", self.contacts(), plain_name(external_id));
        match self.call(Method::GET, &path, None).await {
            Ok(answer) => Ok(id_in(&answer)),
            Err(Refusal::Gone) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Deletes a contact permanently, with all data that HubSpot has of it (GDPR delete).
    pub async fn forget(&self, id: &str) -> Result<(), Refusal> {
        let path = format!("{}/gdpr-delete", self.contacts());
        self.call(Method::POST, &path, Some(&json!({"objectId": id}))).await.map(|_| ())
    }

    /// Creates the contact property that holds Daybook ids, unless it exists.
    pub async fn define_external_id(&self) -> Result<(), Refusal> {
        let path = match self.settings.api_version.as_str() {
            "v3" => "/crm/v3/properties/contacts".to_owned(),
            version => format!("/crm/properties/{version}/contacts"),
        };
        let property = json!({
            "name": self.settings.external_id, "label": "Daybook id", "type": "string", "fieldType": "text",
            "groupName": "contactinformation", "hasUniqueValue": true,
        });
        match self.call(Method::POST, &path, Some(&property)).await {
            Ok(_) | Err(Refusal::Exists(_)) => Ok(()),
            // Another worker created it meanwhile, or an earlier attempt whose answer was lost.
            Err(Refusal::Permanent(reason)) if reason.contains("already exists") => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn contacts(&self) -> String {
        match self.settings.api_version.as_str() {
            "v3" => "/crm/v3/objects/contacts".to_owned(),
            version => format!("/crm/objects/{version}/contacts"),
        }
    }

    /// Sends a call once. The caller keeps the rate limits, so it decides about retries. All calls are idempotent.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        match self.send(method, path, body).await {
            // Some answers have no body.
            Ok(answered) if answered.is_success() && answered.body.is_empty() => Ok(Value::Null),
            Ok(answered) if answered.is_success() => {
                answered.json().ok_or_else(|| Refusal::Broken("the answer is not valid JSON".to_owned()))
            }
            Ok(answered) => Err(classify(&answered)),
            Err(error) => Err(Refusal::Broken(format!("no answer: {}", in_words(&error)))),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answered, reqwest::Error> {
        let url = format!("{}{path}", self.settings.base_url);
        let token = self.token.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut call = self.http.request(method, url).bearer_auth(token.expose());
        if let Some(body) = body {
            call = call.json(body);
        }
        let mut answer = call.send().await?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_BYTES {
                bytes.clear();
                break;
            }
        }
        Ok(Answered { status, retry_after: retry_after.map(Duration::from_secs), body: bytes })
    }
}

/// A HubSpot id, which consists of digits, as a path segment.
fn plain(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// The name of a property, or a Daybook id, as part of a URL: letters, digits and underscores.
fn plain_name(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

fn id_in(answer: &Value) -> Option<String> {
    match answer.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_tls() {
        let check = |url: &str, expected: bool| {
            let taken = HubSpotSettings::new(url, Secret::new("x".to_owned())).is_ok();
            assert_eq!(taken, expected, "{url}");
        };
        for good in ["https://api.hubapi.com", "https://api.hubapi.com/", "http://127.0.0.1:4010", "http://localhost"] {
            check(good, true);
        }
        for bad in [
            "http://api.hubapi.com",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example:80",
            "http://127.0.0.1@evil.example",
            "ftp://api.hubapi.com",
            "//api.hubapi.com",
            "",
            "https://evil.example\\@api.hubapi.com",
        ] {
            check(bad, false);
        }
    }
}
