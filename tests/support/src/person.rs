//! A client of the API in tests: a visitor, or a signed-in user.

use crate::answer::Answer;
use crate::documented::assert_documented;
use crate::events::EventStream;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response};
use daybook_domain::{OrgId, UserId};
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use tower::ServiceExt as _;

/// A client: a visitor, or a user with a token.
#[derive(Clone, Debug)]
pub struct Person {
    pub(crate) app: Router,
    /// Their access token.
    pub token: Option<String>,
    /// Their organisation.
    pub org: OrgId,
    /// Their id.
    pub user: Option<UserId>,
    /// Their network address.
    pub ip: IpAddr,
}

impl Person {
    pub(crate) fn visitor(app: Router, org: OrgId) -> Person {
        Person { app, token: None, org, user: None, ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)) }
    }

    /// The same person at another network address.
    pub fn from(&self, ip: &str) -> Person {
        Person { ip: ip.parse().expect("an address"), ..self.clone() }
    }

    /// The same person with this access token.
    pub fn with_token(&self, token: &str) -> Person {
        Person { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Sends a GET request.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// Sends a POST request with JSON.
    pub fn post(&self, path: &str, body: Value) -> Call {
        self.call(Method::POST, path).json(body)
    }

    /// Sends a PUT request with JSON.
    pub fn put(&self, path: &str, body: Value) -> Call {
        self.call(Method::PUT, path).json(body)
    }

    /// Sends a PATCH request with JSON.
    pub fn patch(&self, path: &str, body: Value) -> Call {
        self.call(Method::PATCH, path).json(body)
    }

    /// Sends a DELETE request.
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// A request without a body.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::empty()).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((self.ip, 50_000))));
        Call { app: self.app.clone(), request }
    }
}

/// A request that is sent when it is awaited.
#[derive(Debug)]
pub struct Call {
    app: Router,
    request: Request<Body>,
}

impl Call {
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Call {
        let name: HeaderName = name.parse().expect("a header name");
        self.request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        self
    }

    /// With an idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Call {
        self.header("idempotency-key", key)
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(self, body: Value) -> Call {
        self.body("application/json", body.to_string())
    }

    /// With a body of a media type.
    #[must_use]
    pub fn body(mut self, kind: &str, body: impl Into<Body>) -> Call {
        self.request.headers_mut().insert("content-type", kind.parse().expect("a media type"));
        *self.request.body_mut() = body.into();
        self
    }

    async fn send(self) -> Response<Body> {
        let (method, path) = (self.request.method().clone(), self.request.uri().path().to_owned());
        let response = self.app.oneshot(self.request).await.expect("a router never fails");
        assert_documented(&method, &path, response.status());
        response
    }

    /// Sends the request, and reads the events of its answer one by one.
    pub async fn events(self) -> EventStream {
        let (parts, body) = self.send().await.into_parts();
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            let bytes = to_bytes(body, 64 << 20).await.expect("a body");
            panic!("no events, but {} {kind}: {}", parts.status, String::from_utf8_lossy(&bytes));
        }
        EventStream::new(parts.headers, body)
    }
}

impl IntoFuture for Call {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (parts, body) = self.send().await.into_parts();
            let bytes = to_bytes(body, 64 << 20).await.expect("a body");
            // Compressed bodies aren't text; tests look at their headers only.
            let compressed = parts.headers.contains_key("content-encoding");
            let text = if compressed { String::new() } else { String::from_utf8(bytes.to_vec()).expect("text") };
            Answer { status: parts.status, headers: parts.headers, text }
        })
    }
}
