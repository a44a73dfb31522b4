//! Users: the people who sign in.

use crate::choices;
use crate::field::Fields;
use crate::permission::{Grants, Resource, Role, RoleRef};
use crate::record::{Claim, ClaimKind, Personal, Record, Reference};
use crate::{
    Conflict, Edit, EmailAddress, Epoch, Error, Line, RecordType, Rule, Stamp, Timestamp, UserId, record_events,
    record_head,
};
use serde::{Deserialize, Deserializer, Serialize};

/// Somebody who signs in. Holds no secret: the password's hash is a row of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct User {
    /// The id.
    #[field(read_only)]
    pub id: UserId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was made.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The address to sign in with.
    pub email: EmailAddress,
    /// The name to sign in with.
    pub username: Option<Username>,
    /// What they are called.
    pub name: Option<Line<120>>,
    /// What they may do.
    pub role: RoleRef,
    /// Whether they may sign in.
    #[serde(default)]
    pub status: Status,
    /// When the address was proven to be theirs.
    #[serde(default)]
    #[field(read_only)]
    pub email_verified_at: Option<Timestamp>,
    /// Whether signing in takes a code of their app besides the password.
    #[serde(default)]
    pub second_factor: bool,
    /// Sessions of an earlier epoch have ended: a new one begins when all are to end at once.
    #[serde(default)]
    #[field(read_only)]
    pub session_epoch: u32,
}

choices! {
    /// Whether a user may sign in.
    #[derive(Default)]
    Status as "UserStatus" {
        /// They may.
        #[default] Active = "active",
        /// They may not, and their sessions have ended.
        Suspended = "suspended",
    }
}

impl User {
    /// A user as they register or are invited.
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
            email_verified_at: None,
            second_factor: false,
            session_epoch: 0,
        }
    }

    /// The epoch of sessions that they are in.
    pub fn epoch(&self) -> Epoch {
        Epoch { user: self.id, number: self.session_epoch }
    }

    /// Whether they own the organisation, and can act for it.
    pub fn is_acting_owner(&self) -> bool {
        self.role == RoleRef::from(Role::Owner) && self.status == Status::Active
    }

    /// The user with all sessions ended.
    #[must_use]
    pub fn signed_out(mut self) -> User {
        self.session_epoch += 1;
        self
    }

    /// The user with another address, which ends their sessions.
    #[must_use]
    pub fn with_address(&self, email: EmailAddress) -> User {
        self.changed_to(User { email, ..self.clone() })
    }

    /// The user as somebody else changes them. Suspending ends their sessions; another address is not proven yet.
    #[must_use]
    fn changed_to(&self, wanted: User) -> User {
        let proven = self.email.normalized() == wanted.email.normalized();
        let email_verified_at = self.email_verified_at.filter(|_| proven);
        // Who lost their app and their codes is let in without; nobody else can set one up for them.
        let second_factor = self.second_factor && wanted.second_factor;
        let wanted = User { email_verified_at, second_factor, ..wanted };
        if wanted.status != self.status || !proven { wanted.signed_out() } else { wanted }
    }
}

/// Whether somebody may make a user what they are to be: nobody gives, or takes away, more than they have
/// themselves, and owners are changed by owners alone.
pub fn may_change(mine: &Grants, my_role: Option<RoleRef>, theirs: &[(RoleRef, Grants)]) -> Result<(), Error> {
    let owner = RoleRef::from(Role::Owner);
    let mine_all = my_role == Some(owner);
    match theirs.iter().all(|(role, grants)| mine_all || (*role != owner && mine.cover(grants))) {
        true => Ok(()),
        false => Err(Error::Conflict(Conflict::BeyondOwnRole)),
    }
}

/// Whether somebody may give, or take away, permissions: no more than they have themselves.
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

    /// Their sessions stay ended.
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

/// A name to sign in with: 3 to 64 letters, digits, `.`, `_` or `-`; upper and lower case are one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 3, max_length = 64)]
pub struct Username(String);

impl Username {
    /// The name a text is.
    pub fn parse(text: &str) -> Result<Username, Rule> {
        let length = text.chars().count();
        let good = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if good && (3..=64).contains(&length) { Ok(Username(text.to_owned())) } else { Err(Rule::Username) }
    }

    /// The form in which names are compared.
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
