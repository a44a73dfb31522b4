//! Property definitions of HubSpot contacts, and validation of their values.

use super::problem::{Invalid, Problem};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The lifecycle stages, in their order.
pub(super) const STAGES: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

/// Values of properties by name. An empty one clears the property.
pub(super) type Values = BTreeMap<String, String>;

/// The maximum number of unique custom properties.
pub(super) const MOST_UNIQUE: usize = 10;

/// A property of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub(super) name: String,
    pub(super) unique: bool,
    pub(super) label: String,
    pub(super) group: String,
    pub(super) kind: String,
    pub(super) field: String,
    pub(super) description: String,
    /// The allowed values; if empty, any text is allowed.
    pub(super) options: Vec<String>,
    pub(super) read_only: bool,
    pub(super) custom: bool,
}

impl Property {
    /// A custom property for any text.
    pub fn text(name: &str) -> Property {
        Property {
            name: name.to_owned(),
            unique: false,
            label: name.to_owned(),
            group: "contactinformation".to_owned(),
            kind: "string".to_owned(),
            field: "text".to_owned(),
            description: String::new(),
            options: Vec::new(),
            read_only: false,
            custom: true,
        }
    }

    /// A custom property with these allowed values.
    pub fn one_of(name: &str, options: &[&str]) -> Property {
        Property {
            kind: "enumeration".to_owned(),
            field: "select".to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Property::text(name)
        }
    }

    /// Makes it unique: no two contacts may have the same value.
    #[must_use]
    pub fn unique(self) -> Property {
        Property { unique: true, ..self }
    }

    /// Makes it read-only: only HubSpot writes it.
    #[must_use]
    pub fn read_only(self) -> Property {
        Property { read_only: true, ..self }
    }

    /// Whether its values come from a list.
    pub(super) fn is_enumeration(&self) -> bool {
        !self.options.is_empty()
    }

    fn standard(self) -> Property {
        Property { custom: false, ..self }
    }

    pub(super) fn json(&self) -> Value {
        let options = self.options.iter().enumerate();
        let options: Vec<Value> = options
            .map(|(place, option)| json!({"label": option, "value": option, "displayOrder": place, "hidden": false}))
            .collect();
        json!({
            "name": self.name, "label": self.label, "type": self.kind, "fieldType": self.field,
            "description": self.description, "groupName": self.group, "options": options, "displayOrder": -1,
            "calculated": false, "externalOptions": false, "hasUniqueValue": self.unique, "hidden": false,
            "hubspotDefined": !self.custom, "archived": false, "formField": !self.read_only,
            "modificationMetadata": {
                "archivable": self.custom, "readOnlyDefinition": !self.custom, "readOnlyValue": self.read_only
            },
            "dataSensitivity": "non_sensitive",
        })
    }

    /// The stored form of a value, or why it isn't accepted.
    fn take(&self, value: &str) -> Result<String, (&'static str, String)> {
        let value = kept(&self.name, value);
        if self.read_only {
            let message = format!("\"{}\" is a read only property; its value cannot be set.", self.name);
            return Err(("READ_ONLY_VALUE", message));
        }
        if value.is_empty() {
            return Ok(value);
        }
        if self.name == "email" && !is_address(&value) {
            return Err(("INVALID_EMAIL", format!("Email address {value} is invalid")));
        }
        if self.is_enumeration() && !self.options.contains(&value) {
            let message = format!("{value} was not one of the allowed options: [{}]", self.options.join(", "));
            return Err(("INVALID_OPTION", message));
        }
        Ok(value)
    }
}

/// The built-in properties.
pub(super) fn standard() -> BTreeMap<String, Property> {
    let text = ["firstname", "lastname", "phone", "company", "jobtitle"].map(Property::text);
    let unique = [Property::text("email").unique()];
    let lists = [Property::one_of("lifecyclestage", &STAGES), Property::one_of("hs_lead_status", &LEAD_STATUSES)];
    let of_hubspot = ["createdate", "lastmodifieddate", "hs_object_id", "hs_additional_emails", "hs_merged_object_ids"]
        .map(|name| Property::text(name).read_only());
    let all = text.into_iter().chain(unique).chain(lists).chain(of_hubspot);
    all.map(|property| (property.name.clone(), property.standard())).collect()
}

const LEAD_STATUSES: [&str; 8] =
    ["NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING"];

/// A value in HubSpot's normal form: addresses in lower case, without surrounding blanks.
pub(super) fn kept(name: &str, value: &str) -> String {
    if name == "email" { value.trim().to_lowercase() } else { value.to_owned() }
}

/// The values in their stored form, or all violations.
pub(super) fn checked(known: &BTreeMap<String, Property>, values: &Values) -> Result<Values, Problem> {
    let mut good = Values::new();
    let mut wrong = Vec::new();
    for (name, value) in values {
        let taken = match known.get(name) {
            Some(property) => property.take(value),
            None => Err(("PROPERTY_DOESNT_EXIST", format!("Property \"{name}\" does not exist"))),
        };
        match taken {
            Ok(value) => {
                good.insert(name.clone(), value);
            }
            Err((code, message)) => wrong.push(Invalid { name: name.clone(), code, message }),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(Problem::properties(&wrong)) }
}

/// Whether it looks like an address; HubSpot's own rule isn't known.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_label = |label: &str| {
        let within = label.chars().all(|letter| letter.is_alphanumeric() || letter == '-');
        within && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || "@,;:<>()[]\\\"".contains(letter);
    !local.is_empty()
        && local.len() <= 64
        && !local.contains(is_odd)
        && !local.split('.').any(str::is_empty)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}
