//! Runs: answers that are being generated. A run is committed before a model is called, and one process generates it,
//! under a lease that each flush of its text renews.
//!
//! The row holds the end of the text, and rows of their own hold the pieces before it. A position in the text is a number
//! of characters, so that a reader can go on from any.

use super::due::{self, DueRef};
use super::spending::Hold;
use super::{RowWrite, is_too_far_ahead};
use crate::schema::{Place, Question};
use crate::table::{Condition, Update, Written, parse_item};
use crate::{Env, Error, Result};
use daybook_domain::ai::MessageStatus;
use daybook_domain::ai::usage::MessageUsage;
use daybook_domain::{
    ChatMessageId, Conflict, ConversationId, EntryId, Error as Domain, OrgId, RunId, Timestamp, choices,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// The queue of the worker that generates answers, and ends runs whose process died.
pub const QUEUE: &str = "chat-run";

/// How long a run's rows are kept.
pub const KEPT: Duration = Duration::from_secs(86_400);

/// The bytes of text from which on the row's text is moved to a row of its own.
const PIECE: usize = 600;

choices! {
    /// The state of a run.
    State as "RunState" {
        /// It waits for a worker.
        Queued = "queued",
        /// The answer is being generated.
        Running = "running",
        /// The answer is complete.
        Done = "done",
        /// It was stopped; the text up to then is kept.
        Stopped = "stopped",
        /// It failed; the text up to then is kept.
        Error = "error",
    }

    /// Why a run failed.
    Fault as "RunFault" {
        /// The provider failed, or the connection to it broke off.
        Upstream = "upstream_error",
        /// The process that generated the answer ended.
        Interrupted = "interrupted",
        /// The organisation's key was refused by the provider, or has no credit left.
        Key = "provider_key_refused",
        /// The provider refused the request: it is too long, for example.
        Refused = "provider_refused",
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its state.
    pub state: State,
    /// The conversation; none if nothing is kept.
    pub conversation: Option<ConversationId>,
    /// The answer.
    pub message: ChatMessageId,
    /// The message that it answers.
    pub parent: Option<ChatMessageId>,
    /// The requested model.
    pub model: String,
    /// The model that answers.
    pub provider_model: Option<String>,
    /// The most tokens of the answer.
    pub max_tokens: u32,
    /// The temperature, if one was asked for.
    pub temperature: Option<f64>,
    /// An estimate of the request's tokens.
    #[serde(default)]
    pub input: u64,
    /// What it holds of the budgets.
    pub hold: Hold,
    /// The generator that has the lease.
    pub generator: Option<String>,
    /// The end of the lease.
    pub leased_until: Timestamp,
    /// When its due item checks it first.
    pub due_at: Timestamp,
    /// Whether it is to stop.
    #[serde(default)]
    pub stop: bool,
    /// The number of characters in the pieces before the row's text.
    #[serde(default)]
    pub base: u64,
    /// The end of the text.
    #[serde(default)]
    pub text: String,
    /// Whether the answer ended because it was as long as it may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// What the answer used, once it has ended.
    pub usage: Option<MessageUsage>,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// When the row expires, in seconds since 1970.
    pub expires_at: i64,
}

/// The work of the run's queue: generate it, or end it if its process died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCheck {
    /// The organisation.
    pub org: OrgId,
    /// What the run holds of the budgets, in case it was never committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The entry that requested it, if that led to this message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryId>,
    /// The run.
    pub run: RunId,
}

/// The outcome of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// The run goes on.
    Going,
    /// The user stopped it.
    Stop,
    /// Another process ended it.
    Lost,
}

impl Run {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Stopped | State::Error | State::Unknown(_))
    }

    /// The status of its answer.
    pub fn status(&self) -> MessageStatus {
        match self.state {
            State::Done => MessageStatus::Complete,
            State::Stopped => MessageStatus::Stopped,
            State::Queued | State::Running => MessageStatus::Streaming,
            State::Error | State::Unknown(_) => MessageStatus::Error,
        }
    }

    /// Whether its generator died: its lease has ended. A lease further ahead than it can be was given before the clock was
    /// set back.
    pub fn is_dead(&self, now: Timestamp, lease: Duration) -> bool {
        self.state == State::Running && (self.leased_until <= now || is_too_far_ahead(self.leased_until, now, lease))
    }

    /// The number of characters so far.
    pub fn seq(&self) -> u64 {
        self.base + self.text.chars().count() as u64
    }

    /// The row of a new run.
    pub fn write(&self, org: OrgId, run: RunId) -> Result<RowWrite> {
        RowWrite::new(&Place::Run(org, run).key(), self, Domain::Conflict(Conflict::Contended))
    }

    /// The row as the run ends: refused unless it is as it was read, so that one process ends it.
    pub fn end(&self, org: OrgId, run: RunId, ended: &Run) -> Result<RowWrite> {
        let same = Condition::equal("state", self.state);
        let same = match &self.generator {
            Some(generator) => same.and(Condition::equal("generator", generator)),
            None => same,
        };
        RowWrite::following(&Place::Run(org, run).key(), ended, same, Domain::Conflict(Conflict::Contended))
    }

    /// A run, if it exists.
    pub async fn read(env: &Env, org: OrgId, run: RunId) -> Result<Option<Run>> {
        env.table.get(&Place::Run(org, run).key()).await?.map(parse_item).transpose()
    }

    /// Takes a queued run for a generator; `None` if another one has it, or it has ended.
    pub async fn take(env: &Env, org: OrgId, run: RunId, generator: &str, until: Timestamp) -> Result<Option<Run>> {
        let taken = Update::set("state", State::Running).and_set("generator", generator).and_set("leased_until", until);
        let queued = Condition::equal("state", State::Queued).and(Condition::equal("stop", false));
        match env.table.update(&Place::Run(org, run).key(), taken, queued).await? {
            Written::Done(_) => Run::read(env, org, run).await,
            Written::Refused(_) => Ok(None),
        }
    }

    /// Stores the text so far and renews the lease, if the generator still has it and the run isn't to stop.
    pub async fn flush(&self, env: &Env, org: OrgId, run: RunId) -> Result<Flushed> {
        let update = Update::set("text", &self.text)
            .and_set("base", self.base)
            .and_set("leased_until", self.leased_until)
            .and_set("provider_model", &self.provider_model);
        let mine = Condition::equal("state", State::Running)
            .and(Condition::equal("generator", &self.generator))
            .and(Condition::equal("stop", false));
        match env.table.update(&Place::Run(org, run).key(), update, mine).await? {
            Written::Done(_) => Ok(Flushed::Going),
            Written::Refused(item) => {
                let found = Some(item).filter(|item| !item.is_empty()).map(parse_item::<Run>).transpose()?;
                let mine = found.filter(|found| found.generator == self.generator && found.state == State::Running);
                Ok(if mine.is_some_and(|found| found.stop) { Flushed::Stop } else { Flushed::Lost })
            }
        }
    }

    /// Moves the row's text to a row of its own once it is long. The next flush stores that it was moved; until then the
    /// row still has it.
    pub async fn move_text(&mut self, env: &Env, org: OrgId, run: RunId) -> Result<()> {
        if self.text.len() < PIECE {
            return Ok(());
        }
        let piece = Piece { at: self.base, text: self.text.clone(), expires_at: self.expires_at };
        env.table.put(&Place::RunText(org, run, self.base).key(), &piece, Condition::ALWAYS).await?;
        self.base += piece.text.chars().count() as u64;
        self.text.clear();
        Ok(())
    }

    /// The text after a number of characters.
    pub async fn text_after(&self, env: &Env, org: OrgId, run: RunId, after: u64) -> Result<String> {
        let mut text = String::new();
        if after < self.base {
            for piece in env.table.query_all(&Question::RunTexts(org, run).range()).await? {
                let piece: Piece = parse_item(piece)?;
                if piece.at < self.base {
                    let skipped = after.saturating_sub(piece.at);
                    text.extend(piece.text.chars().skip(usize::try_from(skipped).unwrap_or(usize::MAX)));
                }
            }
        }
        let skipped = after.saturating_sub(self.base);
        text.extend(self.text.chars().skip(usize::try_from(skipped).unwrap_or(usize::MAX)));
        Ok(text)
    }
}

/// A piece of a run's text.
#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    at: u64,
    text: String,
    expires_at: i64,
}

/// Asks a run to stop. Refused, with `false`, where it has ended.
pub async fn stop(env: &Env, org: OrgId, run: RunId) -> Result<bool> {
    let open = Condition::one_of("state", [State::Queued, State::Running]);
    let stopped = env.table.update(&Place::Run(org, run).key(), Update::set("stop", true), open).await?;
    Ok(matches!(stopped, Written::Done(_)))
}

/// What a run without a conversation was asked, for the worker that generates it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRequest<T> {
    /// The request.
    pub request: T,
    /// When the row expires, in seconds since 1970.
    pub expires_at: i64,
}

impl<T: Serialize + serde::de::DeserializeOwned> RunRequest<T> {
    /// The row of a new run.
    pub fn write(&self, org: OrgId, run: RunId) -> Result<RowWrite> {
        RowWrite::new(&Place::RunRequest(org, run).key(), self, Domain::Conflict(Conflict::Contended))
    }

    /// The request of a run.
    pub async fn read(env: &Env, org: OrgId, run: RunId) -> Result<Option<T>> {
        let item = env.table.get(&Place::RunRequest(org, run).key()).await?;
        Ok(item.map(parse_item::<RunRequest<T>>).transpose()?.map(|row| row.request))
    }

    /// Removes the request of a run.
    pub async fn remove(env: &Env, org: OrgId, run: RunId) -> Result<()> {
        env.table.delete(&Place::RunRequest(org, run).key()).await
    }
}

impl RunCheck {
    /// The due item that checks the run at the end of its first lease.
    pub fn due(&self, at: Timestamp) -> DueRef {
        DueRef { at, id: format!("run {}", self.run) }
    }

    /// Writes the due item, before the run reserves anything: what a process that dies has reserved is returned even if the
    /// run was never committed.
    pub async fn schedule(&self, env: &Env, at: Timestamp) -> Result<DueRef> {
        let place = self.due(at);
        let message = serde_json::to_string(&json!({"job": self, "due": place}));
        let message = message.map_err(|error| Error::internal("write a run's due item", error))?;
        due::put(env, &place, QUEUE, &message).await?;
        Ok(place)
    }
}
