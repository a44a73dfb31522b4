//! Reading the conversations of others. Each such read is in the audit log, in the same request.

use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::{AnyId, Audit, ConversationId, Event};
use daybook_http::{Cx, ListQuery, Listed, Path, Result};
use daybook_runs::{ConversationShown, conversations_of, messages_of};
use daybook_store::Tx;

/// Lists the conversations of all users; the audit log records it.
pub async fn conversations(cx: Cx, query: ListQuery<Conversation>) -> Result<Listed<ConversationShown>> {
    let page = conversations_of(&cx.unscoped(), &query.ask()).await?;
    cx.commit(viewed(cx.org.into()), Listed(page)).await
}

/// Lists the messages of any user's conversation; the audit log records it.
pub async fn messages(
    cx: Cx,
    Path(id): Path<ConversationId>,
    query: ListQuery<ChatMessage>,
) -> Result<Listed<ChatMessage>> {
    let unscoped = cx.unscoped();
    unscoped.get::<Conversation>(id).await?;
    let page = messages_of(&unscoped, id, query.ask()).await?;
    cx.commit(viewed(id.into()), Listed(page)).await
}

fn viewed(what: AnyId) -> Tx {
    Tx::happened(Event::RecordViewed, Audit::View, what)
}
