//! Handler arguments: the path, headers and body of a request as typed values, and the file stores.

use crate::call::{Call, content_type, is_form, locale, query_pairs};
use crate::handler::Argument;
use crate::operation::Operation;
use daybook_connectors::files::{Archive, Links};
use daybook_domain::ask::{Asked, Nothing};
use daybook_domain::enquiry::Enquiry;
use daybook_domain::intake::{Controls, FollowUp, Intake};
use daybook_domain::masking::MASK;
use daybook_domain::read::{read, read_loosely, without_empty};
use daybook_domain::{Error as Domain, Locale, Malformed, NamedId, Record, Rule, Violations};
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

/// Defines arguments that are a JSON body, by how it is read and described.
macro_rules! json_bodies {
    ($($(#[$doc:meta])* $name:ident, $read:ident, $schema:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<T>(pub T);

        impl<T: DeserializeOwned + Serialize + ToSchema + Send> Argument for $name<T> {
            async fn read(call: &Call) -> Result<Self> {
                Ok($name($read(json_body(call)?)?))
            }

            fn fingerprint(&self) -> Value {
                serde_json::to_value(&self.0).unwrap_or_default()
            }

            fn describe(operation: &mut Operation) {
                let schema = operation.$schema::<T>();
                operation.body(JSON, schema);
            }
        }
    )*};
}

json_bodies! {
    /// A JSON body, read as a type. Unknown fields are refused; all violations are reported at once.
    Json, read, schema_of;
    /// A JSON body of another system's API: as [`Json`], with unknown fields ignored, as its clients expect.
    Loose, read_loosely, open_schema_of;
    /// The JSON body of a create request: as [`Json`], with empty strings read as `null`.
    NewJson, read_new, new_json_schema_of;
}

/// Reads the body of a create request.
fn read_new<T: DeserializeOwned + ToSchema>(body: Value) -> Result<T, Domain> {
    match body {
        Value::Object(fields) => read(Value::Object(without_empty(fields))),
        other => read(other),
    }
}

/// A JSON merge patch (RFC 7396) of a record. An empty string clears a field, as `null` does.
#[derive(Debug)]
pub struct Patch<T> {
    /// The fields to change. Empty strings have become `null`.
    pub fields: Map<String, Value>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: Record> Argument for Patch<T> {
    async fn read(call: &Call) -> Result<Self> {
        match json_body(call)? {
            Value::Object(fields) => Ok(Patch { fields: without_empty(fields), of: std::marker::PhantomData }),
            _ => Err(Domain::invalid("", Rule::object()).into()),
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

/// The fields of a record to create. Missing fields get their defaults.
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

/// The record id in the path. Text that isn't an id of the type is answered with 404.
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

/// The `X-Device-Token` header: the token of a device that the user signed in on before.
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
            "The `device_token` of an earlier sign-in. Attempts with one count apart, so others can't lock you out.",
        );
    }
}

/// The language of the answer: the supported one that the client prefers by `Accept-Language`, else English.
#[derive(Clone, Copy, Debug)]
pub struct Language(pub Locale);

impl Argument for Language {
    const IDENTIFIES: bool = false;

    async fn read(call: &Call) -> Result<Self> {
        Ok(Language(locale(&call.headers)))
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(_: &mut Operation) {}
}

/// The version that `If-Match` requires, such as `"v7"`; `None` if any version will do.
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
        version.map(|version| IfMatch(Some(version))).map_err(|_| Domain::Malformed(Malformed::IfMatch).into())
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.header_parameter(
            "If-Match",
            "The ETag the record was read with. If the record has changed since, the request is refused (412).",
        );
    }
}

/// A posted form: JSON, URL-encoded or multipart. Known fields are validated; the rest is kept as `extra`.
#[derive(Clone, Debug)]
pub struct Posted<A = Nothing> {
    /// The posted data.
    pub intake: Intake<A>,
    /// How it was posted.
    pub by: PostedBy,
}

/// A posted follow-up to an earlier form. It doesn't repeat the visitor's own data.
#[derive(Clone, Debug)]
pub struct PostedLater<A> {
    /// The posted data.
    pub follow_up: FollowUp<A>,
    /// How it was posted.
    pub by: PostedBy,
}

/// How a form was posted: its form id, origin, language and hash.
#[derive(Clone, Debug)]
pub struct PostedBy {
    /// The form id: from the path, the header or a field.
    pub form: Option<String>,
    /// The origin of the page, from the `Origin` header.
    pub origin: Option<String>,
    /// The first of the browser's languages that Daybook supports.
    pub locale: Option<Locale>,
    /// SHA-256 of the fields as they were sent, to detect double clicks.
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

/// The path parameter that holds a form's id.
const FORM_IN_PATH: &str = "form_id";

/// The fields of a posted form merged with the query parameters, and their SHA-256.
async fn posted(call: &Call) -> Result<(Map<String, Value>, String)> {
    let mut fields = fields(call).await?;
    for (name, value) in query_pairs(call)? {
        fields.entry(name).or_insert(Value::from(value));
    }
    let content = daybook_store::sha256_hex(Value::Object(fields.clone()).to_string().as_bytes());
    Ok((fields, content))
}

const FORM_KEY: &str = "The key of the posted form; the default form if it is missing.";

macro_rules! posted_argument {
    ($name:ident, $field:ident, $read:ident, $who:ty) => {
        impl<A: Asked> Argument for $name<A> {
            /// A form's URL may carry the campaign parameters of an advertisement.
            const READS_QUERY: bool = true;

            async fn read(call: &Call) -> Result<Self> {
                let (fields, content) = posted(call).await?;
                let $field = $read::<A>::read(fields)?;
                let by = PostedBy::of(call, content, &$field.controls);
                Ok($name { $field, by })
            }

            fn fingerprint(&self) -> Value {
                let parts = serde_json::json!([self.$field, self.by.form]);
                // Masked fields are identified by the hash of what was sent.
                if parts.to_string().contains(MASK) { serde_json::json!([parts, self.by.content]) } else { parts }
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

/// The form id in the path that a plain HTML form posts to.
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

/// The text in the path that names something of another system.
#[derive(Clone, Debug)]
pub struct PathText(pub String);

impl Argument for PathText {
    async fn read(call: &Call) -> Result<Self> {
        Ok(PathText(call.path.first().map(|(_, text)| text.clone()).unwrap_or_default()))
    }

    fn fingerprint(&self) -> Value {
        Value::from(self.0.clone())
    }

    fn describe(operation: &mut Operation) {
        operation.path_parameter::<String>();
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
            _ => Err(Domain::invalid("", Rule::object()).into()),
        };
    }
    let kind = content_type(&call.headers);
    let boundary = kind.as_ref().and_then(|kind| kind.get_param("boundary"));
    let pairs = match boundary {
        Some(boundary) => parts(call, boundary.as_str()).await?,
        None if kind.as_ref().is_some_and(|kind| kind.type_() == mime::MULTIPART) => {
            return Err(Domain::Malformed(Malformed::Boundary).into());
        }
        // JSON sent by curl without a Content-Type header has this media type.
        None if call.body.trim_ascii_start().starts_with(b"{") => {
            return Err(Domain::MediaType { expected: FORMS }.into());
        }
        None => serde_urlencoded::from_bytes::<Vec<(String, String)>>(&call.body)
            .map_err(|_| Error::from(Domain::Malformed(Malformed::Form)))?,
    };
    Ok(gathered(pairs))
}

async fn parts(call: &Call, boundary: &str) -> Result<Vec<(String, String)>> {
    let unreadable = |_| Error::from(Domain::Malformed(Malformed::Form));
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
                Rule::of_type("text, not a file", "文本，不能是文件"),
            );
        }
        pairs.push((name, text));
    }
    violations.into_result()?;
    Ok(pairs)
}

/// Collects pairs into an object. The values of a repeated name become a list, without empty values.
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
    let (line, column) = (error.line(), error.column());
    Domain::Malformed(Malformed::Json { reason: error.to_string(), line, column })
}

/// What a function adds to its router for its own routes, by type.
#[derive(Clone, Debug)]
pub struct Own<T>(pub T);

impl<T: Clone + Send + Sync + 'static> Argument for Own<T> {
    async fn read(call: &Call) -> Result<Self> {
        let own = call.extensions.get::<T>().cloned();
        own.map(Own).ok_or_else(|| Error::internal("read what a function adds to its router", "it is missing"))
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(_: &mut Operation) {}
}

/// Whether the client asks for server-sent events by its `Accept` header.
#[derive(Clone, Copy, Debug)]
pub struct WantsEvents(pub bool);

impl Argument for WantsEvents {
    const IDENTIFIES: bool = false;

    async fn read(call: &Call) -> Result<Self> {
        let accept = call.header("accept").unwrap_or_default();
        Ok(WantsEvents(accept.split(',').any(|kind| kind.trim().starts_with("text/event-stream"))))
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.header_parameter("Accept", "`text/event-stream` to stream the answer.");
    }
}

/// Defines the file stores as handler arguments.
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
    /// The store of files that jobs produced.
    Stored(Links) files "FILES_BUCKET"
    /// The archive of write-once files.
    Anchored(Archive) anchors "ANCHORS_BUCKET"
}
