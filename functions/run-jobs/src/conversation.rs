//! The jobs of conversations: copies of long ones, and the erasure of temporary ones.

use crate::turn::{Progress, Turn};
use crate::{erased_so_far, remove};
use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::job::Job;
use daybook_domain::{ChatMessageId, ConversationId, RecordType, Stored};
use daybook_records::{Draft, updated};
use daybook_runs::{MOST_COPIED, copied, path_to};
use daybook_store::rows::chat::ChatState;
use daybook_store::{Cx, Error, Kept, Result, Tx};

/// Copies the path to a message into another conversation, in several transactions. After a crash the next try goes on
/// with the message that follows the last one copied.
pub async fn copy(
    cx: &Cx,
    job: &Stored<Job>,
    (from, last, to): (ConversationId, ChatMessageId, ConversationId),
    turn: Turn,
) -> Result<Progress> {
    let Some(path) = path_to(cx, from, last, usize::MAX).await? else {
        return Ok(job.failed("the conversation was deleted before it was copied").into());
    };
    let mut job = job.clone();
    loop {
        let done = job.progress.map_or(0, |progress| progress.done) as usize;
        let some: Vec<ChatMessage> = path.iter().skip(done).take(MOST_COPIED).cloned().collect();
        if some.is_empty() {
            return Ok(job.finished().into());
        }
        let count = some.len();
        let after = ChatState::read(&cx.env, cx.org, to).await?.last;
        let (next, tx) = updated(cx, Tx::default(), &job, Draft::of(job.advanced(count))).await?;
        let (tx, _) = copied(cx, tx, to, after, some).await?;
        cx.next_step().commit(tx, ()).await?;
        job = job.followed_by(next).map_err(|error| Error::internal("write a record as JSON", error))?;
        if turn.is_over() {
            return Ok(Progress::Paused);
        }
    }
}

/// Erases a conversation with its messages, live or in the trash.
pub async fn erase(cx: &Cx, job: &Stored<Job>, id: ConversationId, turn: Turn) -> Result<Progress> {
    let mut erased = job.erased.clone().unwrap_or_default();
    erased.records += messages(cx, id, Some(turn)).await?;
    if turn.is_over() {
        return erased_so_far(cx, job, erased).await;
    }
    match cx.find::<Conversation>(id).await? {
        Some(conversation) => remove(cx, &conversation, Kept::Live).await?,
        None => match cx.trash().get::<Conversation>(id, None).await {
            Ok(conversation) => remove(cx, &conversation, Kept::InTrash).await?,
            Err(Error::Domain(_)) => return Ok(job.with_erased(erased).into()),
            Err(error) => return Err(error),
        },
    }
    // An answer may have ended in between; now that the conversation is gone, none can follow.
    erased.records += 1 + messages(cx, id, None).await?;
    Ok(job.with_erased(erased).into())
}

/// Erases the messages of a conversation, in a turn as many as it lasts for; returns their number.
async fn messages(cx: &Cx, id: ConversationId, turn: Option<Turn>) -> Result<u64> {
    let mut count = 0;
    let is_over = |count: u64| count > 0 && turn.is_some_and(|turn| turn.is_over());
    for message in cx.children(id, RecordType::ChatMessage).await? {
        if is_over(count) {
            return Ok(count);
        }
        if let Some(message) = cx.find::<ChatMessage>(message).await? {
            remove(cx, &message, Kept::Live).await?;
            count += 1;
        }
    }
    for message in cx.trash().deleted_with(id.into()).await? {
        if is_over(count) {
            return Ok(count);
        }
        if let Ok(message) = cx.trash().get::<ChatMessage>(message, None).await {
            remove(cx, &message, Kept::InTrash).await?;
            count += 1;
        }
    }
    Ok(count)
}
