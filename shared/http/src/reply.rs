//! Reply types of handlers, and their conversion into HTTP responses.

use crate::call::Call;
use crate::operation::Operation;
use crate::problem::{PAGE_POLICY, status_of};
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION,
};
use axum::http::{HeaderValue, Response};
use daybook_domain::{Record, Stored};
use daybook_store::{Answer as Kind, Error, Page, Reply, Result, Total};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use utoipa::ToSchema;

/// A finished HTTP response.
pub type Answer = Response<Body>;

/// A handler's reply that can be sent as an HTTP response.
pub trait HttpReply: Reply {
    /// Converts the reply into a response.
    fn answer(self, call: &Call) -> Result<Answer>;

    /// Adds the reply to the route's OpenAPI operation.
    fn describe(operation: &mut Operation);

    /// Whether a repeat of a request gets the stored reply before the handler runs. If not, the handler finds the earlier
    /// request itself.
    const REPLAYED: bool = true;
}

/// Types that can be the content of a reply.
pub trait Content: Serialize + DeserializeOwned + ToSchema + Send {}

impl<T: Serialize + DeserializeOwned + ToSchema + Send> Content for T {}

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident, $kind:ident, $secret:literal, $wrap:ident, $schema:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name<T>(pub T);

        impl<T: Content> Reply for $name<T> {
            const ANSWER: Kind = Kind::$kind;
            const SECRET: bool = $secret;
        }

        impl<T: Content> HttpReply for $name<T> {
            fn answer(self, _: &Call) -> Result<Answer> {
                json_answer(Self::ANSWER, &$wrap(&self.0))
            }

            fn describe(operation: &mut Operation) {
                let schema = operation.schema_of::<T>();
                let schema = operation.$schema(schema);
                operation.success(status_of(Self::ANSWER), schema);
            }
        }
    )*};
}

replies! {
    /// Content in the envelope (200).
    Data, Ok, false, enveloped, envelope;
    /// Created content in the envelope (201).
    Created, Created, false, enveloped, envelope;
    /// Work that a job will do, in the envelope (202).
    Accepted, Accepted, false, enveloped, envelope;
    /// Content with a secret, in the envelope (200); never stored for repeats.
    SecretData, Ok, true, enveloped, envelope;
    /// Created content with a secret, in the envelope (201); never stored for repeats.
    CreatedSecret, Created, true, enveloped, envelope;
    /// Content without the envelope (200). May hold a secret, so it is never stored for repeats.
    Bare, Ok, true, as_is, bare;
    /// Created content without the envelope (201). May hold a secret, so it is never stored for repeats.
    BareCreated, Created, true, as_is, bare;
}

impl<T: Record> Data<T> {
    /// A stored record as content.
    pub fn stored(record: Stored<T>) -> Data<T> {
        Data(record.into_inner())
    }
}

/// A page of records, in the envelope with `meta`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Listed<T>(pub Page<T>);

impl<T: Content> Reply for Listed<T> {
    const ANSWER: Kind = Kind::Ok;
}

impl<T: Content> HttpReply for Listed<T> {
    fn answer(self, _: &Call) -> Result<Answer> {
        let page = self.0;
        let mut meta = json!({
            "count": page.items.len(),
            "limit": page.limit,
            "has_more": page.next_cursor.is_some(),
            "next_cursor": page.next_cursor,
        });
        match page.total {
            Some(Total::Exactly(total)) => meta["total"] = Value::from(total),
            Some(Total::Over(most)) => meta["total"] = Value::from(format!("{most}+")),
            None => {}
        }
        if page.fields.is_empty() {
            // The common case: serialised directly, without a copy as JSON values.
            return json_answer(Self::ANSWER, &Enveloped { meta: Some(&meta), ..enveloped(&page.items) });
        }
        let mut data = value_of(&page.items)?;
        for record in data.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            record.retain(|name, _| name == "id" || page.fields.contains(name));
        }
        json_answer(Self::ANSWER, &Enveloped { meta: Some(&meta), ..enveloped(&data) })
    }

    fn describe(operation: &mut Operation) {
        let schema = operation.listed_schema_of::<T>();
        let schema = operation.list_envelope(schema);
        operation.success(status_of(Self::ANSWER), schema);
    }
}

/// A static file: a page, a script, a document. The same for all clients, for as long as this version runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asset {
    /// Its media type.
    pub kind: Cow<'static, str>,
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
    /// Whether the bytes are compressed with gzip.
    pub gzip: bool,
    /// The content security policy, if it is a page.
    pub policy: Option<Cow<'static, str>>,
}

impl Asset {
    /// A file of a media type.
    pub fn new(kind: &'static str, bytes: &'static [u8]) -> Asset {
        Asset { kind: Cow::Borrowed(kind), bytes: Cow::Borrowed(bytes), gzip: false, policy: None }
    }

    /// Marks the bytes as compressed with gzip.
    #[must_use]
    pub fn gzipped(self) -> Asset {
        Asset { gzip: true, ..self }
    }

    /// Sets the content security policy of a page.
    #[must_use]
    pub fn with_policy(self, policy: &'static str) -> Asset {
        Asset { policy: Some(Cow::Borrowed(policy)), ..self }
    }
}

impl Reply for Asset {
    const ANSWER: Kind = Kind::Ok;
}

impl HttpReply for Asset {
    fn answer(self, _: &Call) -> Result<Answer> {
        let header = |value: &str| {
            HeaderValue::from_str(value).map_err(|error| Error::internal("write the headers of a file", error))
        };
        let kind = header(&self.kind)?;
        let policy = self.policy.as_deref().map(header).transpose()?;
        let body = match self.bytes {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        let mut answer = Response::new(body);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        // Pages of any origin may load the scripts.
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
        Ok(answer)
    }

    fn describe(operation: &mut Operation) {
        operation.file();
    }
}

/// A file generated for the caller: sent as an attachment, and never stored for repeats.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Download {
    kind: String,
    name: String,
    bytes: Vec<u8>,
}

impl Download {
    /// A file of a media type with a name of letters, digits, `.`, `_` and `-`.
    pub fn new(kind: &str, name: &str, bytes: Vec<u8>) -> Download {
        Download { kind: kind.to_owned(), name: name.to_owned(), bytes }
    }
}

impl Reply for Download {
    const ANSWER: Kind = Kind::Ok;
    const SECRET: bool = true;
}

impl HttpReply for Download {
    fn answer(self, _: &Call) -> Result<Answer> {
        let header = |value: &str| {
            HeaderValue::from_str(value).map_err(|error| Error::internal("write the headers of a file", error))
        };
        let mut answer = Response::new(Body::from(self.bytes));
        answer.headers_mut().insert(CONTENT_TYPE, header(&self.kind)?);
        let disposition = header(&format!("attachment; filename=\"{}\"", self.name))?;
        answer.headers_mut().insert(CONTENT_DISPOSITION, disposition);
        Ok(answer)
    }

    fn describe(operation: &mut Operation) {
        operation.file();
    }
}

/// A response with an HTML page. The page may use inline styles, and load nothing.
pub fn page(html: String) -> Answer {
    let mut answer = Response::new(Body::from(html));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
    answer
}

/// A redirect to another page (303).
pub fn see_other(address: &str) -> Result<Answer> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status_of(Kind::SeeOther);
    let address = HeaderValue::from_str(address).map_err(|error| Error::internal("redirect a browser", error))?;
    answer.headers_mut().insert(LOCATION, address);
    Ok(answer)
}

#[derive(Serialize)]
struct Enveloped<'a, T> {
    success: bool,
    data: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a Value>,
}

/// The part of a response that its ETag is made from.
#[derive(Deserialize)]
struct Versioned {
    data: Version,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// A JSON response; a record's version becomes its ETag.
pub(crate) fn json_answer(kind: Kind, body: &impl Serialize) -> Result<Answer> {
    let text = serde_json::to_string(body).map_err(|error| Error::internal("write an answer as JSON", error))?;
    let version = serde_json::from_str::<Versioned>(&text).ok().map(|versioned| versioned.data.version);
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status_of(kind);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&format!("\"v{version}\"")).ok()) {
        answer.headers_mut().insert(ETAG, tag);
    }
    Ok(answer)
}

fn enveloped<T>(data: &T) -> Enveloped<'_, T> {
    Enveloped { success: true, data, meta: None }
}

fn as_is<T>(value: &T) -> &T {
    value
}

fn value_of(content: &impl Serialize) -> Result<Value> {
    serde_json::to_value(content).map_err(|error| Error::internal("write an answer as JSON", error))
}
