//! The kinds of request that a public form can make: a lead, a demonstration or an answer to a message.

use crate::demo::DemoFields;
use crate::message::{Message, split_name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the visitor requests with a form.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// To be contacted.
    Lead,
    /// A demonstration.
    Demo(DemoFields),
    /// An answer to a message.
    Contact(Message),
}

/// The fields of a form that belong to its kind of request, besides those about the visitor.
pub trait Asked: Serialize + serde::de::DeserializeOwned + utoipa::ToSchema + Clone + Send + Sync {
    /// The names of the fields.
    const FIELDS: &'static [&'static str];

    /// Maps alternative field names to those of the type.
    fn prepare(_fields: &mut Map<String, Value>) {}

    /// The request that the fields make.
    fn into_ask(self) -> Ask;
}

/// The fields of a form that only asks to be contacted: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Nothing {}

impl Asked for Nothing {
    const FIELDS: &'static [&'static str] = &[];

    fn into_ask(self) -> Ask {
        Ask::Lead
    }
}

impl Asked for DemoFields {
    const FIELDS: &'static [&'static str] =
        &["demo_type", "preferred_date", "timezone", "attendees_count", "interested_products", "special_requirements"];

    fn into_ask(self) -> Ask {
        Ask::Demo(self)
    }
}

impl Asked for Message {
    const FIELDS: &'static [&'static str] = &["subject", "message"];

    /// Splits a full `name` into given and family name, unless the form fills in those fields.
    fn prepare(fields: &mut Map<String, Value>) {
        let given = |fields: &Map<String, Value>, name: &str| {
            fields.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
        };
        if !given(fields, "name") || given(fields, "first_name") || given(fields, "last_name") {
            return;
        }
        let Some(Value::String(name)) = fields.remove("name") else { return };
        let (first, last) = split_name(&name);
        fields.insert("first_name".to_owned(), first.into());
        if !last.is_empty() {
            fields.insert("last_name".to_owned(), last.into());
        }
    }

    fn into_ask(self) -> Ask {
        Ask::Contact(self)
    }
}
