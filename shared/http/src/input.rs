//! Handler arguments: the path, headers and body of a request as typed values, and the file stores.

use crate::call::{Call, content_type, locale, query_pairs};
use crate::handler::Argument;
use crate::operation::Operation;
use daybook_connectors::files::{Archive, Links};
use daybook_domain::read::{read, read_loosely, without_empty};
use daybook_domain::{Error as Domain, Locale, Malformed, NamedId, Record, Rule, Violations};
use daybook_store::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// UTF-8's byte order mark, which some systems send before JSON.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

const JSON: &[&str] = &["application/json"];

/// Defines arguments that are a JSON body, by how it is read and described.
macro_rules! json_bodies {
    ($($(#[$doc:meta])* $name:ident, $read:ident, $schema:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<T>(pub T);

        impl<T: DeserializeOwned + Serialize + ToSchema + Send> Argument for $name<T> {
            async fn read(call: &Call) -> Result<Self> {
                if is_without_body(call) && let Ok(nothing) = $read(nothing()) {
                    return Ok($name(nothing));
                }
                Ok($name($read(json_body(call)?)?))
            }

            fn fingerprint(&self) -> Value {
                serde_json::to_value(&self.0).unwrap_or_default()
            }

            fn describe(operation: &mut Operation) {
                let schema = operation.$schema::<T>();
                operation.body(JSON, schema);
                if $read::<T>(nothing()).is_ok() {
                    operation.body_is_optional();
                }
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

/// Whether a request has no body, and names no other media type than JSON.
fn is_without_body(call: &Call) -> bool {
    call.body.is_empty() && content_type(&call.headers).is_none_or(|kind| kind.subtype() == mime::JSON)
}

/// The body of a request that gives no field.
fn nothing() -> Value {
    Value::Object(Map::new())
}

pub(crate) fn json_body(call: &Call) -> Result<Value> {
    let kind = content_type(&call.headers);
    let is_json = kind.is_some_and(|kind| kind.subtype() == mime::JSON || kind.suffix() == Some(mime::JSON));
    if !is_json {
        return Err(Domain::MediaType { expected: JSON }.into());
    }
    let body = call.body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&call.body);
    serde_json::from_slice(body).map_err(|error| malformed(&error).into())
}

pub(crate) fn malformed(error: &serde_json::Error) -> Domain {
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

/// The parameter `lang` of a page, which its script reads, or the header that one machine puts above it.
#[derive(Clone, Copy, Debug)]
pub struct PageLanguage;

impl Argument for PageLanguage {
    const READS_QUERY: bool = true;

    async fn read(call: &Call) -> Result<Self> {
        let mut violations = Violations::default();
        for (name, _) in query_pairs(call)?.into_iter().filter(|(name, _)| name != "lang") {
            violations.add(format!("/{name}"), Rule::unknown(&name, &["lang".to_owned()]));
        }
        if violations.0.is_empty() { Ok(PageLanguage) } else { Err(Domain::Query(violations).into()) }
    }

    fn fingerprint(&self) -> Value {
        Value::Null
    }

    fn describe(operation: &mut Operation) {
        operation.query_parameter("lang", "The language, such as `zh-CN` or `en`; that of the browser unless given.");
    }
}
