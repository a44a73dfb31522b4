//! Conversations as the API shows them: with what their messages add up to.

use daybook_domain::ai::budget::Usd;
use daybook_domain::ai::{MessageRole, MessageStatus, MicroUsd};
use daybook_domain::chat::{ChatMessage, Conversation, MessageUsage};
use daybook_domain::{AnyId, ChatMessageId, ConversationId, RunId, Timestamp};
use daybook_store::rows::chat::ChatState;
use daybook_store::rows::run::Run;
use daybook_store::{Cx, Order, Page, PageAsk, Result};
use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};

/// A conversation, with what its messages add up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConversationShown {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// What its messages add up to.
    #[serde(flatten)]
    pub sums: Sums,
}

/// What the messages of a conversation add up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Sums {
    /// The number of messages.
    pub message_count: u64,
    /// What all answers used.
    pub usage: MessageUsage,
    /// The newest message.
    pub last_message_id: Option<ChatMessageId>,
    /// When the newest message was written.
    pub last_message_at: Option<Timestamp>,
    /// The answer that is being generated.
    pub run_id: Option<RunId>,
}

impl ConversationShown {
    /// A conversation with its state.
    pub fn of(conversation: Conversation, state: ChatState) -> ConversationShown {
        let ChatState { run, messages, last, last_at, input, cached, output, cost } = state;
        let usage = MessageUsage { input, cached, output, cost_usd: Usd(MicroUsd::new(cost)) };
        let sums =
            Sums { message_count: messages, usage, last_message_id: last, last_message_at: last_at, run_id: run };
        ConversationShown { conversation, sums }
    }
}

/// One object with the fields of both, so that lists can select among them.
impl utoipa::PartialSchema for ConversationShown {
    fn schema() -> RefOr<Schema> {
        match (Conversation::schema(), Sums::schema()) {
            (RefOr::T(Schema::Object(mut whole)), RefOr::T(Schema::Object(sums))) => {
                whole.properties.extend(sums.properties);
                whole.required.extend(sums.required);
                RefOr::T(Schema::Object(whole))
            }
            (conversation, _) => conversation,
        }
    }
}

impl utoipa::ToSchema for ConversationShown {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Conversation::schemas(schemas);
        Sums::schemas(schemas);
    }
}

/// A page of conversations.
pub async fn conversations_of(cx: &Cx, ask: &PageAsk<'_>) -> Result<Page<ConversationShown>> {
    let Page { items, limit, next_cursor, fields, total } = cx.list::<Conversation>(ask).await?;
    let ids: Vec<ConversationId> = items.iter().map(|one| one.id).collect();
    let states = ChatState::read_all(&cx.env, cx.org, &ids).await?;
    let items = items.into_iter().zip(states).map(|(one, state)| ConversationShown::of(one, state)).collect();
    Ok(Page { items, limit, next_cursor, fields, total })
}

/// A page of a conversation's messages, the oldest first unless the request says. The last page ends with the answer that
/// is being generated.
pub async fn messages_of(cx: &Cx, id: ConversationId, ask: PageAsk<'_>) -> Result<Page<ChatMessage>> {
    let parents: Vec<AnyId> = ask.parents.iter().copied().chain([id.into()]).collect();
    let ascending = ask.ascending || ask.order == Order::Default;
    // Read before the messages: an answer that ends meanwhile is among these.
    let state = ChatState::read(&cx.env, cx.org, id).await?;
    let ask = PageAsk { parents: &parents, ascending, ..ask };
    let mut page = cx.list::<ChatMessage>(&ask).await?;
    let is_last = page.next_cursor.is_none() && ascending && ask.filters.is_empty();
    if let Some(run) = state.run.filter(|_| is_last)
        && let Some(answer) = in_progress(cx, id, run).await?
        && page.items.iter().all(|message| message.id != answer.id)
    {
        page.items.push(answer);
    }
    Ok(page)
}

/// The answer that a run generates, as far as it is.
async fn in_progress(cx: &Cx, conversation: ConversationId, id: RunId) -> Result<Option<ChatMessage>> {
    let Some(run) = Run::read(&cx.env, cx.org, id).await?.filter(|run| !run.is_over()) else { return Ok(None) };
    Ok(Some(ChatMessage {
        id: run.message,
        version: 0,
        created_at: run.hold.at,
        updated_at: run.hold.at,
        conversation_id: conversation,
        parent_message_id: run.parent,
        client_id: None,
        role: MessageRole::Assistant,
        content: run.text_after(&cx.env, cx.org, id, 0).await?,
        model: crate::models::model_line(&run.model),
        provider_model: None,
        usage: None,
        status: MessageStatus::Streaming,
        timestamp: run.hold.at.as_millisecond(),
    }))
}

/// A message with an answer, as streams end with it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StreamedMessage {
    /// The message; none is stored for an answer without a conversation.
    id: ChatMessageId,
    /// The run.
    run_id: RunId,
    /// The conversation, if it is kept in one.
    conversation_id: Option<ConversationId>,
    /// The message that it answers.
    parent_message_id: Option<ChatMessageId>,
    /// Always `assistant`.
    role: MessageRole,
    /// The text.
    content: String,
    /// The requested model.
    model: String,
    /// The model that answered.
    provider_model: Option<String>,
    /// What the answer used.
    usage: MessageUsage,
    /// How far it has come: `complete` or `stopped`.
    status: MessageStatus,
    /// When the question was asked, in milliseconds since 1970.
    timestamp: i64,
}

impl StreamedMessage {
    /// The answer of a run that has ended.
    pub fn of(id: RunId, run: &Run, content: String) -> StreamedMessage {
        StreamedMessage {
            id: run.message,
            run_id: id,
            conversation_id: run.conversation,
            parent_message_id: run.parent,
            role: MessageRole::Assistant,
            content,
            model: run.model.clone(),
            provider_model: run.provider_model.clone(),
            usage: run.usage.unwrap_or_default(),
            status: run.status(),
            timestamp: run.hold.at.as_millisecond(),
        }
    }
}
