//! The reader of an answer for a client that can't come back to it: when it goes, the answer is stopped, so that an answer
//! without a reader doesn't cost. On AWS a function doesn't learn that its client went.

use daybook_domain::{Error as Domain, RunId};
use daybook_http::{Cx, Error, Result};
use daybook_runs::{Chat, ChatRequest, Watch, ask, own_run, stop};
use daybook_store::rows::run::{Run, State};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long the answer's status waits for its first text: until then a failure of the model can be told by the status.
const FIRST: Duration = Duration::from_secs(10);

/// What an answer says next.
pub enum Said {
    /// Text.
    Text(String),
    /// Its end.
    End(Box<Run>),
    /// That it failed.
    Failed(Error),
}

/// The reader of an answer.
pub struct Reader {
    guard: Guard,
    watch: Watch,
    /// What was read ahead.
    first: Option<Said>,
}

/// Stops an answer that it began, if it is dropped before the end of that.
struct Guard {
    chat: Chat,
    cx: Cx,
    id: RunId,
    is_armed: bool,
}

impl Reader {
    /// Asks, and waits a moment for the first text. Fails if the request is refused, or the model fails before that.
    pub async fn ask(chat: Chat, cx: Cx, request: ChatRequest) -> Result<Reader> {
        // If the client goes while the run is committed, the task drops the guard.
        let asking = tokio::spawn(async move {
            let asked = ask(&chat, &cx, request).await?;
            Ok::<_, Error>(Guard { chat, cx, id: asked.run, is_armed: asked.is_new })
        });
        let guard = asking.await.map_err(|error| Error::internal("ask", error))??;
        let watch = Watch::of(&guard.chat, &guard.cx, guard.id, 0).await?;
        let mut reader = Reader { guard, watch, first: None };
        match timeout(FIRST, reader.next()).await {
            Ok(Said::Failed(error)) => return Err(error),
            Ok(said) => reader.first = Some(said),
            Err(_) => {}
        }
        Ok(reader)
    }

    /// The run.
    pub fn id(&self) -> RunId {
        self.guard.id
    }

    /// What comes next; waits for it.
    pub async fn next(&mut self) -> Said {
        if let Some(said) = self.first.take() {
            return said;
        }
        match self.watch.next().await {
            Ok(Some((_, text))) => Said::Text(text),
            Ok(None) => {
                self.guard.is_armed = false;
                match self.watch.end().await {
                    // Not an answer that its client could take for complete.
                    Ok(run) if run.state == State::Stopped => Said::Failed(Domain::Upstream { run: self.id() }.into()),
                    Ok(run) => Said::End(Box::new(run)),
                    Err(error) => Said::Failed(error),
                }
            }
            Err(error) => Said::Failed(error),
        }
    }

    /// The whole answer.
    pub async fn whole(mut self) -> Result<(Box<Run>, String)> {
        let mut text = String::new();
        loop {
            match self.next().await {
                Said::Text(more) => text += &more,
                Said::End(run) => return Ok((run, text)),
                Said::Failed(error) => return Err(error),
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(runtime) = Handle::try_current().ok().filter(|_| self.is_armed) else { return };
        let (chat, cx, id) = (self.chat.clone(), self.cx.clone(), self.id);
        runtime.spawn(async move {
            let stopped = async { stop(&chat, &cx, id, &own_run(&cx, id).await?).await }.await;
            if let Err(error) = stopped {
                tracing::warn!(run = %id, error = %error.chain(), "an answer without a reader goes on");
            }
        });
    }
}
