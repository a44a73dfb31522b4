//! Attempts to sign in, of which each name and each device has so many.

use daybook_domain::{Error as Domain, OrgId, UserId};
use daybook_http::{Cx, DeviceToken, Result, token};
use daybook_store::Answer;
use daybook_store::rows::{attempts, tally};

/// The attempts that count for a sign-in: those of the name, or of the device where the user signed in on it before.
pub struct Attempt {
    subject: String,
}

impl Attempt {
    /// The attempts that count for a sign-in by this name: those of the device where its user signed in there before, else
    /// those of the name.
    pub fn of(cx: &Cx, name: String, user: Option<UserId>, DeviceToken(token): &DeviceToken) -> Attempt {
        let device = user.zip(token.as_deref()).and_then(|(user, token)| token::device_of(&cx.env.keys, user, token));
        device.map_or_else(|| Attempt::of_name(name), |device| Attempt { subject: format!("device {device}") })
    }

    /// The attempts of a name, whether anybody has it or not.
    pub fn of_name(name: String) -> Attempt {
        Attempt { subject: format!("name {name}") }
    }

    /// The attempts of somebody who is signed in, and says their password once more.
    pub fn of_user(user: UserId) -> Attempt {
        Attempt { subject: format!("user {user}") }
    }

    /// Takes one, or says when there will be one again.
    pub async fn take(&self, cx: &Cx) -> Result<()> {
        if !cx.env.settings.rate_limits {
            return Ok(());
        }
        let Err(retry_after) = attempts::take(&cx.env, self.org(cx), &self.subject).await? else { return Ok(()) };
        tally::count(&cx.env, cx.org, Answer::Unauthenticated).await?;
        Err(Domain::Limited { retry_after }.into())
    }

    /// The row once one has succeeded.
    pub fn cleared(&self, cx: &Cx) -> Result<daybook_store::rows::RowWrite> {
        attempts::cleared(&cx.env, self.org(cx), &self.subject)
    }

    /// In one place for all names, so that it says nothing of whose they are.
    fn org(&self, cx: &Cx) -> OrgId {
        cx.env.settings.default_org
    }
}
