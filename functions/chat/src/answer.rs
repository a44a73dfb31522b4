//! Answers as JSON.

use daybook_domain::chat::MessageUsage;
use daybook_domain::{ChatMessageId, ConversationId, RunId};
use daybook_http::{Accepted, Answer, Bare, Call, Events, HttpReply, Operation, Result};
use daybook_store::rows::run::{Fault, Run, State};
use daybook_store::{Answer as Kind, Reply};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a request waits for its answer to be complete.
pub const UNTIL: Duration = Duration::from_secs(25);

/// A complete answer.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ChatAnswer)]
pub struct Answered {
    /// The text.
    content: String,
    /// The tokens of the request and the answer.
    tokens: u64,
    /// The requested model.
    model: String,
    /// The model that answered.
    provider_model: Option<String>,
    /// What the answer used.
    usage: MessageUsage,
    /// The state: `done`, or `stopped`.
    state: State,
    /// The run.
    run_id: RunId,
    /// The conversation, if it is kept in one.
    conversation_id: Option<ConversationId>,
    /// The message with the answer, if it is kept.
    message_id: Option<ChatMessageId>,
}

impl Answered {
    /// The answer of a run.
    pub fn of(id: RunId, run: &Run, content: String) -> Answered {
        let usage = run.usage.unwrap_or_default();
        Answered {
            content,
            tokens: usage.input + usage.output,
            model: run.model.clone(),
            provider_model: run.provider_model.clone(),
            usage,
            state: run.state,
            run_id: id,
            conversation_id: run.conversation,
            message_id: run.conversation.map(|_| run.message),
        }
    }
}

/// A run: an answer, as far as it is generated.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Run)]
pub struct RunShown {
    /// The id.
    id: RunId,
    /// The state.
    state: State,
    /// The text so far.
    content: String,
    /// The number of its characters.
    seq: u64,
    /// The requested model.
    model: String,
    /// The model that answers.
    provider_model: Option<String>,
    /// What the answer used, once it has ended.
    usage: Option<MessageUsage>,
    /// Why it failed.
    error: Option<Fault>,
    /// The conversation, if it is kept in one.
    conversation_id: Option<ConversationId>,
    /// The message with the answer, if it is kept: stored once the run has ended.
    message_id: Option<ChatMessageId>,
}

impl RunShown {
    /// A run with its text so far.
    pub fn of(id: RunId, run: &Run, content: String) -> RunShown {
        RunShown {
            id,
            state: run.state,
            seq: content.chars().count() as u64,
            content,
            model: run.model.clone(),
            provider_model: run.provider_model.clone(),
            usage: run.usage,
            error: run.fault,
            conversation_id: run.conversation,
            message_id: run.conversation.map(|_| run.message),
        }
    }
}

/// The reply to a question: the answer, its run where it takes longer, or events.
#[derive(Debug, Serialize, Deserialize)]
pub enum ChatAnswer {
    /// The complete answer, without the envelope.
    Whole(Box<Bare<Answered>>),
    /// The run, which goes on.
    Accepted(Box<Accepted<RunShown>>),
    /// The answer as it is generated.
    Events(Events),
}

impl ChatAnswer {
    /// A complete answer.
    pub fn whole(answer: Answered) -> ChatAnswer {
        ChatAnswer::Whole(Box::new(Bare(answer)))
    }

    /// A run that goes on.
    pub fn accepted(run: RunShown) -> ChatAnswer {
        ChatAnswer::Accepted(Box::new(Accepted(run)))
    }
}

impl Reply for ChatAnswer {
    const ANSWER: Kind = Kind::Ok;
    const SECRET: bool = true;
}

impl HttpReply for ChatAnswer {
    const REPLAYED: bool = false;

    fn answer(self, call: &Call) -> Result<Answer> {
        match self {
            ChatAnswer::Whole(answer) => answer.answer(call),
            ChatAnswer::Accepted(run) => run.answer(call),
            ChatAnswer::Events(events) => events.answer(call),
        }
    }

    fn describe(operation: &mut Operation) {
        Bare::<Answered>::describe(operation);
        let run = operation.schema_of::<RunShown>();
        let run = operation.envelope(run);
        operation.or_accepted(run);
    }
}
