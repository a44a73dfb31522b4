//! Handshakes: who opens a socket, and whether they may.

use crate::Socket;
use axum::http::HeaderMap;
use daybook_domain::{Error as Domain, Unauthenticated};
use daybook_http::{Access, Admission, Problem, Refusal, Result, admission_of, connect, is_foreign, request_id};
use daybook_runs::Chat;
use daybook_store::Env;
use daybook_store::rows::socket::{OpenSocket, SocketUser};
use std::net::IpAddr;
use std::sync::Arc;

/// A client's request to open a socket.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The ticket in the address.
    pub ticket: Option<&'a str>,
    /// The user in the address, who must be the one that signs in.
    pub user: Option<&'a str>,
    /// The client's address.
    pub ip: Option<IpAddr>,
}

impl Handshake<'_> {
    /// Opens the socket of a connection, or refuses it.
    pub async fn open(self, chat: &Chat, env: &Arc<Env>, connection: String) -> Result<Socket, Problem> {
        let id = request_id(self.headers, env);
        if is_foreign(env, self.headers) {
            return Err(Problem::refused(Refusal::OriginNotAllowed, &id, self.headers));
        }
        match self.opened(env, connection).await {
            Ok(open) => Ok(Socket { chat: chat.clone(), env: env.clone(), open }),
            Err(error) => {
                let problem = Problem::of(&error, &id, self.headers);
                if problem.is_ours() {
                    tracing::error!(request_id = %id, error = %error.chain(), "a WebSocket can't be opened");
                } else {
                    tracing::info!(request_id = %id, code = problem.code(), "a WebSocket was refused");
                }
                Err(problem)
            }
        }
    }

    async fn opened(self, env: &Arc<Env>, connection: String) -> Result<OpenSocket> {
        let caller = connect(env, self.headers, self.ticket, self.ip).await?;
        let SocketUser { org, user, .. } = caller;
        if self.user.is_some_and(|named| named != user.to_string()) {
            return Err(Domain::Unauthenticated(Unauthenticated::Invalid).into());
        }
        if OpenSocket::is_full(env, org, user).await? {
            return Err(Domain::Limited { retry_after: 60 }.into());
        }
        let open = OpenSocket::new(env, connection, caller);
        open.open(env).await?;
        // A session that ended meanwhile may not have found this socket.
        if admission_of(env, &open.caller, Access::SignedIn).await? == Admission::SignedOut {
            OpenSocket::remove(env, &open.connection).await?;
            return Err(Domain::Unauthenticated(Unauthenticated::Invalid).into());
        }
        Ok(open)
    }
}
