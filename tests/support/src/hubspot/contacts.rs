//! The contacts of the fake HubSpot account, with the operations on them.

use super::problem::Problem;
use super::properties::{self, Property, STAGES, Values};
use crate::faults::xorshift;
use daybook_domain::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The delay of the search index. Up to half a minute has been reported for HubSpot.
const SEARCH_LAG: Duration = Duration::from_secs(30);

/// Properties in every answer.
const SYSTEM: [&str; 3] = ["createdate", "hs_object_id", "lastmodifieddate"];

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// HubSpot's id.
    pub id: String,
    /// The written properties in HubSpot's normal form, without those that HubSpot maintains: id and times.
    pub properties: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last written or removed.
    pub updated_at: Timestamp,
    /// Whether it has been removed.
    pub archived: bool,
}

impl Contact {
    /// As JSON with these properties, null where there is no value; with the default ones if none are named.
    pub(super) fn shown(&self, wanted: &[String]) -> Value {
        let usual = ["email", "firstname", "lastname"];
        if wanted.is_empty() { self.json(usual) } else { self.json(wanted.iter().map(String::as_str)) }
    }

    /// As JSON with all its properties.
    pub(super) fn whole(&self) -> Value {
        self.json(self.properties.keys().map(String::as_str))
    }

    /// The value of a property, including those that HubSpot maintains.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        match name {
            "createdate" => Some(self.created_at.to_string()),
            "hs_object_id" => Some(self.id.clone()),
            "lastmodifieddate" => Some(self.updated_at.to_string()),
            _ => self.properties.get(name).cloned(),
        }
    }

    fn json<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Value {
        let shown = |name: &str| (name.to_owned(), self.value(name).map_or(Value::Null, Value::from));
        let properties: Map<String, Value> = names.into_iter().chain(SYSTEM).map(shown).collect();
        json!({
            "id": self.id,
            "properties": properties,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "archived": self.archived,
            "url": format!("https://app.hubspot.com/contacts/12345/record/0-1/{}", self.id),
        })
    }

    /// Whether it has this value of a unique property. It also has the addresses of contacts merged into it.
    fn holds(&self, name: &str, value: &str) -> bool {
        let others = self.properties.get("hs_additional_emails").filter(|_| name == "email");
        self.properties.get(name).is_some_and(|held| held == value)
            || others.is_some_and(|others| others.split(';').any(|other| other == value))
    }
}

/// The kind of write request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// Updates an existing contact.
    Update,
    /// Creates the contact if it doesn't exist.
    Upsert,
}

/// Contacts and properties.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Whether the token may define properties.
    pub(super) may_define: bool,
    properties: BTreeMap<String, Property>,
    records: BTreeMap<u64, Record>,
    /// The contact into which each merged contact was merged.
    merged: BTreeMap<u64, u64>,
    last_id: u64,
    dice: u64,
}

#[derive(Clone, Debug)]
struct Record {
    contact: Contact,
    /// The contact after each write, the latest last; the search sees an older version.
    versions: Vec<Contact>,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            may_define: true,
            properties: properties::standard(),
            records: BTreeMap::new(),
            merged: BTreeMap::new(),
            last_id: 100,
            dice: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

impl Account {
    /// Every contact, removed ones too, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Contact> {
        self.records.values().map(|record| &record.contact)
    }

    /// The contacts in the search index.
    pub(super) fn indexed(&self, now: Timestamp) -> impl Iterator<Item = &Contact> {
        let known = now.minus(SEARCH_LAG);
        let versions = self.records.values().map(|record| &record.versions);
        versions
            .filter_map(move |versions| versions.iter().rev().find(|version| version.updated_at <= known))
            .filter(|contact| !contact.archived)
    }

    /// The contact with this id, which must exist.
    pub(super) fn contact(&self, id: u64) -> &Contact {
        &self.records[&id].contact
    }

    /// The id of the contact with this id, or with this value of a unique property. Removed contacts aren't found; for
    /// a merged one it is the id of the contact it was merged into.
    pub(super) fn find(&self, id: &str, by: Option<&str>) -> Result<Option<u64>, Problem> {
        self.refuse_key(by)?;
        match by {
            None | Some("hs_object_id") => {
                let id = id.parse::<u64>().ok().map(|id| self.merged.get(&id).copied().unwrap_or(id));
                Ok(id.filter(|id| self.records.get(id).is_some_and(|record| !record.contact.archived)))
            }
            Some(name) => Ok(self.holder(name, &properties::kept(name, id))),
        }
    }

    /// Refuses look-ups by a property that isn't unique.
    pub(super) fn refuse_key(&self, by: Option<&str>) -> Result<(), Problem> {
        match by.filter(|name| *name != "hs_object_id") {
            Some(name) if !self.is_unique(name) => {
                Err(Problem::validation(format!("Unable to perform update/upsert by non-unique 0-1 property {name}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the contact with this id was merged into another.
    pub(super) fn is_merged(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id: u64| self.merged.contains_key(&id))
    }

    /// Creates a contact and returns its id.
    pub(super) fn create(&mut self, values: &Values, now: Timestamp) -> Result<u64, Problem> {
        let values = properties::checked(&self.properties, values)?;
        if let Some((_, _, holder)) = self.taken(None, &values) {
            return Err(Problem::exists(holder));
        }
        self.last_id += 1;
        let id = self.last_id;
        let properties = BTreeMap::new();
        let contact = Contact { id: id.to_string(), properties, created_at: now, updated_at: now, archived: false };
        self.records.insert(id, Record { contact, versions: Vec::new() });
        self.write(id, values, now);
        Ok(id)
    }

    /// Writes to the contact with this id, which must exist.
    pub(super) fn update(&mut self, id: u64, values: &Values, now: Timestamp, writing: Writing) -> Result<(), Problem> {
        let values = properties::checked(&self.properties, values)?;
        if let Some((name, value, holder)) = self.taken(Some(id), &values) {
            let of_ours = writing == Writing::Update && name != "email";
            return Err(if of_ours { Problem::value_taken(name, value, id, holder) } else { Problem::exists(holder) });
        }
        self.write(id, values, now);
        Ok(())
    }

    /// Removes a contact; it can't be found any more.
    pub(super) fn archive(&mut self, id: u64, now: Timestamp) {
        if let Some(record) = self.records.get_mut(&id) {
            record.contact.archived = true;
            record.keep(now);
        }
    }

    /// Erases a contact for good (GDPR deletion).
    pub(super) fn forget(&mut self, id: u64) {
        self.records.remove(&id);
    }

    /// Merges a contact into another; both must exist. The other keeps its values (a guess) and takes those it lacks;
    /// it can also be found by the address of the merged one.
    pub(super) fn merge(&mut self, into: u64, other: u64, now: Timestamp) {
        let Some(gone) = self.records.remove(&other) else { return };
        let Some(record) = self.records.get_mut(&into) else { return };
        let kept = &mut record.contact.properties;
        for (name, value) in gone.contact.properties {
            match name.as_str() {
                "email" if kept.contains_key("email") => add_to_list(kept, "hs_additional_emails", &value),
                "hs_additional_emails" | "hs_merged_object_ids" => add_to_list(kept, &name, &value),
                _ => {
                    kept.entry(name).or_insert(value);
                }
            }
        }
        add_to_list(kept, "hs_merged_object_ids", &other.to_string());
        record.keep(now);
        for heir in self.merged.values_mut().filter(|heir| **heir == other) {
            *heir = into;
        }
        self.merged.insert(other, into);
    }

    /// The existing properties.
    pub(super) fn properties(&self) -> impl Iterator<Item = &Property> {
        self.properties.values()
    }

    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.get(name)
    }

    pub(super) fn define(&mut self, property: Property) {
        self.properties.insert(property.name.clone(), property);
    }

    /// Shuffles a list, in the same way in each run.
    pub(super) fn shuffle(&mut self, list: &mut [Value]) {
        for last in (1..list.len()).rev() {
            let other = xorshift(&mut self.dice) % (last as u64 + 1);
            list.swap(last, other as usize);
        }
    }

    /// A violated unique constraint: the property, the value and the contact that already has it.
    fn taken<'a>(&self, writer: Option<u64>, values: &'a Values) -> Option<(&'a str, &'a str, u64)> {
        let mut unique = values.iter().filter(|(name, value)| !value.is_empty() && self.is_unique(name));
        unique.find_map(|(name, value)| {
            let holder = self.holder(name, value).filter(|holder| Some(*holder) != writer)?;
            Some((name.as_str(), value.as_str(), holder))
        })
    }

    /// The contact with this value of a unique property.
    fn holder(&self, name: &str, value: &str) -> Option<u64> {
        let mut living = self.records.iter().filter(|(_, record)| !record.contact.archived);
        living.find(|(_, record)| record.contact.holds(name, value)).map(|(id, _)| *id)
    }

    fn is_unique(&self, name: &str) -> bool {
        self.properties.get(name).is_some_and(|property| property.unique)
    }

    /// Writes checked values. An earlier lifecycle stage than the current one is ignored without an error.
    fn write(&mut self, id: u64, values: Values, now: Timestamp) {
        let Some(record) = self.records.get_mut(&id) else { return };
        let properties = &mut record.contact.properties;
        for (name, value) in values {
            if value.is_empty() {
                properties.remove(&name);
            } else if name != "lifecyclestage" || !is_behind(properties.get(&name), &value) {
                properties.insert(name, value);
            }
        }
        record.keep(now);
    }
}

impl Record {
    /// Records the new version, which the search index shows later.
    fn keep(&mut self, now: Timestamp) {
        self.contact.updated_at = now;
        self.versions.push(self.contact.clone());
    }
}

fn is_behind(held: Option<&String>, asked: &str) -> bool {
    let place = |stage: &str| STAGES.iter().position(|one| *one == stage);
    held.is_some_and(|held| place(asked) < place(held))
}

fn add_to_list(properties: &mut Values, name: &str, value: &str) {
    let list = properties.entry(name.to_owned()).or_default();
    if !list.is_empty() {
        list.push(';');
    }
    list.push_str(value);
}
