//! Anthropic's Messages.

use super::failure::Failure;
use super::request::{KeyHeader, Reader, Request, text_of};
use super::{Ask, Finish, Part, Speaker, TokenUsage, Turn};
use serde_json::{Value, json};

/// The request.
pub(super) fn request(ask: &Ask) -> Request {
    let messages: Vec<Value> = alternating(&ask.turns)
        .iter()
        .map(|turn| {
            let role = match turn.speaker {
                Speaker::User => "user",
                Speaker::Assistant => "assistant",
            };
            json!({"role": role, "content": turn.text})
        })
        .collect();
    let mut body = json!({
        "model": ask.model,
        "messages": messages,
        "max_tokens": ask.max_tokens,
        "stream": true,
        "metadata": {"user_id": ask.user},
    });
    if let Some(instructions) = &ask.instructions {
        body["system"] = json!(instructions);
    }
    if let Some(temperature) = ask.temperature {
        body["temperature"] = json!(temperature);
    }
    Request {
        path: "/v1/messages",
        headers: &[("anthropic-version", "2023-06-01")],
        key_header: KeyHeader::ApiKey,
        body,
        reader: Box::new(Message::default()),
    }
}

/// The turns as Anthropic takes them: none is blank, the first is the user's, and consecutive turns of one speaker are
/// merged.
fn alternating(turns: &[Turn]) -> Vec<Turn> {
    let mut merged: Vec<Turn> = Vec::new();
    let said = turns.iter().filter(|turn| !turn.text.trim().is_empty());
    for turn in said.skip_while(|turn| turn.speaker == Speaker::Assistant) {
        match merged.last_mut() {
            Some(last) if last.speaker == turn.speaker => {
                last.text.push_str("\n\n");
                last.text.push_str(&turn.text);
            }
            _ => merged.push(turn.clone()),
        }
    }
    merged
}

/// An answer that is being read.
#[derive(Default)]
struct Message {
    counts: Counts,
    finish: Option<Finish>,
}

/// The latest cumulative counts of tokens. Anthropic counts cached input apart from other input.
#[derive(Default)]
struct Counts {
    uncached: u64,
    cached: u64,
    cache_written: u64,
    output: u64,
}

impl Reader for Message {
    fn read(&mut self, event: &Value) -> Result<Vec<Part>, Failure> {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => Ok(self.count(&event["message"]["usage"])),
            "content_block_start" => Ok(text_of(&event["content_block"]["text"])),
            // Other deltas, such as those of thinking, have their texts in other fields.
            "content_block_delta" => Ok(text_of(&event["delta"]["text"])),
            "message_delta" => {
                if let Some(reason) = event["delta"]["stop_reason"].as_str() {
                    self.finish = Some(finish(reason));
                }
                Ok(self.count(&event["usage"]))
            }
            "message_stop" => Ok(vec![Part::End(self.finish.unwrap_or(Finish::Complete))]),
            "error" => Err(Failure::reported(event)),
            _ => Ok(Vec::new()),
        }
    }
}

impl Message {
    fn count(&mut self, usage: &Value) -> Vec<Part> {
        if !usage.is_object() {
            return Vec::new();
        }
        let counts = &mut self.counts;
        for (count, name) in [
            (&mut counts.uncached, "input_tokens"),
            (&mut counts.cached, "cache_read_input_tokens"),
            (&mut counts.cache_written, "cache_creation_input_tokens"),
            (&mut counts.output, "output_tokens"),
        ] {
            *count = usage[name].as_u64().unwrap_or(*count);
        }
        vec![Part::Usage(TokenUsage {
            input: counts.uncached.saturating_add(counts.cached).saturating_add(counts.cache_written),
            cached: counts.cached,
            cache_written: counts.cache_written,
            output: counts.output,
        })]
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "refusal" => Finish::Refused,
        _ => Finish::Complete,
    }
}
