//! OpenAI's Responses.

use super::failure::Failure;
use super::request::{KeyHeader, Reader, Request, text_of, tokens};
use super::{Ask, Finish, Part, Speaker, TokenUsage};
use serde_json::{Value, json};

/// The request. OpenAI stores nothing of it for later requests.
pub(super) fn request(ask: &Ask) -> Request {
    let input: Vec<Value> =
        ask.turns.iter().map(|turn| json!({"role": role(turn.speaker), "content": turn.text})).collect();
    let mut body = json!({
        "model": ask.model,
        "input": input,
        "stream": true,
        "store": false,
        "max_output_tokens": ask.max_tokens,
        "safety_identifier": ask.user,
    });
    if let Some(instructions) = &ask.instructions {
        body["instructions"] = json!(instructions);
    }
    if let Some(temperature) = ask.temperature {
        body["temperature"] = json!(temperature);
    }
    Request {
        path: "/responses",
        headers: &[],
        key_header: KeyHeader::Bearer,
        body,
        reader: Box::new(Response::default()),
    }
}

/// OpenAI's name of a speaker, in both of its formats.
pub(super) fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    }
}

/// An answer that is being read.
#[derive(Default)]
struct Response {
    is_refusal: bool,
}

impl Reader for Response {
    fn read(&mut self, event: &Value) -> Result<Vec<Part>, Failure> {
        let response = &event["response"];
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => Ok(text_of(&event["delta"])),
            "response.refusal.delta" => {
                self.is_refusal = true;
                Ok(text_of(&event["delta"]))
            }
            "response.completed" => Ok(end(response, if self.is_refusal { Finish::Refused } else { Finish::Complete })),
            "response.incomplete" => {
                let is_filtered = response["incomplete_details"]["reason"] == "content_filter";
                Ok(end(response, if is_filtered { Finish::Refused } else { Finish::Length }))
            }
            "response.failed" => Err(Failure::reported(response)),
            "error" => Err(Failure::reported(event)),
            _ => Ok(Vec::new()),
        }
    }
}

fn end(response: &Value, finish: Finish) -> Vec<Part> {
    let usage = &response["usage"];
    let details = &usage["input_tokens_details"];
    let read = usage.is_object().then(|| {
        Part::Usage(TokenUsage {
            input: tokens(&usage["input_tokens"]),
            cached: tokens(&details["cached_tokens"]),
            cache_written: tokens(&details["cache_write_tokens"]),
            output: tokens(&usage["output_tokens"]),
        })
    });
    read.into_iter().chain([Part::End(finish)]).collect()
}
