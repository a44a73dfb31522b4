//! Users: the people who sign in.

use crate::permission::Role;
use crate::record::{Claim, ClaimKind, Record};
use crate::{EmailAddress, Line, RecordType, Rule, Stamp, Timestamp, UserId, record_events, record_head};
use serde::{Deserialize, Deserializer, Serialize};

/// Somebody who signs in. Holds no secret: the password's hash is a row of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The version.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// The address to sign in with.
    pub email: EmailAddress,
    /// The name to sign in with.
    pub username: Option<Username>,
    /// What they are called.
    pub name: Option<Line<120>>,
    /// What they may do.
    pub role: Role,
}

impl User {
    /// A user as they register or are invited.
    pub fn new(
        email: EmailAddress,
        username: Option<Username>,
        name: Option<Line<120>>,
        role: Role,
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
        }
    }
}

impl Record for User {
    const TYPE: RecordType = RecordType::User;

    record_head!();
    record_events!(UserRegistered, UserUpdated, UserDeleted, UserRestored);

    fn claims(&self) -> Vec<Claim> {
        let login = |value| Claim { kind: ClaimKind::Login, value };
        let username = self.username.as_ref().map(|name| login(name.normalized()));
        std::iter::once(login(self.email.normalized())).chain(username).collect()
    }

    fn state(&self) -> Option<&'static str> {
        Some(match self.role {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Manager => "manager",
            Role::Sales => "sales",
            Role::Support => "support",
            Role::Viewer => "viewer",
        })
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
        let text = String::deserialize(from)?;
        Username::parse(&text).map_err(serde::de::Error::custom)
    }
}
