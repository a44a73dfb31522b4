//! Who does something, and when.

use crate::permission::RoleRef;
use crate::{AnyId, ApiKeyId, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// A visitor of a website: nobody we know.
    Public,
    /// A signed-in user.
    User {
        /// Who it is.
        id: UserId,
        /// The role they act in.
        role: RoleRef,
        /// The session they signed in with, if it is one.
        session: Option<SessionId>,
    },
    /// A program, with an API key.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// Who made it: what only reaches one's own records reaches theirs.
        made_by: UserId,
    },
    /// Daybook itself.
    System,
    /// A kind of actor that a newer version knows, as it is stored.
    #[serde(untagged)]
    Unknown(Map<String, Value>),
}

impl Actor {
    /// The user, where it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Actor::User { id, .. } => Some(*id),
            Actor::ApiKey { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// The role they act in, where it is a user.
    pub fn role(&self) -> Option<RoleRef> {
        match self {
            Actor::User { role, .. } => Some(*role),
            Actor::ApiKey { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// Whose records are the actor's own.
    pub fn owner(&self) -> Option<UserId> {
        match self {
            Actor::User { id, .. } | Actor::ApiKey { made_by: id, .. } => Some(*id),
            Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// Who it is, where it is somebody known.
    pub fn id(&self) -> Option<AnyId> {
        match self {
            Actor::User { id, .. } => Some((*id).into()),
            Actor::ApiKey { id, .. } => Some((*id).into()),
            Actor::Unknown(fields) => fields.get("id")?.as_str()?.parse().ok(),
            Actor::Public | Actor::System => None,
        }
    }
}

/// The sessions of a user that end together: those that began since all of them were last ended at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The user.
    pub user: UserId,
    /// Its number.
    pub number: u32,
}

/// The facts that a change of a record starts from.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The moment of the change.
    pub at: Timestamp,
    /// Who makes it.
    pub actor: Actor,
    /// A fresh UUIDv7.
    pub id: Uuid,
}
