//! OpenAI's API, as its clients use it: what they send becomes a question without a conversation, which keeps nothing.

pub mod completions;
pub mod models;
pub mod responses;
mod turns;

use daybook_domain::{Error as Domain, Line, Rule};
use daybook_http::{Error, OpenAiError, data};
use daybook_runs::{Chat, ChatRequest, ChatTurn};
use daybook_store::rows::run::Run;

/// What the names of Daybook's own models begin with. Clients treat names such as `gpt-…` in ways of their own.
const OURS: &str = "daybook-";

/// The name of the organisation's default model.
const DEFAULT: &str = "daybook-default";

/// What clients may set, whichever of the two APIs they use.
struct Wanted {
    model: Option<String>,
    temperature: Option<f64>,
    max_tokens: Option<u32>,
}

impl Wanted {
    /// The request for an answer. It is streamed in any case: the process that is asked generates it.
    fn request(&self, chat: &Chat, messages: Vec<ChatTurn>) -> Result<ChatRequest, Domain> {
        let line = |name: &str| Line::parse(name).map_err(|rule| Domain::invalid("/model", rule));
        Ok(ChatRequest {
            messages,
            model: self.model.as_deref().and_then(|name| model_of(chat, name)).map(line).transpose()?,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            conversation_id: None,
            parent_message_id: None,
            from_start: false,
            stream: true,
        })
    }

    /// The model's name as the client has it.
    fn name<'r>(&'r self, run: &'r Run) -> &'r str {
        self.model.as_deref().unwrap_or(&run.model)
    }
}

/// The model of a name; `None` for the default one.
fn model_of<'n>(chat: &Chat, name: &'n str) -> Option<&'n str> {
    match name.strip_prefix(OURS) {
        Some(_) if name == DEFAULT => None,
        Some(rest) if chat.providers.catalogue.find(name).is_none() => Some(rest),
        _ => Some(name).filter(|name| !name.is_empty()),
    }
}

/// An error within a stream.
fn failed(error: &Error) -> String {
    data(&OpenAiError::of(error))
}

/// The rule for what Daybook doesn't keep.
fn kept_nowhere() -> Rule {
    Rule::format(
        "left out: nothing is kept here; send the whole conversation",
        "省略：此接口不保存对话，请发送完整的对话内容",
    )
}
