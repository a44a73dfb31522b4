//! The worker for answers that no request streams: generates queued runs, and ends runs whose process died.

use daybook_domain::{ChatMessageId, EntryId, Event, RunId, Timestamp};
use daybook_jobs::{Consumer, Limits, Message, Outcome, Presence, Provided, Provider, Queue, RetryPolicy, Worker};
use daybook_runs::{Begun, Chat, LEASE, Site, end_dead, end_queued, generate, settle, work_of};
use daybook_sockets::Courier;
use daybook_store::rows::run::{self, Run, RunCheck, State};
use daybook_store::{Cx, EntryRef, Env, Fact, Result, Settings};
use std::sync::Arc;
use std::time::Duration;

/// The time-out of the function: the longest that Lambda allows.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The consumer of entries that request an answer.
pub static CONSUMER: Consumer<RunCheck> = Consumer {
    queue: Queue { name: run::QUEUE },
    long: None,
    function: "chat-run",
    presence: Presence::Always,
    wants: Some(wanted),
    org: |job| job.org,
    limits: Limits { timeout: TIMEOUT, ..Limits::DEFAULT },
    retry: RetryPolicy::DEFAULT,
};

fn wanted(fact: &Fact, _: &Settings) -> Vec<RunCheck> {
    let message = ChatMessageId::try_from(fact.record).ok().filter(|_| fact.event == Event::AnswerRequested);
    let check = |message| RunCheck { org: fact.org, hold: None, entry: Some(fact.id), run: RunId::of_message(message) };
    message.map(check).into_iter().collect()
}

/// The worker of this consumer.
pub fn worker<P: Provider>(from: &mut P) -> Provided<Worker> {
    let (queue, providers, connections) = (from.own_queues(&CONSUMER), from.ai(), from.connections());
    let chat = Chat::new(providers?, Site::Api).told_to(Arc::new(Courier::new(connections?)));
    Ok(CONSUMER.worker(queue?, chat, handle))
}

/// Ensures that the run is generated, or has ended, and that its budgets are settled.
async fn handle(env: Arc<Env>, chat: Chat, message: Message<RunCheck>) -> Result<Outcome> {
    let RunCheck { org, hold, entry, run: id } = message.job;
    let cx = cx_of(&env, &message.job).await?;
    let Some(run) = Run::read(&env, org, id).await? else {
        // Reserved, and never committed.
        if let Some(hold) = hold {
            hold.settle(&env, org, Default::default()).await?;
        }
        return Ok(Outcome::Done);
    };
    if run.is_over() {
        settle(&env, org, id, &run).await?;
        // The process that ended it may have died before it told all readers.
        chat.tell(&cx, id, &run).await;
        return Ok(Outcome::Done);
    }
    if run.state == State::Queued {
        if run.stop {
            end_queued(&chat, &cx, id, &run).await?;
            return Ok(Outcome::Done);
        }
        // Read before the run is taken, so that a failure leaves it to the next attempt.
        let work = work_of(&chat, &cx, id, run.clone()).await?;
        let generator = env.ids.next().simple().to_string();
        let until = env.clock.now().plus(chat.site.lease());
        let Some(run) = Run::take(&env, org, id, &generator, until).await? else {
            return Ok(left_to_another(entry, until));
        };
        match work {
            Some(work) => generate(&chat, &cx, Begun { run, ..work }).await?,
            None => end_dead(&chat, &cx, id, &run).await?,
        }
        return Ok(Outcome::Done);
    }
    if run.is_dead(env.clock.now(), LEASE) {
        end_dead(&chat, &cx, id, &run).await?;
        return Ok(Outcome::Done);
    }
    Ok(left_to_another(entry, run.leased_until))
}

/// What is left to do about a run that another process generates: its due item looks after it, so that one stays.
fn left_to_another(entry: Option<EntryId>, leased_until: Timestamp) -> Outcome {
    match entry {
        Some(_) => Outcome::Done,
        None => Outcome::RetryAt(leased_until, "another process generates the answer".to_owned()),
    }
}

/// The context of a run: that of the request, as its entry proves, else Daybook's own.
async fn cx_of(env: &Arc<Env>, check: &RunCheck) -> Result<Cx> {
    let fact = match check.entry {
        Some(entry) => Fact::genuine(env, EntryRef { org: check.org, entry }).await?,
        None => None,
    };
    Ok(fact.map_or_else(|| env.system(check.org, "chat-run"), |fact| env.on_behalf_of(&fact, "chat-run")))
}
