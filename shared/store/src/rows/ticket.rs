//! Tickets: tokens that go out by mail and can be used once.
//!
//! The token is a signature of what the row holds, so the table holds nothing that anybody could use, and the
//! mail can be written again. Of one kind only the newest of a user is good.

use super::RowWrite;
use crate::schema::Place;
use crate::table::{Condition, parse_item};
use crate::{Env, Purpose, Result, ids_in_token, place_in_token, sha256_hex};
use daybook_domain::{Conflict, EmailAddress, Error as Domain, OrgId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Choosing a new password, within an hour.
    ResetPassword,
    /// Proving an address, within a week.
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

    /// How long a ticket is good.
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
    /// What is signed, besides whose it is and for what.
    pub nonce: String,
    /// SHA-256 of the address it goes to: once the user has another one, it is worthless.
    pub address_sha256: String,
    /// Whether it was used.
    pub used: bool,
    /// Until when it is good: seconds since 1970.
    pub expires_at: i64,
}

impl Ticket {
    /// A ticket that is good from now on.
    pub fn new(env: &Env, address: &EmailAddress, to: Use) -> Ticket {
        let expires_at = env.clock.now().plus(to.valid()).as_second();
        let nonce = env.ids.next().simple().to_string();
        Ticket { nonce, address_sha256: sha256_hex(address.normalized().as_bytes()), used: false, expires_at }
    }

    /// Whether it went to this address.
    pub fn went_to(&self, address: &EmailAddress) -> bool {
        self.address_sha256 == sha256_hex(address.normalized().as_bytes())
    }

    /// The row, in place of an older ticket.
    pub fn write(&self, org: OrgId, user: UserId, to: Use) -> Result<RowWrite> {
        RowWrite::replacing(&Place::Ticket(org, user, to.name()).key(), self)
    }

    /// The row of the ticket once it is used; refused where it was, or where there is a newer one.
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

    /// The token of the mail.
    pub fn token(&self, env: &Env, org: OrgId, user: UserId, to: Use) -> String {
        let signature = env.keys.sign(Purpose::Ticket, self.message(org, user, to).as_bytes());
        format!("{}.{signature}", place_in_token(org, user.uuid()))
    }

    /// The ticket that a token stands for, and whose it is; none where it is no good.
    pub async fn of_token(env: &Env, token: &str, to: Use) -> Result<Option<(OrgId, UserId, Ticket)>> {
        let Some((org, user, signature)) = parts(token) else { return Ok(None) };
        let Some(ticket) = Ticket::read(env, org, user, to).await? else { return Ok(None) };
        let genuine = env.keys.verify(Purpose::Ticket, ticket.message(org, user, to).as_bytes(), signature);
        let good = genuine && !ticket.used && ticket.expires_at > env.clock.now().as_second();
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
