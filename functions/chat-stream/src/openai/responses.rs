//! `POST /v1/responses`: texts in, a text out.

use super::turns::{OpenAiContent, OpenAiRole, Turns};
use super::{Wanted, kept_nowhere};
use crate::reader::{Reader, Said};
use daybook_domain::Rule;
use daybook_http::{Cx, Error, Events, Foreign, Gone, Loose, OpenAiError, Out, Own, Result, event};
use daybook_runs::Chat;
use daybook_store::rows::run::Run;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A request for a response. Fields that aren't here are ignored.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResponseRequest {
    /// The model; the organisation's default one if it is missing or `daybook-default`.
    model: Option<String>,
    /// The question, or the messages, of which the last one is the question.
    input: ResponseInput,
    /// Instructions, below the organisation's own.
    instructions: Option<String>,
    /// The sampling temperature, 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// The most tokens of the answer.
    #[schema(minimum = 1)]
    max_output_tokens: Option<u32>,
    /// Refused, as nothing is kept.
    previous_response_id: Option<String>,
    /// Refused, as nothing is kept.
    #[schema(value_type = Option<Object>)]
    conversation: Option<Value>,
    /// Whether to stream the answer.
    stream: Option<bool>,
}

/// The input of a response.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "a string or a list of messages")]
enum ResponseInput {
    /// The question.
    Text(String),
    /// Messages.
    Items(Vec<ResponseItem>),
}

/// A message; other items, such as calls of tools, are refused.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct ResponseItem {
    /// Who wrote it.
    role: Option<OpenAiRole>,
    /// Its text.
    content: Option<OpenAiContent>,
}

/// A response as it is built.
struct Response {
    id: String,
    item: String,
    created: i64,
    wanted: Wanted,
    instructions: Option<String>,
}

/// How far a response has come.
enum Progress<'a> {
    Begun,
    Ended(&'a Run, &'a str),
    Failed(&'a Error),
}

/// Answers the last message.
pub async fn create_response(cx: Cx, Own(chat): Own<Chat>, Loose(request): Loose<ResponseRequest>) -> Result<Foreign> {
    let mut turns = Turns::default();
    turns.instruct("/instructions", request.instructions.as_deref().unwrap_or_default());
    match &request.input {
        ResponseInput::Text(text) => {
            turns.add("/input", OpenAiRole::User, Some(&OpenAiContent::Text(text.clone())));
        }
        ResponseInput::Items(items) => {
            for (n, item) in items.iter().enumerate() {
                match item.role {
                    Some(role) => turns.add(&format!("/input/{n}"), role, item.content.as_ref()),
                    None => turns.refuse(&format!("/input/{n}"), Rule::format("a message", "是一条消息")),
                }
            }
        }
    }
    let given = [
        ("/previous_response_id", request.previous_response_id.is_some()),
        ("/conversation", request.conversation.is_some()),
    ];
    for (place, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
        turns.refuse(place, kept_nowhere());
    }
    let wanted = Wanted {
        model: request.model,
        temperature: request.temperature,
        max_tokens: request.max_output_tokens,
        of_max_tokens: "/max_output_tokens",
    };
    let created = cx.now().as_second();
    let reader = wanted.ask(chat, cx, turns).await?;
    let (id, item) = (format!("resp_{}", reader.id()), format!("msg_{}", reader.id()));
    let response = Response { id, item, created, wanted, instructions: request.instructions };
    if request.stream.unwrap_or_default() {
        return Ok(Foreign::Events(Events::written(move |out| streamed(out, reader, response))));
    }
    let (run, text) = reader.whole().await?;
    Ok(Foreign::Json(response.shown(Progress::Ended(&run, &text))))
}

/// Writes a response as events.
async fn streamed(out: Out, mut reader: Reader, response: Response) -> Result<(), Gone> {
    let mut number = 0;
    let mut send = async |kind: &str, mut fields: Value| {
        fields["type"] = Value::from(kind);
        fields["sequence_number"] = Value::from(number);
        number += 1;
        out.send(event(kind, None, &fields)).await
    };
    let place = |mut fields: Value| {
        fields["item_id"] = Value::from(response.item.as_str());
        fields["output_index"] = Value::from(0);
        fields["content_index"] = Value::from(0);
        fields
    };
    send("response.created", json!({"response": response.shown(Progress::Begun)})).await?;
    send("response.in_progress", json!({"response": response.shown(Progress::Begun)})).await?;
    let empty = json!({"output_index": 0, "item": response.item_shown("in_progress", None)});
    send("response.output_item.added", empty).await?;
    send("response.content_part.added", place(json!({"part": part_of("")}))).await?;
    let mut text = String::new();
    loop {
        match out.wait(reader.next()).await? {
            Said::Text(more) => {
                text += &more;
                send("response.output_text.delta", place(json!({"delta": more, "logprobs": []}))).await?;
            }
            Said::End(run) => {
                send("response.output_text.done", place(json!({"text": text, "logprobs": []}))).await?;
                send("response.content_part.done", place(json!({"part": part_of(&text)}))).await?;
                let item = response.item_shown(status_of(&run), Some(&text));
                send("response.output_item.done", json!({"output_index": 0, "item": item})).await?;
                let kind = if run.cut { "response.incomplete" } else { "response.completed" };
                return send(kind, json!({"response": response.shown(Progress::Ended(&run, &text))})).await;
            }
            Said::Failed(error) => {
                let failed = response.shown(Progress::Failed(&error));
                return send("response.failed", json!({"response": failed})).await;
            }
        }
    }
}

fn status_of(run: &Run) -> &'static str {
    if run.cut { "incomplete" } else { "completed" }
}

fn part_of(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

impl Response {
    fn item_shown(&self, status: &str, text: Option<&str>) -> Value {
        let content: Vec<Value> = text.map(part_of).into_iter().collect();
        json!({"id": self.item, "type": "message", "role": "assistant", "status": status, "content": content})
    }

    fn shown(&self, progress: Progress<'_>) -> Value {
        let mut whole = json!({
            "id": self.id, "object": "response", "created_at": self.created, "status": "in_progress", "error": null,
            "incomplete_details": null, "instructions": self.instructions, "metadata": {},
            "model": self.wanted.model.as_deref().unwrap_or(super::DEFAULT),
            "max_output_tokens": self.wanted.max_tokens, "temperature": self.wanted.temperature, "top_p": null,
            "output": [], "parallel_tool_calls": false, "previous_response_id": null, "store": false,
            "reasoning": {"effort": null, "summary": null}, "text": {"format": {"type": "text"}},
            "tool_choice": "auto", "tools": [], "truncation": "disabled", "usage": null,
        });
        match progress {
            Progress::Begun => {}
            Progress::Ended(run, text) => {
                let usage = run.usage.unwrap_or_default();
                whole["status"] = Value::from(status_of(run));
                whole["output"] = json!([self.item_shown(status_of(run), Some(text))]);
                whole["usage"] = json!({
                    "input_tokens": usage.input, "input_tokens_details": {"cached_tokens": usage.cached},
                    "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": usage.input + usage.output,
                });
                if run.cut {
                    whole["incomplete_details"] = json!({"reason": "max_output_tokens"});
                }
            }
            Progress::Failed(error) => {
                let OpenAiError { error } = OpenAiError::of(error);
                whole["status"] = Value::from("failed");
                whole["error"] = json!({"code": error.code, "message": error.message});
            }
        }
        whole
    }
}
