//! The worker that tells connected users at once of what concerns them: a task that was given to them, a reminder, a form
//! post that waits for a decision, an answer that ended while they weren't reading it. It also closes the sockets of users
//! who aren't signed in any more.
//!
//! A notification is a convenience: the record it is about is what counts, and users who aren't connected get none.

use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::permission::Action::Read;
use daybook_domain::permission::Resource::{Conversations, Submissions, Tasks};
use daybook_domain::task::Task;
use daybook_domain::{Audit, Event, UserId};
use daybook_jobs::{Consumer, Limits, Message, Outcome, Presence, Provided, Provider, Queue, RetryPolicy, Worker};
use daybook_sockets::{Access, Admission, Courier, admission_of, notification};
use daybook_store::rows::run::Run;
use daybook_store::rows::socket::OpenSocket;
use daybook_store::{Cx, EntryRef, Env, Fact, Result, Settings};
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How many sockets are sent to at once.
const AT_ONCE: usize = 20;

/// How long an entry is news.
const NEWS: Duration = Duration::from_secs(15 * 60);

/// The consumer of entries that users are told of.
pub static CONSUMER: Consumer<Notice> = Consumer {
    queue: Queue { name: "notify" },
    long: None,
    function: "notify",
    presence: Presence::Always,
    wants: Some(notices),
    org: |job| job.entry.org,
    limits: Limits::DEFAULT,
    // A quarter of an hour or so: what is older is no news.
    retry: RetryPolicy::attempts(9),
};

/// An entry that users are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The entry.
    pub entry: EntryRef,
}

/// What follows from an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// The task's assignee is told.
    Task,
    /// The users who may read held posts are told.
    Held,
    /// The owner of the conversation is told.
    Answer,
    /// The sockets of this user, or of all users, are closed whose users aren't signed in any more.
    Sessions(Option<UserId>),
}

fn consequence(fact: &Fact) -> Option<Consequence> {
    match fact.event {
        Event::TaskAssigned | Event::TaskDue | Event::TaskOverdue => Some(Consequence::Task),
        Event::TaskCreated if fact.fields.iter().any(|field| field == "assignee_id") => Some(Consequence::Task),
        Event::SubmissionHeld => Some(Consequence::Held),
        Event::MessageCreated if fact.action == Audit::AiCall => Some(Consequence::Answer),
        Event::OrganizationUpdated | Event::OrganizationDeleted | Event::OrganizationErased => {
            Some(Consequence::Sessions(None))
        }
        Event::UserUpdated
        | Event::UserDeleted
        | Event::UserLogout
        | Event::UserTokenReused
        | Event::UserPasswordChanged
        | Event::UserEmailVerified
        | Event::UserSecondFactorOn
        | Event::UserSecondFactorOff
        | Event::RecordErased => UserId::try_from(fact.record).ok().map(|user| Consequence::Sessions(Some(user))),
        _ => None,
    }
}

fn notices(fact: &Fact, _: &Settings) -> Vec<Notice> {
    let entry = EntryRef { org: fact.org, entry: fact.id };
    consequence(fact).map(|_| Notice { entry }).into_iter().collect()
}

/// The worker of this consumer.
pub fn worker<P: Provider>(from: &mut P) -> Provided<Worker> {
    let (queue, connections) = (from.own_queues(&CONSUMER), from.connections());
    Ok(CONSUMER.worker(queue?, Courier::new(connections?), handle))
}

/// Ensures that the users who are connected have been told.
async fn handle(env: Arc<Env>, courier: Courier, message: Message<Notice>) -> Result<Outcome> {
    let Some(fact) = Fact::read(&env, message.job.entry).await? else { return Ok(Outcome::Done) };
    let Some(consequence) = consequence(&fact) else { return Ok(Outcome::Done) };
    let is_closing = matches!(consequence, Consequence::Sessions(_));
    // A redrive dispatches entries again that users were told about when they were new.
    if !is_closing && fact.at.plus(NEWS) < env.clock.now() {
        return Ok(Outcome::Done);
    }
    match follow(&env, &courier, &fact, consequence).await {
        Ok(()) => Ok(Outcome::Done),
        // A socket of a user who signed out is closed in the end.
        Err(error) if CONSUMER.retry.is_exhausted(message.attempt) && !is_closing => Ok(Outcome::Failed(error.chain())),
        Err(error) => Ok(Outcome::RetryAt(CONSUMER.retry.next_attempt(&env, message.attempt), error.chain())),
    }
}

async fn follow(env: &Arc<Env>, courier: &Courier, fact: &Fact, consequence: Consequence) -> Result<()> {
    let cx = env.system(fact.org, "notify");
    let (to, access, about) = match consequence {
        Consequence::Sessions(user) => {
            let sockets = OpenSocket::all_of(env, fact.org, user).await?;
            return at_each(sockets, |socket| closed(env, courier, socket)).await;
        }
        Consequence::Held => (None, Access::Can(Submissions, Read), json!({})),
        Consequence::Task => match task_of(&cx, fact).await? {
            Some((assignee, about)) => (Some(assignee), Access::Can(Tasks, Read), about),
            None => return Ok(()),
        },
        Consequence::Answer => match answer_of(&cx, fact).await? {
            Some((owner, about)) => (Some(owner), Access::Can(Conversations, Read), about),
            None => return Ok(()),
        },
    };
    let frame = notification(fact, &about);
    let sockets = OpenSocket::all_of(env, fact.org, to).await?;
    let (cx, frame) = (&cx, &frame);
    at_each(sockets, |socket| told(cx, courier, socket, fact, (access, frame))).await
}

/// Does something at each socket, some at a time; fails if it failed at one of them.
async fn at_each<W: Future<Output = Result<()>>>(
    sockets: Vec<OpenSocket>,
    work: impl Fn(OpenSocket) -> W,
) -> Result<()> {
    let outcomes: Vec<Result<()>> = stream::iter(sockets).map(work).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect()
}

/// Sends a notification to a socket whose user has the permission to read what it is about.
async fn told(
    cx: &Cx,
    courier: &Courier,
    socket: OpenSocket,
    fact: &Fact,
    (access, frame): (Access, &Value),
) -> Result<()> {
    if reads(cx, &socket, fact).await? {
        return Ok(());
    }
    match admission_of(&cx.env, &socket.caller, access).await? {
        Admission::Granted => courier.send(&cx.env, &socket.connection, frame).await.map(drop),
        Admission::Refused => Ok(()),
        Admission::SignedOut => courier.close(&cx.env, &socket.connection).await,
    }
}

/// Closes a socket whose user isn't signed in any more, or in a network that isn't allowed any more.
async fn closed(env: &Arc<Env>, courier: &Courier, socket: OpenSocket) -> Result<()> {
    match admission_of(env, &socket.caller, Access::SignedIn).await? {
        Admission::Granted => Ok(()),
        Admission::Refused | Admission::SignedOut => courier.close(env, &socket.connection).await,
    }
}

/// The assignee of an open task, unless they assigned it to themselves, and what they are told.
async fn task_of(cx: &Cx, fact: &Fact) -> Result<Option<(UserId, Value)>> {
    let task = cx.find::<Task>(fact.record).await?.filter(|task| task.is_open());
    let Some(task) = task else { return Ok(None) };
    let assignee = task.assignee_id.filter(|assignee| fact.actor.user() != Some(*assignee));
    Ok(assignee.map(|assignee| (assignee, json!({"title": task.title, "due_date": task.due_date}))))
}

/// The owner of the conversation of an answer, and what they are told.
async fn answer_of(cx: &Cx, fact: &Fact) -> Result<Option<(UserId, Value)>> {
    let Some(message) = cx.find::<ChatMessage>(fact.record).await? else { return Ok(None) };
    let conversation = cx.find::<Conversation>(message.conversation_id).await?;
    let owner = conversation.and_then(|conversation| conversation.owner_id);
    let about = json!({"conversation_id": message.conversation_id, "status": message.status});
    Ok(owner.map(|owner| (owner, about)))
}

/// Whether the answer of an entry is the newest one that a socket reads.
async fn reads(cx: &Cx, socket: &OpenSocket, fact: &Fact) -> Result<bool> {
    let Some(run) = socket.run.filter(|_| fact.event == Event::MessageCreated) else { return Ok(false) };
    let run = Run::read(&cx.env, cx.org, run).await?;
    Ok(run.is_some_and(|run| fact.record == run.message.into()))
}
