//! Answers are whole however their bytes are divided.

use super::{APIS, hear, hello, patient};
use daybook_connectors::llm::{Api, Finish};
use daybook_testing::is_full;
use daybook_testing::llm::{FakeLlm, Newline, Script, Split};
use futures::future::join_all;
use serde_json::{Value, json};

const PIECES: [&str; 5] = ["Grüße, ", "你好", " \u{1f389}\n", "\"data: \r\n\r\n\"", " fin."];

/// The size of a streamed answer, in bytes.
async fn size_of(fake: &FakeLlm, api: Api) -> usize {
    let (url, limit) = match api {
        Api::OpenAiResponses => (format!("{}/responses", fake.openai_base_url()), "max_output_tokens"),
        Api::ChatCompletions => (format!("{}/chat/completions", fake.openai_base_url()), "max_tokens"),
        Api::AnthropicMessages | Api::Offline => (format!("{}/v1/messages", fake.base_url()), "max_tokens"),
    };
    let messages = json!([{"role": "user", "content": "Hello"}]);
    let mut body = json!({
        "model": "model-1", "messages": messages, "input": messages, "stream": true,
        "stream_options": {"include_usage": true},
    });
    body[limit] = Value::from(100);
    let call = reqwest::Client::new().post(url).header("anthropic-version", "2023-06-01").json(&body);
    call.send().await.expect("an answer").bytes().await.expect("a body").len()
}

async fn check(api: Api, newline: Newline, comments: bool) {
    let (fake, llm) = (FakeLlm::start().await, patient());
    let script = Script { newline, comments, ..Script::saying(&PIECES) };
    fake.always(script.clone());
    let size = size_of(&fake, api).await;
    let step = if is_full() { 1 } else { 97 };
    let splits = [Split::Whole, Split::Every(1), Split::Every(2), Split::Every(7)];
    for split in splits.into_iter().chain((1..size).step_by(step).map(Split::At)) {
        fake.always(Script { split, ..script.clone() });
        let heard = hear(llm.answer(&fake.endpoint(api), hello())).await;
        assert_eq!(heard.end, Ok(Finish::Complete), "{api:?} {newline:?} {split:?}");
        assert_eq!(heard.text, PIECES.concat(), "{api:?} {newline:?} {split:?}");
        assert_eq!(heard.usage, Some(script.usage), "{api:?} {newline:?} {split:?}");
    }
}

#[tokio::test]
async fn an_answer_is_whole_wherever_its_bytes_are_divided() {
    let newlines = [(Newline::Lf, false), (Newline::Crlf, true), (Newline::Cr, false)];
    let checks = APIS.into_iter().flat_map(|api| newlines.map(|(newline, comments)| check(api, newline, comments)));
    join_all(checks).await;
}
