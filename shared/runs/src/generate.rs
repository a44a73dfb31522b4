//! The generator of answers: calls a model, passes its text on, and stores it as it comes.

use crate::begin::Begun;
use crate::end::{Ended, end, usage_of};
use crate::history::path_for_model;
use crate::live::Speaking;
use crate::models::{AllowedModel, allowed_to_user};
use crate::request::fitted;
use crate::{Asked, Chat, Site};
use daybook_connectors::llm::{Ask, Failure, FailureKind, Finish, Part, TokenUsage};
use daybook_domain::ai::budget::Usd;
use daybook_domain::ai::{Screen, token_estimate};
use daybook_domain::chat::{ChatMessage, Conversation, MOST_TEXT, MessageUsage};
use daybook_domain::{Error as Domain, RunId};
use daybook_records::ai_settings;
use daybook_store::rows::run::{Fault, Flushed, Run, RunRequest, State};
use daybook_store::{Cx, Result, sha256_hex};
use futures::StreamExt as _;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

/// How often the text is stored.
const FLUSH: Duration = Duration::from_millis(500);

/// The longest an answer may take.
const LONGEST: Duration = Duration::from_secs(600);

/// The longest pause before a provider is asked again, as it may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often all models are tried, before the first text.
const ROUNDS: u32 = 2;

/// How an attempt at an answer ended.
enum Attempt {
    /// The answer is complete, or as long as it may be.
    Done,
    /// The user stopped it.
    Stopped,
    /// Another process ended the run.
    Lost,
    /// The provider failed.
    Failed(Failure),
}

struct Generator<'a> {
    chat: &'a Chat,
    cx: &'a Cx,
    id: RunId,
    run: Run,
    speaking: &'a Speaking,
    screen: Screen,
    /// What all attempts used.
    used: MessageUsage,
    /// What the provider says that the attempt used.
    tokens: TokenUsage,
    /// An estimate of the tokens that the attempt's model has generated.
    estimate: u64,
    /// Whether the provider ended the attempt's answer.
    ended: bool,
    /// Whether the answer is as long as a message may be.
    is_full: bool,
    /// The bytes of text so far, as JSON, and those that are stored.
    written: usize,
    stored: usize,
}

/// Generates an answer in a task of its own, which goes on when its reader is gone.
pub fn start(chat: &Chat, cx: &Cx, work: Begun) {
    let speaking = chat.live.speak(work.id);
    let (chat, cx) = (chat.clone(), cx.clone());
    tokio::spawn(async move {
        let id = work.id;
        if let Err(error) = generated(&chat, &cx, work, &speaking).await {
            tracing::error!(run = %id, error = %error.chain(), "a run couldn't be ended; its due item ends it");
        }
    });
}

/// Generates an answer, and stores its end.
pub async fn generate(chat: &Chat, cx: &Cx, work: Begun) -> Result<()> {
    let speaking = chat.live.speak(work.id);
    generated(chat, cx, work, &speaking).await
}

/// The work of a queued run that a worker has taken; `None` where its question is gone.
pub async fn work_of(chat: &Chat, cx: &Cx, id: RunId, run: Run) -> Result<Option<Begun>> {
    let settings = ai_settings(cx).await?;
    let asked = match run.conversation {
        None => RunRequest::<Asked>::read(&cx.env, cx.org, id).await?,
        Some(conversation) => {
            let unscoped = cx.unscoped();
            let found = unscoped.find::<Conversation>(conversation).await?;
            let path = match (found.is_some(), run.parent) {
                (true, Some(parent)) => path_for_model(cx, conversation, parent).await?,
                _ => None,
            };
            let own = found.as_ref().and_then(|found| found.system_prompt.as_ref()).map(|prompt| prompt.as_str());
            let turn = |ChatMessage { role, content, .. }: ChatMessage| (role, content);
            path.map(|path| Asked::of(&settings, own, path.into_iter().map(turn).collect()))
        }
    };
    let Some(asked) = asked else { return Ok(None) };
    let candidates = match allowed_to_user(chat, cx, &settings, run.hold.user).await?.candidates(&run.model) {
        Ok(candidates) => candidates,
        // The model was taken from the user since.
        Err(Domain::UnknownModel { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let may_cut = run.conversation.is_some();
    Ok(match fitted(asked, &candidates, run.max_tokens, may_cut) {
        Ok(asked) => Some(Begun { id, run, asked, candidates, hosts: settings.hosts() }),
        // Instructions have become longer since.
        Err(_) => None,
    })
}

async fn generated(chat: &Chat, cx: &Cx, work: Begun, speaking: &Speaking) -> Result<()> {
    let Begun { id, run, asked, candidates, hosts } = work;
    let screen = Screen::new(hosts);
    let mut generator = Generator {
        chat,
        cx,
        id,
        run,
        speaking,
        screen,
        used: MessageUsage::default(),
        tokens: TokenUsage::default(),
        estimate: 0,
        ended: false,
        is_full: false,
        written: 0,
        stored: 0,
    };
    let attempt = generator.tried(&asked, &candidates).await;
    if !matches!(attempt, Attempt::Lost) {
        let rest = generator.screen.end();
        generator.show(&rest);
    }
    let (state, fault) = match attempt {
        Attempt::Lost => return Ok(()),
        Attempt::Done => (State::Done, None),
        Attempt::Stopped => (State::Stopped, None),
        Attempt::Failed(failure) => {
            tracing::warn!(run = %id, kind = ?failure.kind, status = failure.status, code = failure.code, "a model failed");
            (State::Error, Some(fault_of(failure.kind)))
        }
    };
    let Generator { run, used: usage, .. } = generator;
    end(chat, cx, id, &run, Ended { state, fault, usage }).await
}

fn fault_of(kind: FailureKind) -> Fault {
    match kind {
        FailureKind::Key | FailureKind::Quota => Fault::Key,
        FailureKind::Refused => Fault::Refused,
        FailureKind::Busy | FailureKind::Limited | FailureKind::Cut | FailureKind::Silent | FailureKind::Garbled => {
            Fault::Upstream
        }
    }
}

impl Generator<'_> {
    /// Tries the models until one begins to answer; returns how that ended.
    async fn tried(&mut self, asked: &Asked, candidates: &[AllowedModel]) -> Attempt {
        let deadline = Instant::now() + LONGEST;
        let mut last = Attempt::Failed(refused("no model may be used"));
        for round in 0..ROUNDS {
            for candidate in candidates {
                last = self.attempt(asked, candidate, deadline).await;
                self.count(candidate, &last);
                match &last {
                    // What was reserved covers one answer, so there is no other attempt after one that costs.
                    Attempt::Failed(failure) if failure.is_retryable() && self.used == MessageUsage::default() => {}
                    _ => return last,
                }
            }
            let Attempt::Failed(failure) = &last else { break };
            let pause = failure.retry_after.unwrap_or(Duration::from_millis(300));
            if round + 1 == ROUNDS || pause > LONGEST_PAUSE {
                break;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.speaking.stopped() => return Attempt::Stopped,
            }
        }
        last
    }

    /// Counts what an attempt used: as the provider says, and as estimated where it couldn't say. A failure without any
    /// sign of work counts nothing.
    fn count(&mut self, candidate: &AllowedModel, attempt: &Attempt) {
        let seen = self.tokens != TokenUsage::default() || self.estimate > 0;
        let mut tokens = self.tokens;
        match attempt {
            Attempt::Failed(_) | Attempt::Lost if !seen => return,
            Attempt::Done if self.ended => {
                tokens.input = Some(tokens.input).filter(|input| *input > 0).unwrap_or(self.run.input);
                tokens.output = Some(tokens.output).filter(|output| *output > 0).unwrap_or(self.estimate);
            }
            Attempt::Done | Attempt::Stopped | Attempt::Failed(_) | Attempt::Lost => {
                tokens.input = tokens.input.max(self.run.input);
                tokens.output = tokens.output.max(self.estimate);
            }
        }
        let usage = usage_of(self.cx, &candidate.model, tokens);
        self.used = MessageUsage {
            input: self.used.input + usage.input,
            cached: self.used.cached + usage.cached,
            output: self.used.output + usage.output,
            cost_usd: Usd(self.used.cost_usd.0.saturating_add(usage.cost_usd.0)),
        };
    }

    async fn attempt(&mut self, asked: &Asked, candidate: &AllowedModel, deadline: Instant) -> Attempt {
        self.run.provider_model = Some(candidate.answers.clone());
        (self.tokens, self.estimate, self.ended) = (TokenUsage::default(), 0, false);
        let ask = Ask {
            model: candidate.answers.clone(),
            instructions: asked.instructions.clone(),
            turns: asked.turns(),
            max_tokens: self.run.max_tokens,
            temperature: self.run.temperature.filter(|_| candidate.model.takes_temperature),
            user: sha256_hex(format!("{} {}", self.cx.org, self.run.hold.user).as_bytes()),
        };
        let mut parts = self.chat.providers.llm.answer(&candidate.endpoint, ask);
        let mut tick = interval_at(Instant::now() + FLUSH, FLUSH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                part = parts.next() => match part {
                    Some(Ok(Part::Text(text))) => {
                        if !self.add(&text) {
                            return Attempt::Done;
                        }
                    }
                    Some(Ok(Part::Usage(tokens))) => self.tokens = tokens,
                    Some(Ok(Part::End(finish))) => {
                        self.ended = true;
                        self.run.cut = finish == Finish::Length;
                        return Attempt::Done;
                    }
                    Some(Err(failure)) => return Attempt::Failed(failure),
                    None => return Attempt::Failed(cut()),
                },
                _ = tick.tick() => match self.flush().await {
                    Ok(Flushed::Going) => self.chat.tell(self.cx, self.id, &self.run).await,
                    Ok(Flushed::Stop) => return Attempt::Stopped,
                    Ok(Flushed::Lost) => return Attempt::Lost,
                    // The next flush, or the end, stores it.
                    Err(error) => tracing::warn!(run = %self.id, error = %error.chain(), "text isn't stored yet"),
                },
                () = self.speaking.stopped() => return Attempt::Stopped,
                () = sleep_until(deadline) => return Attempt::Failed(cut()),
            }
        }
    }

    /// Adds text of the model; `false` once the answer is as long as a message may be.
    fn add(&mut self, text: &str) -> bool {
        self.estimate += token_estimate(text);
        let shown = self.screen.add(text);
        self.show(&shown);
        !self.is_full
    }

    fn show(&mut self, text: &str) {
        // JSON escapes a byte as six at most; most texts are far from the limit.
        let room = MOST_TEXT.saturating_sub(self.written);
        let escaped = text.bytes().map(|byte| if byte < 0x20 || byte == b'"' || byte == b'\\' { 6 } else { 1 });
        let size: usize = escaped.sum();
        self.is_full |= size > room;
        self.run.cut |= self.is_full;
        if !text.is_empty() && !self.is_full {
            self.written += size;
            self.run.text.push_str(text);
            self.speaking.say(text);
        }
    }

    /// Stores what is new of the text and renews the lease; looks whether the run is to stop.
    async fn flush(&mut self) -> Result<Flushed> {
        let now = self.cx.now();
        let lease = self.chat.site.lease();
        let renews = now.until(self.run.leased_until) < lease / 2;
        if self.stored == self.written && !renews {
            // A stop reaches a generator on the same machine without the table.
            return if self.chat.site == Site::Machine { Ok(Flushed::Going) } else { self.looked().await };
        }
        let written = self.written;
        self.run.move_text(&self.cx.env, self.cx.org, self.id).await?;
        self.run.leased_until = now.plus(lease);
        let flushed = self.run.flush(&self.cx.env, self.cx.org, self.id).await?;
        self.stored = written;
        Ok(flushed)
    }

    async fn looked(&self) -> Result<Flushed> {
        let found = Run::read(&self.cx.env, self.cx.org, self.id).await?;
        Ok(match found {
            Some(run) if run.generator != self.run.generator || run.is_over() => Flushed::Lost,
            Some(run) if run.stop => Flushed::Stop,
            Some(_) => Flushed::Going,
            None => Flushed::Lost,
        })
    }
}

fn cut() -> Failure {
    Failure {
        kind: FailureKind::Cut,
        status: None,
        code: None,
        retry_after: None,
        message: "the answer didn't end in time".to_owned(),
    }
}

fn refused(why: &str) -> Failure {
    Failure { kind: FailureKind::Refused, status: None, code: None, retry_after: None, message: why.to_owned() }
}
