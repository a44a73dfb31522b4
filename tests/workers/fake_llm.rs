//! Tests of the fake providers of language models: the providers' own Python clients understand its answers and errors.
//!
//! Where they aren't installed the test reports that and passes, unless `LLM_CLIENTS=required`.

use daybook_connectors::llm::{Finish, TokenUsage};
use daybook_testing::clients;
use daybook_testing::llm::{FakeLlm, Fault, Newline, Place, Refusal, Script, Split};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A call of a client, by its name in `clients.py`, the script of its answer, and what it returns or raises.
struct Case {
    call: &'static str,
    script: Script,
    expected: Value,
}

/// A client for one of the formats.
struct Client {
    /// Its calls: for a whole answer, for a streamed one, and by its helper for streams.
    calls: [&'static str; 3],
    /// Its names of the ends of answers: complete, too long, refused.
    ends: [(Finish, &'static str); 3],
    /// Its exceptions for refused requests, with statuses and codes.
    exceptions: [(Refusal, &'static str, u16, Option<&'static str>); 8],
    /// What it makes of an error event in a stream.
    of_event: Value,
    /// Its exception for a connection that breaks in a stream.
    of_cut: &'static str,
}

fn all_clients() -> [Client; 3] {
    let limited = || Refusal::RateLimited { retry_after: Some(1) };
    let malformed = || Refusal::BadRequest("Malformed.".to_owned());
    let openai = || {
        [
            (limited(), "RateLimitError", 429, Some("rate_limit_exceeded")),
            (Refusal::Quota, "RateLimitError", 429, Some("insufficient_quota")),
            (Refusal::Internal, "InternalServerError", 500, None),
            (Refusal::Unavailable, "InternalServerError", 503, None),
            (Refusal::Overloaded, "InternalServerError", 529, None),
            (Refusal::BadKey, "AuthenticationError", 401, Some("invalid_api_key")),
            (Refusal::NoModel, "NotFoundError", 404, Some("model_not_found")),
            (malformed(), "BadRequestError", 400, None),
        ]
    };
    let anthropic = [
        (limited(), "RateLimitError", 429, None),
        (Refusal::Quota, "EnforcedSpendLimitReachedError", 429, Some("enforced_spend_limit_reached")),
        (Refusal::Internal, "InternalServerError", 500, None),
        (Refusal::Unavailable, "ServiceUnavailableError", 503, None),
        (Refusal::Overloaded, "OverloadedError", 529, None),
        (Refusal::BadKey, "AuthenticationError", 401, None),
        (Refusal::NoModel, "NotFoundError", 404, None),
        (malformed(), "BadRequestError", 400, None),
    ];
    let ends = |names: [&'static str; 3]| {
        let [complete, length, refused] = names;
        [(Finish::Complete, complete), (Finish::Length, length), (Finish::Refused, refused)]
    };
    [
        Client {
            calls: ["responses", "responses_stream", "responses_helper"],
            ends: ends(["completed", "max_output_tokens", "completed"]),
            exceptions: openai(),
            of_event: json!({"error": "error event", "status": null, "code": "server_error"}),
            of_cut: "APIConnectionError",
        },
        Client {
            calls: ["chat", "chat_stream", "chat_helper"],
            ends: ends(["stop", "length", "content_filter"]),
            exceptions: openai(),
            of_event: json!({"error": "APIError", "status": null, "code": null}),
            of_cut: "APIConnectionError",
        },
        Client {
            calls: ["messages", "messages_stream", "messages_helper"],
            ends: ends(["end_turn", "max_tokens", "refusal"]),
            exceptions: anthropic,
            of_event: json!({"error": "APIStatusError", "status": 200, "code": null}),
            of_cut: "RemoteProtocolError",
        },
    ]
}

impl Client {
    fn cases(self) -> Vec<Case> {
        let [whole, streamed, helper] = self.calls;
        let usage = TokenUsage { input: 12, cached: 4, cache_written: 2, output: 6 };
        let said = |finish: &str| json!({"text": "Hello from the model.", "finish": finish, "input": 12, "output": 6});
        let script = Script { usage, ..Script::default() };
        let mut cases = Vec::new();
        for (finish, name) in self.ends {
            let expected = said(name);
            // Helpers of OpenAI's client raise exceptions for answers that aren't complete.
            let calls = if finish == Finish::Complete { self.calls.to_vec() } else { vec![whole, streamed] };
            let script = Script { finish, ..script.clone() };
            let case = |call| Case { call, script: script.clone(), expected: expected.clone() };
            cases.extend(calls.into_iter().map(case));
        }
        let divided = Script { newline: Newline::Crlf, comments: true, split: Split::Every(1), ..script };
        cases.push(Case { call: streamed, script: divided, expected: said(self.ends[0].1) });
        for (refusal, error, status, code) in self.exceptions {
            let expected = json!({"error": error, "status": status, "code": code});
            let script = Script::failing(Place::First, Fault::Refusal(refusal));
            cases.extend(self.calls.map(|call| Case { call, script: script.clone(), expected: expected.clone() }));
        }
        let event = Script::failing(Place::Middle, Fault::ErrorEvent(Refusal::Overloaded));
        cases.push(Case { call: streamed, script: event, expected: self.of_event });
        for call in [streamed, helper] {
            let expected = json!({"error": self.of_cut, "status": null, "code": null});
            cases.push(Case { call, script: Script::failing(Place::Middle, Fault::Cut), expected });
        }
        cases
    }
}

#[tokio::test]
async fn the_providers_own_clients_understand_the_fake() {
    let installed = || clients::python("llm-clients", &folder().join("requirements.txt"));
    let Some(python) = tokio::task::spawn_blocking(installed).await.expect("no panic") else { return };
    let fake = FakeLlm::start().await;
    let cases: Vec<Case> = all_clients().into_iter().flat_map(Client::cases).collect();
    for case in &cases {
        fake.script(case.script.clone());
    }
    let mut command = Command::new(python);
    command.arg(folder().join("clients.py")).arg(fake.base_url()).args(cases.iter().map(|case| case.call));
    let printed = tokio::task::spawn_blocking(move || clients::run(&mut command)).await.expect("no panic");
    let outcomes: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(outcomes.len(), cases.len(), "{printed}");
    for (case, outcome) in cases.iter().zip(outcomes) {
        assert_eq!(outcome, case.expected, "{} with {:?}", case.call, case.script);
    }
    assert_eq!(fake.requests().len(), cases.len(), "a client repeated a request");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workers/fake_llm")
}
