//! Connections of WebSockets, to which any process can send: an interface, and its client of API Gateway.

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::error::DisplayErrorContext;
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use futures::future::BoxFuture;
use std::fmt;
use std::time::Duration;

/// How long the gateway may take to accept a frame.
const LONGEST: Duration = Duration::from_secs(3);

/// Whether a connection was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The frame was accepted for it.
    Yes,
    /// It is closed.
    Gone,
}

/// Why a frame couldn't be sent.
#[derive(Debug, thiserror::Error)]
#[error("send to a connection: {0}")]
pub struct ConnectionError(pub String);

/// The open connections of WebSockets: of a gateway, or of the one-machine server.
pub trait Connections: fmt::Debug + Send + Sync {
    /// Sends a frame.
    fn send<'a>(&'a self, connection: &'a str, frame: String) -> BoxFuture<'a, Result<Reached, ConnectionError>>;

    /// Closes a connection; does nothing to one that is closed.
    fn close<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<(), ConnectionError>>;
}

/// The client of API Gateway's `@connections`.
#[derive(Clone, Debug)]
pub struct Gateway(aws_sdk_apigatewaymanagement::Client);

impl Gateway {
    /// The connections of the API at this URL, with its stage.
    pub fn new(sdk: &SdkConfig, url: &str) -> Gateway {
        let timeouts = TimeoutConfig::builder().operation_timeout(LONGEST).build();
        let config =
            aws_sdk_apigatewaymanagement::config::Builder::from(sdk).endpoint_url(url).timeout_config(timeouts);
        Gateway(aws_sdk_apigatewaymanagement::Client::from_conf(config.build()))
    }
}

impl Connections for Gateway {
    fn send<'a>(&'a self, connection: &'a str, frame: String) -> BoxFuture<'a, Result<Reached, ConnectionError>> {
        let call = self.0.post_to_connection().connection_id(connection).data(Blob::new(frame));
        Box::pin(async move {
            match call.send().await {
                Ok(_) => Ok(Reached::Yes),
                Err(error) if error.as_service_error().is_some_and(PostToConnectionError::is_gone_exception) => {
                    Ok(Reached::Gone)
                }
                Err(error) => Err(ConnectionError(DisplayErrorContext(&error).to_string())),
            }
        })
    }

    fn close<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, Result<(), ConnectionError>> {
        let call = self.0.delete_connection().connection_id(connection);
        Box::pin(async move {
            match call.send().await {
                Ok(_) => Ok(()),
                Err(error) if error.as_service_error().is_some_and(DeleteConnectionError::is_gone_exception) => Ok(()),
                Err(error) => Err(ConnectionError(DisplayErrorContext(&error).to_string())),
            }
        })
    }
}
