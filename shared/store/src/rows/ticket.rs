//! Tickets: single-use tokens sent by mail, for resetting a password or verifying an address.
//!
//! The token is a signature of the row's content, so that the table holds nothing that could be used as a token, and
//! the mail can be generated again. Of each kind only a user's newest ticket is valid.

use super::{RowWrite, SKEW};
use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Purpose, Result, ids_in_token, place_in_token, sha256_hex};
use daybook_domain::{Actor, ApiKeyId, Conflict, EmailAddress, Error as Domain, OrgId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The purpose of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Setting a new password, within an hour.
    ResetPassword,
    /// Verifying an address, within a week.
    VerifyEmail,
}

impl Use {
    /// The name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Use::ResetPassword => "reset-password",
            Use::VerifyEmail => "verify-email",
        }
    }

    /// How long a ticket is valid.
    pub fn valid(self) -> Duration {
        match self {
            Use::ResetPassword => Duration::from_secs(3600),
            Use::VerifyEmail => Duration::from_secs(7 * 86_400),
        }
    }
}

/// A ticket, as the table holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The signed value, besides organisation, user and purpose.
    pub nonce: String,
    /// SHA-256 of the address it is sent to: once the user's address changes, it is invalid.
    pub address_sha256: String,
    /// The user who requested it for another one, whose power is checked again when it is used.
    #[serde(default)]
    pub by: Option<UserId>,
    /// The API key that it was requested with.
    #[serde(default)]
    pub by_key: Option<ApiKeyId>,
    /// Whether it was used.
    pub used: bool,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
}

impl Ticket {
    /// A ticket that is valid from now on.
    pub fn new(env: &Env, address: &EmailAddress, to: Use) -> Ticket {
        let expires_at = env.clock.now().plus(to.valid()).as_second();
        let nonce = env.ids.next().simple().to_string();
        let address_sha256 = sha256_hex(address.normalized().as_bytes());
        Ticket { nonce, address_sha256, by: None, by_key: None, used: false, expires_at }
    }

    /// The ticket as requested by an actor for another user.
    #[must_use]
    pub fn requested_by(self, actor: &Actor) -> Ticket {
        Ticket { by: actor.owner(), by_key: actor.key(), ..self }
    }

    /// The ticket as requested like an earlier one.
    #[must_use]
    pub fn requested_like(self, earlier: &Ticket) -> Ticket {
        Ticket { by: earlier.by, by_key: earlier.by_key, ..self }
    }

    /// Whether it was sent to this address.
    pub fn went_to(&self, address: &EmailAddress) -> bool {
        self.address_sha256 == sha256_hex(address.normalized().as_bytes())
    }

    /// The row; replaces an older ticket.
    pub fn write(&self, org: OrgId, user: UserId, to: Use) -> Result<RowWrite> {
        RowWrite::replacing(&Place::Ticket(org, user, to.name()).key(), self)
    }

    /// The row of the ticket once it is used; refused where it was used already, or where there is a newer one.
    pub fn spend(&self, org: OrgId, user: UserId, to: Use) -> Result<RowWrite> {
        let spent = Ticket { used: true, ..self.clone() };
        let unused = Condition::equal("nonce", &self.nonce).and(Condition::equal("used", self.used));
        let refusal = Domain::Conflict(Conflict::TicketUsed);
        RowWrite::following(&Place::Ticket(org, user, to.name()).key(), &spent, unused, refusal)
    }

    /// The ticket of a user, used or not.
    pub async fn read(env: &Env, org: OrgId, user: UserId, to: Use) -> Result<Option<Ticket>> {
        env.table.get(&Place::Ticket(org, user, to.name()).key()).await?.map(parse_item).transpose()
    }

    /// The token to send by mail.
    pub fn token(&self, env: &Env, org: OrgId, user: UserId, to: Use) -> String {
        let signature = env.keys.sign(Purpose::Ticket, self.message(org, user, to).as_bytes());
        format!("{}.{signature}", place_in_token(org, user.uuid()))
    }

    /// The ticket of a token, with its organisation and user; none where it isn't valid.
    pub async fn of_token(env: &Env, token: &str, to: Use) -> Result<Option<(OrgId, UserId, Ticket)>> {
        let Some((org, user, signature)) = parts(token) else { return Ok(None) };
        let Some(ticket) = Ticket::read(env, org, user, to).await? else { return Ok(None) };
        let genuine = env.keys.verify(Purpose::Ticket, ticket.message(org, user, to).as_bytes(), signature);
        let now = env.clock.now();
        // An end further ahead was stored while the clock was ahead.
        let latest = now.plus(to.valid() + SKEW).as_second();
        let on_time = now.as_second() < ticket.expires_at && ticket.expires_at <= latest;
        let good = genuine && !ticket.used && on_time;
        Ok(good.then_some((org, user, ticket)))
    }

    fn message(&self, org: OrgId, user: UserId, to: Use) -> String {
        format!("{org}|{user}|{}|{}", to.name(), self.nonce)
    }
}

/// Organisation, subject and signature in a token.
fn parts(token: &str) -> Option<(OrgId, UserId, &str)> {
    let (place, signature) = token.split_once('.')?;
    let (org, user) = ids_in_token(place)?;
    Some((org, UserId::new(user), signature))
}
