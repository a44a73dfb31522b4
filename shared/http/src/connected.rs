//! Callers of connections that outlast a request: signed in once, and admitted anew for each of their messages.

use crate::access::{Access, admit, admit_session, signed_out};
use crate::audit;
use axum::http::HeaderMap;
use daybook_domain::{Actor, Error as Domain, Locale, OrgId, SessionId, UserId};
use daybook_store::rows::socket_ticket::SocketTicket;
use daybook_store::{Cx, Env, RequestInfo, Result};
use std::net::IpAddr;
use std::sync::Arc;

/// The caller of a connection.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The organisation.
    pub org: OrgId,
    /// The user.
    pub user: UserId,
    /// The session, with which the connection ends.
    pub session: SessionId,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The language of its errors.
    pub locale: Locale,
}

impl Connected {
    /// The caller of a handshake: by its ticket, else by the access token in its headers.
    pub async fn of(
        env: &Arc<Env>,
        headers: &HeaderMap,
        ticket: Option<&str>,
        ip: Option<IpAddr>,
    ) -> Result<Connected> {
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
        let caller = Connected { org: admitted.org, user, session, ip, user_agent, locale };
        admitted.context(env, caller.info(env, "/ws")).await?;
        Ok(caller)
    }

    /// Admits the caller of a message, as for a request with this access rule. Fails once the session has ended.
    pub async fn admitted(&self, env: &Arc<Env>, route: &'static str, access: Access) -> Result<Message> {
        let admitted = admit_session(env, access, (self.org, self.user, self.session), self.ip).await?;
        let records_reads = admitted.records_reads;
        Ok(Message { cx: admitted.context(env, self.info(env, route)).await?, records_reads })
    }

    fn info(&self, env: &Env, route: &'static str) -> RequestInfo {
        let id = format!("req_{}", env.ids.next().simple());
        RequestInfo {
            method: "WS".to_owned(),
            path: "/ws".to_owned(),
            ip: self.ip,
            user_agent: self.user_agent.clone(),
            ..RequestInfo::internal(id, route)
        }
    }
}

/// A message whose caller was admitted.
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
