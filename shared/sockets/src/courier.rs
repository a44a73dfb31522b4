//! Sends answers to sockets whose connections a gateway has, and which are known by their rows.

use crate::{Connections, Reached, Reading, Socket, delta, end_of};
use daybook_connectors::SdkConfig;
use daybook_connectors::connections::Gateway;
use daybook_domain::{Error as Domain, RunId};
use daybook_http::{Cx, Error, Result};
use daybook_runs::{Audience, Chat, Site};
use daybook_store::Env;
use daybook_store::config::Variables;
use daybook_store::rows::run::Run;
use daybook_store::rows::run_reader::RunReader;
use daybook_store::rows::socket::OpenSocket;
use futures::future::{BoxFuture, join_all};
use serde_json::Value;
use std::sync::Arc;

/// How often the end of an answer is sent before its readers are left to ask for it again.
const ATTEMPTS: u32 = 4;

/// Sends frames to the connections of a gateway.
#[derive(Clone, Debug)]
pub struct Courier {
    connections: Arc<dyn Connections>,
}

impl Courier {
    /// A courier to these connections.
    pub fn new(connections: Arc<dyn Connections>) -> Courier {
        Courier { connections }
    }

    /// Sends a frame to a socket. Forgets a socket whose connection is gone.
    pub async fn send(&self, env: &Env, connection: &str, frame: &Value) -> Result<Reached> {
        let reached = self.connections.send(connection, frame.to_string()).await;
        let reached = reached.map_err(|error| Error::unavailable("send to a socket", error))?;
        if reached == Reached::Gone {
            OpenSocket::remove_gone(env, connection).await?;
        }
        Ok(reached)
    }

    /// Closes a socket, and forgets it once it is closed.
    pub async fn close(&self, env: &Env, connection: &str) -> Result<()> {
        let closed = self.connections.close(connection).await;
        closed.map_err(|error| Error::unavailable("close a socket", error))?;
        OpenSocket::remove(env, connection).await
    }

    /// Has an answer sent to a socket as it is generated, and its end at once if it has ended.
    pub async fn begin(&self, socket: &Socket, reading: Reading) -> Result<()> {
        let Reading { cx, id, after } = reading;
        let run = found(&cx, id).await?;
        let reader = RunReader {
            connection: socket.open.connection.clone(),
            seq: after,
            locale: socket.open.caller.locale,
            expires_at: run.expires_at,
        };
        reader.begin(&cx.env, cx.org, id).await?;
        // Read after that: its generator sends what is stored later.
        let run = found(&cx, id).await?;
        if run.is_over() { self.told(&cx, id, &run, &reader).await } else { Ok(()) }
    }

    /// Sends a reader what it doesn't have of an answer.
    async fn told(&self, cx: &Cx, id: RunId, run: &Run, reader: &RunReader) -> Result<()> {
        let text = run.text_after(&cx.env, cx.org, id, reader.seq).await?;
        let mut frames = Vec::new();
        let seq = reader.seq + text.chars().count() as u64;
        if !text.is_empty() {
            frames.push(delta(id, seq, &text));
        }
        if run.is_over() {
            frames.push(end_of(cx, id, run, reader.locale).await?);
        }
        for frame in &frames {
            if self.send(&cx.env, &reader.connection, frame).await? == Reached::Gone {
                return reader.end(&cx.env, cx.org, id).await;
            }
        }
        match run.is_over() {
            true => reader.end(&cx.env, cx.org, id).await,
            false if seq > reader.seq => reader.advance(&cx.env, cx.org, id, seq).await,
            false => Ok(()),
        }
    }

    /// Sends all readers what they don't have; fails if one of them couldn't be sent to.
    async fn told_all(&self, cx: &Cx, id: RunId, run: &Run) -> Result<()> {
        let readers = RunReader::all_of(&cx.env, cx.org, id).await?;
        let told = readers.iter().map(|reader| self.told(cx, id, run, reader));
        join_all(told).await.into_iter().collect()
    }
}

/// The chat of a function behind the HTTP API, from its variables. Mistakes are added to them.
pub fn chat_behind_the_api(sdk: &SdkConfig, variables: &mut Variables<'_>) -> Option<Chat> {
    chat_at(Site::Api, sdk, variables)
}

/// The chat of a function with a URL that streams, from its variables. Mistakes are added to them.
pub fn streaming_chat(sdk: &SdkConfig, variables: &mut Variables<'_>) -> Option<Chat> {
    chat_at(Site::Stream, sdk, variables)
}

/// A chat whose answers go to the sockets of a gateway, too.
fn chat_at(site: Site, sdk: &SdkConfig, variables: &mut Variables<'_>) -> Option<Chat> {
    let url = variables.required("CONNECTIONS_URL", |url| Ok::<_, String>(url.to_owned()));
    let chat = Chat::configured(variables, site)?;
    Some(chat.told_to(Arc::new(Courier::new(Arc::new(Gateway::new(sdk, &url?))))))
}

async fn found(cx: &Cx, id: RunId) -> Result<Run> {
    let run = Run::read(&cx.env, cx.org, id).await?;
    Ok(run.ok_or_else(|| Domain::not_found(daybook_domain::error::Thing::Run))?)
}

impl Audience for Courier {
    fn tell<'a>(&'a self, cx: &'a Cx, id: RunId, run: &'a Run) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // Before the end, the next call makes up for a failure.
            let attempts = if run.is_over() { ATTEMPTS } else { 1 };
            for attempt in 1..=attempts {
                match self.told_all(cx, id, run).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(run = %id, error = %error.chain(), "an answer isn't sent to its sockets yet");
                    }
                }
                if attempt < attempts {
                    cx.pause(attempt).await;
                }
            }
        })
    }
}
