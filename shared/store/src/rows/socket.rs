//! Open WebSockets, by their connections, so that any process can send to them. A row expires with the longest time that a
//! connection lasts; one whose connection turns out to be gone is removed.

use crate::schema::{Place, Question, SOCKET_SHARDS, by_date, socket_of, sockets_in, sockets_of};
use crate::table::{Condition, Update, parse_item};
use crate::{Env, Result, sha256_hex};
use daybook_domain::{ConversationId, Locale, OrgId, RunId, SessionId, Timestamp, UserId};
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// How long a connection lasts at most, as of the gateway on AWS.
pub const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// How long a gateway may take to open a connection after it was admitted.
pub const OPENING: Duration = Duration::from_secs(5);

/// The most open sockets of a user.
pub const MOST_OF_A_USER: usize = 1_000;

/// The most sockets of a shard that are counted.
const MOST_COUNTED: usize = 10_000;

/// The user of a socket, who signed in with its handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocketUser {
    /// The organisation.
    pub org: OrgId,
    /// The user.
    pub user: UserId,
    /// The session, with which the connection ends.
    pub session: SessionId,
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// The language of what it is told.
    pub locale: Locale,
}

/// An open WebSocket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenSocket {
    /// Its connection.
    pub connection: String,
    /// Its user.
    pub caller: SocketUser,
    /// The conversation that questions without one go on in.
    pub conversation: Option<ConversationId>,
    /// The newest answer that it asked for or reads.
    pub run: Option<RunId>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the row expires, in seconds since 1970.
    pub expires_at: i64,
}

#[derive(Serialize)]
struct Indexed<'a> {
    #[serde(flatten)]
    socket: &'a OpenSocket,
    owner_pk: String,
    owner_sk: String,
    state_pk: String,
    state_sk: String,
}

fn shard_of(connection: &str) -> u8 {
    u8::from_str_radix(&sha256_hex(connection.as_bytes())[..2], 16).unwrap_or(0) % SOCKET_SHARDS
}

impl OpenSocket {
    /// A socket that opens now.
    pub fn new(env: &Env, connection: String, caller: SocketUser) -> OpenSocket {
        let opened_at = env.clock.now();
        let expires_at = opened_at.plus(LONGEST).as_second();
        OpenSocket { connection, caller, conversation: None, run: None, opened_at, expires_at }
    }

    /// Stores it.
    pub async fn open(&self, env: &Env) -> Result<()> {
        let SocketUser { org, user, .. } = self.caller;
        let (owner_pk, owner_sk) = (sockets_of(org), socket_of(user, &self.connection));
        let state_pk = sockets_in(shard_of(&self.connection));
        let state_sk = by_date(self.opened_at.plus(LONGEST), &self.connection);
        let row = Indexed { socket: self, owner_pk, owner_sk, state_pk, state_sk };
        env.table.put(&Place::Socket(&self.connection).key(), &row, Condition::ALWAYS).await.map(drop)
    }

    /// Stores its conversation and its newest answer, unless it was closed.
    pub async fn remember(&self, env: &Env) -> Result<()> {
        let update = Update::set("conversation", self.conversation).and_set("run", self.run);
        env.table.update(&Place::Socket(&self.connection).key(), update, Condition::exists()).await.map(drop)
    }

    /// The open socket of a connection.
    pub async fn read(env: &Env, connection: &str) -> Result<Option<OpenSocket>> {
        let found = env.table.get(&Place::Socket(connection).key()).await?.map(parse_item::<OpenSocket>).transpose()?;
        Ok(found.filter(|socket| socket.is_open(env)))
    }

    /// Removes the socket of a connection that is closed.
    pub async fn remove(env: &Env, connection: &str) -> Result<()> {
        env.table.delete(&Place::Socket(connection).key()).await
    }

    /// The number of open sockets.
    pub async fn count_all(env: &Env) -> Result<usize> {
        let now = env.clock.now();
        let of_shards = (0..SOCKET_SHARDS)
            .map(async |shard| env.table.count(&Question::Sockets(shard, now).range(), MOST_COUNTED).await);
        Ok(join_all(of_shards).await.into_iter().collect::<Result<Vec<_>>>()?.into_iter().sum())
    }

    /// Removes all sockets, as one machine does at its start.
    pub async fn remove_all(env: &Env) -> Result<()> {
        for shard in 0..SOCKET_SHARDS {
            for item in env.table.query_all(&Question::Sockets(shard, Timestamp::UNIX_EPOCH).range()).await? {
                let socket: OpenSocket = parse_item(item)?;
                OpenSocket::remove(env, &socket.connection).await?;
            }
        }
        Ok(())
    }

    /// Removes the socket of a connection that a gateway doesn't know. It may not know one yet that is just opening.
    pub async fn remove_gone(env: &Env, connection: &str) -> Result<()> {
        let opened = Condition::at_most("opened_at", env.clock.now().minus(OPENING));
        env.table.delete_if(&Place::Socket(connection).key(), opened).await
    }

    /// The open sockets of an organisation, of all users or one; one that opened a moment ago may be missing.
    pub async fn all_of(env: &Env, org: OrgId, user: Option<UserId>) -> Result<Vec<OpenSocket>> {
        let items = env.table.query_all(&Question::SocketsOf(org, user).range()).await?;
        let mut sockets: Vec<OpenSocket> = items.into_iter().map(parse_item).collect::<Result<_>>()?;
        sockets.retain(|socket| socket.is_open(env));
        Ok(sockets)
    }

    /// Whether a user has as many open sockets as they may.
    pub async fn is_full(env: &Env, org: OrgId, user: UserId) -> Result<bool> {
        let open = env.table.count(&Question::SocketsOf(org, Some(user)).range(), MOST_OF_A_USER).await?;
        Ok(open >= MOST_OF_A_USER)
    }

    fn is_open(&self, env: &Env) -> bool {
        self.expires_at > env.clock.now().as_second()
    }
}
