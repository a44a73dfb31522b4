//! OpenAI's API, as its clients use it: what they send becomes a question without a conversation, which keeps nothing.

pub mod completions;
pub mod models;
pub mod responses;
mod turns;

use crate::reader::Reader;
use daybook_domain::{Error as Domain, Line, Rule};
use daybook_http::{Cx, Error, OpenAiError, Result, data};
use daybook_runs::{Chat, ChatRequest, ChatTurn};
use daybook_store::rows::run::Run;
use turns::Turns;

/// What the names of Daybook's own models begin with. Clients treat names such as `gpt-…` in ways of their own.
const OURS: &str = "daybook-";

/// The name of the organisation's default model.
const DEFAULT: &str = "daybook-default";

/// What clients may set, whichever of the two APIs they use.
struct Wanted {
    model: Option<String>,
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    /// The field with the most tokens.
    of_max_tokens: &'static str,
}

impl Wanted {
    /// Asks, and waits a moment for the first text.
    async fn ask(&self, chat: Chat, cx: Cx, turns: Turns) -> Result<Reader> {
        let (places, messages): (Vec<String>, Vec<ChatTurn>) = turns.finish()?.into_iter().unzip();
        let line = |name: &str| Line::parse(name).map_err(|rule| Domain::invalid("/model", rule));
        let request = ChatRequest {
            messages,
            model: self.model.as_deref().and_then(|name| model_of(&chat, name)).map(line).transpose()?,
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            // Streamed in any case: the process that is asked generates it.
            stream: true,
            ..ChatRequest::default()
        };
        Reader::ask(chat, cx, request).await.map_err(|error| self.placed(error, &places))
    }

    /// An error with the places of what the client sent, rather than those of the chat's request.
    fn placed(&self, error: Error, places: &[String]) -> Error {
        let Error::Domain(Domain::Invalid(mut violations)) = error else { return error };
        for violation in &mut violations.0 {
            let pointer = violation.pointer.as_str();
            let place = pointer.strip_prefix("/messages/").and_then(|rest| {
                let (index, rest) = rest.split_once('/').unwrap_or((rest, ""));
                let place = places.get(index.parse::<usize>().ok()?)?;
                // A text alone has no fields.
                let is_message = place.rsplit('/').next().is_some_and(|last| last.parse::<usize>().is_ok());
                Some(if rest.is_empty() || !is_message { place.clone() } else { format!("{place}/{rest}") })
            });
            if pointer == "/max_tokens" {
                violation.pointer = self.of_max_tokens.to_owned();
            } else if let Some(place) = place {
                violation.pointer = place;
            }
        }
        Domain::Invalid(violations).into()
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
