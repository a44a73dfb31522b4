//! A server that is killed while answers of the AI stream.

use crate::running::{Server, folder, get, register};
use daybook_testing::llm::{FakeLlm, KEY, Script};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The number of answers in progress.
const RUNS: usize = 20;

/// The text of each answer.
const PIECE: &str = "word ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_while_twenty_answers_stream_ends_each_of_them_with_the_text_that_stands() {
    let fake = FakeLlm::start().await;
    fake.always(Script { pause: Duration::from_millis(50), ..Script::saying(&[PIECE; 200]) });
    let data = folder("chat");
    let address = fake.base_url();
    let environment = [("ANTHROPIC_BASE_URL", address.as_str()), ("ANTHROPIC_API_KEY", KEY), ("RATE_LIMITS", "off")];
    let server = Server::start_with(&data, &environment);
    let client = reqwest::Client::new();
    let token = register(&client, &server.url).await;
    let mut ids = Vec::new();
    for _ in 0..RUNS {
        let made = client.post(format!("{}/api/conversations", server.url)).bearer_auth(&token).json(&json!({}));
        let made: Value = made.send().await.expect("an answer").json().await.expect("JSON");
        ids.push(made["data"]["id"].as_str().expect("an id").to_owned());
    }
    let asking: Vec<_> = ids
        .iter()
        .map(|id| {
            let body = json!({
                "messages": [{"role": "user", "content": "Go on"}], "conversation_id": id, "model": "claude-haiku-5-5",
                "stream": true,
            });
            let call = client.post(format!("{}/api/chat", server.url)).bearer_auth(&token).json(&body);
            tokio::spawn(async move { call.send().await.is_ok_and(|answer| answer.status().is_success()) })
        })
        .collect();
    for asked in asking {
        assert!(asked.await.expect("no panic"), "a question wasn't answered");
    }
    // Long enough for a flush of each.
    sleep(Duration::from_millis(1_200)).await;
    server.kill();

    let server = Server::start_with(&data, &environment);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut output = 0;
    for id in &ids {
        let answer = loop {
            let list = get(&client, &format!("{}/api/conversations/{id}/messages", server.url), Some(&token)).await;
            let last = list["data"].as_array().expect("a list").last().expect("a message").clone();
            if last["role"] == "assistant" && last["status"] != "streaming" {
                break last;
            }
            assert!(Instant::now() < deadline, "an answer doesn't end: {last}");
            sleep(Duration::from_millis(200)).await;
        };
        let text = answer["content"].as_str().expect("a text");
        assert_eq!(answer["status"], "error");
        assert!(!text.is_empty() && PIECE.repeat(200).starts_with(text), "{text:?}");
        output += answer["usage"]["output"].as_u64().expect("a number");
        let shown = get(&client, &format!("{}/api/conversations/{id}", server.url), Some(&token)).await;
        assert_eq!((&shown["data"]["run_id"], &shown["data"]["message_count"]), (&Value::Null, &json!(2)));
    }
    let usage = get(&client, &format!("{}/api/ai/usage", server.url), Some(&token)).await;
    let budgets = get(&client, &format!("{}/api/ai/budgets", server.url), Some(&token)).await;
    let used = &usage["data"][0];
    assert_eq!((used["output"].as_u64(), used["answers"].as_u64()), (Some(output), Some(RUNS as u64)));
    let tokens = used["input"].as_u64().expect("a number") + output;
    assert_eq!(budgets["data"]["spent"]["daily_tokens"].as_u64(), Some(tokens), "what is held was returned");
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
