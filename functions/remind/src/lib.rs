//! Alarms: requests the erasure of temporary conversations at their end; and reminds of tasks: publishes `task.due` at the time of a reminder and `task.overdue` at the due date, once each.
//!
//! An alarm isn't cancelled when its task changes, so the worker reads the task again before it publishes.

use daybook_domain::job::{Job, Work};
use daybook_domain::task::Task;
use daybook_domain::{Audit, ConversationId, Event, Timestamp};
use daybook_jobs::{Consumer, Limits, Message, Outcome, Presence, Provided, Provider, Queue, RetryPolicy, Worker};
use daybook_records::{Draft, created};
use daybook_store::rows::alarm::{self, Alarm};
use daybook_store::{Cx, Env, Result, Tx};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long the idempotency key of a published event is kept: 400 days.
const KEPT: Duration = Duration::from_secs(400 * 86_400);

/// A reminder may be this late, and the task may have changed in the meantime.
const LATE: Duration = Duration::from_secs(300);

/// The consumer of alarms. A commit writes them as due items; no journal entry leads to one.
pub static CONSUMER: Consumer<Alarm> = Consumer {
    queue: Queue { name: alarm::QUEUE },
    long: None,
    function: "remind",
    presence: Presence::Always,
    wants: None,
    org: |job| job.org,
    limits: Limits::DEFAULT,
    retry: RetryPolicy::DEFAULT,
};

/// The worker of this consumer.
pub fn worker<P: Provider>(from: &mut P) -> Provided<Worker> {
    Ok(CONSUMER.worker(from.own_queues(&CONSUMER)?, (), handle))
}

/// Ensures that the events of this moment are published.
async fn handle(env: Arc<Env>, (): (), message: Message<Alarm>) -> Result<Outcome> {
    let Alarm { org, record, at } = message.job;
    let cx = env.system(org, "remind");
    if cx.now() < at {
        return Ok(Outcome::RetryAt(at, "the reminder isn't due yet".to_owned()));
    }
    if let Ok(conversation) = ConversationId::try_from(record) {
        return expire(&cx, conversation, at).await;
    }
    let Some(task) = cx.find::<Task>(record).await?.filter(|task| task.is_open()) else { return Ok(Outcome::Done) };
    // A moment that had passed when the task was last changed needs no reminder.
    let over = at.plus(LATE) < task.updated_at;
    let reminders = task.reminders.as_slice().iter().filter(|reminder| reminder.moment(task.due_date) == Some(at));
    let mut channels: Vec<&str> = reminders.map(|reminder| reminder.channel.name()).collect();
    channels.dedup();
    if !channels.is_empty() && !over {
        let detail = json!({"at": at, "channels": channels, "assignee_id": task.assignee_id});
        announce(&cx, Event::TaskDue, &task, at, detail).await?;
    }
    if task.due_date == Some(at) {
        announce(&cx, Event::TaskOverdue, &task, at, json!({"at": at, "assignee_id": task.assignee_id})).await?;
    }
    Ok(Outcome::Done)
}

/// Requests the erasure of a temporary conversation that has reached its end, also where it is in the trash.
async fn expire(cx: &Cx, conversation: ConversationId, at: Timestamp) -> Result<Outcome> {
    let content = format!("{conversation} {at}");
    let job = Job::new(Work::Expiry { conversation }, &cx.stamp());
    let (_, tx) = created(cx, Tx::default(), Draft::of(job)).await?;
    cx.next_step().once_by("expire", &content, KEPT).commit(tx.called(Audit::Erase), ()).await?;
    Ok(Outcome::Done)
}

/// Writes the event to the journal, unless it is there already.
async fn announce(cx: &Cx, event: Event, task: &Task, at: Timestamp, detail: Value) -> Result<()> {
    let detail: Map<String, Value> = detail.as_object().cloned().unwrap_or_default();
    let content = format!("{} {} {at}", event.name(), task.id);
    let tx = Tx::happened(event, Audit::Remind, task.id).with_detail(detail);
    cx.next_step().once_by("remind", &content, KEPT).commit(tx, ()).await
}
