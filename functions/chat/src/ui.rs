//! The UI message stream (version 1) of the AI SDK: what `useChat` sends, and the parts that it reads.

use daybook_domain::ai::MessageRole;
use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::permission::{Action, Resource};
use daybook_domain::{ChatMessageId, ConversationId, Error as Domain, Line, Locale, Rule, RunId, Violations};
use daybook_http::{
    Cx, DONE, Error, Events, EventsIfAny, Gone, Language, Loose, Out, Own, PathText, Problem, Result, data,
};
use daybook_records::reaching;
use daybook_runs::{Chat, ChatRequest, ChatTurn, READERS, Watch, ask, find_own_run, own_run};
use daybook_store::rows::chat::ChatState;
use daybook_store::rows::run::{Run, State};
use daybook_store::rows::ui_chat::UiChat;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The header by which clients know the stream, with its version.
const HEADER: (&str, &str) = ("x-vercel-ai-ui-message-stream", "v1");

/// A request of `useChat`. Fields that aren't here are ignored.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UiChatRequest {
    /// The chat: the id of a conversation, whose messages are kept, or any other id, for a chat that the client keeps.
    #[schema(max_length = 200)]
    id: Line<200>,
    /// The messages; the last one is the question.
    messages: Vec<UiMessage>,
    /// What the user does.
    trigger: Option<UiTrigger>,
    /// The answer to give anew.
    #[serde(rename = "messageId")]
    message_id: Option<String>,
    /// The model; the conversation's, else the organisation's default one.
    model: Option<Line<100>>,
    /// The sampling temperature, 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// The most tokens of the answer.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
}

/// What the user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
enum UiTrigger {
    /// Asks.
    SubmitMessage,
    /// Asks again.
    RegenerateMessage,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct UiMessage {
    /// Its id.
    id: Option<Line<100>>,
    /// Who wrote it.
    role: UiRole,
    /// What it consists of.
    parts: Vec<UiPart>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum UiRole {
    /// Instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// A part of a message. Of the AI SDK's kinds `text` is read and `file` refused; all others are ignored.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct UiPart {
    /// Its kind.
    r#type: String,
    /// Its text.
    text: Option<String>,
}

/// Answers a question as a UI message stream, for the AI SDK's `useChat`.
pub async fn ui_chat(
    cx: Cx,
    Own(chat): Own<Chat>,
    Language(locale): Language,
    Loose(request): Loose<UiChatRequest>,
) -> Result<Events> {
    chat.check_streams()?;
    let conversation = request.id.as_str().parse::<ConversationId>().ok();
    let question = match conversation {
        Some(conversation) => in_conversation(&cx, conversation, &request).await?,
        None => alone(&request)?,
    };
    let id = ask(&chat, &cx, question).await?.run;
    let run = own_run(&cx, id).await?;
    if conversation.is_none() {
        let newest = UiChat { run: id, expires_at: run.expires_at };
        newest.keep(&cx.env, cx.org, run.hold.user, request.id.as_str()).await?;
    }
    streamed(&chat, &cx, id, run, locale).await
}

/// Streams the answer in progress of a chat from its beginning, as `useChat` asks for it to resume; 204 if there is none.
pub async fn ui_stream(
    cx: Cx,
    Own(chat): Own<Chat>,
    Language(locale): Language,
    PathText(id): PathText,
) -> Result<EventsIfAny> {
    chat.check_streams()?;
    let user = cx.actor.owner().ok_or(Domain::NotAPerson)?;
    cx.limited("chat events", &user.to_string(), READERS).await?;
    let run = match id.parse::<ConversationId>() {
        Ok(conversation) => {
            let own = reaching(&cx, Resource::Conversations, Action::Read).await?;
            own.get::<Conversation>(conversation).await?;
            ChatState::read(&cx.env, cx.org, conversation).await?.run
        }
        Err(_) => UiChat::read(&cx.env, cx.org, user, &id).await?.map(|newest| newest.run),
    };
    let Some(id) = run else { return Ok(EventsIfAny(None)) };
    match find_own_run(&cx, id).await?.filter(|run| !run.is_over()) {
        Some(run) => Ok(EventsIfAny(Some(streamed(&chat, &cx, id, run, locale).await?))),
        None => Ok(EventsIfAny(None)),
    }
}

/// The question in a conversation, whose messages Daybook has: where it belongs follows from the ids before it.
async fn in_conversation(cx: &Cx, conversation: ConversationId, request: &UiChatRequest) -> Result<ChatRequest> {
    let whole = ChatRequest { conversation_id: Some(conversation), ..settings(request) };
    let ours = |message: &UiMessage| message.id.as_ref().and_then(|id| id.as_str().parse::<ChatMessageId>().ok());
    if request.trigger == Some(UiTrigger::RegenerateMessage) {
        let answer = request.message_id.as_deref().and_then(|id| id.parse::<ChatMessageId>().ok());
        let answer = match answer {
            Some(answer) => Some(answer),
            None => ChatState::read(&cx.env, cx.org, conversation).await?.last,
        };
        let own = reaching(cx, Resource::Conversations, Action::Read).await?;
        own.get::<Conversation>(conversation).await?;
        let found = match answer {
            Some(answer) => cx.unscoped().find::<ChatMessage>(answer).await?,
            None => None,
        };
        let found = found.filter(|message| message.conversation_id == conversation).map(|found| found.into_inner());
        let question = found.and_then(|message| match message.role {
            MessageRole::Assistant => message.parent_message_id,
            _ => Some(message.id),
        });
        let question = question.ok_or_else(|| Domain::invalid("/messageId", Rule::Required))?;
        return Ok(ChatRequest { parent_message_id: Some(question), ..whole });
    }
    let mut turns = turns_of(request)?;
    let Some((last, before)) = request.messages.split_last().filter(|(last, _)| last.role == UiRole::User) else {
        let rule = Rule::format("a message of the user at the end", "以用户的消息结尾");
        return Err(Domain::invalid("/messages", rule).into());
    };
    let before = before.iter().rev().find_map(ours);
    let question = turns.pop().filter(|turn| turn.id == last.id);
    Ok(ChatRequest {
        messages: question.into_iter().collect(),
        parent_message_id: before,
        from_start: before.is_none(),
        ..whole
    })
}

/// The question in a chat that the client keeps, with all of its messages.
fn alone(request: &UiChatRequest) -> Result<ChatRequest, Domain> {
    Ok(ChatRequest { messages: turns_of(request)?, ..settings(request) })
}

fn settings(request: &UiChatRequest) -> ChatRequest {
    ChatRequest {
        model: request.model.clone(),
        temperature: request.temperature,
        max_tokens: request.max_tokens,
        stream: true,
        ..ChatRequest::default()
    }
}

/// The turns of a request. Answers without any text, such as those that were stopped at once, are left out.
fn turns_of(request: &UiChatRequest) -> Result<Vec<ChatTurn>, Domain> {
    let (mut violations, mut turns) = (Violations::default(), Vec::new());
    for (n, message) in request.messages.iter().enumerate() {
        for (m, part) in message.parts.iter().enumerate().filter(|(_, part)| part.r#type == "file") {
            let rule = Rule::format("left out: files aren't read here", "省略：此接口不读取文件");
            violations.add(format!("/messages/{n}/parts/{m}/{}", part.r#type), rule);
        }
        let texts = message.parts.iter().filter(|part| part.r#type == "text").filter_map(|part| part.text.as_deref());
        let content: String = texts.collect();
        let role = match message.role {
            UiRole::System => MessageRole::System,
            UiRole::User => MessageRole::User,
            UiRole::Assistant if content.trim().is_empty() => continue,
            UiRole::Assistant => MessageRole::Assistant,
        };
        turns.push(ChatTurn { id: message.id.clone(), content, role, timestamp: None });
    }
    violations.into_result()?;
    Ok(turns)
}

/// The stream of an answer, from its beginning.
async fn streamed(chat: &Chat, cx: &Cx, id: RunId, run: Run, locale: Locale) -> Result<Events> {
    let watch = Watch::of(chat, cx, id, 0).await?;
    let events = Events::written(move |out| written(out, watch, id, run, locale));
    Ok(events.with_header(HEADER.0, HEADER.1))
}

async fn written(out: Out, mut watch: Watch, id: RunId, run: Run, locale: Locale) -> Result<(), Gone> {
    let about = json!({"run_id": id, "conversation_id": run.conversation, "model": run.model});
    out.send(data(&json!({"type": "start", "messageId": run.message, "messageMetadata": about}))).await?;
    out.send(data(&json!({"type": "start-step"}))).await?;
    out.send(data(&json!({"type": "text-start", "id": "text"}))).await?;
    let end = loop {
        match out.wait(watch.next()).await? {
            Ok(Some((_, text))) => out.send(data(&json!({"type": "text-delta", "id": "text", "delta": text}))).await?,
            Ok(None) => break watch.end().await,
            Err(error) => break Err(error),
        }
    };
    out.send(data(&json!({"type": "text-end", "id": "text"}))).await?;
    let failed = |error: &Error| data(&json!({"type": "error", "errorText": Problem::told(error, locale)}));
    let last = match end {
        Ok(run) => {
            out.send(data(&json!({"type": "finish-step"}))).await?;
            let about = json!({"provider_model": run.provider_model, "usage": run.usage});
            let reason = if run.cut { "length" } else { "stop" };
            match run.state {
                State::Stopped => data(&json!({"type": "abort"})),
                _ => data(&json!({"type": "finish", "finishReason": reason, "messageMetadata": about})),
            }
        }
        Err(error) => failed(&error),
    };
    out.send(last).await?;
    out.send(DONE.to_owned()).await
}
