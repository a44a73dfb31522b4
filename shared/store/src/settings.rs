//! Settings of a deployment, read once at start.

use daybook_domain::origin::{is_loopback_origin, origin_of};
use daybook_domain::{EmailAddress, OrgId, Secret};
use std::fmt;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// The default lease of a worker: the time-out of most functions.
pub const LEASE: Duration = Duration::from_secs(60);

/// Settings that handlers and workers share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The organisation that anonymous submissions belong to.
    pub default_org: OrgId,
    /// The address that is notified of leads while the organisation has no owner.
    pub team_address: EmailAddress,
    /// Who may register.
    pub registration: Registration,
    /// Who becomes the owner of the default organisation by registering.
    pub first_owner: FirstOwner,
    /// Whether rate limits are enforced. Off for trials on one machine only.
    pub rate_limits: bool,
    /// The lifetime of an access token.
    pub access_token: Duration,
    /// Origins whose pages may read answers (`*` for any).
    pub allowed_origins: Vec<String>,
    /// Whether pages served by the machine itself (`http://localhost:5173`) may read answers, too. On one machine only.
    pub loopback_origins: bool,
    /// The first delay of the exponential back-off of retries.
    pub retry_base: Duration,
    /// How long a job works before other jobs get their turn.
    pub job_turn: Duration,
    /// The lease of a delivery: longer than the attempt to send a mail takes.
    pub lease: Duration,
    /// The URL of the deployment, for links in mails.
    pub public_url: String,
    /// The page that links in mails lead to where they need one (a new password, an invitation); the deployment's own
    /// page unless set.
    pub account_url: Option<String>,
    /// The page that shows a record, for links in mails, with `{type}`, `{id}` and `{org}` in the places of the record's
    /// path in the API, its id and its organisation's; the API's own address of the record unless set.
    pub record_url: Option<String>,
    /// How common passwords are treated.
    pub common_passwords: CommonPasswords,
    /// Whether the health check tells how many users, conversations and open sockets there are.
    pub health_counts: bool,
}

/// How common passwords are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommonPasswords {
    /// They are refused.
    Refuse,
    /// They are accepted, with a warning.
    Warn,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Any visitor, each with an organisation of their own.
    Open,
    /// Invited users only.
    Invite,
    /// No user.
    Closed,
}

/// Who becomes the owner of the default organisation by registering, while it has none.
#[derive(Clone, Debug)]
pub enum FirstOwner {
    /// The first user who registers. On one machine only.
    FirstToRegister,
    /// The user who registers with this address, once it is confirmed.
    Address(FirstAddress),
    /// No user.
    NotSet,
}

/// The address of the first owner of the default organisation.
#[derive(Clone, Debug)]
pub struct FirstAddress {
    /// The address.
    pub email: EmailAddress,
    /// A one-time code that also lets the user register, where mails to the address can't be sent yet.
    pub code: Option<Secret>,
}

impl FirstOwner {
    /// Whether this is the address of the first owner.
    pub fn is(&self, email: &EmailAddress) -> bool {
        match self {
            FirstOwner::Address(first) => first.email.normalized() == email.normalized(),
            FirstOwner::FirstToRegister | FirstOwner::NotSet => false,
        }
    }
}

impl FirstAddress {
    /// The length of a code, in characters, below which it would be easy to guess.
    pub const SHORTEST_CODE: usize = 16;

    /// Whether this is the code; compares in constant time.
    pub fn has_code(&self, given: &Secret) -> bool {
        self.code.as_ref().is_some_and(|code| code.expose().as_bytes().ct_eq(given.expose().as_bytes()).into())
    }
}

impl Settings {
    /// The URL of a link in a mail; the token is in the fragment (behind `#`), which browsers don't send to servers.
    pub fn account_link(&self, fragment: &str) -> String {
        let own = || [&self.public_url, "/account"].concat();
        [&self.account_url.clone().unwrap_or_else(own), "#", fragment].concat()
    }

    /// The URL of a record for readers of mails, by its path in the API such as `leads`.
    pub fn record_link(&self, org: OrgId, path: &str, id: impl fmt::Display) -> String {
        match &self.record_url {
            Some(url) => {
                let url = url.replace("{type}", path).replace("{id}", &id.to_string());
                url.replace("{org}", &org.to_string())
            }
            None => format!("{}/api/{path}/{id}", self.public_url),
        }
    }

    /// Whether pages of this origin may read answers.
    pub fn allows_origin(&self, origin: &str) -> bool {
        let listed = self.allowed_origins.iter().any(|allowed| allowed == "*" || allowed == origin);
        listed || (self.loopback_origins && is_loopback_origin(origin))
    }

    /// Whether visitors may be sent on to pages of this origin: if it is listed itself.
    pub fn sends_visitors_to(&self, origin: &str) -> bool {
        let listed = |known: &String| origin_of(known).is_some_and(|known| known == origin);
        self.allowed_origins.iter().any(listed) || (self.loopback_origins && is_loopback_origin(origin))
    }

    /// The default settings.
    pub fn new(default_org: OrgId, team_address: EmailAddress) -> Settings {
        Settings {
            default_org,
            team_address,
            registration: Registration::Invite,
            first_owner: FirstOwner::NotSet,
            rate_limits: true,
            access_token: Duration::from_secs(1800),
            allowed_origins: Vec::new(),
            loopback_origins: false,
            retry_base: Duration::from_secs(2),
            job_turn: Duration::from_secs(20),
            lease: LEASE,
            public_url: "http://localhost:3000".to_owned(),
            account_url: None,
            record_url: None,
            common_passwords: CommonPasswords::Refuse,
            health_counts: true,
        }
    }
}
