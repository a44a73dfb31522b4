//! The messages of a conversation: the path from its beginning to a message.

use daybook_domain::chat::ChatMessage;
use daybook_domain::error::Oversized;
use daybook_domain::{ChatMessageId, ConversationId, Error as Domain};
use daybook_store::{Cx, PAGE_BYTES, PageAsk, Result};
use std::collections::HashMap;

/// The messages that are read at a time, the newest first.
const AT_ONCE: usize = 30;

/// The most messages that are read to find a path, and the most bytes of their text.
const MOST_READ: usize = 2_000;
const MOST_BYTES: usize = 16 << 20;

/// The most bytes of a conversation's text that a model is given.
const BYTES_FOR_MODEL: usize = 400_000;

/// The messages up to and with one that a model is given: the newest 400 KB of text.
pub(crate) async fn path_for_model(
    cx: &Cx,
    conversation: ConversationId,
    last: ChatMessageId,
) -> Result<Option<Vec<ChatMessage>>> {
    path_to(cx, conversation, last, BYTES_FOR_MODEL).await
}

/// The messages up to and with one, oldest first: as many as have this many bytes of text, of the newest 2,000 messages.
/// `None` if the message isn't among these.
pub async fn path_to(
    cx: &Cx,
    conversation: ConversationId,
    last: ChatMessageId,
    bytes: usize,
) -> Result<Option<Vec<ChatMessage>>> {
    let mut known: HashMap<ChatMessageId, ChatMessage> = HashMap::new();
    let (mut path, mut next, mut size) = (Vec::new(), Some(last), 0);
    let (mut cursor, mut read, mut seen) = (None::<String>, 0, 0);
    let parents = [conversation.into()];
    loop {
        while let Some(message) = next.and_then(|id| known.remove(&id)) {
            size += message.content.len();
            next = message.parent_message_id;
            if size > bytes && !path.is_empty() {
                next = None;
                break;
            }
            path.push(message);
        }
        if next.is_none() || read >= MOST_READ || seen >= MOST_BYTES || (read > 0 && cursor.is_none()) {
            break;
        }
        let ask = PageAsk { parents: &parents, limit: AT_ONCE, cursor: cursor.as_deref(), ..PageAsk::default() };
        let page = cx.unscoped().list::<ChatMessage>(&ask).await?;
        read += page.items.len().max(1);
        seen += page.items.iter().map(|message| message.content.len()).sum::<usize>();
        known.extend(page.items.into_iter().map(|message| (message.id, message)));
        cursor = page.next_cursor;
    }
    path.reverse();
    Ok(Some(path).filter(|path| !path.is_empty()))
}

/// All messages of a conversation, oldest first; refused if their text is longer than an answer may be.
pub async fn whole(cx: &Cx, conversation: ConversationId) -> Result<Vec<ChatMessage>> {
    let parents = [conversation.into()];
    let (mut all, mut cursor, mut size) = (Vec::new(), None::<String>, 0);
    loop {
        let ask =
            PageAsk { parents: &parents, limit: 200, ascending: true, cursor: cursor.as_deref(), ..PageAsk::default() };
        let page = cx.list::<ChatMessage>(&ask).await?;
        size += page.items.iter().map(|message| message.content.len()).sum::<usize>();
        if size > PAGE_BYTES {
            return Err(Domain::TooLarge { what: Oversized::Conversation, limit: PAGE_BYTES as u64 }.into());
        }
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
