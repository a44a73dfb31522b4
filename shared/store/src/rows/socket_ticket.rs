//! Tickets for WebSockets: a browser can't send a header with a handshake, so it sends a ticket in the address instead,
//! which is valid once and for a minute. The table has only the hash of its secret.

use super::SKEW;
use crate::schema::Place;
use crate::table::{Condition, Update, Written, parse_item};
use crate::{Env, Result, fill_random, ids_in_token, place_in_token, sha256_hex};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{OrgId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a ticket is valid.
pub const VALID: Duration = Duration::from_secs(60);

/// The number of random bytes of a ticket.
const SECRET: usize = 32;

/// A ticket, as the table holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketTicket {
    /// The user.
    pub user: UserId,
    /// The session that it was requested in; when that ends, the socket does.
    pub session: SessionId,
    /// Whether it was used.
    pub used: bool,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

impl SocketTicket {
    /// Stores a ticket of a session; returns what the client sends.
    pub async fn issue(env: &Env, org: OrgId, user: UserId, session: SessionId) -> Result<String> {
        let mut secret = [0; SECRET];
        fill_random(&mut secret)?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let expires_at = env.clock.now().plus(VALID).as_second();
        let ticket = SocketTicket { user, session, used: false, expires_at };
        let place = Place::SocketTicket(org, &sha256_hex(secret.as_bytes())).key();
        env.table.put(&place, &ticket, Condition::absent()).await?;
        Ok(format!("{}.{secret}", place_in_token(org, user.uuid())))
    }

    /// Uses a ticket; returns it with its organisation, unless it is unknown, was used before or has expired.
    pub async fn redeem(env: &Env, text: &str) -> Result<Option<(OrgId, SocketTicket)>> {
        let Some((place, secret)) = text.split_once('.') else { return Ok(None) };
        let Some((org, _)) = ids_in_token(place) else { return Ok(None) };
        let place = Place::SocketTicket(org, &sha256_hex(secret.as_bytes())).key();
        let Some(ticket) = env.table.get(&place).await?.map(parse_item::<SocketTicket>).transpose()? else {
            return Ok(None);
        };
        let now = env.clock.now();
        // An end further ahead was stored while the clock was ahead.
        let latest = now.plus(VALID + SKEW).as_second();
        if now.as_second() >= ticket.expires_at || ticket.expires_at > latest {
            return Ok(None);
        }
        let unused = Condition::equal("used", false);
        let used = env.table.update(&place, Update::set("used", true), unused).await?;
        Ok(matches!(used, Written::Done(_)).then_some((org, ticket)))
    }
}
