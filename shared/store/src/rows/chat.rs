//! States of conversations: the run in progress, the newest message, and what all messages add up to.

use super::RowWrite;
use crate::schema::{Key, Place};
use crate::table::{Condition, Update, parse_item};
use crate::{Env, Result, item::key_of};
use daybook_domain::ai::usage::MessageUsage;
use daybook_domain::{ChatMessageId, Conflict, ConversationId, Error as Domain, OrgId, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The state of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatState {
    /// The run in progress.
    pub run: Option<RunId>,
    /// The number of messages.
    pub messages: u64,
    /// The newest message.
    pub last: Option<ChatMessageId>,
    /// When the newest message was written.
    pub last_at: Option<Timestamp>,
    /// The tokens of all requests.
    pub input: u64,
    /// Those of the input that were read from providers' caches.
    pub cached: u64,
    /// The tokens of all answers.
    pub output: u64,
    /// The cost, in millionths of a US dollar.
    pub cost: u64,
}

/// A message that is added to a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// The message.
    pub id: ChatMessageId,
    /// When it was written.
    pub at: Timestamp,
}

impl ChatState {
    /// The state of a conversation.
    pub async fn read(env: &Env, org: OrgId, id: ConversationId) -> Result<ChatState> {
        Ok(env.table.get(&place(org, id)).await?.map(parse_item).transpose()?.unwrap_or_default())
    }

    /// The states of conversations, in the same order.
    pub async fn read_all(env: &Env, org: OrgId, ids: &[ConversationId]) -> Result<Vec<ChatState>> {
        let keys: Vec<Key> = ids.iter().map(|id| place(org, *id)).collect();
        let mut found = HashMap::new();
        for item in env.table.get_all(&keys).await? {
            if let Some(key) = key_of(&item) {
                found.insert(key, parse_item(item)?);
            }
        }
        Ok(keys.iter().map(|key| found.remove(key).unwrap_or_default()).collect())
    }

    /// Removes the state of a conversation.
    pub async fn remove(env: &Env, org: OrgId, id: ConversationId) -> Result<()> {
        env.table.delete(&place(org, id)).await
    }
}

/// The state as a run begins, with the question, if it is new. Refused while another run is in progress; and if the question
/// follows the newest message, where there is a newer one than `newest` by now.
pub fn begin(
    org: OrgId,
    id: ConversationId,
    run: RunId,
    question: Option<Added>,
    newest: Option<Option<ChatMessageId>>,
) -> RowWrite {
    let begun = added(Update::set("run", run), question);
    let same = match newest {
        None => Condition::ALWAYS,
        Some(None) => Condition::lacks("last"),
        Some(Some(last)) => Condition::equal("last", last),
    };
    let free = Condition::lacks("run").and(same);
    RowWrite::changing(place(org, id), begun, free, Domain::Conflict(Conflict::Contended))
}

/// The state as a run ends, with the answer and what it used. Refused if the run isn't in progress.
pub fn end(org: OrgId, id: ConversationId, run: RunId, answer: Added, used: &MessageUsage) -> RowWrite {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let ended = added(Update::default().and_remove("run"), Some(answer))
        .and_add("input", signed(used.input))
        .and_add("cached", signed(used.cached))
        .and_add("output", signed(used.output))
        .and_add("cost", signed(used.cost_usd.0.millionths()));
    RowWrite::changing(place(org, id), ended, Condition::equal("run", run), Domain::Conflict(Conflict::ParentGone))
}

/// The state as a run ends whose answer isn't kept, since the conversation is in the trash.
pub fn clear(org: OrgId, id: ConversationId, run: RunId) -> RowWrite {
    let cleared = Update::default().and_remove("run");
    RowWrite::changing(place(org, id), cleared, Condition::equal("run", run), Domain::Conflict(Conflict::ParentGone))
}

/// The state of a conversation with copied messages.
pub fn copied(org: OrgId, id: ConversationId, messages: u64, last: Added) -> RowWrite {
    let count = i64::try_from(messages).unwrap_or(i64::MAX);
    let copied = Update::add("messages", count).and_set("last", last.id).and_set("last_at", last.at);
    RowWrite::changing(place(org, id), copied, Condition::ALWAYS, Domain::Conflict(Conflict::Contended))
}

fn added(update: Update, message: Option<Added>) -> Update {
    match message {
        Some(Added { id, at }) => update.and_add("messages", 1).and_set("last", id).and_set("last_at", at),
        None => update,
    }
}

fn place(org: OrgId, id: ConversationId) -> Key {
    Place::Chat(org, id).key()
}
