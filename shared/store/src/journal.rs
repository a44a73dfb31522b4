//! The journal (audit log): for every change, who did what to which record, from which request.
//!
//! An entry is two items. The fact is written once and never changed; the detail (before, after, query and body) may be
//! removed by the erasure of a person. Each is a JSON text, which is signed and hashed as it is stored, so that a
//! version of Daybook can verify an entry with fields that it doesn't know. The fact holds the detail's SHA-256, by
//! which an altered detail is detected. An HMAC of the fact's text is stored beside it.

use crate::item::{Item, attribute, key_item, parse_item, text};
use crate::json::bytes_of;
use crate::keyring::{Keyring, Purpose};
use crate::schema::{EXPIRES_AT, Index, KIND, Kind, PK, Place, Question, SK, day_of, facts_by, facts_of};
use crate::{Env, Error, RequestInfo, Result, keyring::sha256_base64, reply::Answer, sha256_hex};
use daybook_domain::masking::{masked, masked_query, masked_where};
use daybook_domain::{Actor, AnyId, Audit, EntryId, Event, OrgId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::ops::Deref;
use std::time::Duration;

/// How long facts are kept.
pub const RETENTION: Duration = Duration::from_secs(400 * 86_400);

/// How far ahead of now entries may be dated: the clock of the machine was ahead, and was set back since.
pub const CLOCK_AHEAD: Duration = Duration::from_secs(7 * 86_400);

/// The maximum size of a detail's JSON, in bytes.
pub const DETAIL_BYTES: usize = 300 * 1024;

/// The most bytes of a request's body that a detail keeps. What the request changed is in the detail besides.
pub const BODY_BYTES: usize = 8 * 1024;

/// The field of a detail that lists the entries whose details it erased.
pub(crate) const ERASED: &str = "entries";

/// The attribute of an erased detail that names the entry that erased it.
pub(crate) const ERASED_BY: &str = "erased_by";

/// A reference to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EntryRef {
    /// The organisation.
    pub org: OrgId,
    /// The entry.
    pub entry: EntryId,
}

/// What happened, without values that may be personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The entry.
    pub id: EntryId,
    /// The organisation.
    pub org: OrgId,
    /// When it was committed.
    pub at: Timestamp,
    /// The actor.
    pub actor: Actor,
    /// The action.
    pub action: Audit,
    /// The event it is announced as.
    pub event: Event,
    /// The record.
    pub record: AnyId,
    /// The version of the record after the change.
    pub version: u64,
    /// The names of the fields that changed; stored as one text, as a fact of 1 KB costs one write unit in each index.
    #[serde(with = "spaced")]
    pub fields: Vec<String>,
    /// The kind of response to the request.
    pub answer: Answer,
    /// Milliseconds from the arrival of the request to the commit.
    #[serde(rename = "ms")]
    pub duration_ms: u64,
    /// The id of the request.
    #[serde(rename = "request")]
    pub request_id: String,
    /// The trace the request was part of, if any: X-Ray's (`Root=…`), or a `traceparent` (W3C).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// SHA-256 of the detail's text, in base64url.
    #[serde(rename = "detail")]
    pub detail_sha256: String,
}

/// Names joined by spaces; no name contains one.
mod spaced {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(names: &[String], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&names.join(" "))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        Ok(String::deserialize(from)?.split_whitespace().map(str::to_owned).collect())
    }
}

/// A fact with its stored JSON text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "FactItem")]
pub struct SignedFact {
    fact: Fact,
    json: String,
}

/// The attribute of a fact's item that holds the fact.
#[derive(Deserialize)]
struct FactItem {
    json: String,
}

impl TryFrom<FactItem> for SignedFact {
    type Error = serde_json::Error;

    fn try_from(FactItem { json }: FactItem) -> Result<SignedFact, serde_json::Error> {
        Ok(SignedFact { fact: serde_json::from_str(&json)?, json })
    }
}

impl Deref for SignedFact {
    type Target = Fact;

    fn deref(&self) -> &Fact {
        &self.fact
    }
}

/// The changed values and the request of an entry. May hold personal data; never holds secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The old values of the changed fields. Empty for a new record.
    pub before: Map<String, Value>,
    /// The new values of the changed fields. Empty for a deleted record.
    pub after: Map<String, Value>,
    /// The version of the record's stored schema, where that isn't 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<u32>,
    /// The request's method, path, query, body, address and user agent; only in the first entry of a request.
    #[serde(default)]
    pub request: Option<RequestDetail>,
}

/// The request that caused an entry, with secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestDetail {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, masked.
    pub query: Option<String>,
    /// The body, masked: the fields that fit [`BODY_BYTES`]; `null` where there was none.
    pub body: Value,
    /// The number of the body's fields that are left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// The client's IP address.
    pub ip: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
}

impl RequestDetail {
    /// What the journal keeps of a request.
    pub fn of(request: &RequestInfo) -> RequestDetail {
        // Masked as a whole: a field may name the secret that another one holds.
        let (body, omitted) = abridged(request.body.as_ref().map_or(Value::Null, masked));
        RequestDetail {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.as_deref().map(masked_query),
            body,
            omitted,
            ip: request.ip.map(|ip| ip.to_string()),
            user_agent: request.user_agent.clone(),
        }
    }

    /// The same with the values of these fields masked, at any depth of the body.
    pub(crate) fn without(mut self, names: &[&'static str]) -> RequestDetail {
        if !names.is_empty() {
            self.body = masked_where(&self.body, &|name| names.contains(&name));
        }
        self
    }

    /// What the journal keeps of a request with confidential content: neither query nor body.
    pub(crate) fn discreet(request: &RequestInfo) -> RequestDetail {
        RequestDetail { query: None, body: Value::Null, omitted: 0, ..RequestDetail::of(request) }
    }
}

/// The fields of a body that fit [`BODY_BYTES`] together, and the number of those left out.
fn abridged(body: Value) -> (Value, usize) {
    let Value::Object(fields) = body else {
        let fits = bytes_of(&body).is_ok_and(|bytes| bytes <= BODY_BYTES);
        return (if fits { body } else { Value::Null }, 0);
    };
    let (all, mut bytes) = (fields.len(), 2);
    let mut kept = Map::new();
    for (name, value) in fields {
        let size = name.len() + bytes_of(&value).unwrap_or(BODY_BYTES) + 4;
        if bytes + size <= BODY_BYTES {
            bytes += size;
            kept.insert(name, value);
        }
    }
    let omitted = all - kept.len();
    (Value::Object(kept), omitted)
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl SignedFact {
    /// A new fact, not stored yet.
    pub(crate) fn new(fact: Fact) -> Result<SignedFact> {
        let json = serde_json::to_string(&fact).map_err(|error| Error::internal("write a journal fact", error))?;
        Ok(SignedFact { fact, json })
    }

    /// The fact.
    pub fn into_fact(self) -> Fact {
        self.fact
    }

    /// SHA-256 of the fact's text.
    pub(crate) fn sha256(&self) -> String {
        sha256_hex(self.json.as_bytes())
    }

    /// The fact's item: its text, the HMAC of that, and the keys derived from the fact.
    pub(crate) fn item(&self, keys: &Keyring) -> Item {
        let mut item = self.places();
        item.insert("json".to_owned(), attribute(&self.json));
        item.insert("hmac".to_owned(), attribute(keys.sign(Purpose::Journal, self.json.as_bytes())));
        item.insert(EXPIRES_AT.to_owned(), attribute(self.at.plus(RETENTION).as_second()));
        item
    }

    /// Its key and index keys.
    fn places(&self) -> Item {
        let mut item = key_item(&Place::Fact(self.org, self.id).key());
        item.insert(KIND.to_owned(), attribute(Kind::Fact.name()));
        item.insert(Index::ByState.pk().to_owned(), attribute(facts_of(self.org, self.record)));
        item.insert(Index::ByState.sk().to_owned(), attribute(self.id));
        if let Some(actor) = self.actor.id() {
            item.insert(Index::ByOwner.pk().to_owned(), attribute(facts_by(self.org, actor)));
            item.insert(Index::ByOwner.sk().to_owned(), attribute(self.id));
        }
        item
    }

    /// A fact, if it exists.
    pub async fn read(env: &Env, entry: EntryRef) -> Result<Option<SignedFact>> {
        let item = env.table.get(&Place::Fact(entry.org, entry.entry).key()).await?;
        item.map(parse_item).transpose()
    }

    /// The fact in an item, and whether it is genuine: its text matches the HMAC, and the item's keys match the text.
    pub fn from_item(item: Item, keys: &Keyring) -> Result<(SignedFact, bool)> {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        let (hmac, json) = (text("hmac"), text("json"));
        let signed = keys.verify(Purpose::Journal, json.as_bytes(), &hmac);
        let fact: SignedFact = parse_item(item.clone())?;
        let mut names = vec![PK, SK, KIND, Index::ByState.pk(), Index::ByState.sk()];
        // Only a newer version of Daybook knows the index key of an actor that this version doesn't know.
        if !matches!(fact.actor, Actor::Unknown(_)) {
            names.extend([Index::ByOwner.pk(), Index::ByOwner.sk()]);
        }
        let places = fact.places();
        let in_place = names.into_iter().all(|name| item.get(name) == places.get(name));
        Ok((fact, signed && in_place))
    }
}

impl Fact {
    /// A fact, if it exists.
    pub async fn read(env: &Env, entry: EntryRef) -> Result<Option<Fact>> {
        Ok(SignedFact::read(env, entry).await?.map(SignedFact::into_fact))
    }

    /// A fact, if it exists and is genuine.
    pub async fn genuine(env: &Env, entry: EntryRef) -> Result<Option<Fact>> {
        let Some(item) = env.table.get(&Place::Fact(entry.org, entry.entry).key()).await? else { return Ok(None) };
        let (fact, genuine) = SignedFact::from_item(item, &env.keys)?;
        let in_place = fact.id == entry.entry && fact.org == entry.org;
        Ok(Some(fact.into_fact()).filter(|_| genuine && in_place))
    }

    /// Its detail, if that exists and matches the hash in the fact.
    pub async fn detail(&self, env: &Env) -> Result<Option<Detail>> {
        let Some(item) = env.table.get(&Place::Detail(self.org, self.id).key()).await? else { return Ok(None) };
        let whole = Detail::sha256_in(&item) == self.detail_sha256;
        if whole { Ok(Some(Detail::from_item(&item)?.0)) } else { Ok(None) }
    }

    /// The committed entries of an organisation from a moment on, the oldest first; also those that were committed
    /// while the clock was ahead, by at most a week.
    pub async fn since(env: &Env, org: OrgId, from: Timestamp) -> Result<Vec<EntryRef>> {
        Fact::between(env, org, from, env.clock.now().plus(CLOCK_AHEAD)).await
    }

    /// The committed entries of an organisation from one moment to another, both included, the oldest first.
    pub async fn between(env: &Env, org: OrgId, from: Timestamp, latest: Timestamp) -> Result<Vec<EntryRef>> {
        let (first, last) = (EntryId::first_at(from), EntryId::last_at(latest));
        let mut day = from;
        let mut entries = Vec::new();
        loop {
            for item in env.table.query_keys(&Question::Facts(org, day, first, last).range()).await? {
                let entry = text(&item, SK).and_then(|entry| entry.parse().ok());
                entries.extend(entry.map(|entry| EntryRef { org, entry }));
            }
            if day_of(day) >= day_of(latest) {
                return Ok(entries);
            }
            day = day.plus(Duration::from_secs(86_400));
        }
    }
}

impl Detail {
    /// The detail's JSON, without the request's body where it would exceed the limit.
    pub(crate) fn json(mut self) -> Result<String> {
        let write =
            |detail: &Detail| serde_json::to_string(detail).map_err(|e| Error::internal("write a journal detail", e));
        let text = write(&self)?;
        if text.len() <= DETAIL_BYTES {
            return Ok(text);
        }
        if let Some(request) = &mut self.request {
            request.body = Value::Null;
        }
        write(&self)
    }

    pub(crate) fn item(org: OrgId, entry: EntryId, json: &str) -> Item {
        let mut item = key_item(&Place::Detail(org, entry).key());
        item.insert(KIND.to_owned(), attribute(Kind::Detail.name()));
        item.insert("json".to_owned(), attribute(json));
        item.insert(EXPIRES_AT.to_owned(), attribute(entry.time().plus(RETENTION).as_second()));
        item
    }

    /// The entries whose details it erased.
    pub(crate) fn erased(&self) -> HashSet<EntryId> {
        let named = self.after.get(ERASED).and_then(Value::as_array);
        named.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
    }

    /// The tombstone of an erased detail.
    pub(crate) fn erased_item(org: OrgId, entry: EntryId, by: EntryId) -> Item {
        let mut item = Detail::item(org, entry, "");
        item.remove("json");
        item.insert(ERASED_BY.to_owned(), attribute(by));
        item
    }

    /// The entry that erased the detail in an item, if one did.
    pub(crate) fn erased_by(item: &Item) -> Option<EntryId> {
        item.get(ERASED_BY)?.as_s().ok()?.parse().ok()
    }

    /// The SHA-256 of the detail's text in an item.
    pub(crate) fn sha256_in(item: &Item) -> String {
        sha256_base64(item.get("json").and_then(|value| value.as_s().ok()).map_or(&[][..], |json| json.as_bytes()))
    }

    /// The detail in an item, and the SHA-256 of its text.
    pub fn from_item(item: &Item) -> Result<(Detail, String)> {
        let json = item.get("json").and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        let detail = serde_json::from_str(&json).map_err(|error| Error::internal("read a journal detail", error))?;
        Ok((detail, sha256_base64(json.as_bytes())))
    }
}

/// The fields that differ between two versions, with their old and their new values. What is null isn't told from what is
/// missing.
pub(crate) fn difference(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> (Map<String, Value>, Map<String, Value>) {
    let differs = |name: &String| before.get(name).unwrap_or(&Value::Null) != after.get(name).unwrap_or(&Value::Null);
    let pick = |from: &Map<String, Value>| {
        from.iter().filter(|(name, _)| differs(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    (pick(before), pick(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_names_the_changed_fields_alone() {
        let map = |value: Value| value.as_object().cloned().expect("an object");
        let (before, after) = difference(&map(json!({"a": 1, "b": 2})), &map(json!({"a": 1, "b": 3, "c": 4})));
        assert_eq!((before, after), (map(json!({"b": 2})), map(json!({"b": 3, "c": 4}))));
        let (before, after) = difference(&map(json!({"a": 1, "b": null})), &map(json!({"a": null, "c": null})));
        assert_eq!((before, after), (map(json!({"a": 1})), map(json!({"a": null}))));
    }
}
