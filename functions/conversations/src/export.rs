//! Exports of a conversation, as Markdown or JSON.

use daybook_domain::ai::MessageRole;
use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::{ConversationId, choices};
use daybook_http::{Cx, Download, Error, Narrowed, PageQuery, Path, Result};
use daybook_runs::{ConversationShown, whole};
use daybook_store::rows::chat::ChatState;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write as _;

choices! {
    /// The format of an export.
    Format as "ConversationFormat" {
        /// Markdown: the newest path of the conversation.
        Markdown = "markdown",
        /// JSON: the conversation with all messages.
        Json = "json",
    }
}

/// The query parameter with the format.
pub struct Formats;

impl Narrowed for Formats {
    const FIELD: &'static str = "format";
    const NAMES: &'static [&'static str] = Format::NAMES;
}

/// Everything of a conversation.
#[derive(Serialize)]
struct Exported {
    conversation: ConversationShown,
    messages: Vec<ChatMessage>,
}

/// Exports a conversation: as Markdown its newest path, as JSON (`format=json`) all of its messages.
pub async fn export(cx: Cx, Path(id): Path<ConversationId>, query: PageQuery<Formats>) -> Result<Download> {
    let conversation = cx.get::<Conversation>(id).await?.into_inner();
    let state = ChatState::read(&cx.env, cx.org, id).await?;
    let messages = whole(&cx, id).await?;
    match query.only.as_deref().and_then(Format::named) {
        Some(Format::Json) => {
            let whole = Exported { conversation: ConversationShown::of(conversation, state), messages };
            let json =
                serde_json::to_vec_pretty(&whole).map_err(|error| Error::internal("write a conversation", error))?;
            Ok(Download::new("application/json", &format!("{id}.json"), json))
        }
        Some(Format::Markdown | Format::Unknown(_)) | None => {
            let text = markdown(&conversation, &messages, &state);
            Ok(Download::new("text/markdown; charset=utf-8", &format!("{id}.md"), text.into_bytes()))
        }
    }
}

/// The newest path of a conversation as Markdown.
fn markdown(conversation: &Conversation, messages: &[ChatMessage], state: &ChatState) -> String {
    let known: HashMap<_, _> = messages.iter().map(|message| (message.id, message)).collect();
    let mut path = Vec::new();
    let mut next = state.last.or_else(|| messages.last().map(|message| message.id));
    while let Some(message) = next.and_then(|id| known.get(&id)).filter(|_| path.len() <= messages.len()) {
        path.push(*message);
        next = message.parent_message_id;
    }
    let title = conversation.title.as_ref().map_or("Conversation", |title| title.as_str());
    let mut text = format!("# {title}\n");
    if let Some(prompt) = &conversation.system_prompt {
        let _ = write!(text, "\n> {}\n", prompt.as_str().replace('\n', "\n> "));
    }
    for message in path.iter().rev() {
        let who = if message.role == MessageRole::Assistant { "Assistant" } else { "User" };
        let _ = write!(text, "\n## {who}\n\n{}\n", message.content);
    }
    text
}
