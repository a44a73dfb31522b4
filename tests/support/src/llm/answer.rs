//! Answers of the fake, and the events of streamed ones.

use super::script::{Newline, Script};
use daybook_connectors::llm::{Finish, TokenUsage};
use serde_json::Value;

/// An answer, in no format yet.
pub(super) struct Answer<'a> {
    pub(super) model: &'a str,
    pub(super) pieces: &'a [String],
    pub(super) usage: TokenUsage,
    pub(super) finish: Finish,
    /// Whether Chat Completions were asked for a chunk with the usage.
    pub(super) includes_usage: bool,
    number: usize,
}

impl<'a> Answer<'a> {
    /// The answer by a script to the request with this body and number.
    pub(super) fn new(script: &'a Script, body: &'a Value, number: usize) -> Answer<'a> {
        Answer {
            model: body["model"].as_str().unwrap_or_default(),
            pieces: &script.pieces,
            usage: script.usage,
            finish: script.finish,
            includes_usage: body["stream_options"]["include_usage"] == true,
            number,
        }
    }

    /// An id with this prefix.
    pub(super) fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:024}", self.number)
    }

    /// The whole text.
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// An event of a stream.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: Option<&'static str>,
    pub(super) data: String,
}

impl Event {
    /// An event that has its name in its data too.
    pub(super) fn named(name: &'static str, data: &Value) -> Event {
        Event { name: Some(name), data: data.to_string() }
    }

    /// An event without a name.
    pub(super) fn unnamed(data: &Value) -> Event {
        Event { name: None, data: data.to_string() }
    }

    /// Its bytes.
    pub(super) fn encoded(&self, newline: Newline) -> Vec<u8> {
        let end = newline.bytes();
        let name = self.name.map(|name| format!("event: {name}{end}")).unwrap_or_default();
        format!("{name}data: {}{end}{end}", self.data).into_bytes()
    }
}

/// The events of an answer.
pub(super) struct Events {
    /// Before the text.
    pub(super) head: Vec<Event>,
    /// One for each piece of the text.
    pub(super) pieces: Vec<Event>,
    /// After the text.
    pub(super) tail: Vec<Event>,
}
