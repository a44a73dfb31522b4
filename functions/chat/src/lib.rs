//! The chat API: answers of the AI, streamed or whole. An answer is a run, which goes on when its reader is gone: any device
//! can read it from any position, and stop it.

mod answer;
mod stream;
mod ticket;
mod ui;

use answer::{Answered, ChatAnswer, RunShown, UNTIL};
use daybook_domain::permission::Action::Use;
use daybook_domain::permission::Resource::Ai;
use daybook_domain::{Error as Domain, RunId};
use daybook_http::{Cx, Data, Events, Json, Own, Path, Result, Routes, WantsEvents, can, signed_in};
use daybook_runs::{Chat, ChatRequest, READERS, Watch, ask, own_run};
use daybook_store::rows::run::State;
use std::time::Duration;
use stream::{AfterSeq, events_of};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a stop waits for the end of the answer, and how often it looks.
const ENDS: Duration = Duration::from_millis(1_500);
const LOOK: Duration = Duration::from_millis(100);

/// The routes of this function.
pub fn routes() -> Routes {
    routes_of("chat")
}

/// The routes of the chat, for a function of this name.
pub fn routes_of(function: &'static str) -> Routes {
    Routes::of(function)
        .post("/api/chat", can(Ai, Use), chat)
        .get("/api/chat/runs/{id}", can(Ai, Use), read)
        .get("/api/chat/runs/{id}/events", can(Ai, Use), events)
        .post("/api/chat/ui", can(Ai, Use), ui::ui_chat)
        .get("/api/chat/ui/{id}/stream", can(Ai, Use), ui::ui_stream)
        .post("/api/chat/runs/{id}/stop", can(Ai, Use), stop)
        .post("/api/ws/ticket", signed_in(), ticket::create_ticket)
}

/// Answers a question: as JSON when the answer is complete, or as server-sent events as it is generated.
async fn chat(
    cx: Cx,
    Own(chat): Own<Chat>,
    WantsEvents(wants_events): WantsEvents,
    Json(request): Json<ChatRequest>,
) -> Result<ChatAnswer> {
    let request = ChatRequest { stream: request.stream || wants_events, ..request };
    if request.stream {
        chat.check_streams()?;
    }
    let stream = request.stream;
    let id = ask(&chat, &cx, request).await?.run;
    if stream {
        return Ok(ChatAnswer::Events(events_of(&chat, &cx, id, 0, true).await?));
    }
    let mut watch = Watch::of(&chat, &cx, id, 0).await?;
    let mut content = String::new();
    let until = Instant::from_std(cx.request.started + UNTIL);
    loop {
        match timeout_at(until, watch.next()).await {
            Ok(Ok(Some((_, text)))) => content.push_str(&text),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(ChatAnswer::accepted(RunShown::of(id, &watch.run().await?, content))),
        }
    }
    let run = watch.run().await?;
    match run.state {
        State::Error => Err(Domain::Upstream { run: id }.into()),
        State::Queued | State::Running => Ok(ChatAnswer::accepted(RunShown::of(id, &run, content))),
        State::Done | State::Stopped | State::Unknown(_) => Ok(ChatAnswer::whole(Answered::of(id, &run, content))),
    }
}

/// Returns the state of an answer, with its text so far.
async fn read(cx: Cx, Path(id): Path<RunId>) -> Result<Data<RunShown>> {
    let run = own_run(&cx, id).await?;
    let text = run.text_after(&cx.env, cx.org, id, 0).await?;
    Ok(Data(RunShown::of(id, &run, text)))
}

/// Streams an answer from a position on, as server-sent events.
async fn events(cx: Cx, Own(chat): Own<Chat>, Path(id): Path<RunId>, AfterSeq(after): AfterSeq) -> Result<Events> {
    let run = own_run(&cx, id).await?;
    cx.limited("chat events", &run.hold.user.to_string(), READERS).await?;
    chat.check_streams()?;
    events_of(&chat, &cx, id, after, false).await
}

/// Stops an answer; its text up to then is kept. Does nothing to an answer that has ended.
async fn stop(cx: Cx, Own(chat): Own<Chat>, Path(id): Path<RunId>) -> Result<Data<RunShown>> {
    let run = own_run(&cx, id).await?;
    daybook_runs::stop(&chat, &cx, id, &run).await?;
    // The process that generates it sees the stop within a second, and stores the end.
    let mut run = own_run(&cx, id).await?;
    let until = Instant::now() + ENDS;
    while !run.is_over() && Instant::now() < until {
        sleep(LOOK).await;
        run = own_run(&cx, id).await?;
    }
    let text = run.text_after(&cx.env, cx.org, id, 0).await?;
    Ok(Data(RunShown::of(id, &run, text)))
}
