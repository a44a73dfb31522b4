//! Actors (public visitor, user, API key, system) and the stamp of a change: actor, time and a fresh id.

use crate::permission::RoleRef;
use crate::{AnyId, ApiKeyId, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The actor of a request or change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// An anonymous visitor of a website.
    Public,
    /// A signed-in user.
    User {
        /// The user's id.
        id: UserId,
        /// The user's role.
        role: RoleRef,
        /// The session, if the user is signed in with one.
        session: Option<SessionId>,
    },
    /// A program, with an API key.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// The key's creator: the scope `own` covers this user's records.
        made_by: UserId,
    },
    /// Daybook itself.
    System,
    /// A kind of actor that only a newer version knows, as stored.
    #[serde(untagged)]
    Unknown(Map<String, Value>),
}

impl Actor {
    /// The user's id, if the actor is a user.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Actor::User { id, .. } => Some(*id),
            Actor::ApiKey { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// The role, if the actor is a user.
    pub fn role(&self) -> Option<RoleRef> {
        match self {
            Actor::User { role, .. } => Some(*role),
            Actor::ApiKey { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// The user whose records the scope `own` covers: the user itself, or the API key's creator.
    pub fn owner(&self) -> Option<UserId> {
        match self {
            Actor::User { id, .. } | Actor::ApiKey { made_by: id, .. } => Some(*id),
            Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// The API key, if the actor is a program.
    pub fn key(&self) -> Option<ApiKeyId> {
        match self {
            Actor::ApiKey { id, .. } => Some(*id),
            Actor::User { .. } | Actor::Public | Actor::System | Actor::Unknown(_) => None,
        }
    }

    /// The id of the user or API key; none for visitors and the system.
    pub fn id(&self) -> Option<AnyId> {
        match self {
            Actor::User { id, .. } => Some((*id).into()),
            Actor::ApiKey { id, .. } => Some((*id).into()),
            Actor::Unknown(fields) => fields.get("id")?.as_str()?.parse().ok(),
            Actor::Public | Actor::System => None,
        }
    }
}

/// A generation of a user's sessions: those started since all of them were last ended at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The user.
    pub user: UserId,
    /// The generation's number.
    pub number: u32,
}

/// The inputs of a change: time, actor and a fresh id.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The time of the change.
    pub at: Timestamp,
    /// The actor who makes the change.
    pub actor: Actor,
    /// A fresh UUIDv7.
    pub id: Uuid,
}
