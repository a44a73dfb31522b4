//! The arguments of handlers: path, query, headers and body, each refused with a problem of its own.

use crate::call::{Call, content_type, is_form, query_pairs};
use crate::handler::Argument;
use crate::operation::Operation;
use daybook_connectors::files::{Archive, Links};
use daybook_domain::ask::{Asked, Nothing};
use daybook_domain::enquiry::Enquiry;
use daybook_domain::intake::{Controls, FollowUp, Intake};
use daybook_domain::read::{read, without_empty};
use daybook_domain::{Error as Domain, Locale, NamedId, Record, Rule, Violations};
use daybook_store::{Error, Result};
use futures::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::convert::Infallible;
use std::sync::Arc;
use utoipa::ToSchema;

const JSON: &[&str] = &["application/json"];
const FORMS: &[&str] = &["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];

/// A JSON body of a type. Unknown fields are refused; all violations are listed.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Serialize + ToSchema + Send> Argument for Json<T> {
    async fn read(call: &Call) -> Result<Self> {
        Ok(Json(read(json_body(call)?)?))
    }

    fn fingerprint(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.schema_of::<T>();
        operation.body(JSON, schema);
    }
}

/// A JSON body that says what a new record is to be: as [`Json`], with nothing for texts that are empty.
#[derive(Debug)]
pub struct NewJson<T>(pub T);

impl<T: DeserializeOwned + Serialize + ToSchema + Send> Argument for NewJson<T> {
    async fn read(call: &Call) -> Result<Self> {
        let body = match json_body(call)? {
            Value::Object(fields) => Value::Object(without_empty(fields)),
            other => other,
        };
        Ok(NewJson(read(body)?))
    }

    fn fingerprint(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.new_json_schema_of::<T>();
        operation.body(JSON, schema);
    }
}

/// A JSON merge patch (RFC 7396) for a record; an empty text clears as `null` does.
#[derive(Debug)]
pub struct Patch<T> {
    /// The fields to change, without empty texts: they are `null` here.
    pub fields: Map<String, Value>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: Record> Argument for Patch<T> {
    async fn read(call: &Call) -> Result<Self> {
        match json_body(call)? {
            Value::Object(fields) => Ok(Patch { fields: without_empty(fields), of: std::marker::PhantomData }),
            _ => Err(Domain::invalid("", Rule::Type { expected: "an object".to_owned() }).into()),
        }
    }

    fn fingerprint(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.patch_schema_of::<T>();
        operation.body(&["application/json", "application/merge-patch+json"], schema);
    }
}

/// The fields of a record to be made; those that are left out have defaults.
#[derive(Debug)]
pub struct New<T> {
    /// The fields.
    pub fields: Map<String, Value>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: Record> Argument for New<T> {
    async fn read(call: &Call) -> Result<Self> {
        let Patch { fields, of } = Patch::<T>::read(call).await?;
        Ok(New { fields, of })
    }

    fn fingerprint(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.new_schema_of::<T>();
        operation.body(JSON, schema);
    }
}

/// The id in the path. What is no id of the type is not found.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: NamedId> Argument for Path<T> {
    async fn read(call: &Call) -> Result<Self> {
        let text = call.path.first().map(|(_, text)| text.as_str()).unwrap_or_default();
        text.parse().map(Path).map_err(|_| Domain::not_found(T::OF).into())
    }

    fn fingerprint(&self) -> Value {
        Value::from(self.0.to_string())
    }

    fn describe(operation: &mut Operation) {
        operation.path_parameter::<T>();
    }
}

/// A token of the header `X-Device-Token`: of a device that signed in before.
#[derive(Clone, Debug)]
pub struct DeviceToken(pub Option<String>);

impl Argument for DeviceToken {
    async fn read(call: &Call) -> Result<Self> {
        Ok(DeviceToken(call.header("x-device-token").map(str::to_owned)))
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.header_parameter(
            "X-Device-Token",
            "The `device_token` of an earlier sign-in: such a device has attempts of its own, so that others can't lock it out.",
        );
    }
}

/// The version that `If-Match` asks for: `"v7"`, or `None` where any will do.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(pub Option<u64>);

impl Argument for IfMatch {
    async fn read(call: &Call) -> Result<Self> {
        let Some(header) = call.headers.get("if-match") else { return Ok(IfMatch(None)) };
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(IfMatch(None));
        }
        let tag = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
        let version = tag.strip_prefix('v').unwrap_or(tag).parse();
        version
            .map(|version| IfMatch(Some(version)))
            .map_err(|_| Domain::Malformed("If-Match takes one ETag of this record, such as \"v7\"".to_owned()).into())
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.header_parameter(
            "If-Match",
            "The ETag the record was read with; a record that changed since is left alone (412).",
        );
    }
}

/// A posted form: JSON, urlencoded or multipart; known fields validated, the rest kept as `extra`.
#[derive(Clone, Debug)]
pub struct Posted<A = Nothing> {
    /// What was posted.
    pub intake: Intake<A>,
    /// How.
    pub by: PostedBy,
}

/// A posted form that adds to an earlier one, so that it doesn't say again who posted it.
#[derive(Clone, Debug)]
pub struct PostedLater<A> {
    /// What was posted.
    pub follow_up: FollowUp<A>,
    /// How.
    pub by: PostedBy,
}

/// How a form was posted.
#[derive(Clone, Debug)]
pub struct PostedBy {
    /// The form it names: by header, field, or path.
    pub form: Option<String>,
    /// The origin of the page, as the browser says.
    pub origin: Option<String>,
    /// The first language of the browser that Daybook speaks.
    pub locale: Option<Locale>,
    /// SHA-256 of the fields as they were sent, to know a double click by.
    pub content: String,
}

impl PostedBy {
    fn of(call: &Call, content: String, controls: &Controls) -> PostedBy {
        let in_path = call.path.iter().find(|(name, _)| name == FORM_IN_PATH).map(|(_, form)| form.clone());
        let named = in_path.or_else(|| call.header("x-form-key").map(str::to_owned));
        PostedBy {
            form: named.or_else(|| controls.form_id.clone()),
            origin: call.header("origin").filter(|origin| *origin != "null").map(str::to_owned),
            locale: call.header("accept-language").and_then(Locale::accepted),
            content,
        }
    }
}

/// The name of the parameter that holds a form's id.
const FORM_IN_PATH: &str = "form_id";

/// The fields of a posted form, with those of the query, and their SHA-256.
async fn posted(call: &Call) -> Result<(Map<String, Value>, String)> {
    let mut fields = fields(call).await?;
    for (name, value) in query_pairs(call)? {
        fields.entry(name).or_insert(Value::from(value));
    }
    let content = daybook_store::sha256_hex(Value::Object(fields.clone()).to_string().as_bytes());
    Ok((fields, content))
}

const FORM_KEY: &str = "The form this comes through; the default form unless given.";

macro_rules! posted_argument {
    ($name:ident, $field:ident, $read:ident, $who:ty) => {
        impl<A: Asked> Argument for $name<A> {
            /// The address of a form may carry parameters of the advertisement that led to it.
            const READS_QUERY: bool = true;

            async fn read(call: &Call) -> Result<Self> {
                let (fields, content) = posted(call).await?;
                let $field = $read::<A>::read(fields)?;
                let by = PostedBy::of(call, content, &$field.controls);
                Ok($name { $field, by })
            }

            fn fingerprint(&self) -> Value {
                serde_json::json!([self.$field, self.by.form])
            }

            fn scope(&self) -> Option<String> {
                self.by.form.clone()
            }

            fn describe(operation: &mut Operation) {
                let who = operation.inline::<$who>();
                let asked = operation.inline::<A>();
                let controls = operation.inline::<Controls>();
                let schema = operation.open(vec![who, asked, controls]);
                operation.body(FORMS, schema);
                operation.header_parameter("X-Form-Key", FORM_KEY);
            }
        }
    };
}

posted_argument!(Posted, intake, Intake, Enquiry);
posted_argument!(PostedLater, follow_up, FollowUp, Nothing);

/// The form in the path of a plain HTML form's address.
#[derive(Clone, Debug)]
pub struct Form(pub String);

impl Argument for Form {
    async fn read(call: &Call) -> Result<Self> {
        Ok(Form(call.path.first().map(|(_, form)| form.clone()).unwrap_or_default()))
    }

    fn fingerprint(&self) -> Value {
        Value::from(self.0.clone())
    }

    fn describe(operation: &mut Operation) {
        operation.path_parameter::<daybook_domain::FormId>();
    }
}

pub(crate) fn json_body(call: &Call) -> Result<Value> {
    let kind = content_type(&call.headers);
    let is_json = kind.is_some_and(|kind| kind.subtype() == mime::JSON || kind.suffix() == Some(mime::JSON));
    if !is_json {
        return Err(Domain::MediaType { expected: JSON }.into());
    }
    serde_json::from_slice(&call.body).map_err(|error| malformed(&error).into())
}

/// The fields of a posted form. Files are refused.
async fn fields(call: &Call) -> Result<Map<String, Value>> {
    if !is_form(&call.headers) {
        let kind = content_type(&call.headers);
        if kind.is_none_or(|kind| kind.subtype() != mime::JSON && kind.suffix() != Some(mime::JSON)) {
            return Err(Domain::MediaType { expected: FORMS }.into());
        }
        return match json_body(call)? {
            Value::Object(fields) => Ok(fields),
            _ => Err(Domain::invalid("", Rule::Type { expected: "an object".to_owned() }).into()),
        };
    }
    let kind = content_type(&call.headers);
    let boundary = kind.as_ref().and_then(|kind| kind.get_param("boundary"));
    let pairs = match boundary {
        Some(boundary) => parts(call, boundary.as_str()).await?,
        None if kind.as_ref().is_some_and(|kind| kind.type_() == mime::MULTIPART) => {
            return Err(Domain::Malformed("the form has no boundary".to_owned()).into());
        }
        // What curl sends when it isn't told that its body is JSON.
        None if call.body.trim_ascii_start().starts_with(b"{") => {
            return Err(Domain::MediaType { expected: FORMS }.into());
        }
        None => serde_urlencoded::from_bytes::<Vec<(String, String)>>(&call.body)
            .map_err(|_| Error::from(Domain::Malformed("the form can't be read".to_owned())))?,
    };
    Ok(gathered(pairs))
}

async fn parts(call: &Call, boundary: &str) -> Result<Vec<(String, String)>> {
    let unreadable = |_| Error::from(Domain::Malformed("the form can't be read".to_owned()));
    let body = stream::iter([Ok::<_, Infallible>(call.body.clone())]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut pairs = Vec::new();
    let mut violations = Violations::default();
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        // Browsers send an empty file for a file field that was left empty.
        let file = field.file_name().is_some_and(|name| !name.is_empty());
        let text = field.text().await.map_err(unreadable)?;
        if file {
            violations.add(
                format!("/{}", daybook_domain::read::escape(&name)),
                Rule::Type { expected: "text, not a file".to_owned() },
            );
        }
        pairs.push((name, text));
    }
    violations.into_result()?;
    Ok(pairs)
}

/// Pairs as an object; a name that comes more than once becomes a list, empty values aside.
pub(crate) fn gathered(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in pairs {
        match fields.get_mut(&name) {
            None => {
                fields.insert(name, Value::from(value));
            }
            Some(_) if value.is_empty() => {}
            Some(Value::Array(list)) => list.push(Value::from(value)),
            Some(first) if first.as_str() == Some("") => *first = Value::from(value),
            Some(first) => *first = Value::Array(vec![first.take(), Value::from(value)]),
        }
    }
    fields
}

fn malformed(error: &serde_json::Error) -> Domain {
    Domain::Malformed(format!("the body is not JSON: {error}"))
}

/// Places for files, as arguments.
macro_rules! places {
    ($($(#[$doc:meta])* $name:ident($place:ident) $field:ident $variable:literal)*) => {$(
        $(#[$doc])*
        pub struct $name(pub Arc<dyn $place>);

        impl Argument for $name {
            async fn read(call: &Call) -> Result<Self> {
                let place = call.places.$field.clone();
                place.map($name).ok_or_else(|| Error::internal("reach a bucket", concat!($variable, " isn't set")))
            }

            fn fingerprint(&self) -> Value {
                Value::Null
            }

            fn describe(_: &mut Operation) {}
        }
    )*};
}

places! {
    /// What jobs made.
    Stored(Links) files "FILES_BUCKET"
    /// What nobody may change.
    Anchored(Archive) anchors "ANCHORS_BUCKET"
}
