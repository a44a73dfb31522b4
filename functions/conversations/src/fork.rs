//! Forks: copies of a conversation up to a message.

use daybook_domain::chat::Conversation;
use daybook_domain::error::Oversized;
use daybook_domain::job::{Job, Work};
use daybook_domain::{ChatMessageId, ConversationId, Error as Domain, RecordType, Rule};
use daybook_http::{Accepted, Answer, Call, Created, Cx, HttpReply, Json, Operation, Path, Result};
use daybook_records::{Draft, created};
use daybook_runs::{ConversationShown, MOST_COPIED, copied, path_to};
use daybook_store::rows::chat::ChatState;
use daybook_store::{Answer as Kind, PAGE_BYTES, Reply, Tx};
use serde::{Deserialize, Serialize};

/// A fork to make.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewFork)]
pub struct NewFork {
    /// The last message to copy; the newest one unless given.
    message_id: Option<ChatMessageId>,
}

/// The reply to a fork: the new conversation, or the job that copies a long one.
#[derive(Debug, Serialize, Deserialize)]
pub enum Forked {
    /// The new conversation.
    Done(Box<Created<ConversationShown>>),
    /// The job that copies the messages into the new conversation.
    Started(Box<Accepted<Job>>),
}

impl Reply for Forked {
    const ANSWER: Kind = Kind::Created;
}

impl HttpReply for Forked {
    fn answer(self, call: &Call) -> Result<Answer> {
        match self {
            Forked::Done(conversation) => conversation.answer(call),
            Forked::Started(job) => job.answer(call),
        }
    }

    fn describe(operation: &mut Operation) {
        Created::<ConversationShown>::describe(operation);
        let job = operation.schema_of::<Job>();
        let job = operation.envelope(job);
        operation.or_accepted(job);
    }
}

/// Copies a conversation up to a message into a new one. A job (202) copies paths of more than 20 messages.
pub async fn fork(cx: Cx, Path(id): Path<ConversationId>, Json(new): Json<NewFork>) -> Result<Forked> {
    let conversation = cx.get::<Conversation>(id).await?;
    let state = ChatState::read(&cx.env, cx.org, id).await?;
    let unknown = || Domain::invalid("/message_id", Rule::Id { prefix: RecordType::ChatMessage.prefix().to_owned() });
    let last = new.message_id.or(state.last);
    let path = match last {
        Some(last) => {
            let path = path_to(&cx, id, last, usize::MAX).await?.ok_or_else(unknown)?;
            if path.first().is_some_and(|first| first.parent_message_id.is_some()) {
                return Err(Domain::TooLarge { what: Oversized::Conversation, limit: PAGE_BYTES as u64 }.into());
            }
            path
        }
        None => Vec::new(),
    };
    let stamp = cx.stamp();
    let fork = Conversation {
        id: ConversationId::new(stamp.id),
        version: 1,
        created_at: stamp.at,
        updated_at: stamp.at,
        owner_id: stamp.actor.owner(),
        ..conversation.into_inner()
    };
    let (fork, tx) = created(&cx, Tx::default(), Draft::of(fork)).await?;
    let tx = tx.without_request();
    if let Some(last) = last.filter(|_| path.len() > MOST_COPIED) {
        let work = Work::Fork { message: last, from: id, to: fork.id };
        let job = Job { id: daybook_domain::JobId::new(cx.env.ids.next()), ..Job::new(work, &stamp) };
        let (job, tx) = created(&cx, tx, Draft::of(job.of_records(path.len()))).await?;
        return cx.commit(tx, Forked::Started(Box::new(Accepted(job)))).await;
    }
    let (tx, state) = copied(&cx, tx, fork.id, None, path).await?;
    cx.commit(tx, Forked::Done(Box::new(Created(ConversationShown::of(fork, state))))).await
}
