//! Other projects' clients of OpenAI's API, of the AI SDK's streams and of WebSockets, against the real server: `openai` for
//! Python and Node, LangChain, the AI SDK, and `websockets`. Where they aren't installed the test reports that and passes, unless
//! `LLM_CLIENTS=required`.

use crate::running::{Server, folder, register};
use daybook_testing::clients;
use daybook_testing::llm::{FakeLlm, Fault, KEY, Place, Script};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The offline provider's answer to "Hello".
const ANSWER: &str = "This is Daybook's offline assistant: no AI provider is configured. Characters in your message: 5. It \
                      reads: “Hello”";

/// How a program is called with the names of calls.
type Program = Box<dyn Fn() -> Command + Send>;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/clients")
}

fn python() -> Option<Program> {
    let python = clients::python("chat-clients", &scripts().join("requirements.txt"))?;
    Some(Box::new(move || {
        let mut command = Command::new(&python);
        command.arg(scripts().join("clients.py"));
        command
    }))
}

fn node() -> Option<Program> {
    let environment = clients::node("chat-clients-node", &scripts())?;
    let script = environment.join("clients.mjs");
    std::fs::copy(scripts().join("clients.mjs"), &script).expect("a copy");
    Some(Box::new(move || {
        let mut command = Command::new("node");
        command.arg(&script);
        command
    }))
}

/// Makes calls with a program, and compares what each returned.
async fn check(program: &Program, server: &Server, token: &str, expected: Vec<(&'static str, Value)>) {
    let mut command = program();
    command.args([server.url.as_str(), token]).args(expected.iter().map(|(call, _)| call));
    let printed = tokio::task::spawn_blocking(move || clients::run(&mut command)).await.expect("no panic");
    let outcomes: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(outcomes.len(), expected.len(), "{printed}");
    for ((call, expected), outcome) in expected.into_iter().zip(outcomes) {
        assert_eq!(outcome, expected, "{call}");
    }
}

async fn budget(server: &Server, token: &str, tokens: Value) {
    let body = json!({"organization": {"daily_tokens": tokens}});
    let call = reqwest::Client::new().put(format!("{}/api/ai/budgets", server.url)).bearer_auth(token).json(&body);
    assert!(call.send().await.expect("an answer").status().is_success());
}

/// A server with the offline provider, a model that breaks its answers off, and one that is slow.
async fn server(name: &str) -> (Server, String, PathBuf, [FakeLlm; 2]) {
    let (broken, slow) = (FakeLlm::start().await, FakeLlm::start().await);
    broken.always(Script { pause: Duration::from_millis(20), ..Script::failing(Place::Last, Fault::Cut) });
    slow.always(Script { pause: Duration::from_millis(40), ..Script::saying(&["word "; 40]) });
    let (data, address) = (folder(name), broken.base_url());
    let (servers, keys) = (format!("deepseek={}", slow.openai_base_url()), format!("deepseek={KEY}"));
    let variables = [
        ("ANTHROPIC_BASE_URL", address.as_str()),
        ("ANTHROPIC_API_KEY", KEY),
        ("AI_SERVERS", servers.as_str()),
        ("AI_SERVER_KEYS", keys.as_str()),
    ];
    let server = Server::start_with(&data, &variables);
    let token = register(&reqwest::Client::new(), &server.url).await;
    (server, token, data, [broken, slow])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_clients_of_openai_work_with_a_base_url_and_a_key() {
    let Some(program) = tokio::task::spawn_blocking(python).await.expect("no panic") else { return };
    let (server, token, data, _fakes) = server("python-clients").await;
    let completed = |finish: &str| json!({"text": ANSWER, "finish": finish, "model": "daybook-offline"});
    let raised = |name: &str, code: &str| json!({"raised": name, "code": code, "requests": 1});
    let langchain = json!({"text": ANSWER, "finish": "stop"});
    let expected = vec![
        ("chat", completed("stop")),
        ("chat_stream", completed("stop")),
        ("chat_helper", completed("stop")),
        ("response", completed("completed")),
        ("response_helper", completed("completed")),
        ("models", json!({"first": "daybook-default", "offline": true})),
        ("langchain", langchain.clone()),
        ("langchain_stream", langchain),
        ("socket", json!({"text": ANSWER, "first": "ack", "pong": "pong", "again": 401})),
        ("wrong_key", raised("AuthenticationError", "invalid_api_key")),
        ("unknown_model", raised("NotFoundError", "model_not_found")),
        ("wrong_field", raised("BadRequestError", "validation_error")),
        ("cut_stream", raised("APIError", "upstream_error")),
        ("cut_response", json!({"last": "response.failed", "code": "upstream_error"})),
    ];
    check(&program, &server, &token, expected).await;
    budget(&server, &token, json!(5)).await;
    let quota = raised("RateLimitError", "insufficient_quota");
    check(&program, &server, &token, vec![("budget", quota.clone()), ("budget_stream", quota)]).await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_clients_of_openai_and_the_ai_sdk_work_with_a_base_url_and_a_key() {
    let Some(program) = tokio::task::spawn_blocking(node).await.expect("no panic") else { return };
    let (server, token, data, _fakes) = server("node-clients").await;
    let completed = |finish: &str| json!({"text": ANSWER, "finish": finish, "model": "daybook-offline"});
    let sdk = json!({"text": ANSWER, "finish": "stop"});
    let resumed = json!({"begins": true, "longer": true, "same": true, "messages": 2, "after": 0});
    let conversation = json!({
        "asked": ["One", "Two", "Two!"], "parents": [null, 0, 1, 2, 1, 4, 4],
        "shown": ["user", "assistant", "user", "assistant"], "status": "ready",
    });
    let expected = vec![
        ("chat", completed("stop")),
        ("chat_helper", completed("stop")),
        ("response", completed("completed")),
        ("response_helper", completed("completed")),
        ("cut_stream", json!({"raised": "APIError", "code": "upstream_error", "requests": 1})),
        ("sdk", sdk.clone()),
        ("sdk_stream", sdk),
        ("sdk_chat_stream", json!({"text": ANSWER, "finish": "stop", "counted": true})),
        ("ui", json!({"text": ANSWER, "role": "assistant", "status": "ready", "run": "run_"})),
        ("ui_resume", resumed),
        ("ui_conversation", conversation),
        ("ui_refused", json!({"status": "error", "code": "unknown_model"})),
        ("ui_cut", json!({"status": "error", "kept": true, "told": true})),
    ];
    check(&program, &server, &token, expected).await;
    budget(&server, &token, json!(5)).await;
    let quota = json!({"raised": "RateLimitError", "code": "insufficient_quota", "requests": 1});
    check(&program, &server, &token, vec![("budget", quota)]).await;
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
