//! OpenAI's API: what its clients send and rely on. The clients themselves run in `infra/local/tests/server/clients.rs`.

use super::{assert_settled, long, only, text_at, with, world};
use daybook_testing::llm::{Fault, Place, Refusal, Script};
use daybook_testing::{Answer, Event, Person, World};
use serde_json::{Value, json};
use std::time::Duration;

const COMPLETIONS: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";

/// A question by an API.
fn question(path: &str) -> Value {
    match path {
        COMPLETIONS => json!({"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}]}),
        _ => json!({"model": "gpt-6-luna", "input": "Hi"}),
    }
}

fn streamed(path: &str) -> Value {
    with(question(path), json!({"stream": true}))
}

/// Expects an error in OpenAI's shape; returns what it says.
fn refused(answer: Answer, status: u16, code: &str) -> Value {
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (status, "application/json"),
        "{}",
        answer.text
    );
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    for member in ["message", "type", "code"] {
        assert!(error[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {error}");
    }
    assert!(error.as_object().expect("an object").contains_key("param"), "{error}");
    assert!(!answer.header("x-request-id").is_empty());
    error
}

/// The chunks of a stream, without its end.
fn chunks(events: &[Event]) -> Vec<Value> {
    let (last, chunks) = events.split_last().expect("events");
    assert_eq!(last.data, "[DONE]");
    assert!(events.iter().all(|event| event.name == "message"), "a chunk with a name: {events:?}");
    chunks.iter().map(|event| event.data.clone()).collect()
}

async fn key_of(owner: &Person, world: &World) -> Person {
    let body = json!({"name": "LangChain", "permissions": ["ai:use"]});
    let made = owner.post("/api/api-keys", body).await.expect(201).data();
    world.visitor().with_token(&text_at(&made, "key"))
}

#[tokio::test]
async fn a_completion_has_what_clients_read() {
    let (world, fake) = world().await;
    let key = key_of(&world.owner().await, &world).await;
    let answer = key.post(COMPLETIONS, question(COMPLETIONS)).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = answer.json();
    assert_eq!((&answer["object"], &answer["model"]), (&json!("chat.completion"), &json!("gpt-6-luna")));
    assert!(text_at(&answer, "id").starts_with("chatcmpl-") && answer["created"].is_i64(), "{answer}");
    let message = json!({"role": "assistant", "content": "Hello from the model.", "refusal": null});
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"});
    assert_eq!(answer["choices"], json!([choice]));
    let usage = &answer["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"], &usage["total_tokens"]),
        (&json!(12), &json!(6), &json!(18))
    );
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_streamed_completion_begins_with_the_role_and_ends_with_a_reason_and_the_usage_once() {
    let (world, _fake) = world().await;
    let key = key_of(&world.owner().await, &world).await;
    for include_usage in [true, false] {
        let body = with(streamed(COMPLETIONS), json!({"stream_options": {"include_usage": include_usage}}));
        let chunks = chunks(&key.post(COMPLETIONS, body).events().await.rest().await);
        assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["choices"].is_array()));
        assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
        assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
        let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, "Hello from the model.");
        let reasons: Vec<&Value> =
            chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).filter(|r| !r.is_null()).collect();
        assert_eq!(reasons, ["stop"]);
        let usages: Vec<&Value> = chunks.iter().filter(|chunk| !chunk["usage"].is_null()).collect();
        assert_eq!(usages.len(), usize::from(include_usage));
        if include_usage {
            let last = chunks.last().expect("a chunk");
            assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(18)));
        }
    }
}

#[tokio::test]
async fn a_response_has_what_clients_read() {
    let (world, _fake) = world().await;
    let key = key_of(&world.owner().await, &world).await;
    let answer = key.post(RESPONSES, question(RESPONSES)).await.expect(200).json();
    assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")));
    let item = &answer["output"][0];
    assert_eq!(
        (&item["type"], &item["role"], &item["status"]),
        (&json!("message"), &json!("assistant"), &json!("completed"))
    );
    assert_eq!(item["content"][0]["text"], "Hello from the model.");
    assert_eq!(answer["usage"]["total_tokens"], 18);
}

#[tokio::test]
async fn a_streamed_response_is_numbered_and_ends_with_the_whole() {
    let (world, _fake) = world().await;
    let key = key_of(&world.owner().await, &world).await;
    let events = key.post(RESPONSES, streamed(RESPONSES)).events().await.rest().await;
    let numbers: Vec<u64> = events.iter().filter_map(|event| event.data["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.data["type"] == event.name.as_str()));
    assert_eq!(events[0].name, "response.created");
    let text: String = events
        .iter()
        .filter(|event| event.name == "response.output_text.delta")
        .map(|event| text_at(&event.data, "delta"))
        .collect();
    assert_eq!(text, "Hello from the model.");
    assert_eq!(only(&events, "response.output_text.done")["text"], text.as_str());
    let (added, done) = (only(&events, "response.output_item.added"), only(&events, "response.output_item.done"));
    assert_eq!(added["item"]["id"], done["item"]["id"]);
    let last = events.last().expect("an event");
    assert_eq!((last.name.as_str(), &last.data["response"]["output"][0]), ("response.completed", &done["item"]));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_by_its_limit_says_so() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let cut = Script { finish: daybook_connectors::llm::Finish::Length, ..Script::default() };
    fake.always(cut);
    let answer = owner.post(COMPLETIONS, question(COMPLETIONS)).await.expect(200).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let answer = owner.post(RESPONSES, question(RESPONSES)).await.expect(200).json();
    assert_eq!(
        (&answer["status"], &answer["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let events = owner.post(RESPONSES, streamed(RESPONSES)).events().await.rest().await;
    assert_eq!(events.last().expect("an event").name, "response.incomplete");
}

#[tokio::test]
async fn instructions_of_clients_come_below_the_organisation_s_own() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    owner.put("/api/ai/budgets", json!({"instructions": "Be brief."})).await.expect(200);
    let messages = json!([
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]},
        {"role": "assistant", "content": null, "tool_calls": []},
        {"role": "assistant", "content": "Yes?"},
        {"role": "assistant", "content": "Well?", "name": "bot"},
        {"role": "developer", "content": "Rhyme."},
        {"role": "user", "content": "Go on"},
    ]);
    let body =
        json!({"model": "deepseek-flash", "messages": messages, "tools": [], "parallel_tool_calls": true, "seed": 7});
    owner.post(COMPLETIONS, body).await.expect(200);
    let sent = fake.requests().pop().expect("a request").body["messages"].clone();
    let expected = json!([
        {"role": "system", "content": "Be brief.\n\nYou are a pirate.\n\nRhyme."},
        {"role": "user", "content": "Hi\nthere"},
        {"role": "assistant", "content": "Yes?\n\nWell?"},
        {"role": "user", "content": "Go on"},
    ]);
    assert_eq!(sent, expected);
    let items = json!([{"role": "developer", "content": "Rhyme."}, {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go"}]}]);
    let body = json!({"model": "deepseek-flash", "input": items, "instructions": "Sing."});
    owner.post(RESPONSES, body).await.expect(200);
    let sent = fake.requests().pop().expect("a request").body["messages"].clone();
    assert_eq!(sent[0]["content"], "Be brief.\n\nSing.\n\nRhyme.");
}

#[tokio::test]
async fn models_are_listed_under_two_names_and_each_of_them_answers() {
    let (world, fake) = world().await;
    let key = key_of(&world.owner().await, &world).await;
    let list = key.get("/v1/models").await.expect(200).json();
    let ids: Vec<&str> =
        list["data"].as_array().expect("a list").iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!((&list["object"], ids[0]), (&json!("list"), "daybook-default"));
    for name in ["daybook-default", "daybook-gpt-6-luna", "gpt-6-luna"] {
        assert!(ids.contains(&name), "{name} isn't in {ids:?}");
        assert_eq!(key.get(&format!("/v1/models/{name}")).await.expect(200).json()["id"], name);
        let answer =
            key.post(COMPLETIONS, with(question(COMPLETIONS), json!({"model": name}))).await.expect(200).json();
        assert_eq!(answer["model"], name);
    }
    let asked: Vec<Value> = fake.requests().into_iter().map(|request| request.body["model"].clone()).collect();
    assert_eq!(asked, ["claude-sonnet-5-5", "gpt-6-luna", "gpt-6-luna"]);
    refused(key.get("/v1/models/gpt-99").await, 404, "model_not_found");
}

#[tokio::test]
async fn errors_have_openai_s_shape_and_codes() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    for path in [COMPLETIONS, RESPONSES] {
        refused(world.visitor().post(path, question(path)).await, 401, "invalid_api_key");
        let unknown =
            refused(owner.post(path, with(question(path), json!({"model": "gpt-99"}))).await, 404, "model_not_found");
        assert!(text_at(&unknown, "message").contains("gpt-99"), "{unknown}");
        let hot =
            refused(owner.post(path, with(question(path), json!({"temperature": 3}))).await, 400, "validation_error");
        assert_eq!(hot["param"], "temperature");
        refused(owner.post(path, json!({"model": "gpt-6-luna"})).await, 400, "validation_error");
        refused(owner.post(path, json!([])).await, 400, "validation_error");
        refused(owner.call(axum::http::Method::POST, path).body("application/json", "{").await, 400, "malformed");
        refused(owner.get(path).await, 405, "method_not_allowed");
    }
    refused(owner.get("/v1/files").await, 404, "not_found");
    for (more, param) in [
        (json!({"n": 2}), "n"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "tool", "content": "5", "tool_call_id": "1"}]}), "messages/0/role"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
            "messages/0/content/0",
        ),
        (json!({"messages": [{"role": "user", "content": 5}]}), "messages/0/content"),
        (
            json!({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}),
            "messages/1/role",
        ),
        (json!({"max_completion_tokens": 0}), "max_completion_tokens"),
        (json!({"max_tokens": 0}), "max_tokens"),
    ] {
        let told =
            refused(owner.post(COMPLETIONS, with(question(COMPLETIONS), more.clone())).await, 400, "validation_error");
        assert_eq!(told["param"], param, "{more}");
    }
    for (more, param) in [
        (json!({"previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"conversation": {"id": "conv_1"}}), "conversation"),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"input": " "}), "input"),
        (json!({"instructions": "x".repeat(8_001)}), "instructions"),
        (
            json!({"input": [{"role": "developer", "content": "A"}, {"role": "user", "content": " "}]}),
            "input/1/content",
        ),
        (json!({"input": [{"type": "function_call_output", "output": "5"}]}), "input/0"),
    ] {
        let told =
            refused(owner.post(RESPONSES, with(question(RESPONSES), more.clone())).await, 400, "validation_error");
        assert_eq!(told["param"], param, "{more}");
    }
    assert!(fake.requests().is_empty(), "a wrong request reached a model");
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_budget_is_a_quota_that_clients_don_t_try_again() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    owner.put("/api/ai/budgets", json!({"organization": {"daily_tokens": 5}})).await.expect(200);
    for path in [COMPLETIONS, RESPONSES] {
        for body in [question(path), streamed(path)] {
            let answer = owner.post(path, body).await;
            assert_eq!(answer.header("x-should-retry"), "false");
            refused(answer, 429, "insufficient_quota");
        }
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_model_that_fails_before_its_first_text_is_told_by_the_status() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(Script::failing(Place::First, Fault::Refusal(Refusal::BadKey)));
    for path in [COMPLETIONS, RESPONSES] {
        for body in [question(path), streamed(path)] {
            refused(owner.post(path, body).await, 502, "upstream_error");
        }
    }
    assert_settled(&owner).await;
}

#[tokio::test]
async fn a_model_that_fails_within_a_stream_ends_it_with_an_error_and_nothing_after() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    fake.always(Script { pause: Duration::from_millis(5), ..Script::failing(Place::Last, Fault::Cut) });
    let events = owner.post(COMPLETIONS, streamed(COMPLETIONS)).events().await.rest().await;
    let last = events.last().expect("an event");
    assert_eq!((last.name.as_str(), &last.data["error"]["code"]), ("message", &json!("upstream_error")), "{events:?}");
    assert!(events.iter().all(|event| event.data != "[DONE]"), "{events:?}");
    let events = owner.post(RESPONSES, streamed(RESPONSES)).events().await.rest().await;
    let last = events.last().expect("an event");
    assert_eq!((last.name.as_str(), &last.data["response"]["status"]), ("response.failed", &json!("failed")));
    assert!(events.iter().all(|event| event.name != "error"), "clients throw at events of this name: {events:?}");
    assert_settled(&owner).await;
}

#[tokio::test]
async fn an_answer_is_stopped_when_its_client_is_gone() {
    for path in [COMPLETIONS, RESPONSES] {
        let (world, fake) = world().await;
        let owner = world.owner().await;
        fake.always(long());
        let mut events = owner.post(path, streamed(path)).events().await;
        events.some(6).await;
        drop(events);
        let whole =
            Box::pin(tokio::time::timeout(Duration::from_millis(300), owner.post(path, question(path)).into_future()));
        assert!(whole.await.is_err(), "the answer was complete at once");
        // Both are settled long before their six seconds are over.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(3);
        loop {
            let used = owner.get("/api/ai/usage").await.expect(200).data();
            if used[0]["answers"] == 2 {
                let output = used[0]["output"].as_u64().expect("a number");
                assert!(output > 0 && output < 60, "{used}");
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{used}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_settled(&owner).await;
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_with_its_key_is_answered_once() {
    let (world, fake) = world().await;
    let owner = world.owner().await;
    let first = owner.post(COMPLETIONS, question(COMPLETIONS)).key("again").await.expect(200).json();
    let second = owner.post(COMPLETIONS, question(COMPLETIONS)).key("again").await.expect(200).json();
    assert_eq!((&first["id"], &first["choices"], fake.requests().len()), (&second["id"], &second["choices"], 1));
}

#[tokio::test]
async fn nothing_of_a_question_is_kept_or_journaled() {
    let (world, _fake) = world().await;
    let owner = world.owner().await;
    let body =
        json!({"messages": [{"role": "system", "content": "SECRET-1"}, {"role": "user", "content": "SECRET-2"}]});
    owner.post(COMPLETIONS, body).await.expect(200);
    owner.post(RESPONSES, json!({"input": "SECRET-3", "instructions": "SECRET-4"})).await.expect(200);
    assert!(super::listed(&owner, "/api/conversations").await.is_empty());
    let journal =
        serde_json::to_string(&owner.get("/api/audit-logs?limit=200").await.expect(200).json()).expect("JSON");
    assert!(journal.contains("message.answer_started") && !journal.contains("SECRET"), "{journal}");
}
