//! Sessions: which users are signed in, until when, and with which current refresh token.

use super::RowWrite;
use crate::schema::{Place, Question, by_date, sessions_of};
use crate::table::{Condition, parse_item};
use crate::{Env, Result, sha256_hex};
use daybook_domain::permission::RoleRef;
use daybook_domain::{Actor, Conflict, Epoch, Error as Domain, OrgId, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a session is valid without a refresh.
pub const IDLE: Duration = Duration::from_secs(14 * 86_400);

/// How long a session is valid at most.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// How long the previous refresh token is still answered with the current one: the client may have lost the response.
pub const GRACE: Duration = Duration::from_secs(10);

/// A session of a user. Read with every authenticated request, so that ending it takes effect at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The user's epoch that it belongs to; in any other epoch it has ended.
    pub epoch: u32,
    /// When the user signed in.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// When it ends, refreshed or not.
    pub ends_at: Timestamp,
    /// SHA-256 of the current refresh token.
    pub refresh_sha256: String,
    /// SHA-256 of the previous refresh token.
    pub previous_sha256: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The IP address that the user signed in from.
    pub ip: Option<String>,
    /// When it expires unless it is refreshed, in seconds since 1970.
    pub expires_at: i64,
}

/// The status of a refresh token in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The current one.
    Current,
    /// The previous one, replaced so recently that the client may have lost the response.
    JustReplaced,
    /// One that was replaced before: it was probably stolen.
    Replaced,
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
    pub fn begin(id: SessionId, epoch: Epoch, at: Timestamp, refresh_token: &str) -> Session {
        Session {
            id,
            user: epoch.user,
            epoch: epoch.number,
            created_at: at,
            refreshed_at: at,
            ends_at: at.plus(LONGEST),
            refresh_sha256: sha256_hex(refresh_token.as_bytes()),
            previous_sha256: None,
            user_agent: None,
            ip: None,
            expires_at: at.plus(IDLE).as_second(),
        }
    }

    /// Its user as an actor, with their role.
    pub fn actor(&self, role: RoleRef) -> Actor {
        Actor::User { id: self.user, role, session: Some(self.id) }
    }

    /// Whether it is valid, given the current epoch of its user.
    pub fn is_in_force(&self, epoch: Epoch, now: Timestamp) -> bool {
        let on_time = self.expires_at > now.as_second() && self.ends_at > now;
        on_time && self.user == epoch.user && self.epoch == epoch.number
    }

    /// The status of a refresh token that was issued for the session.
    pub fn standing(&self, refresh_token: &str, now: Timestamp) -> Standing {
        let sha256 = sha256_hex(refresh_token.as_bytes());
        if sha256 == self.refresh_sha256 {
            return Standing::Current;
        }
        // A refresh that lies further ahead than the grace was made while the clock was ahead, not just now.
        let just_now = now < self.refreshed_at.plus(GRACE) && self.refreshed_at <= now.plus(GRACE);
        match self.previous_sha256.as_ref() == Some(&sha256) && just_now {
            true => Standing::JustReplaced,
            false => Standing::Replaced,
        }
    }

    /// The session with the next refresh token.
    #[must_use]
    pub fn refreshed(&self, successor: &str, at: Timestamp) -> Session {
        Session {
            refresh_sha256: sha256_hex(successor.as_bytes()),
            previous_sha256: Some(self.refresh_sha256.clone()),
            refreshed_at: at,
            // Later only if the session began while the clock was ahead.
            ends_at: self.ends_at.min(at.plus(LONGEST)),
            expires_at: at.plus(IDLE).as_second(),
            ..self.clone()
        }
    }

    /// The session, ended.
    #[must_use]
    pub fn ended(&self, at: Timestamp) -> Session {
        Session { ends_at: at, ..self.clone() }
    }

    /// The session, kept valid in its user's new epoch.
    #[must_use]
    pub fn kept(&self, epoch: Epoch) -> Session {
        Session { epoch: epoch.number, ..self.clone() }
    }

    /// The row of a new session.
    pub fn write(&self, org: OrgId) -> Result<RowWrite> {
        let refusal = Domain::Duplicate { field: "id", existing_id: None };
        RowWrite::new(&Place::Session(org, self.id).key(), &self.row(org), refusal)
    }

    fn row(&self, org: OrgId) -> Indexed<'_> {
        let owner_sk = by_date(self.created_at, &self.id.to_string());
        Indexed { session: self, owner_pk: sessions_of(org, self.user), owner_sk }
    }

    /// The row that replaces the session, whatever its current state.
    pub fn replace(&self, org: OrgId) -> Result<RowWrite> {
        let refusal = Domain::Conflict(Conflict::Contended);
        RowWrite::following(&Place::Session(org, self.id).key(), &self.row(org), Condition::ALWAYS, refusal)
    }

    /// The row that replaces a session which wasn't refreshed or ended since it was read.
    pub fn follow(&self, org: OrgId, before: &Session) -> Result<RowWrite> {
        let same = Condition::All(vec![
            Condition::equal("refresh_sha256", &before.refresh_sha256),
            Condition::equal("ends_at", before.ends_at),
            Condition::equal("epoch", before.epoch),
        ]);
        let refusal = Domain::Conflict(Conflict::Contended);
        RowWrite::following(&Place::Session(org, self.id).key(), &self.row(org), same, refusal)
    }

    /// A session, valid or not.
    pub async fn read(env: &Env, org: OrgId, id: SessionId) -> Result<Option<Session>> {
        env.table.get(&Place::Session(org, id).key()).await?.map(parse_item).transpose()
    }

    /// Removes all sessions of a user, also those that have ended.
    pub async fn remove_all(env: &Env, org: OrgId, user: UserId) -> Result<()> {
        for item in env.table.query_all(&Question::SessionsOf(org, user).range()).await? {
            let session: Session = parse_item(item)?;
            env.table.delete(&Place::Session(org, session.id).key()).await?;
        }
        Ok(())
    }

    /// The valid sessions of a user, the newest first; one that began a moment ago may be missing.
    pub async fn all_of(env: &Env, org: OrgId, epoch: Epoch) -> Result<Vec<Session>> {
        let items = env.table.query_all(&Question::SessionsOf(org, epoch.user).range()).await?;
        let mut sessions: Vec<Session> = items.into_iter().map(parse_item).collect::<Result<_>>()?;
        let now = env.clock.now();
        sessions.retain(|session| session.is_in_force(epoch, now));
        sessions.reverse();
        Ok(sessions)
    }
}
