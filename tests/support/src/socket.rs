//! Real connections in tests: a server on a port, and clients with WebSockets.

use axum::Router;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long a frame may take to come.
const LONGEST: Duration = Duration::from_secs(20);

/// A server on a port of this machine, until it is dropped.
#[derive(Debug)]
pub struct Listening {
    /// Its address.
    pub address: SocketAddr,
    server: AbortHandle,
}

impl Listening {
    pub(crate) async fn start(app: Router) -> Listening {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        Listening { address, server: server.abort_handle() }
    }

    /// Opens a WebSocket at a path, with these headers; or returns the status of the refusal, with its body.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Handshake {
        Socket::open(self.address, path, headers).await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The outcome of a handshake: a socket, or the status of the refusal and its body.
pub type Handshake = Result<Socket, (u16, Value)>;

/// A client's WebSocket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens a WebSocket at an address.
    pub async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Handshake {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("a request");
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value"));
        }
        let stream = TcpStream::connect(address).await.expect("a connection");
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
                Err((answer.status().as_u16(), body.unwrap_or_default()))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text.
    pub async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("an open socket");
    }

    /// Sends bytes.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.expect("an open socket");
    }

    /// The next frame; `Err` with the status of the close once the socket is closed.
    pub async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match timeout(LONGEST, self.0.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(text.as_str()).expect("JSON")),
                Some(Ok(Message::Close(why))) => return Err(why.map(|why| why.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
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
}
