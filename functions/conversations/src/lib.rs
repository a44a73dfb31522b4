//! The conversations API: a user's conversations with the AI, and their messages.

mod export;
mod fork;

use daybook_domain::ConversationId;
use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::permission::Action::{Create, Delete, Read, Update};
use daybook_domain::permission::Resource::Conversations;
use daybook_handlers::{Removed, delete_family, restore_family};
use daybook_http::{Created, Cx, Data, IfMatch, ListQuery, Listed, New, Patch, Path, Result, Routes, Searched, can};
use daybook_runs::{ConversationShown, conversations_of, messages_of};
use daybook_store::rows::chat::ChatState;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("conversations")
        .get("/api/conversations", can(Conversations, Read), list)
        .post("/api/conversations", can(Conversations, Create), create)
        .post("/api/conversations/search", can(Conversations, Read), search)
        .get("/api/conversations/{id}", can(Conversations, Read), read)
        .put("/api/conversations/{id}", can(Conversations, Update), update)
        .patch("/api/conversations/{id}", can(Conversations, Update), update)
        .delete("/api/conversations/{id}", can(Conversations, Delete), delete)
        .post("/api/conversations/{id}/restore", can(Conversations, Update), restore)
        .get("/api/conversations/{id}/messages", can(Conversations, Read), messages)
        .post("/api/conversations/{id}/fork", can(Conversations, Create), fork::fork)
        .get("/api/conversations/{id}/export", can(Conversations, Read), export::export)
}

/// Lists the caller's conversations, the newest first; with `search`, those whose title or tags match.
async fn list(cx: Cx, query: ListQuery<Conversation>) -> Result<Listed<ConversationShown>> {
    conversations_of(&cx, &query.ask()).await.map(Listed)
}

/// Lists conversations by a query in the body.
async fn search(cx: Cx, Searched(query): Searched<Conversation>) -> Result<Listed<ConversationShown>> {
    conversations_of(&cx, &query.ask()).await.map(Listed)
}

/// Creates a conversation.
async fn create(cx: Cx, new: New<Conversation>) -> Result<Created<ConversationShown>> {
    let shown = |conversation| Created(ConversationShown::of(conversation, ChatState::default()));
    daybook_records::create(&cx, new.fields, shown).await
}

/// Reads a conversation.
async fn read(cx: Cx, Path(id): Path<ConversationId>) -> Result<Data<ConversationShown>> {
    let conversation = cx.get::<Conversation>(id).await?.into_inner();
    Ok(Data(ConversationShown::of(conversation, ChatState::read(&cx.env, cx.org, id).await?)))
}

/// Changes the given fields of a conversation; `null` clears a field.
async fn update(
    cx: Cx,
    Path(id): Path<ConversationId>,
    IfMatch(version): IfMatch,
    changes: Patch<Conversation>,
) -> Result<Data<ConversationShown>> {
    let state = ChatState::read(&cx.env, cx.org, id).await?;
    let shown = |conversation| Data(ConversationShown::of(conversation, state.clone()));
    daybook_records::amend(&cx, id, version, changes.fields, shown).await
}

/// Moves a conversation and its messages to the trash.
async fn delete(cx: Cx, id: Path<ConversationId>, version: IfMatch) -> Result<Removed<Conversation>> {
    delete_family(cx, id, version).await
}

/// Restores a conversation and its messages from the trash.
async fn restore(cx: Cx, id: Path<ConversationId>, version: IfMatch) -> Result<Removed<Conversation>> {
    restore_family(cx, id, version).await
}

/// Lists the messages of a conversation, the oldest first, and at the end the answer that is being generated.
async fn messages(
    cx: Cx,
    Path(id): Path<ConversationId>,
    query: ListQuery<ChatMessage>,
) -> Result<Listed<ChatMessage>> {
    cx.get::<Conversation>(id).await?;
    messages_of(&cx, id, query.ask()).await.map(Listed)
}
