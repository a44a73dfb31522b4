//! Plans of streamed answers: what is sent, and how it ends.

use super::answer::{Answer, Event};
use super::chat::DONE;
use super::format::Format;
use super::script::{Fault, Newline, Place, Script, Split};
use crate::connection::Reply;
use std::time::Duration;

/// The size of a huge event's text, in bytes.
const HUGE: usize = 2 << 20;

/// A character of several bytes.
const WIDE: &str = "你";

/// A streamed answer.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) ending: Ending,
    split: Split,
    newline: Newline,
}

/// A step of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Sends these bytes of the body.
    Bytes(Vec<u8>),
    /// Waits.
    Pause(Duration),
}

/// The end of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The body ends, and the connection can be used again.
    Regular,
    /// The connection is closed within the body.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing is sent until the client closes the connection.
    Silence,
}

impl Plan {
    /// The plan of a script.
    pub(super) fn of(script: &Script, format: Format, answer: &Answer<'_>) -> Plan {
        let mut plan =
            Plan { steps: Vec::new(), ending: Ending::Regular, split: script.split, newline: script.newline };
        let mut events = format.events(answer);
        let fault = script.fault.as_ref();
        if fault.is_some_and(|(_, fault)| *fault == Fault::NoDone) {
            events.tail.retain(|event| event.data != DONE);
        }
        let second_half = events.pieces.split_off(events.pieces.len().div_ceil(2));
        let pieces = |events: Vec<Event>| events.into_iter().map(|event| (script.pause, event)).collect::<Vec<_>>();
        let plain = |events: Vec<Event>| events.into_iter().map(|event| (Duration::ZERO, event)).collect::<Vec<_>>();
        let mut first = plain(events.head);
        first.extend(pieces(events.pieces));
        let parts = [first, pieces(second_half), plain(events.tail)];
        for (place, events) in Place::ALL.into_iter().zip(parts) {
            if let Some((_, fault)) = fault.filter(|(at, _)| *at == place)
                && let Some(ending) = plan.fail(fault, format, answer)
            {
                plan.ending = ending;
                return plan;
            }
            for (pause, event) in events {
                if !pause.is_zero() {
                    plan.steps.push(Step::Pause(pause));
                }
                if script.comments {
                    plan.send(format!(": ping{end}{end}", end = script.newline.bytes()).into_bytes());
                }
                plan.event(&event);
            }
        }
        plan
    }

    /// Adds what a fault sends, and returns how it ends the answer, if it does.
    fn fail(&mut self, fault: &Fault, format: Format, answer: &Answer<'_>) -> Option<Ending> {
        match fault {
            Fault::ErrorEvent(refusal) => {
                self.event(&refusal.event(format));
                Some(Ending::Regular)
            }
            Fault::Cut => Some(Ending::Close),
            Fault::CutInCharacter => {
                let mut bytes = format.piece(answer, WIDE).encoded(self.newline);
                bytes.truncate(place_of(&bytes, WIDE) + 1);
                self.send(bytes);
                Some(Ending::Close)
            }
            Fault::Reset => Some(Ending::Reset),
            Fault::Silence => Some(Ending::Silence),
            Fault::NoTerminator => Some(Ending::Regular),
            Fault::HugeEvent => {
                self.event(&format.piece(answer, &"x".repeat(HUGE)));
                None
            }
            Fault::InvalidUtf8 => {
                let mut bytes = format.piece(answer, WIDE).encoded(self.newline);
                bytes.remove(place_of(&bytes, WIDE));
                self.send(bytes);
                None
            }
            Fault::InvalidJson => {
                self.event(&Event { name: None, data: "{\"type\":".to_owned() });
                None
            }
            Fault::UnknownEvents => {
                for event in format.unknown(answer) {
                    self.event(&event);
                }
                None
            }
            // The answer is another one, or its end is.
            Fault::Refusal(_) | Fault::Html | Fault::Answer { .. } | Fault::WrongContentType | Fault::NoDone => None,
        }
    }

    fn event(&mut self, event: &Event) {
        self.send(event.encoded(self.newline));
    }

    fn send(&mut self, bytes: Vec<u8>) {
        match self.steps.last_mut() {
            Some(Step::Bytes(before)) => before.extend(bytes),
            _ => self.steps.push(Step::Bytes(bytes)),
        }
    }

    /// The bytes, which begin at this place of the body, in chunks.
    pub(super) fn chunks<'b>(&self, start: usize, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut chunks = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = start + bytes.len() - rest.len();
            let length = match self.split {
                Split::Whole => rest.len(),
                Split::Every(length) => length - at % length,
                Split::At(place) if place > at => place - at,
                Split::At(_) => rest.len(),
            };
            let (chunk, after) = rest.split_at(length.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        chunks
    }
}

/// The answer instead of the model's, if the fault has one.
pub(super) fn instead(fault: &Fault, format: Format) -> Option<Reply> {
    let html = |status: u16, title: &str| {
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        let body = format!("<html><head><title>{title}</title></head><body>{title}</body></html>");
        Reply { status, headers, body }
    };
    match fault {
        Fault::Refusal(refusal) => Some(refusal.reply(format)),
        Fault::Html => Some(html(502, "502 Bad Gateway")),
        Fault::WrongContentType => Some(html(200, "Sign in to the network")),
        Fault::Answer { status, headers, body } => {
            Some(Reply { status: *status, headers: headers.clone(), body: body.clone() })
        }
        _ => None,
    }
}

/// The place of a text in bytes that have it.
fn place_of(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("the text")
}
