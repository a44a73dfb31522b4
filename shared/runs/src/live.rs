//! The answers that a process generates, for its readers: text as it comes, without the table in between.

use daybook_domain::RunId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// The answers in progress of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Live {
    runs: Arc<Mutex<HashMap<RunId, Arc<LiveRun>>>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("runs", &self.all().len()).finish()
    }
}

/// An answer in progress.
#[derive(Debug)]
pub(crate) struct LiveRun {
    text: Mutex<String>,
    /// Changes with the text; closed at the end of the answer.
    grown: watch::Sender<usize>,
    stop: Notify,
}

/// The generator's hold of an answer: once it is dropped, readers see the end.
pub(crate) struct Speaking {
    live: Live,
    id: RunId,
    run: Arc<LiveRun>,
}

/// A reader of an answer in progress.
#[derive(Debug)]
pub(crate) struct Listening {
    run: Arc<LiveRun>,
    grown: watch::Receiver<usize>,
    at: usize,
}

impl Live {
    /// Announces an answer that this process generates.
    pub(crate) fn speak(&self, id: RunId) -> Speaking {
        let run = Arc::new(LiveRun { text: Mutex::default(), grown: watch::Sender::new(0), stop: Notify::new() });
        self.all().insert(id, run.clone());
        Speaking { live: self.clone(), id, run }
    }

    /// Listens to an answer from its beginning, if this process generates it.
    pub(crate) fn listen(&self, id: RunId) -> Option<Listening> {
        let run = self.all().get(&id).cloned()?;
        let grown = run.grown.subscribe();
        Some(Listening { run, grown, at: 0 })
    }

    /// Stops an answer, if this process generates it.
    pub fn stop(&self, id: RunId) {
        if let Some(run) = self.all().get(&id) {
            run.stop.notify_one();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<RunId, Arc<LiveRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Speaking {
    /// Adds text.
    pub fn say(&self, text: &str) {
        let mut whole = self.run.text.lock().unwrap_or_else(PoisonError::into_inner);
        whole.push_str(text);
        self.run.grown.send_replace(whole.len());
    }

    /// Waits until a reader stops the answer.
    pub async fn stopped(&self) {
        self.run.stop.notified().await;
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.live.all().remove(&self.id);
        self.run.grown.send_replace(usize::MAX);
    }
}

impl Listening {
    /// The number of characters so far.
    pub fn length(&self) -> u64 {
        self.run.text.lock().unwrap_or_else(PoisonError::into_inner).chars().count() as u64
    }

    /// The text since the last call; waits for more. `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let (grown, text) = {
                let grown = *self.grown.borrow_and_update();
                let whole = self.run.text.lock().unwrap_or_else(PoisonError::into_inner);
                (grown, whole[self.at..].to_owned())
            };
            if !text.is_empty() {
                self.at += text.len();
                return Some(text);
            }
            if grown == usize::MAX || self.grown.changed().await.is_err() {
                return None;
            }
        }
    }
}
