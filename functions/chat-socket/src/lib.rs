//! The WebSockets of the AI chat behind a gateway: opens sockets, and does what their frames ask for. What a frame asks for
//! is committed, and a worker generates the answer, which goes to the gateway from there.

use daybook_jobs::{Provided, Provider, SocketEvent};
use daybook_runs::{Chat, Site};
use daybook_sockets::{Connections, Courier, FRAMES, Handshake, Reached, Socket};
use daybook_store::rows::bucket::take_or_refuse;
use daybook_store::rows::socket::OpenSocket;
use daybook_store::{Env, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// The chat of a gateway's sockets, and what sends to them.
#[derive(Clone, Debug)]
pub struct SocketChat {
    chat: Chat,
    courier: Courier,
}

impl SocketChat {
    /// A chat, which sends its answers to these connections.
    pub fn new(chat: Chat, connections: Arc<dyn Connections>) -> SocketChat {
        let courier = Courier::new(connections);
        SocketChat { chat: chat.told_to(Arc::new(courier.clone())), courier }
    }
}

/// The chat of this function.
pub fn chat<P: Provider>(from: &mut P) -> Provided<SocketChat> {
    let (providers, connections) = (from.ai(), from.connections());
    Ok(SocketChat::new(Chat::new(providers?, Site::Api), connections?))
}

/// Handles an event of the gateway: a connection opens, sends a frame or has closed. The gateway looks at the status alone:
/// where a connection opens, one other than 200 refuses it.
pub async fn handle(env: Arc<Env>, gateway: SocketChat, event: SocketEvent) -> Value {
    let began = Instant::now();
    let context = &event.request_context;
    let kind = context.event_type.clone().unwrap_or_default();
    let Some(connection) = context.connection_id.clone() else { return json!({"statusCode": 400}) };
    let outcome = match kind.as_str() {
        "CONNECT" => return connected(&env, &gateway, connection, &event).await,
        "DISCONNECT" => OpenSocket::remove(&env, &connection).await,
        _ => message(&env, &gateway, &connection, &event).await,
    };
    let ms = began.elapsed().as_millis();
    match outcome {
        Ok(()) => {
            tracing::info!(connection, event = kind, ms, "socket event");
            json!({"statusCode": 200})
        }
        Err(error) => {
            tracing::error!(connection, event = kind, ms, error = %error.chain(), "socket event failed");
            json!({"statusCode": 500})
        }
    }
}

async fn connected(env: &Arc<Env>, gateway: &SocketChat, connection: String, event: &SocketEvent) -> Value {
    let ip = event.request_context.identity.source_ip.as_deref().and_then(|ip| ip.parse().ok());
    let ticket = event.query_string_parameters.first("ticket");
    let handshake = Handshake { headers: &event.headers, ticket, user: None, ip };
    match handshake.open(&gateway.chat, env, connection).await {
        Ok(_) => json!({"statusCode": 200}),
        Err(problem) => {
            let (status, document) = problem.document();
            json!({
                "statusCode": status, "headers": {"content-type": "application/problem+json"},
                "body": document.to_string(),
            })
        }
    }
}

async fn message(env: &Arc<Env>, gateway: &SocketChat, connection: &str, event: &SocketEvent) -> Result<()> {
    let courier = &gateway.courier;
    let Some(mut socket) = Socket::find(&gateway.chat, env, connection).await? else {
        return courier.close(env, connection).await;
    };
    let text = event.body.as_deref().filter(|_| !event.is_base64_encoded).unwrap_or_default();
    let caller = &socket.open.caller;
    let allowed = match env.settings.rate_limits {
        true => take_or_refuse(env, caller.org, "socket frames", connection, FRAMES).await.map(drop),
        false => Ok(()),
    };
    if let Err(error) = allowed {
        let refusal = socket.refusal(&error);
        return courier.send(env, connection, &refusal).await.map(drop);
    }
    let reaction = socket.react(text).await;
    let sent = courier.send(env, connection, &reaction.frame).await;
    if matches!(sent, Ok(Reached::Gone)) {
        return Ok(());
    }
    if reaction.is_last {
        return courier.close(env, connection).await;
    }
    // Also where the gateway didn't say whether it took the frame: what that asked for is done.
    if let Some(reading) = reaction.reading {
        courier.begin(&socket, reading).await?;
    }
    sent.map(drop)
}
