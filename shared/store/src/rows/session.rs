//! Sessions: who is signed in, with which role, until when.

use super::RowWrite;
use crate::schema::{Place, by_date, sessions_of};
use crate::table::parse_item;
use crate::{Env, Result, sha256_hex};
use daybook_domain::permission::Role;
use daybook_domain::{Actor, Error as Domain, OrgId, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a session lives without being refreshed.
pub const IDLE: Duration = Duration::from_secs(14 * 86_400);

/// How long a session lives at most.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// A signed-in user. Read with every signed-in request, so revoking it works at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The role they act in.
    pub role: Role,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it ends, refreshed or not.
    pub ends_at: Timestamp,
    /// SHA-256 of the refresh token in force.
    pub refresh_sha256: String,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Where they signed in from.
    pub ip: Option<String>,
    /// When it ends unless it is refreshed: seconds since 1970.
    pub expires_at: i64,
}

#[derive(Serialize)]
struct Indexed<'a> {
    #[serde(flatten)]
    session: &'a Session,
    owner_pk: String,
    owner_sk: String,
}

impl Session {
    /// A session that begins now.
    pub fn begin(id: SessionId, user: UserId, role: Role, at: Timestamp, refresh_token: &str) -> Session {
        Session {
            id,
            user,
            role,
            created_at: at,
            ends_at: at.plus(LONGEST),
            refresh_sha256: sha256_hex(refresh_token.as_bytes()),
            user_agent: None,
            ip: None,
            expires_at: at.plus(IDLE).as_second(),
        }
    }

    /// The user, as the one who acts in this session.
    pub fn actor(&self) -> Actor {
        Actor::User { id: self.user, role: self.role, session: Some(self.id) }
    }

    /// The row of a new session.
    pub fn write(&self, org: OrgId) -> Result<RowWrite> {
        let row = Indexed {
            session: self,
            owner_pk: sessions_of(org, self.user),
            owner_sk: by_date(self.created_at, &self.id.to_string()),
        };
        RowWrite::new(&Place::Session(org, self.id).key(), &row, Domain::Duplicate { field: "id", existing_id: None })
    }

    /// A session that is in force.
    pub async fn read(env: &Env, org: OrgId, id: SessionId) -> Result<Option<Session>> {
        let session: Option<Session> =
            env.table.get_often(&Place::Session(org, id).key()).await?.map(parse_item).transpose()?;
        let now = env.clock.now();
        Ok(session.filter(|session| session.expires_at > now.as_second() && session.ends_at > now))
    }
}
