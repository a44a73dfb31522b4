//! Conversations with the AI, and their messages. They are a user's own.
//!
//! Messages form a tree: an edited question and a regenerated answer are siblings of the earlier ones.

pub use crate::ai::usage::MessageUsage;

use crate::ai::turns::{MessageRole, MessageStatus};
use crate::error::Unit;
use crate::field::Fields;
use crate::permission::Resource;
use crate::record::{Personal, Record, Reference};
use crate::task::Related;
use crate::words::Words;
use crate::{
    AnyId, ChatMessageId, ConversationId, Edit, Error, Line, Prose, RecordType, Rule, Several, Timestamp, UserId,
    record_events, record_head,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most bytes of a message's text, as JSON.
pub const MOST_TEXT: usize = 60 * 1024;

/// A conversation of a user with the AI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
pub struct Conversation {
    /// The id.
    #[field(read_only)]
    pub id: ConversationId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was created.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed, apart from its messages.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The title; from the first question unless given.
    pub title: Option<Line<200>>,
    /// The model that answers; the organisation's default one unless given.
    pub model: Option<Line<100>>,
    /// The user's instructions to the model.
    pub system_prompt: Option<Prose<8000>>,
    /// Tags to find it by.
    #[schema(value_type = Vec<Line<50>>, max_items = 20)]
    #[field(default = Several::default())]
    pub tags: Several<Line<50>, 20>,
    /// The folder it is kept in.
    pub folder: Option<Line<100>>,
    /// Whether it is erased at `expires_at`.
    #[field(fixed, default = false)]
    pub temporary: bool,
    /// When a temporary conversation is erased.
    #[field(read_only)]
    pub expires_at: Option<Timestamp>,
    /// The CRM record that it is about.
    pub linked_to: Option<Related>,
    /// The user it belongs to.
    #[field(read_only, default = by.actor.owner())]
    pub owner_id: Option<UserId>,
}

impl Conversation {
    /// The conversation with a title from its first question, if it has none.
    #[must_use]
    pub fn titled(&self, question: &str) -> Conversation {
        Conversation { title: self.title.clone().or_else(|| crate::ai::title_of(question)), ..self.clone() }
    }
}

/// The temporary conversations' lifetime, from the organisation's AI settings.
pub type Lifetime = Option<Duration>;

impl Record for Conversation {
    const TYPE: RecordType = RecordType::Conversation;
    type Id = ConversationId;
    type Context = Lifetime;
    const RESOURCE: Resource = Resource::Conversations;
    const PERSONAL: Personal = Personal::Yes;
    const UNDONE: bool = false;
    const UNJOURNALED: &'static [&'static str] = &["title", "system_prompt", "tags", "folder"];
    const SAMPLE: &'static str = r#"{"title": "Offer for ABC", "model": "offline", "tags": ["offers"], "folder": "ABC", "temporary": false, "linked_to": {"type": "customer", "id": "cus_{id}"}, "owner_id": "usr_{id}"}"#;
    const SEARCHED: bool = true;
    const OWNER: Option<&'static str> = Some("owner_id");

    const COUNTED: bool = true;
    const PARENTS: &'static [&'static str] = &["linked_to"];

    record_head!();
    record_events!(ConversationCreated, ConversationUpdated, ConversationDeleted, ConversationRestored);

    fn settle(edit: Edit<'_, Conversation>, lifetime: &Lifetime) -> Result<Conversation, Error> {
        let mut wanted = edit.wanted;
        wanted.expires_at = match edit.before {
            Some(before) => before.expires_at,
            None => lifetime.filter(|_| wanted.temporary).map(|lifetime| edit.at.plus(lifetime)),
        };
        if let Some(related) = &wanted.linked_to {
            related.check("/linked_to/id")?;
        }
        Ok(wanted)
    }

    fn words(&self) -> Words {
        let title = self.title.as_ref().map(Line::as_str);
        self.tags.as_slice().iter().fold(Words::default().with(title), |words, tag| words.with(Some(tag.as_str())))
    }

    fn parents(&self) -> Vec<AnyId> {
        self.linked_to.iter().map(|related| related.id).collect()
    }

    fn about(&self) -> Vec<AnyId> {
        self.parents().into_iter().chain(self.owner_id.map(AnyId::from)).collect()
    }

    fn references(&self) -> Vec<Reference> {
        Reference::list(&[(self.linked_to.as_ref().map(|related| related.id), "/linked_to/id")])
    }

    fn owner(&self) -> Option<UserId> {
        self.owner_id
    }

    fn alarms(&self) -> Vec<Timestamp> {
        self.expires_at.into_iter().collect()
    }
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Fields)]
#[schema(as = Message)]
pub struct ChatMessage {
    /// The id.
    #[field(read_only)]
    pub id: ChatMessageId,
    /// The version.
    #[field(read_only)]
    pub version: u64,
    /// When it was stored.
    #[field(read_only)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[field(read_only)]
    pub updated_at: Timestamp,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message before it; none for the first one.
    pub parent_message_id: Option<ChatMessageId>,
    /// The client's id of the message.
    pub client_id: Option<Line<100>>,
    /// Who wrote it.
    pub role: MessageRole,
    /// The text: at most 60 KB as JSON.
    pub content: String,
    /// The requested model, of an answer.
    pub model: Option<Line<100>>,
    /// The model that answered.
    pub provider_model: Option<Line<100>>,
    /// What the answer used.
    pub usage: Option<MessageUsage>,
    /// How far it has come.
    pub status: MessageStatus,
    /// When it was written, in milliseconds since 1970.
    pub timestamp: i64,
}

impl ChatMessage {
    /// Whether a text is short enough for a message.
    pub fn fits(text: &str) -> bool {
        // Most texts are short; JSON escapes a byte as six at most.
        text.len() * 6 <= MOST_TEXT || serde_json::to_string(text).is_ok_and(|json| json.len() <= MOST_TEXT + 2)
    }
}

impl Record for ChatMessage {
    const TYPE: RecordType = RecordType::ChatMessage;
    type Id = ChatMessageId;
    type Context = ();
    const RESOURCE: Resource = Resource::Conversations;
    const PERSONAL: Personal = Personal::Yes;
    const CASCADES_FROM: &'static [RecordType] = &[RecordType::Conversation];
    const IN_SCOPE_OF: &'static [RecordType] = &[RecordType::Conversation];
    const UNDONE: bool = false;
    const UNJOURNALED: &'static [&'static str] = &["content"];
    const SAMPLE: &'static str = r#"{"conversation_id": "cnv_{id}", "role": "user", "content": "Hello", "status": "complete", "timestamp": 1697467200000}"#;
    const PARENTS: &'static [&'static str] = &["conversation_id"];

    record_head!();
    record_events!(MessageCreated, MessageUpdated, MessageDeleted, MessageRestored);

    fn settle(edit: Edit<'_, ChatMessage>, (): &()) -> Result<ChatMessage, Error> {
        match ChatMessage::fits(&edit.wanted.content) {
            true => Ok(edit.wanted),
            false => Err(Error::invalid("/content", Rule::TooLong { max: MOST_TEXT, unit: Unit::Bytes })),
        }
    }

    fn parents(&self) -> Vec<AnyId> {
        vec![self.conversation_id.into()]
    }
}
