//! API keys: credentials of programs, with permissions, an expiry and a rate limit.

use crate::field::Fields;
use crate::permission::{Action, Grants, HeldPermission, Permission, Resource};
use crate::record::Record;
use crate::{ApiKeyId, Edit, Error, Line, RecordType, Rule, Stamp, Timestamp, UserId, record_events, record_head};
use serde::{Deserialize, Serialize};

/// The bounds of a key's rate limit, in requests per minute.
const LIMITS: std::ops::RangeInclusive<u32> = 1..=60_000;

/// An API key. Holds no secret: the secret's hash is stored in a separate row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct ApiKey {
    /// The id.
    #[field(read_only)]
    pub id: ApiKeyId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The name: what the key is for.
    pub name: Line<120>,
    /// The first characters of the secret, to recognise the key by.
    #[field(read_only)]
    pub prefix: String,
    /// The permissions. `own` and `team` refer to the key's creator.
    pub permissions: Vec<HeldPermission>,
    /// When the key expires; never, if left out.
    pub expires_at: Option<Timestamp>,
    /// The rate limit in requests per minute; the deployment's own limit, if left out.
    pub requests_per_minute: Option<u32>,
    /// The user who created the key.
    #[field(read_only)]
    pub made_by: UserId,
    /// When it was last used, to the minute. Not stored with the key: filled in when a key is read.
    #[serde(default)]
    #[field(read_only)]
    pub last_used_at: Option<Timestamp>,
}

/// A request to create an API key.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewApiKey {
    /// The name: what the key is for.
    pub name: Line<120>,
    /// The permissions: only ones that the creator has.
    pub permissions: Vec<Permission>,
    /// When the key expires; never, if left out.
    pub expires_at: Option<Timestamp>,
    /// The rate limit in requests per minute, from 1 to 60,000.
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

    /// The key with duplicate permissions removed, or the rule it breaks.
    pub fn checked(self) -> Result<ApiKey, Error> {
        if self.requests_per_minute.is_some_and(|limit| !LIMITS.contains(&limit)) {
            let (min, max) = (i64::from(*LIMITS.start()), i64::from(*LIMITS.end()));
            return Err(Error::invalid("/requests_per_minute", Rule::Range { min, max }));
        }
        Ok(ApiKey { permissions: HeldPermission::normalized(&self.permissions), ..self })
    }

    /// The permissions it grants.
    pub fn grants(&self) -> Grants {
        self.permissions.iter().copied().collect()
    }

    /// Whether the key hasn't expired.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl Record for ApiKey {
    const TYPE: RecordType = RecordType::ApiKey;
    type Id = ApiKeyId;
    type Context = ();
    const RESOURCE: Resource = Resource::Organization;
    const READING: (Resource, Action) = (Self::RESOURCE, Action::Manage);
    const UNDONE: bool = false;
    const SAMPLE: &'static str =
        r#"{"name": "Import", "prefix": "dbk_…", "permissions": ["leads:create:all"], "made_by": "usr_{id}"}"#;

    record_head!();
    record_events!(KeyCreated, KeyUpdated, KeyRevoked, KeyRestored);

    fn settle(edit: Edit<'_, ApiKey>, (): &()) -> Result<ApiKey, Error> {
        edit.wanted.checked()
    }
}
