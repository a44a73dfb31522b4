//! The admitted request, from which handler arguments are read.

use axum::body::Bytes;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use axum::http::{Extensions, HeaderMap, HeaderName, Method};
use daybook_connectors::files::{Archive, Links};
use daybook_domain::Locale;
use daybook_records::query::pairs_of;
use daybook_store::{Cx, Result};
use mime::Mime;
use std::sync::Arc;

/// An admitted request.
pub struct Call {
    /// The context for the handler.
    pub cx: Cx,
    /// The method.
    pub method: Method,
    /// The parameters in the path, in order.
    pub path: Vec<(String, String)>,
    /// The query string.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The file stores.
    pub places: Places,
    /// What a function adds for its own routes.
    pub extensions: Extensions,
}

/// The file stores that a function uses.
#[derive(Clone, Default)]
pub struct Places {
    /// The store of files that jobs produced.
    pub files: Option<Arc<dyn Links>>,
    /// The archive of write-once files.
    pub anchors: Option<Arc<dyn Archive>>,
}

impl Call {
    /// Returns the value of a header, if it is present and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The media type of a body.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<Mime> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.parse().ok()
}

/// Whether a body comes from an HTML form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    content_type(headers)
        .is_some_and(|kind| matches!(kind.essence_str(), "application/x-www-form-urlencoded" | "multipart/form-data"))
}

/// Whether the client is a browser that shows the answer as a page: it asks for HTML, and posted a form or says that it
/// navigates. Clients of the API may name HTML out of habit.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let navigates = text(HeaderName::from_static("sec-fetch-mode")) == "navigate";
    text(ACCEPT).contains("text/html") && (is_form(headers) || is_text(headers) || navigates)
}

/// Whether a body is a plain text, as HTML forms can send it, too.
fn is_text(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|kind| kind.essence_str() == "text/plain")
}

/// Whether a plain HTML form was posted without asking for JSON. The answer is then a page or a redirect.
pub fn is_plain_form(call: &Call) -> bool {
    let accepts = |kind: &str| call.header("accept").is_some_and(|accept| accept.contains(kind));
    let is_form = is_form(&call.headers) || is_text(&call.headers) && accepts("text/html");
    is_form && !accepts("application/json")
}

/// The language of an answer.
pub(crate) fn locale(headers: &HeaderMap) -> Locale {
    headers.get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok()).and_then(Locale::accepted).unwrap_or_default()
}

/// The pairs of a query string.
pub fn query_pairs(call: &Call) -> Result<Vec<(String, String)>> {
    Ok(pairs_of(call.query.as_deref().unwrap_or_default())?)
}
