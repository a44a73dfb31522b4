//! What a deployment is set to; read once at start.

use daybook_domain::{EmailAddress, OrgId};
use std::time::Duration;

/// How long a worker has a piece of work to itself where nothing else is set: the time-out of most functions.
pub const LEASE: Duration = Duration::from_secs(60);

/// Settings that handlers and workers share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The organisation of anonymous intake.
    pub default_org: OrgId,
    /// Where its team is told of leads while it has no owner.
    pub team_address: EmailAddress,
    /// Who may register.
    pub registration: Registration,
    /// Who becomes the owner of the default organisation by registering.
    pub first_owner: FirstOwner,
    /// Whether rate limits hold. Off for trials on one machine only.
    pub rate_limits: bool,
    /// Life of an access token.
    pub access_token: Duration,
    /// Origins whose pages may read answers (`*` for any).
    pub allowed_origins: Vec<String>,
    /// First step of the back-off of retries.
    pub retry_base: Duration,
    /// How long a worker has a piece of work to itself; not less than a function may run.
    pub lease: Duration,
    /// Where the deployment is reached, for links in mails.
    pub public_url: String,
    /// Where the links of mails lead that need a page (a new password, an invitation); the deployment's own page
    /// unless set.
    pub account_url: Option<String>,
    /// What becomes of passwords that many have.
    pub common_passwords: CommonPasswords,
}

/// What becomes of passwords that many have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonPasswords {
    /// They are refused.
    Refuse,
    /// They are taken, with a warning.
    Warn,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody, each with an organisation of their own.
    Open,
    /// Who was invited.
    Invite,
    /// Nobody.
    Closed,
}

/// Who becomes the owner of the default organisation by registering, while it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstOwner {
    /// Whoever comes first. On one machine only.
    FirstToRegister,
    /// Who registers with this address.
    Address(EmailAddress),
    /// Nobody.
    NotSet,
}

impl Settings {
    /// The page that a link of a mail leads to; the token goes behind the `#`, which browsers keep to themselves.
    pub fn account_link(&self, fragment: &str) -> String {
        let own = || [&self.public_url, "/account"].concat();
        [&self.account_url.clone().unwrap_or_else(own), "#", fragment].concat()
    }

    /// The settings of a deployment that says nothing of its own.
    pub fn new(default_org: OrgId, team_address: EmailAddress) -> Settings {
        Settings {
            default_org,
            team_address,
            registration: Registration::Invite,
            first_owner: FirstOwner::NotSet,
            rate_limits: true,
            access_token: Duration::from_secs(1800),
            allowed_origins: Vec::new(),
            retry_base: Duration::from_secs(2),
            lease: LEASE,
            public_url: "http://localhost:3000".to_owned(),
            account_url: None,
            common_passwords: CommonPasswords::Refuse,
        }
    }
}
