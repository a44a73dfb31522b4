//! Tests of the clients of language-model providers, against fake ones.

mod faults;
mod offline;
mod refusals;
mod splits;

use daybook_connectors::llm::{Api, Ask, Failure, Finish, Llm, Part, Speaker, Timeouts, TokenUsage, Turn, base_url};
use daybook_testing::llm::{FakeLlm, KEY, Script, Seen};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use std::time::Duration;

const APIS: [Api; 3] = [Api::OpenAiResponses, Api::ChatCompletions, Api::AnthropicMessages];

/// The time after which an answer counts as hanging.
const HANGING: Duration = Duration::from_secs(20);

/// An answer that was read to its end.
#[derive(Debug)]
struct Heard {
    text: String,
    usage: Option<TokenUsage>,
    end: Result<Finish, Failure>,
}

/// Reads an answer. Nothing may follow its end or a failure.
async fn hear(answer: BoxStream<'static, Result<Part, Failure>>) -> Heard {
    let parts: Vec<Result<Part, Failure>> = tokio::time::timeout(HANGING, answer.collect()).await.expect("an end");
    let (mut text, mut usage, mut end) = (String::new(), None, None);
    for part in parts {
        assert!(end.is_none(), "{part:?} follows the end");
        match part {
            Ok(Part::Text(piece)) => {
                assert!(!piece.is_empty());
                text.push_str(&piece);
            }
            Ok(Part::Usage(counted)) => usage = Some(counted),
            Ok(Part::End(finish)) => end = Some(Ok(finish)),
            Err(failure) => end = Some(Err(failure)),
        }
    }
    Heard { text, usage, end: end.expect("an end or a failure") }
}

fn patient() -> Llm {
    Llm::new(Timeouts::default()).expect("a client")
}

fn turn(speaker: Speaker, text: &str) -> Turn {
    Turn { speaker, text: text.to_owned() }
}

fn ask(turns: Vec<Turn>) -> Ask {
    Ask {
        model: "model-1".to_owned(),
        instructions: Some("Be brief.".to_owned()),
        turns,
        max_tokens: 100,
        temperature: None,
        user: "user-1".to_owned(),
    }
}

fn hello() -> Ask {
    ask(vec![turn(Speaker::User, "Hello")])
}

/// The answer by a script in a format.
async fn answer_by(script: Script, api: Api) -> Heard {
    let fake = FakeLlm::start().await;
    fake.script(script);
    hear(patient().answer(&fake.endpoint(api), hello())).await
}

/// The only request that a call makes.
async fn request_of(api: Api, ask: Ask) -> Seen {
    let fake = FakeLlm::start().await;
    let heard = hear(patient().answer(&fake.endpoint(api), ask)).await;
    assert_eq!((heard.end, heard.text.as_str()), (Ok(Finish::Complete), "Hello from the model."));
    let mut requests = fake.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

#[tokio::test]
async fn a_request_has_the_fields_of_its_format() {
    let conversation = || {
        let turns = [(Speaker::User, "Hello"), (Speaker::Assistant, "Hi"), (Speaker::User, "How are you?")];
        ask(turns.map(|(speaker, text)| turn(speaker, text)).into())
    };
    let messages = json!([
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "How are you?"},
    ]);
    let warm = Ask { temperature: Some(0.5), ..conversation() };

    let seen = request_of(Api::OpenAiResponses, conversation()).await;
    let mut expected = json!({
        "model": "model-1", "instructions": "Be brief.", "input": messages, "stream": true, "store": false,
        "max_output_tokens": 100, "safety_identifier": "user-1",
    });
    assert_eq!((seen.path.as_str(), seen.body), ("/v1/responses", expected.clone()));
    assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
    expected["temperature"] = json!(0.5);
    assert_eq!(request_of(Api::OpenAiResponses, warm.clone()).await.body, expected);

    let seen = request_of(Api::ChatCompletions, conversation()).await;
    let mut with_system = messages.clone();
    with_system.as_array_mut().expect("a list").insert(0, json!({"role": "system", "content": "Be brief."}));
    let mut expected = json!({
        "model": "model-1", "messages": with_system, "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 100,
    });
    assert_eq!((seen.path.as_str(), seen.body), ("/v1/chat/completions", expected.clone()));
    assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
    expected["temperature"] = json!(0.5);
    assert_eq!(request_of(Api::ChatCompletions, warm.clone()).await.body, expected);

    let seen = request_of(Api::AnthropicMessages, conversation()).await;
    let mut expected = json!({
        "model": "model-1", "system": "Be brief.", "messages": messages, "stream": true, "max_tokens": 100,
        "metadata": {"user_id": "user-1"},
    });
    assert_eq!((seen.path.as_str(), seen.body), ("/v1/messages", expected.clone()));
    assert_eq!((seen.headers["x-api-key"].as_str(), seen.headers["anthropic-version"].as_str()), (KEY, "2023-06-01"));
    assert!(!seen.headers.contains_key("authorization"));
    expected["temperature"] = json!(0.5);
    assert_eq!(request_of(Api::AnthropicMessages, warm).await.body, expected);
}

#[tokio::test]
async fn what_is_not_given_is_not_sent() {
    for api in APIS {
        let fake = FakeLlm::start().await;
        let mut endpoint = fake.endpoint(api);
        endpoint.key = None;
        let heard = hear(patient().answer(&endpoint, Ask { instructions: None, ..hello() })).await;
        assert_eq!(heard.end, Ok(Finish::Complete));
        let seen = fake.requests().remove(0);
        assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("x-api-key"), "{api:?}");
        assert!(!seen.body.to_string().contains("system") && seen.body.get("instructions").is_none(), "{api:?}");
    }
}

#[tokio::test]
async fn turns_alternate_for_anthropic_and_begin_with_the_user() {
    use Speaker::{Assistant, User};
    let check = async |turns: &[(Speaker, &str)], expected: Value| {
        let turns = turns.iter().map(|(speaker, text)| turn(*speaker, text)).collect();
        assert_eq!(request_of(Api::AnthropicMessages, ask(turns)).await.body["messages"], expected);
    };
    let merged = json!([{"role": "user", "content": "a\n\nb"}, {"role": "assistant", "content": "c"}]);
    check(&[(User, "a"), (User, "b"), (Assistant, "c")], merged).await;
    check(&[(Assistant, "a"), (User, "b")], json!([{"role": "user", "content": "b"}])).await;
    check(&[(User, "a"), (Assistant, " \n"), (User, "b")], json!([{"role": "user", "content": "a\n\nb"}])).await;
}

#[tokio::test]
async fn usage_and_finish_are_those_of_the_provider() {
    let usage = TokenUsage { input: 100, cached: 60, cache_written: 20, output: 7 };
    for api in APIS {
        for finish in [Finish::Complete, Finish::Length, Finish::Refused] {
            let heard = answer_by(Script { usage, finish, ..Script::default() }, api).await;
            assert_eq!((heard.end, heard.usage), (Ok(finish), Some(usage)), "{api:?}");
            assert_eq!(heard.text, "Hello from the model.", "{api:?} {finish:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_may_take_long_if_it_goes_on() {
    let (idle, pause) = (Duration::from_millis(500), Duration::from_millis(150));
    let llm = Llm::new(Timeouts { idle, ..Timeouts::default() }).expect("a client");
    let fake = FakeLlm::start().await;
    fake.always(Script { pause, ..Script::default() });
    let endpoints = APIS.map(|api| fake.endpoint(api));
    let heard = endpoints.iter().map(|endpoint| hear(llm.answer(endpoint, hello())));
    for heard in futures::future::join_all(heard).await {
        assert_eq!((heard.end, heard.text.as_str()), (Ok(Finish::Complete), "Hello from the model."));
    }
}

#[tokio::test]
async fn a_dropped_answer_closes_the_provider_s_connection() {
    for api in APIS {
        let fake = FakeLlm::start().await;
        fake.script(Script { pause: Duration::from_secs(60), ..Script::default() });
        let mut answer = patient().answer(&fake.endpoint(api), hello());
        let arrived = async {
            while fake.requests().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = arrived => {}
            part = answer.next() => assert!(matches!(part, Some(Ok(_))), "{part:?}"),
        }
        drop(answer);
        let closed = async {
            while fake.abandoned() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(HANGING, closed).await.expect("the connection is closed");
    }
}

#[test]
fn base_urls_have_tls_unless_they_are_this_machine_s() {
    for (given, taken) in [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.anthropic.com/", "https://api.anthropic.com"),
        ("https://llm.example:8443/openai/v1//", "https://llm.example:8443/openai/v1"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
    ] {
        assert_eq!(base_url(given).as_deref(), Ok(taken), "{given}");
    }
    for refused in [
        "",
        "api.openai.com",
        "http://api.openai.com/v1",
        "ftp://api.openai.com/v1",
        "http://localhost.evil.example/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://10.0.0.1/v1",
        "https://user:password@api.openai.com/v1",
        "https://key@api.openai.com/v1",
        "https://api.openai.com/v1?key=x",
        "https://api.openai.com/v1#x",
        "https://api.openai.com:99999/v1",
        "https://api.openai.com/v 1",
        "https://evil.example\\@api.openai.com",
    ] {
        assert!(base_url(refused).is_err(), "{refused}");
    }
}
