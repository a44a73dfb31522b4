//! The emulator on a socket: DynamoDB's protocol for functions that run as processes of their own, and a fake queue that
//! accepts messages and delivers none.

use crate::engine::Emulator;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use daybook_store::DynamoDb;
use std::io;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// The table's name.
pub const TABLE: &str = "daybook";

const JSON: &str = "application/x-amz-json-1.0";

/// An error while starting to serve the emulator.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The port is in use, or not permitted.
    #[error("port {0} can't be used ({1}); choose another with --port")]
    Port(u16, io::Error),
    /// The table can't be created.
    #[error("the table: {}", .0.chain())]
    Table(#[from] daybook_store::Error),
}

/// Serves an emulator, with its table, at a port (0 for a free one), in the background; returns the address.
pub async fn serve_table(emulator: Emulator, port: u16) -> Result<String, WireError> {
    let refused = |error| WireError::Port(port, error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(refused)?;
    let address = format!("http://{}", listener.local_addr().map_err(refused)?);
    let service = Router::new().fallback_service(post(call).with_state(emulator));
    tokio::spawn(async move { axum::serve(listener, service).await });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("local"))
        .endpoint_url(&address)
        .allow_no_auth()
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    DynamoDb::new(client, TABLE).create().await?;
    Ok(address)
}

async fn call(State(emulator): State<Emulator>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    if target.starts_with("AmazonSQS.") {
        let taken = r#"{"MessageId": "1", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e"}"#;
        return (StatusCode::OK, [(header::CONTENT_TYPE, JSON)], taken.as_bytes().to_vec());
    }
    let mut request = HttpRequest::new(SdkBody::from(body.to_vec()));
    request.headers_mut().insert("x-amz-target", target.to_owned());
    let (status, text) = match emulator.call(request).await {
        Ok(answer) => {
            let text = answer.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
            (StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY), text)
        }
        Err(_) => (StatusCode::BAD_GATEWAY, Vec::new()),
    };
    (status, [(header::CONTENT_TYPE, JSON)], text)
}
