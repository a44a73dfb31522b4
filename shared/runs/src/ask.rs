//! Asking and stopping: what every way into the chat does with a run.

use crate::begin::begin;
use crate::end::{end_dead, end_queued};
use crate::{Chat, ChatRequest, LEASE};
use daybook_domain::error::Thing;
use daybook_domain::{Error as Domain, RunId};
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::run::{self, Run, State};
use daybook_store::{Cx, Error, Result};
use std::time::Duration;

/// The rate at which a user may begin to read answers.
pub const READERS: Rate = Rate { burst: 60, per: Duration::from_secs(60) };

/// The run of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedRun {
    /// The run.
    pub run: RunId,
    /// Whether this question began it, rather than an earlier request with the same idempotency key.
    pub is_new: bool,
}

/// Begins a run, and its generation where that is this process's work; returns the run, or that of an earlier request with
/// the same idempotency key. In a task of its own: a client that goes away meanwhile doesn't leave a committed run without
/// its generator.
pub async fn ask(chat: &Chat, cx: &Cx, request: ChatRequest) -> Result<AskedRun> {
    let (chat, cx) = (chat.clone(), cx.clone());
    let asking = tokio::spawn(async move {
        Ok(match begin(&chat, &cx, &request).await? {
            Ok(begun) => {
                let id = begun.id;
                if chat.generates(request.stream) {
                    crate::start(&chat, &cx, begun);
                }
                AskedRun { run: id, is_new: true }
            }
            Err(earlier) => AskedRun { run: earlier, is_new: false },
        })
    });
    asking.await.map_err(|error| Error::internal("begin a run", error))?
}

/// Asks a run to stop, whose text up to then is kept; ends it where no process generates it. Does nothing to a run that has
/// ended.
pub async fn stop(chat: &Chat, cx: &Cx, id: RunId, run: &Run) -> Result<()> {
    if run::stop(&cx.env, cx.org, id).await? {
        chat.live.stop(id);
        if run.state == State::Queued {
            end_queued(chat, cx, id, run).await?;
        } else if run.is_dead(cx.now(), LEASE) {
            end_dead(chat, cx, id, run).await?;
        }
    }
    Ok(())
}

/// A run of the caller.
pub async fn own_run(cx: &Cx, id: RunId) -> Result<Run> {
    find_own_run(cx, id).await?.ok_or_else(|| Domain::not_found(Thing::Run).into())
}

/// A run of the caller, if it exists.
pub async fn find_own_run(cx: &Cx, id: RunId) -> Result<Option<Run>> {
    let run = Run::read(&cx.env, cx.org, id).await?;
    Ok(run.filter(|run| Some(run.hold.user) == cx.actor.owner()))
}
