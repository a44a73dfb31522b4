//! Tickets for WebSockets.

use daybook_domain::{Actor, Error as Domain};
use daybook_http::{CreatedSecret, Cx, Own, Result};
use daybook_runs::{Chat, Site};
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::socket_ticket::{SocketTicket, VALID};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The rate at which a user gets tickets.
const RATE: Rate = Rate { burst: 60, per: Duration::from_secs(60) };

/// A ticket for a WebSocket.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TicketShown {
    /// The ticket; valid once.
    ticket: String,
    /// For how many seconds it is valid.
    expires_in: u64,
    /// The address of the WebSocket with the ticket, if this function knows it.
    url: Option<String>,
}

/// Creates a ticket, with which a browser opens a WebSocket.
pub async fn create_ticket(cx: Cx, Own(chat): Own<Chat>) -> Result<CreatedSecret<TicketShown>> {
    let Actor::User { id, session: Some(session), .. } = cx.actor else { return Err(Domain::NotAPerson.into()) };
    cx.limited("socket ticket", &id.to_string(), RATE).await?;
    let ticket = SocketTicket::issue(&cx.env, cx.org, id, session).await?;
    let base = match chat.site {
        // The server of the API has the sockets, too.
        Site::Machine => Some(format!("{}/ws", cx.env.settings.public_url.replacen("http", "ws", 1))),
        Site::Api | Site::Stream => chat.socket_url,
    };
    let url = base.map(|base| format!("{base}?ticket={ticket}"));
    Ok(CreatedSecret(TicketShown { ticket, expires_in: VALID.as_secs(), url }))
}
