//! How many users, conversations and open sockets the deployment has.

use daybook_domain::{RecordType, Timestamp};
use daybook_http::{Cx, Result};
use daybook_store::Env;
use daybook_store::rows::counts;
use daybook_store::rows::socket::OpenSocket;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long the numbers are kept.
const KEPT: Duration = Duration::from_secs(10);

/// How long they may take to be read, as the health check is answered without them, too.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the deployment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Counts {
    /// The number of open WebSockets.
    pub(crate) active_connections: u64,
    /// The number of users of all organisations.
    pub(crate) total_users: u64,
    /// The number of conversations with the AI, of all organisations.
    pub(crate) total_conversations: u64,
}

/// The numbers that a process has read last. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: Option<Last>,
    /// Reads the numbers anew.
    reading: Option<JoinHandle<Option<Counts>>>,
}

/// What was read last, if it could be.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: Timestamp,
    counts: Option<Counts>,
}

impl Counters {
    /// The numbers as of some seconds ago; none where the deployment doesn't tell, or the table doesn't respond. Where
    /// reading takes long, as the first count of many records does, it goes on in a task of its own, and the numbers are
    /// those from before.
    pub(crate) async fn current(&self, cx: &Cx) -> Option<Counts> {
        if !cx.env.settings.health_counts {
            return None;
        }
        let now = cx.now();
        // Held while they are read, so that requests at the same time read them once.
        let mut state = self.0.lock().await;
        let counts = state.last.and_then(|last| last.counts);
        if state.last.is_some_and(|Last { at, .. }| at <= now && now < at.plus(KEPT)) {
            return counts;
        }
        let env = cx.env.clone();
        let reading = state.reading.get_or_insert_with(|| tokio::spawn(async move { found(&env).await }));
        let Ok(read) = timeout(PATIENCE, reading).await else { return counts };
        state.reading = None;
        state.last.insert(Last { at: now, counts: read.unwrap_or_default() }).counts
    }
}

async fn found(env: &Env) -> Option<Counts> {
    let read = read(env).await;
    let told = read.inspect_err(|error| {
        tracing::warn!(error = %error.chain(), "the numbers of the health check can't be read");
    });
    told.ok()
}

async fn read(env: &Env) -> Result<Counts> {
    let active_connections = OpenSocket::count_all(env).await? as u64;
    let types = [RecordType::User, RecordType::Conversation];
    let [total_users, total_conversations] = counts::of_all(env, types).await?;
    Ok(Counts { active_connections, total_users, total_conversations })
}
