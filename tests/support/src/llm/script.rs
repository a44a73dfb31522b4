//! Scripts of the fake's answers.

use daybook_connectors::llm::{Finish, TokenUsage};
use std::time::Duration;

/// An answer of the fake. Whole answers have the text, usage and finish of streamed ones, and no faults but
/// [`Fault::Refusal`], [`Fault::Html`] and [`Fault::Answer`].
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The pieces of the text, an event each.
    pub pieces: Vec<String>,
    /// The usage.
    pub usage: TokenUsage,
    /// How the answer ends.
    pub finish: Finish,
    /// How the bytes of the stream are divided.
    pub split: Split,
    /// How lines end.
    pub newline: Newline,
    /// Whether a comment precedes each event.
    pub comments: bool,
    /// The pause before each piece, by the machine's clock.
    pub pause: Duration,
    /// What goes wrong, and where.
    pub fault: Option<(Place, Fault)>,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            pieces: ["Hello", " from", " the", " model."].map(str::to_owned).into(),
            usage: TokenUsage { input: 12, output: 6, ..TokenUsage::default() },
            finish: Finish::Complete,
            split: Split::Whole,
            newline: Newline::Lf,
            comments: false,
            pause: Duration::ZERO,
            fault: None,
        }
    }
}

impl Script {
    /// A text in these pieces.
    pub fn saying(pieces: &[&str]) -> Script {
        Script { pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(), ..Script::default() }
    }

    /// The default text, with a fault.
    pub fn failing(place: Place, fault: Fault) -> Script {
        Script { fault: Some((place, fault)), ..Script::default() }
    }
}

/// How the bytes of a stream are divided into chunks. A client reads chunk by chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Not divided.
    Whole,
    /// After every so many bytes.
    Every(usize),
    /// Once, after so many bytes.
    At(usize),
}

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newline {
    /// A line feed.
    Lf,
    /// A carriage return and a line feed.
    Crlf,
    /// A carriage return.
    Cr,
}

impl Newline {
    pub(super) fn bytes(self) -> &'static str {
        match self {
            Newline::Lf => "\n",
            Newline::Crlf => "\r\n",
            Newline::Cr => "\r",
        }
    }
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first event.
    First,
    /// After half of the pieces of the text.
    Middle,
    /// After the text, before the events that end the answer.
    Last,
}

impl Place {
    /// All places, in the order of the stream.
    pub const ALL: [Place; 3] = [Place::First, Place::Middle, Place::Last];
}

/// A fault of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// An error answer instead of the stream.
    Refusal(Refusal),
    /// The answer of a gateway in front of the provider instead of the stream: 502 with HTML.
    Html,
    /// This answer instead of the stream. A content length is added to the headers.
    Answer {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// A page of HTML with status 200 instead of the stream.
    WrongContentType,
    /// An error event; then the stream ends.
    ErrorEvent(Refusal),
    /// The connection is closed without the end of the body.
    Cut,
    /// The connection is closed within a character of a text.
    CutInCharacter,
    /// The connection is reset.
    Reset,
    /// No byte follows, and the connection stays open until the client closes it.
    Silence,
    /// The body ends regularly, without the events that end an answer.
    NoTerminator,
    /// An event of 2 MiB.
    HugeEvent,
    /// Invalid UTF-8 in a text.
    InvalidUtf8,
    /// An event that is no JSON.
    InvalidJson,
    /// Events that clients should ignore; the answer goes on.
    UnknownEvents,
    /// Chat Completions: no `[DONE]` follows the reason of the end. Other formats have none.
    NoDone,
}

/// An error of a provider, answered in the shape of the request's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 429: too many requests, with the header `retry-after` in seconds or without.
    RateLimited {
        /// The seconds.
        retry_after: Option<u64>,
    },
    /// 429: no credit is left at OpenAI, or a spending limit is reached at Anthropic.
    Quota,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// 529, Anthropic's status of an overload.
    Overloaded,
    /// 401.
    BadKey,
    /// 404: there is no such model.
    NoModel,
    /// 404: there is no such path.
    NoPath,
    /// 400, with this message.
    BadRequest(String),
}
