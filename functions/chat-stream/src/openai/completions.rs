//! `POST /v1/chat/completions`.

use super::turns::{OpenAiContent, OpenAiRole, Turns};
use super::{Wanted, failed};
use crate::reader::{Reader, Said};
use daybook_domain::Rule;
use daybook_http::{Cx, DONE, Events, Foreign, Gone, Loose, Out, Own, Result, data};
use daybook_runs::Chat;
use daybook_store::rows::run::Run;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A request for a completion. Fields that aren't here are ignored.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChatCompletionRequest {
    /// The model; the organisation's default one if it is missing or `daybook-default`.
    model: Option<String>,
    /// The messages; the last one is the question. Those of `system` and `developer` are instructions, below the
    /// organisation's own.
    messages: Vec<CompletionMessage>,
    /// The sampling temperature, 0 to 2.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// The most tokens of the answer.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// The number of answers: 1.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
    /// Whether to stream the answer.
    stream: Option<bool>,
    /// What a stream has.
    stream_options: Option<StreamOptions>,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct CompletionMessage {
    /// Who wrote it.
    role: OpenAiRole,
    /// Its text.
    content: Option<OpenAiContent>,
}

/// What a stream has.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
struct StreamOptions {
    /// Whether its last chunk has the usage.
    include_usage: Option<bool>,
}

/// Answers the last message.
pub async fn create_completion(
    cx: Cx,
    Own(chat): Own<Chat>,
    Loose(request): Loose<ChatCompletionRequest>,
) -> Result<Foreign> {
    let mut turns = Turns::default();
    for (n, message) in request.messages.iter().enumerate() {
        turns.add(&format!("/messages/{n}"), message.role, message.content.as_ref());
    }
    if request.n.is_some_and(|n| n != 1) {
        turns.refuse("/n", Rule::Range { min: 1, max: 1 });
    }
    let (max_tokens, of_max_tokens) = match request.max_completion_tokens {
        Some(most) => (Some(most), "/max_completion_tokens"),
        None => (request.max_tokens, "/max_tokens"),
    };
    let wanted = Wanted { model: request.model, temperature: request.temperature, max_tokens, of_max_tokens };
    let created = cx.now().as_second();
    let reader = wanted.ask(chat, cx, turns).await?;
    if request.stream.unwrap_or_default() {
        let usage = request.stream_options.unwrap_or_default().include_usage.unwrap_or_default();
        return Ok(Foreign::Events(Events::written(move |out| streamed(out, reader, wanted, created, usage))));
    }
    let id = format!("chatcmpl-{}", reader.id());
    let (run, text) = reader.whole().await?;
    let message = json!({"role": "assistant", "content": text, "refusal": null});
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(&run)});
    Ok(Foreign::Json(json!({
        "id": id, "object": "chat.completion", "created": created, "model": wanted.name(&run), "choices": [choice],
        "usage": usage_of(&run),
    })))
}

/// Writes an answer as chunks.
async fn streamed(out: Out, mut reader: Reader, wanted: Wanted, created: i64, usage: bool) -> Result<(), Gone> {
    let id = format!("chatcmpl-{}", reader.id());
    let model = wanted.model.clone().unwrap_or_else(|| super::DEFAULT.to_owned());
    let chunk = |choices: Value, usage: Value| {
        let object = "chat.completion.chunk";
        let mut whole = json!({"id": id, "object": object, "created": created, "model": model, "choices": choices});
        if !usage.is_null() {
            whole["usage"] = usage;
        }
        data(&whole)
    };
    let choice = |delta: Value, finish: Option<&str>| {
        chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), Value::Null)
    };
    out.send(choice(json!({"role": "assistant", "content": "", "refusal": null}), None)).await?;
    loop {
        match out.wait(reader.next()).await? {
            Said::Text(text) => out.send(choice(json!({"content": text}), None)).await?,
            Said::End(run) => {
                out.send(choice(json!({}), Some(finish_reason(&run)))).await?;
                if usage {
                    out.send(chunk(json!([]), usage_of(&run))).await?;
                }
                return out.send(DONE.to_owned()).await;
            }
            Said::Failed(error) => return out.send(failed(&error)).await,
        }
    }
}

fn finish_reason(run: &Run) -> &'static str {
    if run.cut { "length" } else { "stop" }
}

fn usage_of(run: &Run) -> Value {
    let usage = run.usage.unwrap_or_default();
    json!({
        "prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}
