//! Copies of messages into another conversation.

use daybook_domain::chat::ChatMessage;
use daybook_domain::{ChatMessageId, ConversationId};
use daybook_records::{Draft, created};
use daybook_store::rows::chat::{self, Added, ChatState};
use daybook_store::{Cx, Result, Tx};

/// The most messages that one transaction copies.
pub const MOST_COPIED: usize = 20;

/// Adds copies of messages, oldest first, to a transaction; the first one follows `after`. Returns the transaction and what
/// they add to the conversation's state.
pub async fn copied(
    cx: &Cx,
    mut tx: Tx,
    to: ConversationId,
    after: Option<ChatMessageId>,
    messages: Vec<ChatMessage>,
) -> Result<(Tx, ChatState)> {
    let (count, mut parent) = (messages.len() as u64, after);
    for message in messages {
        let id = ChatMessageId::new(cx.env.ids.next());
        let copy = ChatMessage {
            id,
            version: 1,
            created_at: cx.now(),
            updated_at: cx.now(),
            conversation_id: to,
            parent_message_id: parent,
            // The original counts, not its copies.
            usage: None,
            ..message
        };
        tx = created(cx, tx, Draft::of(copy)).await?.1;
        parent = Some(id);
    }
    match parent.filter(|_| count > 0) {
        Some(last) => {
            let state =
                ChatState { messages: count, last: Some(last), last_at: Some(cx.now()), ..ChatState::default() };
            Ok((tx.with_row(chat::copied(cx.org, to, count, Added { id: last, at: cx.now() })), state))
        }
        None => Ok((tx, ChatState::default())),
    }
}
