//! The kinds of request that a public form can make: a lead, a demonstration or an answer to a message.

use crate::demo::DemoFields;
use crate::message::Message;
use serde::{Deserialize, Serialize};

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

impl Ask {
    /// The fields of the requested demonstration, and the message.
    pub fn into_fields(self) -> (Option<DemoFields>, Option<Message>) {
        match self {
            Ask::Lead => (None, None),
            Ask::Demo(fields) => (Some(fields), None),
            Ask::Contact(message) => (None, Some(message)),
        }
    }
}

/// The fields of a form that belong to its kind of request, besides those about the visitor.
pub trait Asked: Serialize + serde::de::DeserializeOwned + utoipa::ToSchema + Clone + Send + Sync {
    /// The names of the fields.
    const FIELDS: &'static [&'static str];

    /// Whether usual names of fields, such as `your-email`, stand for the fields that Daybook knows.
    const USUAL_NAMES: bool = false;

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

/// The fields of a plain HTML form on any page: none besides those about the visitor, under whatever name is usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plain {}

impl Asked for Plain {
    const FIELDS: &'static [&'static str] = &[];
    const USUAL_NAMES: bool = true;

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

    const USUAL_NAMES: bool = true;

    fn into_ask(self) -> Ask {
        Ask::Contact(self)
    }
}
