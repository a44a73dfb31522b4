//! The beginning of a run: the request is checked, its cost reserved, and the run committed with the question.

use crate::end::{end_dead, give_back};
use crate::history::path_for_model;
use crate::models::{AllowedModel, allowed};
use crate::request::fitted;
use crate::{Asked, Chat, ChatRequest, ChatTurn};
use daybook_domain::ai::budget::{Amount, BudgetOf};
use daybook_domain::ai::{MessageRole, MessageStatus};
use daybook_domain::ai_settings::AiSettings;
use daybook_domain::chat::{ChatMessage, Conversation};
use daybook_domain::permission::{Action, Resource};
use daybook_domain::{
    Audit, ChatMessageId, Conflict, ConversationId, Error as Domain, Event, Prose, RecordType, Rule, RunId, Stored,
    UserId,
};
use daybook_records::{Draft, ai_settings, created, reaching, updated};
use daybook_store::rows::bucket::Rate;
use daybook_store::rows::chat::{self, Added, ChatState};
use daybook_store::rows::run::{self, Run, RunCheck, RunRequest, State};
use daybook_store::rows::spending::Hold;
use daybook_store::{Answer, Cx, Error, Reply, Result, Tx};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The rate of questions of a user.
const RATE: Rate = Rate { burst: 20, per: Duration::from_secs(60) };

/// The number of attempts to begin a run while its conversation changes.
const ATTEMPTS: u32 = 5;

/// The most tokens of an answer, unless the request says.
const ANSWER_TOKENS: u32 = 2_048;

/// The reply that is stored with a run, by which a repeat of the request finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run.
    pub run: RunId,
}

impl Reply for Started {
    const ANSWER: Answer = Answer::Ok;
}

/// A committed run.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its id.
    pub id: RunId,
    /// The run.
    pub run: Run,
    /// What the model is asked.
    pub asked: Asked,
    /// The models to try.
    pub candidates: Vec<AllowedModel>,
    /// The hosts that the answer may link to.
    pub hosts: Vec<String>,
}

/// The question in a conversation.
struct Place {
    conversation: Stored<Conversation>,
    /// The message that the question follows, or that is answered anew.
    parent: Option<ChatMessageId>,
    /// The newest message, where the question follows that.
    newest: Option<Option<ChatMessageId>>,
    /// The path to that message.
    path: Vec<ChatMessage>,
}

/// On which terms a question is answered.
struct Terms<'a> {
    user: UserId,
    model: &'a str,
    max_tokens: u32,
    asked: &'a Asked,
    candidates: &'a [AllowedModel],
}

/// Begins a run, or returns the run of an earlier request with the same idempotency key.
pub async fn begin(chat: &Chat, cx: &Cx, request: &ChatRequest) -> Result<Result<Begun, RunId>> {
    if let Some(Started { run }) = cx.earlier_reply::<Started>().await? {
        return Ok(Err(run));
    }
    request.check()?;
    let user = cx.actor.owner().ok_or(Domain::NotAPerson)?;
    cx.limited("chat", &user.to_string(), RATE).await?;
    // The conversation may change at the same time, by its owner or by another question.
    for attempt in 1..=ATTEMPTS {
        match begun(chat, cx, user, request).await {
            Err(Error::Domain(Domain::Stale { .. } | Domain::Conflict(Conflict::Contended))) => cx.pause(attempt).await,
            // Perhaps by a request with the same idempotency key.
            Err(error @ Error::Domain(_)) => {
                let earlier = cx.earlier_reply::<Started>().await?;
                return earlier.map_or(Err(error), |Started { run }| Ok(Err(run)));
            }
            outcome => return outcome,
        }
    }
    Err(Domain::Conflict(Conflict::Contended).into())
}

async fn begun(chat: &Chat, cx: &Cx, user: UserId, request: &ChatRequest) -> Result<Result<Begun, RunId>> {
    let settings = ai_settings(cx).await?;
    check_instructions(request, &settings)?;
    let place = match request.conversation_id {
        Some(id) => Some(place_of(chat, cx, id, request).await?),
        None => None,
    };
    let allowed = allowed(chat, cx, &settings).await?;
    let named = request.model.as_ref().or(place.as_ref().and_then(|place| place.conversation.model.as_ref()));
    let named = named.map_or(allowed.default_name(), |name| name.as_str());
    let candidates = allowed.candidates(named)?;
    let max_tokens = candidates.iter().map(|one| one.model.max_output).min().unwrap_or(ANSWER_TOKENS);
    let max_tokens = request.max_tokens.unwrap_or(ANSWER_TOKENS).min(max_tokens);
    let asked = asked(request, &settings, place.as_ref());
    let asked = fitted(asked, &candidates, max_tokens, place.is_some())?;

    let terms = Terms { user, model: named, max_tokens, asked: &asked, candidates: &candidates };
    let run = new_run(cx, request, &terms, chat.site.lease());
    let hold = run.hold;
    let begun = Begun { id: hold.run, run, asked, candidates, hosts: settings.hosts() };
    let due = RunCheck { org: cx.org, hold: Some(hold), entry: None, run: hold.run }
        .schedule(&cx.env, begun.run.due_at)
        .await?;
    let committed = match hold.reserve(&cx.env, cx.org, &settings.organization, &settings.per_user).await {
        Ok(()) => commit(chat, cx, request, place.as_ref(), begun).await,
        Err(error) => Err(error),
    };
    match committed {
        Ok((begun, started)) if started.run == begun.id => Ok(Ok(begun)),
        // A request with the same idempotency key was faster.
        Ok((_, started)) => {
            give_back(&cx.env, cx.org, &hold, &due).await?;
            Ok(Err(started.run))
        }
        // The outcome is unknown: the due item settles it.
        Err(error @ Error::Unavailable { .. }) => Err(error),
        Err(error) => {
            give_back(&cx.env, cx.org, &hold, &due).await?;
            Err(told(cx, request.conversation_id, error).await?)
        }
    }
}

/// Tells a budget that is exhausted in the audit log, and names the run that is in the way.
async fn told(cx: &Cx, conversation: Option<ConversationId>, error: Error) -> Result<Error> {
    match (&error, conversation) {
        (Error::Domain(Domain::Budget(exceeded)), _) => {
            let user = cx.actor.owner().filter(|_| exceeded.of == BudgetOf::User);
            let key = format!("{} {:?}", exceeded.resets_at, (exceeded.of, exceeded.period, exceeded.quantity, user));
            let tx = Tx::happened(Event::AiBudgetExceeded, Audit::AiCall, cx.org).without_request();
            let once = cx.next_step().once_by("ai budget", &key, Duration::from_secs(40 * 86_400));
            once.commit(tx, ()).await?;
            Ok(error)
        }
        (Error::Domain(Domain::Conflict(Conflict::Contended) | Domain::Stale { .. }), Some(id)) => {
            let state = ChatState::read(&cx.env, cx.org, id).await?;
            Ok(state.run.map_or(error, |run| Domain::RunInProgress(run).into()))
        }
        _ => Ok(error),
    }
}

/// Refuses instructions of the user where the organisation doesn't allow them.
fn check_instructions(request: &ChatRequest, settings: &AiSettings) -> Result<(), Domain> {
    match request.instructions() {
        Some(_) if !settings.own_prompts => {
            let rule = Rule::format(
                "left out: your organisation doesn't allow system messages",
                "省略：您的组织不允许 system 消息",
            );
            Err(Domain::invalid("/messages/0", rule))
        }
        Some(text) => Prose::<8000>::parse(text).map(drop).map_err(|rule| Domain::invalid("/messages/0/content", rule)),
        None => Ok(()),
    }
}

/// The caller's conversation, with the path to the message that the question follows.
async fn place_of(chat: &Chat, cx: &Cx, id: ConversationId, request: &ChatRequest) -> Result<Place> {
    let own = reaching(cx, Resource::Conversations, Action::Update).await?;
    let conversation = own.get::<Conversation>(id).await?;
    let mut state = ChatState::read(&cx.env, cx.org, id).await?;
    if let Some(run) = state.run {
        if !is_freed(chat, cx, id, run).await? {
            return Err(Domain::RunInProgress(run).into());
        }
        state = ChatState::read(&cx.env, cx.org, id).await?;
    }
    let first = request.from_start || (request.parent_message_id.is_none() && state.messages == 0);
    let parent = request.parent_message_id.or(state.last).filter(|_| !first);
    let path = match parent {
        Some(parent) => path_for_model(cx, id, parent).await?.ok_or_else(unknown_parent)?,
        None => Vec::new(),
    };
    let again = request.question().is_none();
    if again && path.last().is_none_or(|message| message.role != MessageRole::User) {
        let rule = Rule::format("a message of yours, to answer it anew", "是您的一条消息，以便重新回答");
        return Err(Domain::invalid("/parent_message_id", rule).into());
    }
    let follows_newest = request.parent_message_id.is_none() && !request.from_start;
    let newest = follows_newest.then_some(state.last);
    Ok(Place { conversation, parent, newest, path })
}

/// Ends a run in progress whose process died, and forgets one that is gone; returns whether the conversation is free.
async fn is_freed(chat: &Chat, cx: &Cx, conversation: ConversationId, id: RunId) -> Result<bool> {
    match Run::read(&cx.env, cx.org, id).await? {
        Some(run) if run.is_dead(cx.now(), crate::LEASE) => end_dead(chat, cx, id, &run).await?,
        Some(run) if !run.is_over() => return Ok(false),
        Some(_) | None => {
            let tx = Tx::default().with_row(chat::clear(cx.org, conversation, id));
            match cx.next_step().commit(tx, ()).await {
                // Another request was faster.
                Ok(()) | Err(Error::Domain(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(true)
}

fn unknown_parent() -> Domain {
    Domain::invalid("/parent_message_id", Rule::Id { prefix: RecordType::ChatMessage.prefix().to_owned() })
}

/// What the model is asked: the messages on the path to the question, or those of a request without a conversation.
fn asked(request: &ChatRequest, settings: &AiSettings, place: Option<&Place>) -> Asked {
    let kept = place.and_then(|place| place.conversation.system_prompt.as_ref()).map(|prompt| prompt.as_str());
    let turn = |turn: &ChatTurn| (turn.role, turn.content.clone());
    let turns = match place {
        Some(place) => {
            let path = place.path.iter().map(|message| (message.role, message.content.clone()));
            path.chain(request.question().map(turn)).collect()
        }
        None => request.messages.iter().filter(|turn| turn.role != MessageRole::System).map(turn).collect(),
    };
    Asked::of(settings, request.instructions().or(kept), turns)
}

/// A queued run, with the most that it can cost, over the models that may answer.
fn new_run(cx: &Cx, request: &ChatRequest, terms: &Terms<'_>, lease: Duration) -> Run {
    let now = cx.now();
    // Messages are listed by their ids: the question's, which is the run's, comes before the answer's.
    let id = RunId::new(cx.env.ids.next());
    let message = ChatMessageId::new(cx.env.ids.next());
    let (input, output) = (terms.asked.bound(), u64::from(terms.max_tokens));
    let costs = terms.candidates.iter().map(|one| one.model.most(input, output, now));
    let amount = Amount { cost: costs.max().unwrap_or_default(), tokens: input + output };
    Run {
        state: State::Queued,
        conversation: request.conversation_id,
        message,
        parent: None,
        model: terms.model.to_owned(),
        provider_model: terms.candidates.first().map(|one| one.answers.clone()),
        max_tokens: terms.max_tokens,
        temperature: request.temperature,
        input: terms.asked.estimate(),
        hold: Hold { run: id, user: terms.user, at: now, amount },
        generator: None,
        leased_until: now.plus(lease),
        due_at: now.plus(lease),
        stop: false,
        base: 0,
        cut: false,
        text: String::new(),
        usage: None,
        fault: None,
        expires_at: now.plus(run::KEPT).as_second(),
    }
}

/// Commits the run with the question.
async fn commit(
    chat: &Chat,
    cx: &Cx,
    request: &ChatRequest,
    place: Option<&Place>,
    mut begun: Begun,
) -> Result<(Begun, Started)> {
    let here = chat.generates(request.stream);
    let event = if here { Event::AnswerStarted } else { Event::AnswerRequested };
    if here {
        begun.run.state = State::Running;
        begun.run.generator = Some(cx.env.ids.next().simple().to_string());
    }
    let mut tx = Tx::default();
    let mut question = None;
    if let Some(place) = place {
        begun.run.parent = place.parent;
        tx = conversation(cx, tx, place, request).await?;
        if let Some(turn) = request.question() {
            let message = ChatMessage {
                id: ChatMessageId::new(begun.id.uuid()),
                version: 1,
                created_at: cx.now(),
                updated_at: cx.now(),
                conversation_id: place.conversation.id,
                parent_message_id: place.parent,
                client_id: turn.id.clone(),
                role: MessageRole::User,
                content: turn.content.clone(),
                model: None,
                provider_model: None,
                usage: None,
                status: MessageStatus::Complete,
                timestamp: turn.timestamp.unwrap_or_else(|| cx.now().as_millisecond()),
            };
            begun.run.parent = Some(message.id);
            question = Some(Added { id: message.id, at: cx.now() });
            tx = created(cx, tx, Draft::of(message)).await?.1.announced(event);
        }
        tx = tx.with_row(chat::begin(cx.org, place.conversation.id, begun.id, question, place.newest));
    } else if !here {
        let expires_at = begun.run.expires_at;
        tx = tx.with_row(RunRequest { request: begun.asked.clone(), expires_at }.write(cx.org, begun.id)?);
    }
    if question.is_none() {
        tx = tx.and_happened(event, Audit::AiCall, ChatMessageId::new(begun.id.uuid()));
    }
    let tx = tx.with_row(begun.run.write(cx.org, begun.id)?).without_request();
    let started = cx.commit(tx, Started { run: begun.id }).await?;
    Ok((begun, started))
}

/// Adds what the question changes of the conversation: its title, and its prompt.
async fn conversation(cx: &Cx, tx: Tx, place: &Place, request: &ChatRequest) -> Result<Tx> {
    let mut wanted = (*place.conversation).clone();
    if let Some(turn) = request.question() {
        wanted = wanted.titled(&turn.content);
    }
    if let Some(text) = request.instructions() {
        wanted.system_prompt = Prose::parse(text).ok();
    }
    Ok(updated(cx, tx, &place.conversation, Draft::of(wanted)).await?.1)
}
