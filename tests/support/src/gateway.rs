//! A fake of API Gateway's WebSockets. It hands clients' handshakes and frames to the function behind it, as Lambda events
//! of the shapes in AWS's documentation, and takes what is sent to connections over HTTP, as `@connections` does.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use daybook_chat_socket::{SocketChat, handle};
use daybook_connectors::connections::{Connections, Gateway};
use daybook_local::System;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// How long a frame may take to come.
const LONGEST: Duration = Duration::from_secs(20);

/// The stage of the fake.
const STAGE: &str = "test";

/// A fake gateway. Clones are the same one.
#[derive(Clone, Debug)]
pub struct FakeGateway {
    state: Arc<Mutex<Connected>>,
    url: String,
}

#[derive(Debug, Default)]
struct Connected {
    open: HashMap<String, UnboundedSender<Value>>,
    opened: u64,
    busy: u32,
}

impl FakeGateway {
    /// A gateway without connections, on a port of this machine.
    pub async fn start() -> FakeGateway {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}/{STAGE}", listener.local_addr().expect("an address"));
        let gateway = FakeGateway { state: Arc::default(), url };
        let router =
            Router::new().route(&format!("/{STAGE}/@connections/{{id}}"), any(connection)).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    /// The client of its connections, as functions have it.
    pub fn connections(&self) -> Arc<dyn Connections> {
        let credentials = Credentials::new("test", "test", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Arc::new(Gateway::new(&config, &self.url))
    }

    /// Refuses the next calls with 429, as a gateway with too much to do.
    pub fn be_busy(&self, calls: u32) {
        self.connected().busy = calls;
    }

    /// Opens a connection with this query and these headers; or returns the status of the refusal, and its body.
    pub async fn open(
        &self,
        system: &System,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<GatewaySocket, (u16, Value)> {
        let (out, frames) = unbounded_channel();
        let connection = {
            let mut connected = self.connected();
            connected.opened += 1;
            // As the gateway makes them: base64 with its padding.
            format!("c{:05}AbCd=", connected.opened)
        };
        let socket = GatewaySocket {
            gateway: self.clone(),
            function: SocketChat::new(system.chat.clone(), self.connections()),
            env: system.env.clone(),
            connection: connection.clone(),
            frames,
        };
        let pairs = |pairs: &[(&str, &str)]| -> Value {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let lists = |pairs: &[(&str, &str)]| -> Value {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!([value])))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let mut event = socket.event("$connect", "CONNECT");
        event["headers"] = pairs(headers);
        event["multiValueHeaders"] = lists(headers);
        event["queryStringParameters"] = if query.is_empty() { Value::Null } else { pairs(query) };
        event["multiValueQueryStringParameters"] = if query.is_empty() { Value::Null } else { lists(query) };
        let answer = socket.invoke(event).await;
        match answer["statusCode"].as_u64().expect("a status") {
            200..=299 => {
                self.connected().open.insert(connection, out);
                Ok(socket)
            }
            status => {
                let body = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
                Err((status as u16, body.unwrap_or_default()))
            }
        }
    }

    fn connected(&self) -> MutexGuard<'_, Connected> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `@connections`.
async fn connection(
    State(gateway): State<FakeGateway>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: String,
) -> Response {
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_signed = signed.starts_with("AWS4-HMAC-SHA256") && signed.contains("/execute-api/");
    let error = |status, kind: &'static str| (status, [("x-amzn-errortype", kind)], "{}").into_response();
    if !is_signed {
        return error(StatusCode::FORBIDDEN, "ForbiddenException");
    }
    let mut connected = gateway.connected();
    if connected.busy > 0 {
        connected.busy -= 1;
        return error(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException");
    }
    if body.len() > 128 * 1024 {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException");
    }
    let Some(out) = connected.open.get(&id) else { return error(StatusCode::GONE, "GoneException") };
    match method {
        Method::POST => {
            let frame = serde_json::from_str(&body).expect("JSON");
            match out.send(frame) {
                Ok(()) => StatusCode::OK.into_response(),
                Err(_) => error(StatusCode::GONE, "GoneException"),
            }
        }
        Method::DELETE => {
            connected.open.remove(&id);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// A client's connection to the fake. Dropped, it is gone without a word, as one whose network broke off.
#[derive(Debug)]
pub struct GatewaySocket {
    gateway: FakeGateway,
    function: SocketChat,
    env: Arc<daybook_store::Env>,
    /// Its id.
    pub connection: String,
    frames: UnboundedReceiver<Value>,
}

impl GatewaySocket {
    /// Sends a frame.
    pub async fn send(&self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text; returns the status that the function answers.
    pub async fn send_text(&self, text: &str) -> u64 {
        let mut event = self.event("$default", "MESSAGE");
        event["body"] = json!(text);
        event["requestContext"]["messageId"] = json!("m1");
        self.invoke(event).await["statusCode"].as_u64().expect("a status")
    }

    /// Sends bytes.
    pub async fn send_bytes(&self) {
        let mut event = self.event("$default", "MESSAGE");
        event["body"] = json!("//4=");
        event["isBase64Encoded"] = json!(true);
        self.invoke(event).await;
    }

    /// The next frame; `None` once the connection is closed.
    pub async fn next(&mut self) -> Option<Value> {
        timeout(LONGEST, self.frames.recv()).await.expect("a frame in time")
    }

    /// The next frame, which must be of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next().await.expect("a frame");
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The frames up to the end of an answer.
    pub async fn answer(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next().await.expect("a frame");
            let is_last = frame["type"] == "done" || frame["type"] == "error";
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }

    /// Sends a frame and returns the next one.
    pub async fn ask(&mut self, frame: Value) -> Value {
        self.send(frame).await;
        self.next().await.expect("a frame")
    }

    /// A frame that was sent, if there is one.
    pub fn at_once(&mut self) -> Option<Value> {
        self.frames.try_recv().ok()
    }

    /// Closes the connection, which the gateway tells the function.
    pub async fn close(self) {
        self.gateway.connected().open.remove(&self.connection);
        let mut event = self.event("$disconnect", "DISCONNECT");
        event["requestContext"]["disconnectStatusCode"] = json!(1005);
        event["requestContext"]["disconnectReason"] = json!("");
        self.invoke(event).await;
    }

    fn event(&self, route: &str, kind: &str) -> Value {
        json!({
            "requestContext": {
                "routeKey": route, "eventType": kind, "extendedRequestId": "Xy=", "messageDirection": "IN",
                "requestTime": "20/Nov/2026:12:00:00 +0000", "stage": STAGE, "connectedAt": 1_795_176_000_000_i64,
                "requestTimeEpoch": 1_795_176_000_000_i64, "requestId": "Xy=", "domainName": "abc.execute-api.example",
                "identity": {"sourceIp": "203.0.113.7", "userAgent": "test"}, "connectionId": self.connection,
                "apiId": "abc",
            },
            "isBase64Encoded": false,
        })
    }

    async fn invoke(&self, event: Value) -> Value {
        let event = serde_json::from_value(event).expect("an event of the gateway");
        handle(self.env.clone(), self.function.clone(), event).await
    }
}
