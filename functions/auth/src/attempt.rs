//! Limits of sign-in attempts: per user or unknown name, per user on known devices, and per signed-in user who repeats
//! their password.

use daybook_domain::user::User;
use daybook_domain::{Error as Domain, OrgId, UserId};
use daybook_http::{Cx, DeviceToken, Result, token};
use daybook_store::Answer;
use daybook_store::rows::{RowWrite, attempts, tally};

/// A counter of sign-in attempts.
pub struct Attempt {
    subject: String,
}

impl Attempt {
    /// The counter for a sign-in by a name. A user has one, by whichever of their names, and one for all devices they
    /// have signed in on; a name that no user has is counted by itself.
    pub fn of(cx: &Cx, name: &str, known: Option<UserId>, user: Option<&User>, device: &DeviceToken) -> Attempt {
        let Some(id) = known else { return Attempt { subject: format!("name {name}") } };
        let is_of_device = |user: &User| {
            let token = device.0.as_deref();
            token.is_some_and(|token| token::is_of_device(&cx.env.keys, user.epoch(), token, cx.now()))
        };
        if user.is_some_and(is_of_device) { Attempt::on_devices(id) } else { Attempt::elsewhere(id) }
    }

    /// The counter of a user's sign-ins on devices without a valid token.
    fn elsewhere(user: UserId) -> Attempt {
        Attempt { subject: format!("sign-in {user}") }
    }

    /// The counter of a user's sign-ins on devices with a valid token.
    fn on_devices(user: UserId) -> Attempt {
        Attempt { subject: format!("devices {user}") }
    }

    /// The writes that reset both counters of a user's sign-ins.
    pub fn sign_in_cleared(cx: &Cx, user: UserId) -> Result<[RowWrite; 2]> {
        Ok([Attempt::elsewhere(user).cleared(cx)?, Attempt::on_devices(user).cleared(cx)?])
    }

    /// The counter of a signed-in user who repeats their password.
    pub fn of_user(user: UserId) -> Attempt {
        Attempt { subject: format!("user {user}") }
    }

    /// Takes an attempt, or fails with the time after which there is one again.
    pub async fn take(&self, cx: &Cx) -> Result<()> {
        if !cx.env.settings.rate_limits {
            return Ok(());
        }
        let Err(retry_after) = attempts::take(&cx.env, self.org(cx), &self.subject).await? else { return Ok(()) };
        tally::count(&cx.env, cx.org, Answer::Unauthenticated).await?;
        Err(Domain::Limited { retry_after }.into())
    }

    /// The write that resets the counter after a success.
    pub fn cleared(&self, cx: &Cx) -> Result<RowWrite> {
        attempts::cleared(&cx.env, self.org(cx), &self.subject)
    }

    /// All counters share one organisation, so that a row doesn't reveal whose it is.
    fn org(&self, cx: &Cx) -> OrgId {
        cx.env.settings.default_org
    }
}
