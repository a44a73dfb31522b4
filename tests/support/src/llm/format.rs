//! The wire formats: which requests are malformed, and how answers look.

use super::answer::{Answer, Event, Events};
use super::{chat, messages, responses};
use crate::connection::Request;
use serde_json::Value;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Responses,
    ChatCompletions,
    Messages,
}

impl Format {
    /// The format that is served at a path.
    pub(super) fn of_path(path: &str) -> Option<Format> {
        match path {
            "/v1/responses" => Some(Format::Responses),
            "/v1/chat/completions" => Some(Format::ChatCompletions),
            "/v1/messages" => Some(Format::Messages),
            _ => None,
        }
    }

    /// Why the provider would refuse a request as malformed, if it would.
    pub(super) fn objection(self, request: &Request, body: &Value) -> Option<String> {
        let missing = |field: &str| format!("{field}: Field required");
        let (texts, limit) = match self {
            Format::Responses => ("input", None),
            Format::ChatCompletions => ("messages", None),
            Format::Messages => ("messages", Some("max_tokens")),
        };
        if !body["model"].is_string() {
            return Some(missing("model"));
        }
        if body[texts].as_array().is_none_or(Vec::is_empty) && body[texts].as_str().is_none_or(str::is_empty) {
            return Some(missing(texts));
        }
        match limit {
            Some(limit) if body[limit].as_u64().is_none_or(|count| count == 0) => Some(missing(limit)),
            Some(_) => messages::objection(request, body),
            None => None,
        }
    }

    /// A streamed answer.
    pub(super) fn events(self, answer: &Answer<'_>) -> Events {
        match self {
            Format::Responses => responses::events(answer),
            Format::ChatCompletions => chat::events(answer),
            Format::Messages => messages::events(answer),
        }
    }

    /// A whole answer.
    pub(super) fn whole(self, answer: &Answer<'_>) -> Value {
        match self {
            Format::Responses => responses::whole(answer),
            Format::ChatCompletions => chat::whole(answer),
            Format::Messages => messages::whole(answer),
        }
    }

    /// The event of a piece of text.
    pub(super) fn piece(self, answer: &Answer<'_>, text: &str) -> Event {
        match self {
            Format::Responses => responses::piece(answer, text),
            Format::ChatCompletions => chat::piece(answer, text),
            Format::Messages => messages::piece(text),
        }
    }

    /// Events that clients should ignore.
    pub(super) fn unknown(self, answer: &Answer<'_>) -> Vec<Event> {
        match self {
            Format::Responses => responses::unknown(),
            Format::ChatCompletions => chat::unknown(answer),
            Format::Messages => messages::unknown(),
        }
    }
}
