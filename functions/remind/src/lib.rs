//! Remind: when the time of a task comes, says so, once: by `task.due` where somebody asked to be reminded, by
//! `task.overdue` where it was to be done by now.
//!
//! An alarm isn't taken back when a task changes, so whatever it was set for is looked up again.

use daybook_domain::task::Task;
use daybook_domain::{Audit, Event, Timestamp};
use daybook_jobs::{Consumer, Limits, Message, NotSet, Outcome, Presence, Provider, Queue, RetryPolicy, Worker};
use daybook_store::rows::alarm::{self, Alarm};
use daybook_store::{Cx, Env, Result, Tx};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// For so long a moment is known to have been told of.
const KEPT: Duration = Duration::from_secs(400 * 86_400);

/// A reminder may be so late and a task be changed meanwhile.
const LATE: Duration = Duration::from_secs(300);

/// The consumer of alarms. Commit writes them as due items; no entry gives rise to one.
pub static CONSUMER: Consumer<Alarm> = Consumer {
    queue: Queue { name: alarm::QUEUE },
    function: "remind",
    presence: Presence::Always,
    wants: None,
    limits: Limits::DEFAULT,
    retry: RetryPolicy::DEFAULT,
};

/// Its worker.
pub fn worker<P: Provider>(from: &mut P) -> std::result::Result<Worker, NotSet> {
    Ok(CONSUMER.worker(from.own_queue(&CONSUMER)?, (), handle))
}

/// Makes it true that everybody was told whom this moment concerns.
async fn handle(env: Arc<Env>, _: Arc<()>, message: Message<Alarm>) -> Result<Outcome> {
    let Alarm { org, record, at } = message.job;
    let cx = env.system(org, "remind");
    if cx.now() < at {
        return Ok(Outcome::RetryAt(at, "its time hasn't come".to_owned()));
    }
    let Some(task) = cx.find::<Task>(record).await?.filter(|task| task.is_open()) else { return Ok(Outcome::Done) };
    // A moment that was over when the task was last changed is nobody's to be reminded of.
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

/// Puts it on record, unless it is.
async fn announce(cx: &Cx, event: Event, task: &Task, at: Timestamp, detail: Value) -> Result<()> {
    let detail: Map<String, Value> = detail.as_object().cloned().unwrap_or_default();
    let content = format!("{} {} {at}", event.name(), task.id);
    let tx = Tx::happened(event, Audit::Remind, task.id).with_detail(detail);
    cx.next_step().once_by("remind", &content, KEPT).commit(tx, ()).await
}
