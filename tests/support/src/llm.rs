//! Fake providers of language models for tests: an HTTP server with OpenAI's Responses and Chat Completions and
//! Anthropic's Messages, streamed and whole, with scripted answers and injected faults.
//!
//! Shapes follow the providers' API references, and are checked with their own Python clients
//! (`tests/workers/fake_llm.rs`).

mod answer;
mod chat;
mod errors;
mod format;
mod messages;
mod plan;
mod responses;
mod script;
mod send;

pub use script::{Fault, Newline, Place, Refusal, Script, Split};

use crate::connection::{self, Reply, Request};
use answer::Answer;
use daybook_connectors::ai::AiProviders;
use daybook_connectors::llm::{Api, Endpoint, Timeouts};
use daybook_domain::Secret;
use format::Format;
use plan::Plan;
use send::Sent;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// The API key of [`FakeLlm::endpoint`]. The fake takes any key, and none.
pub const KEY: &str = "sk-test-0123456789";

/// A computed answer: the pieces of its text, from the body of the request.
type Answerer = Arc<dyn Fn(&Value) -> Vec<String> + Send + Sync>;

/// Providers of language models, and the server in front of them. Clones are the same server.
#[derive(Clone)]
pub struct FakeLlm {
    base_url: String,
    /// Where [`FakeLlm::providers`] have OpenAI.
    openai: String,
    state: Arc<Mutex<State>>,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The path.
    pub path: String,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; null where it is no JSON.
    pub body: Value,
}

#[derive(Default)]
struct State {
    scripts: VecDeque<Script>,
    standing: Script,
    answerer: Option<Answerer>,
    requests: Vec<Seen>,
    abandoned: usize,
}

impl fmt::Debug for FakeLlm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeLlm").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// The providers of a deployment without keys, whose models no server answers.
pub fn no_providers() -> AiProviders {
    let nowhere = |name: &str| name.ends_with("_BASE_URL").then(|| "http://127.0.0.1:9".to_owned());
    AiProviders::read(&nowhere, Timeouts::default()).expect("providers")
}

impl FakeLlm {
    /// A new server on a free port, until the runtime ends. Its answer is "Hello from the model."
    pub async fn start() -> FakeLlm {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let openai = format!("{base_url}/v1");
        let fake = FakeLlm { base_url, openai, state: Arc::default() };
        let served = fake.clone();
        tokio::spawn(connection::listen(listener, move |stream| send::converse(stream, served.clone())));
        fake
    }

    /// Its base URL for Anthropic's clients: scheme, host and port.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Its base URL for OpenAI's clients, with `/v1`.
    pub fn openai_base_url(&self) -> String {
        format!("{}/v1", self.base_url)
    }

    /// The same server, whose providers have OpenAI at another base URL.
    #[must_use]
    pub fn with_openai_at(&self, base_url: &str) -> FakeLlm {
        FakeLlm { openai: base_url.to_owned(), ..self.clone() }
    }

    /// The providers of a deployment whose models this fake answers, with a key each: OpenAI (Responses), Anthropic, and the
    /// compatible server `deepseek`. Time-outs are short.
    pub fn providers(&self) -> AiProviders {
        let value = |name: &str| match name {
            "OPENAI_BASE_URL" => Some(self.openai.clone()),
            "OPENAI_API" => Some("responses".to_owned()),
            "ANTHROPIC_BASE_URL" => Some(self.base_url()),
            "OPENAI_API_KEY" | "ANTHROPIC_API_KEY" => Some(KEY.to_owned()),
            "AI_SERVERS" => Some(format!("deepseek={}", self.openai_base_url())),
            "AI_SERVER_KEYS" => Some(format!("deepseek={KEY}")),
            _ => None,
        };
        let short = Duration::from_secs(2);
        AiProviders::read(&value, Timeouts { connect: short, first: short, idle: short }).expect("providers")
    }

    /// The fake as an endpoint with this wire format, and with [`KEY`].
    pub fn endpoint(&self, api: Api) -> Endpoint {
        let base_url = match api {
            Api::OpenAiResponses | Api::ChatCompletions => self.openai_base_url(),
            Api::AnthropicMessages | Api::Offline => self.base_url(),
        };
        Endpoint { api, base_url, key: Some(Secret::new(KEY.to_owned())) }
    }

    /// Plans the next answer: a text in these pieces.
    pub fn say(&self, pieces: &[&str]) {
        self.script(Script::saying(pieces));
    }

    /// Plans the answer of the next request without one.
    pub fn script(&self, script: Script) {
        self.state().scripts.push_back(script);
    }

    /// Sets the answer of all requests without a planned one.
    pub fn always(&self, script: Script) {
        self.state().standing = script;
    }

    /// Computes the answers of all requests without a planned one from their bodies, as a model that obeys an attacker
    /// would.
    pub fn answer_with(&self, answer: impl Fn(&Value) -> Vec<String> + Send + Sync + 'static) {
        self.state().answerer = Some(Arc::new(answer));
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.state().requests.clone()
    }

    /// The number of answers whose connection the client closed before their end.
    pub fn abandoned(&self) -> usize {
        self.state().abandoned
    }

    fn abandon(&self) {
        self.state().abandoned += 1;
    }

    /// The answer to a request.
    fn answer(&self, request: &Request) -> Sent {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let (script, number) = self.next(request, &body);
        let Some(format) = Format::of_path(&request.path) else {
            return Sent::Whole(Refusal::NoPath.reply(Format::ChatCompletions));
        };
        if let Some(message) = format.objection(request, &body) {
            return Sent::Whole(Refusal::BadRequest(message).reply(format));
        }
        if let Some((_, fault)) = &script.fault
            && let Some(reply) = plan::instead(fault, format)
        {
            return Sent::Whole(reply);
        }
        let answer = Answer::new(&script, &body, number);
        if body["stream"] == true {
            Sent::Streamed(Plan::of(&script, format, &answer))
        } else {
            Sent::Whole(Reply::json(200, &format.whole(&answer)))
        }
    }

    /// Records a request, and returns the script of its answer and its number.
    fn next(&self, request: &Request, body: &Value) -> (Script, usize) {
        let mut state = self.state();
        let seen = Seen { path: request.path.clone(), headers: request.headers.clone(), body: body.clone() };
        state.requests.push(seen);
        let number = state.requests.len();
        if let Some(script) = state.scripts.pop_front() {
            return (script, number);
        }
        let standing = state.standing.clone();
        let Some(answerer) = state.answerer.clone() else { return (standing, number) };
        // The closure may ask the fake for its requests.
        drop(state);
        (Script { pieces: answerer(body), ..standing }, number)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
