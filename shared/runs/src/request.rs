//! Requests for an answer, and their rules.

use crate::models::AllowedModel;
use daybook_connectors::llm::{Speaker, Turn};
use daybook_domain::ai::{MessageRole, check_order, token_bound, token_estimate};
use daybook_domain::ai_settings::AiSettings;
use daybook_domain::chat::{ChatMessage, MOST_TEXT};
use daybook_domain::{ChatMessageId, ConversationId, Error, Line, Rule, Unit, Violations};
use serde::{Deserialize, Serialize};

/// The most messages of a request.
pub const MOST_MESSAGES: usize = 500;

/// The tokens that a provider adds for a message, as a bound.
const PER_MESSAGE: u64 = 16;

/// A message of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChatTurn {
    /// The client's id of the message.
    pub id: Option<Line<100>>,
    /// The text: at most 60 KB as JSON.
    pub content: String,
    /// Who wrote it: `user` or `assistant`; the first one may be `system`, with instructions.
    pub role: MessageRole,
    /// When it was written, in milliseconds since 1970.
    pub timestamp: Option<i64>,
}

/// A request for an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChatRequest {
    /// The messages, at most 500; the last one is the question. In a conversation only the question counts, as Daybook has
    /// the messages before it; without any messages, `parent_message_id` is answered anew.
    pub messages: Vec<ChatTurn>,
    /// The model; the conversation's, else the organisation's default one.
    pub model: Option<Line<100>>,
    /// The sampling temperature, 0 to 2; models that don't take one ignore it.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// The most tokens of the answer; 2,048 unless given, and at most what the model can.
    #[schema(minimum = 1)]
    pub max_tokens: Option<u32>,
    /// The conversation that the question belongs to; without one, nothing is kept.
    pub conversation_id: Option<ConversationId>,
    /// The message that the question follows; the newest one unless given. The parent of an earlier question makes this one
    /// its sibling.
    pub parent_message_id: Option<ChatMessageId>,
    /// Whether the question begins the conversation anew, as a sibling of its first one.
    #[serde(default)]
    pub from_start: bool,
    /// Whether to stream the answer as server-sent events.
    #[serde(default)]
    pub stream: bool,
}

/// What a model is asked: instructions and turns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The instructions.
    pub instructions: Option<String>,
    /// The messages of the user and the model, oldest first.
    pub turns: Vec<(MessageRole, String)>,
}

impl Asked {
    /// These turns, with the organisation's instructions before a conversation's or request's own, where it allows those.
    pub fn of(settings: &AiSettings, own: Option<&str>, turns: Vec<(MessageRole, String)>) -> Asked {
        let whole = settings.instructions.as_ref().map(|text| text.as_str());
        let instructions: Vec<&str> = whole.into_iter().chain(own.filter(|_| settings.own_prompts)).collect();
        Asked { instructions: Some(instructions.join("\n\n")).filter(|text| !text.is_empty()), turns }
    }

    /// An upper bound of the request's tokens.
    pub fn bound(&self) -> u64 {
        let texts = self.turns.iter().map(|(_, text)| text).chain(&self.instructions);
        texts.map(|text| token_bound(text) + PER_MESSAGE).sum()
    }

    /// An estimate of the request's tokens.
    pub fn estimate(&self) -> u64 {
        let texts = self.turns.iter().map(|(_, text)| text).chain(&self.instructions);
        texts.map(|text| token_estimate(text)).sum()
    }

    /// The turns for a provider. Empty answers, such as those of failed runs, are left out.
    pub fn turns(&self) -> Vec<Turn> {
        let turn = |(role, text): &(MessageRole, String)| {
            let speaker = if *role == MessageRole::Assistant { Speaker::Assistant } else { Speaker::User };
            Turn { speaker, text: text.clone() }
        };
        self.turns.iter().filter(|(_, text)| !text.trim().is_empty()).map(turn).collect()
    }
}

impl ChatRequest {
    /// Refuses a request that breaks a rule; all violations are listed.
    pub fn check(&self) -> Result<(), Error> {
        let mut violations = Violations::default();
        let again = self.messages.is_empty()
            && !self.from_start
            && self.conversation_id.is_some()
            && self.parent_message_id.is_some();
        if self.messages.len() > MOST_MESSAGES {
            let rule = Rule::TooLong { max: MOST_MESSAGES, unit: Unit::Entries };
            return Err(Error::invalid("/messages", rule));
        }
        for (n, turn) in self.messages.iter().enumerate() {
            let place = format!("/messages/{n}/content");
            if turn.content.trim().is_empty() {
                violations.add(place, Rule::TooShort { min: 1 });
            } else if !ChatMessage::fits(&turn.content) {
                violations.add(place, Rule::TooLong { max: MOST_TEXT, unit: Unit::Bytes });
            }
        }
        if !again && let Err((n, rule)) = check_order(self.messages.iter().map(|turn| turn.role)) {
            let place = if self.messages.is_empty() { "/messages".to_owned() } else { format!("/messages/{n}/role") };
            violations.add(place, rule);
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            violations.add("/temperature", Rule::Range { min: 0, max: 2 });
        }
        if self.max_tokens == Some(0) {
            violations.add("/max_tokens", Rule::Range { min: 1, max: i64::from(u32::MAX) });
        }
        if self.conversation_id.is_none() && self.parent_message_id.is_some() {
            violations.add("/conversation_id", Rule::Required);
        }
        if self.from_start && self.parent_message_id.is_some() {
            let rule =
                Rule::format("left out, as the question begins the conversation", "省略，因为该问题是对话的开头");
            violations.add("/parent_message_id", rule);
        }
        violations.into_result()
    }

    /// The instructions in the request.
    pub fn instructions(&self) -> Option<&str> {
        let first = self.messages.first().filter(|turn| turn.role == MessageRole::System)?;
        Some(first.content.as_str())
    }

    /// The question; none if an earlier one is answered anew.
    pub fn question(&self) -> Option<&ChatTurn> {
        self.messages.last().filter(|turn| turn.role == MessageRole::User)
    }
}

/// What fits the context of all of these models with an answer. The oldest messages of a conversation are left out; a
/// request with too many is refused.
pub(crate) fn fitted(
    mut asked: Asked,
    candidates: &[AllowedModel],
    max_tokens: u32,
    may_cut: bool,
) -> Result<Asked, Error> {
    let context = candidates.iter().map(|one| one.model.context).min().unwrap_or(u64::MAX);
    let size = |text: &str| token_estimate(text) + PER_MESSAGE;
    let mut room = context.saturating_sub(u64::from(max_tokens));
    room = room.saturating_sub(asked.instructions.as_deref().map_or(0, size));
    let newest = asked.turns.iter().rev().take_while(|(_, text)| {
        let fits = size(text) <= room;
        room = room.saturating_sub(size(text));
        fits
    });
    let kept = newest.count();
    if kept == asked.turns.len() {
        return Ok(asked);
    }
    let cut = asked.turns.len() - kept;
    if !may_cut || kept == 0 {
        let rule = Rule::format("shorter: the model can't read that much", "更短：超出模型可处理的长度");
        return Err(Error::invalid("/messages", rule));
    }
    asked.turns.drain(..cut);
    while asked.turns.first().is_some_and(|(role, _)| *role == MessageRole::Assistant) {
        asked.turns.remove(0);
    }
    Ok(asked)
}
