//! The end of a run: its answer is stored with its state, and what it held of the budgets is settled.

use crate::Chat;
use crate::models::model_line;
use daybook_connectors::llm::TokenUsage;
use daybook_domain::ai::budget::{Amount, Usd};
use daybook_domain::ai::{MessageRole, Model, TokenCount, token_estimate};
use daybook_domain::chat::{ChatMessage, MessageUsage};
use daybook_domain::{Audit, Conflict, ConversationId, Error as Domain, OrgId, RunId};
use daybook_records::{Draft, created};
use daybook_store::rows::chat::{self, Added};
use daybook_store::rows::due::{self, DueRef};
use daybook_store::rows::run::{Fault, Run, RunCheck, RunRequest, State};
use daybook_store::rows::spending::{self, Hold};
use daybook_store::{Cx, Env, Error, Result, Tx};

/// The attempts to store the end of a run; after that, its due item leads to another process that ends it.
const ATTEMPTS: u32 = 8;

/// The most tokens that a provider's figures are believed.
const MOST_TOKENS: u64 = 1 << 40;

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub state: State,
    pub fault: Option<Fault>,
    pub usage: MessageUsage,
}

/// What an answer used of a model.
pub(crate) fn usage_of(cx: &Cx, model: &Model, tokens: TokenUsage) -> MessageUsage {
    let [input, cached, cache_written, output] =
        [tokens.input, tokens.cached, tokens.cache_written, tokens.output].map(|number| number.min(MOST_TOKENS));
    let cost = model.cost(&TokenCount { input, cached, cache_written, output }, cx.now());
    MessageUsage { input, cached, output, cost_usd: Usd(cost) }
}

/// Stores the end of a run, settles its budgets, and tells its readers. `run` is the row as its generator knows it, with the
/// text so far.
pub(crate) async fn end(chat: &Chat, cx: &Cx, id: RunId, run: &Run, ended: Ended) -> Result<()> {
    let Ended { state, fault, usage } = ended;
    let over = Run { state, fault, usage: Some(usage), ..run.clone() };
    let (mut attempt, mut stores) = (0, Stores::Answer);
    let over = loop {
        attempt += 1;
        let error = match store(cx, id, run, &over, stores).await {
            Ok(()) => break over,
            Err(error) => error,
        };
        if matches!(error, Error::Domain(_)) {
            match Run::read(&cx.env, cx.org, id).await? {
                // Another process ended it, or an earlier attempt did.
                Some(run) if run.is_over() => break run,
                Some(_) => {}
                None => return Ok(()),
            }
        }
        match (&error, stores) {
            (Error::Domain(Domain::Conflict(Conflict::ParentGone | Conflict::CascadePending)), Stores::Answer) => {
                stores = Stores::End;
            }
            (Error::Domain(Domain::Conflict(Conflict::ParentGone)), Stores::End) => stores = Stores::Nothing,
            _ if attempt >= ATTEMPTS => return Err(error),
            _ => {
                tracing::warn!(%id, error = %error.chain(), "the end of a run isn't stored yet");
                cx.pause(attempt).await;
            }
        }
    };
    let settled = settle(&cx.env, cx.org, id, &over).await;
    chat.tell(cx, id, &over).await;
    settled
}

/// What of a run's end is stored in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stores {
    /// The answer.
    Answer,
    /// That the run has ended: the conversation is in the trash.
    End,
    /// Nothing: the conversation was erased.
    Nothing,
}

/// Stores the end of a run in one transaction.
async fn store(cx: &Cx, id: RunId, before: &Run, over: &Run, stores: Stores) -> Result<()> {
    let usage = over.usage.unwrap_or_default();
    let model = over.provider_model.as_deref().unwrap_or(&over.model);
    let mut tx = Tx::default();
    match (over.conversation, stores) {
        (Some(conversation), Stores::Answer) => {
            let answer = Added { id: over.message, at: cx.now() };
            let text = over.text_after(&cx.env, cx.org, id, 0).await?;
            let message = answer_of(cx, over, conversation, text);
            tx = created(cx, tx, Draft::of(message)).await?.1.called(Audit::AiCall);
            tx = tx.with_row(chat::end(cx.org, conversation, id, answer, &usage));
        }
        (Some(conversation), Stores::End) => tx = tx.with_row(chat::clear(cx.org, conversation, id)),
        (Some(_), Stores::Nothing) | (None, _) => {}
    }
    let tx = tx
        .with_row(before.end(cx.org, id, over)?)
        .with_row(spending::used(cx.org, over.hold.at, over.hold.user, model, &usage))
        .without_request();
    cx.next_step().commit(tx, ()).await
}

/// The message with the answer.
fn answer_of(cx: &Cx, over: &Run, conversation: ConversationId, text: String) -> ChatMessage {
    ChatMessage {
        id: over.message,
        version: 1,
        created_at: cx.now(),
        updated_at: cx.now(),
        conversation_id: conversation,
        parent_message_id: over.parent,
        client_id: None,
        role: MessageRole::Assistant,
        content: text,
        model: model_line(&over.model),
        provider_model: over.provider_model.as_deref().and_then(model_line),
        usage: over.usage,
        status: over.status(),
        timestamp: cx.now().as_millisecond(),
    }
}

/// Settles what an ended run held, and removes its due item. Does nothing where that was done before.
pub async fn settle(env: &Env, org: OrgId, id: RunId, run: &Run) -> Result<()> {
    let usage = run.usage.unwrap_or_default();
    let spent = Amount { cost: usage.cost_usd.0, tokens: usage.input + usage.output };
    run.hold.settle(env, org, spent).await?;
    if run.conversation.is_none() {
        RunRequest::<()>::remove(env, org, id).await?;
    }
    let check = RunCheck { org, hold: Some(run.hold), entry: None, run: id };
    due::remove(env, &check.due(run.due_at)).await
}

/// Returns what a run held that was never committed.
pub async fn give_back(env: &Env, org: OrgId, hold: &Hold, due: &DueRef) -> Result<()> {
    hold.settle(env, org, Amount::default()).await?;
    due::remove(env, due).await
}

/// Ends a run whose generator died: the text that stands is kept. What it used is estimated from its text.
pub async fn end_dead(chat: &Chat, cx: &Cx, id: RunId, run: &Run) -> Result<()> {
    let text = run.text_after(&cx.env, cx.org, id, 0).await?;
    let model = run.provider_model.as_deref().and_then(|name| chat.providers.catalogue.find(name));
    let tokens = TokenUsage { input: run.input, output: token_estimate(&text), ..TokenUsage::default() };
    let usage = model.map_or_else(MessageUsage::default, |model| usage_of(cx, model, tokens));
    end(chat, cx, id, run, Ended { state: State::Error, fault: Some(Fault::Interrupted), usage }).await
}

/// Ends a run that was stopped before a generator took it.
pub async fn end_queued(chat: &Chat, cx: &Cx, id: RunId, run: &Run) -> Result<()> {
    end(chat, cx, id, run, Ended { state: State::Stopped, fault: None, usage: MessageUsage::default() }).await
}
