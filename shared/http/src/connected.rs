//! Callers of connections that outlast a request: signed in once, and admitted anew for each of their messages.

use crate::access::{Access, admit_session, authenticated_session};
use crate::audit;
use axum::http::HeaderMap;
use daybook_domain::{Error as Domain, Locale, OrgId, SessionId, Unauthenticated, UserId};
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
    /// Whether the organisation has reads on record.
    records_reads: bool,
}

impl Connected {
    /// The caller of a handshake: by its ticket, else by the access token in its headers.
    pub async fn of(
        env: &Arc<Env>,
        headers: &HeaderMap,
        ticket: Option<&str>,
        ip: Option<IpAddr>,
    ) -> Result<Connected> {
        let (org, user, session) = match ticket {
            Some(ticket) => {
                let (org, ticket) = SocketTicket::redeem(env, ticket).await?.ok_or_else(signed_out)?;
                (org, ticket.user, ticket.session)
            }
            None => authenticated_session(env, headers, ip).await?,
        };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let user_agent = text("user-agent").map(|agent| agent.chars().take(300).collect());
        let locale = text("accept-language").and_then(Locale::accepted).unwrap_or_default();
        let mut caller = Connected { org, user, session, ip, user_agent, locale, records_reads: false };
        let admitted = admit_session(env, Access::SignedIn, (org, user, session), ip).await?;
        caller.records_reads = admitted.records_reads;
        caller.admitted(env, "/ws", Access::SignedIn).await?;
        Ok(caller)
    }

    /// Puts a message that reads on record, where the organisation wants that.
    pub async fn record_read(&self, cx: &Cx) -> Result<()> {
        if self.records_reads { audit::viewed(&cx.next_step()).await } else { Ok(()) }
    }

    /// The context of a message, as of a request with this access rule. Fails once the session has ended.
    pub async fn admitted(&self, env: &Arc<Env>, route: &'static str, access: Access) -> Result<Cx> {
        let admitted = admit_session(env, access, (self.org, self.user, self.session), self.ip).await?;
        let id = format!("req_{}", env.ids.next().simple());
        let info = RequestInfo {
            method: "WS".to_owned(),
            path: "/ws".to_owned(),
            ip: self.ip,
            user_agent: self.user_agent.clone(),
            ..RequestInfo::internal(id, route)
        };
        let cx = Cx {
            env: env.clone(),
            org: admitted.org,
            actor: admitted.actor,
            reach: admitted.reach,
            grants: admitted.grants,
            request: Arc::new(info),
            once: None,
            mates: Arc::default(),
        };
        match admitted.refused {
            Some(refused) => {
                audit::denied(&cx).await?;
                Err(refused.into())
            }
            None => Ok(cx),
        }
    }
}

fn signed_out() -> Domain {
    Domain::Unauthenticated(Unauthenticated::Invalid)
}
