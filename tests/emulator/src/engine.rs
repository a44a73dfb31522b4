//! The emulator as the SDK's HTTP client: calls of DynamoDB are answered within the process.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// The emulator, in memory.
#[derive(Clone)]
pub struct Emulator(Database);

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emulator")
    }
}

impl Emulator {
    /// An emulator with its data in memory only.
    pub fn in_memory() -> Result<Emulator, DynoxideError> {
        Database::memory().map(Emulator)
    }

    /// The emulator as the SDK's HTTP client.
    pub fn into_client(self) -> SharedHttpClient {
        SharedHttpClient::new(self)
    }

    /// Removes items whose TTL has passed, which the emulator doesn't do by itself.
    pub fn remove_expired(&self) -> Result<usize, DynoxideError> {
        self.0.sweep_ttl()
    }

    /// All items of a table as JSON, to check what is stored.
    pub fn everything(&self, table: &str) -> Result<Vec<Value>, DynoxideError> {
        let unreadable = |error: serde_json::Error| DynoxideError::InternalServerError(error.to_string());
        let mut all = Vec::new();
        let mut ask = json!({"TableName": table});
        loop {
            let text = call(ask.to_string().as_bytes(), |request| self.0.scan(request))?;
            let mut page: Value = serde_json::from_str(&text).map_err(unreadable)?;
            if let Value::Array(items) = page["Items"].take() {
                all.extend(items);
            }
            match page["LastEvaluatedKey"].take() {
                Value::Null => return Ok(all),
                more => ask["ExclusiveStartKey"] = more,
            }
        }
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
        let db = &self.0;
        match operation {
            "GetItem" => call(body, |request| db.get_item(request)),
            "BatchGetItem" => call(body, |request| db.batch_get_item(request)),
            "PutItem" => call(body, |request| db.put_item(request)),
            "UpdateItem" => call(body, |request| db.update_item(request)),
            "DeleteItem" => call(body, |request| db.delete_item(request)),
            "Query" => call(body, |request| db.query(request)),
            "TransactWriteItems" => {
                call(body, |mut request: dynoxide::actions::transact_write_items::TransactWriteItemsRequest| {
                    // The emulator keeps tokens for ten minutes and scans all of them at every transaction. The outcome
                    // of a lost answer is read from the journal entry, so the token isn't needed here.
                    request.client_request_token = None;
                    db.transact_write_items(request)
                })
            }
            "CreateTable" => call(body, |request| db.create_table(request)),
            "UpdateTimeToLive" => call(body, |request| db.update_time_to_live(request)),
            other => Err(DynoxideError::ValidationException(format!("{other} is not used by Daybook"))),
        }
    }
}

/// The emulator's endpoint: calls never leave the process, so no endpoint rules are needed.
#[derive(Debug)]
struct InProcess;

impl ResolveEndpoint for InProcess {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url("http://localhost").build()))
    }
}

/// The SDK's client of an emulator in this process, or of a proxy in front of it.
pub fn client_of(emulator: SharedHttpClient, retry_pause: Duration) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("local"))
        .endpoint_resolver(InProcess)
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(emulator)
        .retry_config(RetryConfig::standard().with_initial_backoff(retry_pause))
        .allow_no_auth()
        .build();
    Client::from_conf(config)
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    run: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request =
        serde_json::from_slice(body).map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    serde_json::to_string(&run(request)?).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

impl HttpConnector for Emulator {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or(target);
        let (status, body) = match self.answer(operation, request.body().bytes().unwrap_or_default()) {
            Ok(body) => (200, body),
            Err(error) => (error.status_code(), error.to_json()),
        };
        let answered = status.try_into().map(|status| HttpResponse::new(status, SdkBody::from(body)));
        HttpConnectorFuture::ready(answered.map_err(|error| ConnectorError::other(Box::new(error), None)))
    }
}

impl HttpClient for Emulator {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
