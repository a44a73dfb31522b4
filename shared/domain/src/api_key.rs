//! API keys: what programs sign in with.

use crate::field::Fields;
use crate::permission::{Grants, HeldPermission, Permission, Resource};
use crate::record::Record;
use crate::{ApiKeyId, Edit, Error, Line, RecordType, Rule, Stamp, Timestamp, UserId, record_events, record_head};
use serde::{Deserialize, Serialize};

/// The bounds of a key's limit, in requests a minute.
const LIMITS: std::ops::RangeInclusive<u32> = 1..=60_000;

/// A key that a program signs in with. Holds no secret: the secret's hash is a row of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct ApiKey {
    /// The id.
    #[field(read_only)]
    pub id: ApiKeyId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was made.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// What it is for.
    pub name: Line<120>,
    /// A few characters of the secret, to know it by.
    #[field(read_only)]
    pub prefix: String,
    /// What it lets a program do. `own` and `team` are those of whoever made it.
    pub permissions: Vec<HeldPermission>,
    /// When it ends; never, where there is none.
    pub expires_at: Option<Timestamp>,
    /// The most requests a minute; as many as the deployment takes, where there is none.
    pub requests_per_minute: Option<u32>,
    /// Who made it.
    #[field(read_only)]
    pub made_by: UserId,
    /// When it was last used, to the minute. Not part of what is stored: it is filled in where a key is shown.
    #[serde(default)]
    #[field(read_only)]
    pub last_used_at: Option<Timestamp>,
}

/// A key to be made.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewApiKey {
    /// What it is for.
    pub name: Line<120>,
    /// What it lets a program do: no more than whoever makes it may do.
    pub permissions: Vec<Permission>,
    /// When it ends; never, where there is none.
    pub expires_at: Option<Timestamp>,
    /// The most requests a minute, from 1 to 60,000.
    #[schema(minimum = 1, maximum = 60000)]
    pub requests_per_minute: Option<u32>,
}

impl ApiKey {
    /// A new key.
    pub fn new(new: NewApiKey, id: ApiKeyId, prefix: String, made_by: UserId, stamp: &Stamp) -> Result<ApiKey, Error> {
        ApiKey {
            id,
            version: 1,
            created_at: stamp.at,
            updated_at: stamp.at,
            name: new.name,
            prefix,
            permissions: new.permissions.into_iter().map(HeldPermission::Known).collect(),
            expires_at: new.expires_at,
            requests_per_minute: new.requests_per_minute,
            made_by,
            last_used_at: None,
        }
        .checked()
    }

    /// The key with each permission once, or what is wrong with it.
    pub fn checked(self) -> Result<ApiKey, Error> {
        if self.requests_per_minute.is_some_and(|limit| !LIMITS.contains(&limit)) {
            let (min, max) = (i64::from(*LIMITS.start()), i64::from(*LIMITS.end()));
            return Err(Error::invalid("/requests_per_minute", Rule::Range { min, max }));
        }
        Ok(ApiKey { permissions: HeldPermission::normalized(&self.permissions), ..self })
    }

    /// What it lets a program do.
    pub fn grants(&self) -> Grants {
        self.permissions.iter().copied().collect()
    }

    /// Whether it can be used.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl Record for ApiKey {
    const TYPE: RecordType = RecordType::ApiKey;
    type Id = ApiKeyId;
    type Context = ();
    const RESOURCE: Resource = Resource::Organization;
    const UNDONE: bool = false;
    const SAMPLE: &'static str =
        r#"{"name": "Import", "prefix": "dbk_…", "permissions": ["leads:create:all"], "made_by": "usr_{id}"}"#;

    record_head!();
    record_events!(KeyCreated, KeyUpdated, KeyRevoked, KeyRestored);

    fn settle(edit: Edit<'_, ApiKey>, (): &()) -> Result<ApiKey, Error> {
        edit.wanted.checked()
    }
}
