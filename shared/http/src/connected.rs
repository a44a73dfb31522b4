//! Users of connections that outlast a request: signed in once, and admitted anew for each of their messages.

use crate::access::{Access, admit, admit_session, signed_out};
use crate::audit;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use daybook_domain::{Actor, Error as Domain, Locale};
use daybook_store::rows::socket::SocketUser;
use daybook_store::rows::socket_ticket::SocketTicket;
use daybook_store::{Cx, Env, Error, RequestInfo, Result};
use std::net::IpAddr;
use std::sync::Arc;

/// The user of a handshake: by its ticket, else by the access token in its headers.
pub async fn connect(
    env: &Arc<Env>,
    headers: &HeaderMap,
    ticket: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<SocketUser> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let user_agent = text("user-agent").map(|agent| agent.chars().take(300).collect());
    let locale = text("accept-language").and_then(Locale::accepted).unwrap_or_default();
    let admitted = match ticket {
        Some(ticket) => {
            let (org, ticket) = SocketTicket::redeem(env, ticket).await?.ok_or_else(signed_out)?;
            admit_session(env, Access::SignedIn, (org, ticket.user, ticket.session), ip).await?
        }
        None => admit(env, Access::SignedIn, headers, ip).await?,
    };
    let Actor::User { id: user, session: Some(session), .. } = admitted.actor else {
        return Err(Domain::NotAPerson.into());
    };
    let caller = SocketUser { org: admitted.org, user, session, ip, user_agent, locale };
    admitted.context(env, info_of(env, &caller, "/ws")).await?;
    Ok(caller)
}

/// Whether a page of an origin that isn't allowed opens a connection. Browsers send its origin, and no other headers of the
/// page's choice.
pub fn is_foreign(env: &Env, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, of)| of == host));
    !is_own && !env.settings.allows_origin(origin)
}

/// Admits the user for a message, as for a request with this access rule. Fails once the session has ended.
pub async fn admit_message(
    env: &Arc<Env>,
    caller: &SocketUser,
    route: &'static str,
    access: Access,
) -> Result<Message> {
    let admitted = admit_session(env, access, (caller.org, caller.user, caller.session), caller.ip).await?;
    let records_reads = admitted.records_reads;
    Ok(Message { cx: admitted.context(env, info_of(env, caller, route)).await?, records_reads })
}

/// Whether a user may be sent something without having asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Signed in, with the permission.
    Granted,
    /// Signed in, without the permission, or from a network that the organisation doesn't allow.
    Refused,
    /// Not signed in any more.
    SignedOut,
}

/// Whether the user is still signed in, and has the permission of an access rule. Leaves no trace in the journal.
pub async fn admission_of(env: &Arc<Env>, caller: &SocketUser, access: Access) -> Result<Admission> {
    match admit_session(env, access, (caller.org, caller.user, caller.session), caller.ip).await {
        Ok(admitted) if admitted.refused.is_none() => Ok(Admission::Granted),
        Ok(_) => Ok(Admission::Refused),
        Err(Error::Domain(_)) => Ok(Admission::SignedOut),
        Err(error) => Err(error),
    }
}

fn info_of(env: &Env, caller: &SocketUser, route: &'static str) -> RequestInfo {
    let id = format!("req_{}", env.ids.next().simple());
    RequestInfo {
        method: "WS".to_owned(),
        path: "/ws".to_owned(),
        ip: caller.ip,
        user_agent: caller.user_agent.clone(),
        ..RequestInfo::internal(id, route)
    }
}

/// A message whose sender was admitted.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its context.
    pub cx: Cx,
    /// Whether the organisation has reads on record.
    records_reads: bool,
}

impl Message {
    /// Puts it on record as a read, where the organisation wants that.
    pub async fn record_read(&self) -> Result<()> {
        if self.records_reads { audit::viewed(&self.cx.next_step()).await } else { Ok(()) }
    }
}
