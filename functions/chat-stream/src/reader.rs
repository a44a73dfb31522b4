//! The reader of an answer for a client that can't come back to it: when it goes, the answer is stopped, so that an answer
//! without a reader doesn't cost.

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
    /// The run.
    pub id: RunId,
    chat: Chat,
    cx: Cx,
    watch: Option<Watch>,
    /// What was read ahead.
    first: Option<Said>,
    is_over: bool,
}

impl Reader {
    /// Asks, and waits a moment for the first text. Fails if the request is refused, or the model fails before that.
    pub async fn of(chat: Chat, cx: Cx, request: ChatRequest) -> Result<Reader> {
        let id = ask(&chat, &cx, request).await?;
        let mut reader = Reader { id, chat, cx, watch: None, first: None, is_over: false };
        reader.watch = Some(Watch::of(&reader.chat, &reader.cx, id, 0).await?);
        match timeout(FIRST, reader.next()).await {
            Ok(Said::Failed(error)) => return Err(error),
            Ok(said) => reader.first = Some(said),
            Err(_) => {}
        }
        Ok(reader)
    }

    /// What comes next; waits for it.
    pub async fn next(&mut self) -> Said {
        if let Some(said) = self.first.take() {
            return said;
        }
        let Some(watch) = &mut self.watch else { return Said::Failed(unread()) };
        match watch.next().await {
            Ok(Some((_, text))) => Said::Text(text),
            Ok(None) => {
                self.is_over = true;
                ended(self.id, watch.run().await)
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

fn ended(id: RunId, run: Result<Run>) -> Said {
    match run {
        Ok(run) if run.state == State::Error => Said::Failed(Domain::Upstream { run: id }.into()),
        Ok(run) if run.is_over() => Said::End(Box::new(run)),
        // The process that generates it couldn't store its end yet.
        Ok(_) => Said::Failed(unread()),
        Err(error) => Said::Failed(error),
    }
}

fn unread() -> Error {
    Error::unavailable("read the end of an answer", "it isn't stored")
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(runtime) = Handle::try_current().ok().filter(|_| !self.is_over) else { return };
        let (chat, cx, id) = (self.chat.clone(), self.cx.clone(), self.id);
        runtime.spawn(async move {
            let stopped = match own_run(&cx, id).await {
                Ok(Some(run)) => stop(&chat, &cx, id, &run).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = stopped {
                tracing::warn!(run = %id, error = %error.chain(), "an answer without a reader goes on");
            }
        });
    }
}
