//! Users: people who sign in, with a role, a status and optionally a second factor.

use crate::choices;
use crate::error::Violations;
use crate::field::Fields;
use crate::permission::{Grants, Resource, Role, RoleRef};
use crate::record::{Claim, ClaimKind, Personal, Record, Reference};
use crate::{
    Conflict, Edit, EmailAddress, Epoch, Error, Line, RecordType, Rule, Stamp, Timestamp, UserId, record_events,
    record_head,
};
use serde::{Deserialize, Deserializer, Serialize};

/// A user. Holds no secret: the password's hash is stored in a separate row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct User {
    /// The id.
    #[field(read_only)]
    pub id: UserId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The e-mail address to sign in with.
    pub email: EmailAddress,
    /// The user name to sign in with.
    pub username: Option<Username>,
    /// The full name.
    pub name: Option<Line<120>>,
    /// The role.
    pub role: RoleRef,
    /// Whether the user may sign in.
    #[serde(default)]
    pub status: Status,
    /// The address to sign in with once the user confirms it, by the link that was sent to it.
    #[serde(default)]
    #[field(read_only)]
    pub new_email: Option<EmailAddress>,
    /// When the e-mail address was verified.
    #[serde(default)]
    #[field(read_only)]
    pub email_verified_at: Option<Timestamp>,
    /// Whether signing in needs a code from an authenticator app besides the password.
    #[serde(default)]
    pub second_factor: bool,
    /// The epoch of the user's sessions. Ending all sessions starts a new epoch; sessions of earlier ones are invalid.
    #[serde(default)]
    #[field(read_only)]
    pub session_epoch: u32,
}

choices! {
    /// Whether a user may sign in.
    #[derive(Default)]
    Status as "UserStatus" {
        /// The user may sign in.
        #[default] Active = "active",
        /// The user may not sign in, and all sessions have ended.
        Suspended = "suspended",
    }
}

impl User {
    /// A new user, who registers or was invited.
    pub fn new(
        email: EmailAddress,
        username: Option<Username>,
        name: Option<Line<120>>,
        role: RoleRef,
        stamp: &Stamp,
    ) -> User {
        User {
            id: UserId::new(stamp.id),
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            email,
            username,
            name,
            role,
            status: Status::Active,
            new_email: None,
            email_verified_at: None,
            second_factor: false,
            session_epoch: 0,
        }
    }

    /// The current epoch of the user's sessions.
    pub fn epoch(&self) -> Epoch {
        Epoch { user: self.id, number: self.session_epoch }
    }

    /// Whether the user is an owner and active.
    pub fn is_acting_owner(&self) -> bool {
        self.role == RoleRef::from(Role::Owner) && self.status == Status::Active
    }

    /// The user with all sessions ended. A new address that waits to be confirmed is dropped with them, as another person
    /// may have asked for it.
    #[must_use]
    pub fn signed_out(self) -> User {
        User { session_epoch: self.session_epoch + 1, new_email: None, ..self }
    }

    /// The address that a confirmation is sent to: the new one, if there is one.
    pub fn address_to_confirm(&self) -> &EmailAddress {
        self.new_email.as_ref().unwrap_or(&self.email)
    }

    /// The user with another e-mail address to confirm; until then they sign in with the present one. The present address
    /// takes a request for another one back.
    #[must_use]
    pub fn with_address(&self, email: EmailAddress) -> User {
        self.changed_to(User { email, new_email: None, ..self.clone() })
    }

    /// The user with the address confirmed. If it is a new one, all sessions end.
    #[must_use]
    pub fn confirmed(&self, at: Timestamp) -> User {
        let confirmed = User { email_verified_at: Some(at), ..self.clone() };
        match &self.new_email {
            Some(email) => User { email: email.clone(), new_email: None, ..confirmed }.signed_out(),
            None => confirmed,
        }
    }

    /// The user as changed by another user. Suspending ends all sessions; a new e-mail address counts once it is
    /// confirmed.
    #[must_use]
    fn changed_to(&self, wanted: User) -> User {
        let same = self.email.normalized() == wanted.email.normalized();
        let asked = Some(wanted.email.clone()).filter(|_| !same);
        let email = if same { wanted.email } else { self.email.clone() };
        // Another user can turn the second factor off, for users who lost their app and codes, but can't turn it on.
        let second_factor = self.second_factor && wanted.second_factor;
        let wanted = User { email, second_factor, ..wanted };
        let wanted = if wanted.status != self.status { wanted.signed_out() } else { wanted };
        User { new_email: asked.or(wanted.new_email.clone()), ..wanted }
    }

    /// Refuses a user's changes of their own e-mail address and second factor: these need the password, at endpoints of
    /// their own. So an open session, or an API key, of a user is not enough to take over the account.
    pub fn may_change_own(&self, after: &User) -> Result<(), Error> {
        let mut violations = Violations::default();
        if (&after.email, &after.new_email) != (&self.email, &self.new_email) {
            let rule =
                Rule::format("changed with POST /api/auth/change-email", "通过 POST /api/auth/change-email 修改");
            violations.add("/email", rule);
        }
        if after.second_factor != self.second_factor {
            let rule =
                Rule::format("turned off with POST /api/auth/mfa/disable", "通过 POST /api/auth/mfa/disable 停用");
            violations.add("/second_factor", rule);
        }
        violations.into_result()
    }

    /// Whether a change could give the account to another person: another address, or no second factor any more.
    pub fn may_change_hands(&self, after: &User) -> bool {
        self.new_email != after.new_email || self.second_factor != after.second_factor
    }
}

/// Checks that the caller may change a user between these roles: it can't grant or revoke permissions it doesn't have,
/// and only owners change owners.
pub fn may_change(mine: &Grants, my_role: Option<RoleRef>, theirs: &[(RoleRef, Grants)]) -> Result<(), Error> {
    let owner = RoleRef::from(Role::Owner);
    let mine_all = my_role == Some(owner);
    match theirs.iter().all(|(role, grants)| mine_all || (*role != owner && mine.cover(grants))) {
        true => Ok(()),
        false => Err(Error::Conflict(Conflict::BeyondOwnRole)),
    }
}

/// Checks that the caller may grant or revoke permissions: only those it has.
pub fn may_change_grants(mine: &Grants, theirs: &[Grants]) -> Result<(), Error> {
    match theirs.iter().all(|grants| mine.cover(grants)) {
        true => Ok(()),
        false => Err(Error::Conflict(Conflict::BeyondOwnRole)),
    }
}

impl Record for User {
    const TYPE: RecordType = RecordType::User;
    type Id = UserId;
    type Context = ();
    const RESOURCE: Resource = Resource::Users;
    const PERSONAL: Personal = Personal::Unique(ClaimKind::Login);
    const COUNTED: bool = true;

    const SAMPLE: &'static str = r#"{"email": "staff@example.com", "role": "sales"}"#;
    const STATE: Option<(&'static str, &'static [&'static str])> = Some(("status", Status::NAMES));

    const KEPT: &'static [&'static str] = <User as Fields>::READ_ONLY;

    record_head!();
    record_events!(UserRegistered, UserUpdated, UserDeleted, UserRestored);

    fn settle(edit: Edit<'_, User>, (): &()) -> Result<User, Error> {
        Ok(match edit.before {
            Some(before) => before.changed_to(edit.wanted),
            None => edit.wanted,
        })
    }

    /// Sessions from before the deletion stay ended.
    fn back(&self) -> User {
        self.clone().signed_out()
    }

    fn claims(&self) -> Vec<Claim> {
        let login = |value| Claim { kind: ClaimKind::Login, value };
        let username = self.username.as_ref().map(|name| login(name.normalized()));
        std::iter::once(login(self.email.normalized())).chain(username).collect()
    }

    fn person(&self) -> Option<String> {
        Some(self.email.normalized())
    }

    fn references(&self) -> Vec<Reference> {
        self.role.references()
    }

    fn state(&self) -> Option<&str> {
        Some(self.status.name())
    }
}

/// A user name: 3 to 64 letters, digits, `.`, `_` or `-`; case-insensitive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 3, max_length = 64)]
pub struct Username(String);

impl Username {
    /// Parses a user name.
    pub fn parse(text: &str) -> Result<Username, Rule> {
        let length = text.chars().count();
        let good = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if good && (3..=64).contains(&length) { Ok(Username(text.to_owned())) } else { Err(Rule::Username) }
    }

    /// The normalised form for comparison.
    pub fn normalized(&self) -> String {
        crate::words::normalize(&self.0)
    }
}

impl<'de> Deserialize<'de> for Username {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        crate::open::read(from, Username::parse, |text| Some(Username(text.to_owned())))
    }
}

crate::as_text!(Username);
