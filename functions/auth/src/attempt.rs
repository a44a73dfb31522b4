//! Limits of sign-in attempts: per name, per known device, and per signed-in user who repeats their password.

use daybook_domain::{Error as Domain, OrgId, UserId};
use daybook_http::{Cx, DeviceToken, Result, token};
use daybook_store::Answer;
use daybook_store::rows::{attempts, tally};

/// A counter of sign-in attempts.
pub struct Attempt {
    subject: String,
}

impl Attempt {
    /// The counter for a sign-in by this name: that of the device if the user has signed in on it before, else that of
    /// the name.
    pub fn of(cx: &Cx, name: String, user: Option<UserId>, DeviceToken(token): &DeviceToken) -> Attempt {
        let device = user.zip(token.as_deref()).and_then(|(user, token)| token::device_of(&cx.env.keys, user, token));
        device.map_or_else(|| Attempt::of_name(name), |device| Attempt { subject: format!("device {device}") })
    }

    /// The counter of a name, whether a user has it or not.
    pub fn of_name(name: String) -> Attempt {
        Attempt { subject: format!("name {name}") }
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
    pub fn cleared(&self, cx: &Cx) -> Result<daybook_store::rows::RowWrite> {
        attempts::cleared(&cx.env, self.org(cx), &self.subject)
    }

    /// All names share one organisation, so that the row doesn't reveal whose name it is.
    fn org(&self, cx: &Cx) -> OrgId {
        cx.env.settings.default_org
    }
}
