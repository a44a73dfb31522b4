//! OpenAI's Chat Completions, as compatible servers have it.

use super::failure::{Failure, FailureKind};
use super::request::{KeyHeader, Reader, Request, text_of, tokens};
use super::responses::role;
use super::{Ask, Finish, Part, TokenUsage};
use serde_json::{Value, json};

/// The request. `max_tokens` is deprecated by OpenAI, but the only limit that all compatible servers know.
pub(super) fn request(ask: &Ask) -> Request {
    let system = ask.instructions.iter().map(|text| json!({"role": "system", "content": text}));
    let turns = ask.turns.iter().map(|turn| json!({"role": role(turn.speaker), "content": turn.text}));
    let mut body = json!({
        "model": ask.model,
        "messages": system.chain(turns).collect::<Vec<Value>>(),
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": ask.max_tokens,
    });
    if let Some(temperature) = ask.temperature {
        body["temperature"] = json!(temperature);
    }
    Request {
        path: "/chat/completions",
        headers: &[],
        key_header: KeyHeader::Bearer,
        body,
        reader: Box::new(Completion::default()),
    }
}

/// An answer that is being read.
#[derive(Default)]
struct Completion {
    finish: Option<Finish>,
    is_refusal: bool,
}

impl Reader for Completion {
    fn read(&mut self, chunk: &Value) -> Result<Vec<Part>, Failure> {
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Failure::reported(chunk));
        }
        let choice = &chunk["choices"][0];
        let mut parts = text_of(&choice["delta"]["content"]);
        let refusal = text_of(&choice["delta"]["refusal"]);
        self.is_refusal |= !refusal.is_empty();
        parts.extend(refusal);
        parts.extend(usage(&chunk["usage"]));
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(finish(reason)?);
        }
        Ok(parts)
    }

    /// Some servers end without `[DONE]`, so the reason of the end is the terminator.
    fn at_end(&self) -> Option<Finish> {
        let refused = |finish| if self.is_refusal { Finish::Refused } else { finish };
        self.finish.map(refused)
    }
}

fn finish(reason: &str) -> Result<Finish, Failure> {
    match reason {
        "length" => Ok(Finish::Length),
        "content_filter" => Ok(Finish::Refused),
        // The reasons of DeepSeek, vLLM and OpenRouter for an answer that they broke off.
        "insufficient_system_resource" | "abort" | "error" => {
            Err(Failure::new(FailureKind::Cut, format!("the provider broke off the answer: {reason}")))
        }
        _ => Ok(Finish::Complete),
    }
}

/// The usage, which comes with the last chunk, or with each chunk from servers that count as they go.
fn usage(usage: &Value) -> Option<Part> {
    let details = &usage["prompt_tokens_details"];
    // DeepSeek has a name of its own for cached tokens.
    let cached = details["cached_tokens"].as_u64().unwrap_or_else(|| tokens(&usage["prompt_cache_hit_tokens"]));
    usage.is_object().then(|| {
        Part::Usage(TokenUsage {
            input: tokens(&usage["prompt_tokens"]),
            cached,
            cache_written: tokens(&details["cache_write_tokens"]),
            output: tokens(&usage["completion_tokens"]),
        })
    })
}
