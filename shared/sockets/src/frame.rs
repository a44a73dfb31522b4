//! The frames of clients.

use daybook_domain::ai::MessageRole;
use daybook_domain::error::Oversized;
use daybook_domain::permission::Action::Use;
use daybook_domain::permission::Resource::Ai;
use daybook_domain::read::read;
use daybook_domain::{ChatMessageId, ConversationId, Error, Line, RunId};
use daybook_http::Access;
use daybook_runs::{ChatRequest, ChatTurn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The maximum length of a frame, in bytes, as of the gateway on AWS.
pub(crate) const LONGEST: usize = 32 * 1024;

/// A question: `chat`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct ChatFrame {
    /// The text.
    pub content: String,
    /// The client's id of the question. Sent again within a day, it isn't asked again.
    pub id: Option<Line<100>>,
    /// The conversation; by default the socket's own one, which its first question creates.
    pub conversation_id: Option<ConversationId>,
    /// The message that the question follows; the newest one unless given.
    pub parent_message_id: Option<ChatMessageId>,
    /// Whether the question begins the conversation anew.
    #[serde(default)]
    pub from_start: bool,
    /// The model; the conversation's, else the organisation's default one.
    pub model: Option<Line<100>>,
    /// The sampling temperature, 0 to 2.
    pub temperature: Option<f64>,
    /// The most tokens of the answer.
    pub max_tokens: Option<u32>,
}

/// The end of an answer: `stop`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct StopFrame {
    /// The client's id of this frame.
    pub id: Option<Line<100>>,
    /// The run; by default the socket's newest one.
    pub run_id: Option<RunId>,
}

/// An answer to read on: `resume`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct ResumeFrame {
    /// The client's id of this frame.
    pub id: Option<Line<100>>,
    /// The run.
    pub run_id: RunId,
    /// The number of characters that the client has.
    pub after_seq: Option<u64>,
}

/// A sign of life: `ping`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct PingFrame {
    /// The client's id of this frame.
    id: Option<Line<100>>,
}

/// A frame of a client.
#[derive(Debug)]
pub(crate) enum Frame {
    Chat(Box<ChatFrame>),
    Stop(StopFrame),
    Resume(ResumeFrame),
    Ping,
}

/// A type of frames.
pub(crate) struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Its access rule.
    pub access: Access,
    /// Reads a frame from its other fields.
    pub read: fn(Value) -> Result<Frame, Error>,
}

/// The types of frames.
pub(crate) const KINDS: [Kind; 4] = [
    Kind { name: "chat", access: Access::Can(Ai, Use), read: |fields| Ok(Frame::Chat(Box::new(read(fields)?))) },
    Kind { name: "stop", access: Access::Can(Ai, Use), read: |fields| Ok(Frame::Stop(read(fields)?)) },
    Kind { name: "resume", access: Access::Can(Ai, Use), read: |fields| Ok(Frame::Resume(read(fields)?)) },
    Kind { name: "ping", access: Access::SignedIn, read: |fields| read::<PingFrame>(fields).map(|_| Frame::Ping) },
];

/// The refusal of a frame that is too long.
pub(crate) fn too_large() -> Error {
    Error::TooLarge { what: Oversized::Body, limit: LONGEST as u64 }
}

/// The question of a frame.
pub(crate) fn question_of(frame: ChatFrame) -> ChatRequest {
    let turn = ChatTurn { id: frame.id, content: frame.content, role: MessageRole::User, timestamp: None };
    ChatRequest {
        messages: vec![turn],
        model: frame.model,
        temperature: frame.temperature,
        max_tokens: frame.max_tokens,
        conversation_id: frame.conversation_id,
        parent_message_id: frame.parent_message_id,
        from_start: frame.from_start,
        stream: true,
    }
}
