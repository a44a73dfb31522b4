//! The baseline: what the embedded engine itself does for the very items of a create.
//!
//! One lead is posted to a whole system, and the transaction it makes is overheard. Transactions like it, with
//! fresh ids and addresses, then go straight to the engine: no HTTP, no SDK, no JSON, the same durable commits.

use crate::Result;
use crate::cases::{fresh_local_part, lead};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use daybook_domain::LeadId;
use daybook_jobs::mail::Outbox;
use daybook_local::{DEFAULT_ORG, Engine, Options, System};
use daybook_store::{Clock, Ids, Keyring};
use dynoxide::Database;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// How many transactions are made ready before the clock runs.
const BATCH: usize = 500;

/// The characters of an id behind its prefix.
const SUFFIX: usize = 26;

/// The characters of a SHA-256 in hexadecimal.
const HASH: usize = 64;

/// What the overheard lead is called, in a form that is found again in the transaction.
const LOCAL_PART: &str = "benchmarklead";
const REQUEST_ID: &str = "req_benchmarkbenchmarkbenchmarkbench";

/// An engine on a file, and a create to repeat.
pub struct Baseline {
    database: Database,
    transaction: String,
    /// What must be another in each transaction besides address and request.
    ids: BTreeSet<String>,
    once: String,
    fresh: Ids,
    /// How many items a create writes or checks.
    pub items: usize,
}

impl Baseline {
    /// An engine on a file in a folder, with the table of a system.
    pub fn prepare(folder: &Path, runtime: &Runtime) -> Result<Baseline> {
        let file = folder.join("engine.db");
        let transaction = runtime.block_on(overheard(&file))?;
        let once = once_in(&transaction).ok_or("the transaction holds no idempotency record")?;
        let mut baseline = Baseline {
            database: Database::new(&file.to_string_lossy())?,
            ids: ids_in(&transaction),
            once,
            transaction,
            fresh: Ids::new(Clock::System),
            items: 0,
        };
        baseline.items = baseline.request()?.transact_items.len();
        Ok(baseline)
    }

    /// Transactions a second: one after the other, each on disk before the next.
    pub fn run(&self, lasting: Duration) -> Result<f64> {
        let (mut done, mut spent) = (0, Duration::ZERO);
        while spent < lasting {
            let requests = (0..BATCH).map(|_| self.request()).collect::<Result<Vec<_>>>()?;
            let begun = Instant::now();
            for request in requests {
                self.database.transact_write_items(request)?;
            }
            spent += begun.elapsed();
            done += BATCH;
        }
        Ok(done as f64 / spent.as_secs_f64())
    }

    /// The next transaction: the overheard one with everything fresh that must be.
    fn request(&self) -> Result<TransactWriteItemsRequest> {
        let unique = self.fresh.next();
        let mut text = self
            .transaction
            .replace(LOCAL_PART, &fresh_local_part())
            .replace(REQUEST_ID, &format!("req_{}", unique.simple()))
            .replace(&self.once, &unique.simple().to_string().repeat(2));
        for id in &self.ids {
            let fresh = LeadId::new(self.fresh.next()).to_string();
            text = text.replace(id, &fresh[fresh.len() - SUFFIX..]);
        }
        let mut request: TransactWriteItemsRequest = serde_json::from_str(&text)?;
        // As the server's connector does: the engine would keep tokens, and walk all of them each time.
        request.client_request_token = None;
        Ok(request)
    }
}

/// The transaction that a posted lead becomes.
async fn overheard(file: &Path) -> Result<String> {
    let engine = Engine::open(file)?;
    let keys = Keyring::parse("bench:0123456789abcdef0123456789abcdef")?;
    let outbox = Outbox::in_memory(|| Clock::System.now());
    let ear = Ear { heard: Arc::default(), client: SharedHttpClient::new(engine.clone()) };
    let mut options = Options::new(engine, Clock::System, keys, outbox, file.with_extension("files"))?;
    options.client = SharedHttpClient::new(ear.clone());
    options.settings.rate_limits = false;
    let system = System::start(options).await?;
    let mut request = Request::post("/api/leads")
        .header("content-type", "application/json")
        .header("x-request-id", REQUEST_ID)
        .body(Body::from(lead(LOCAL_PART)))?;
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000))));
    let answer = system.app().oneshot(request).await?;
    if answer.status().as_u16() != 201 {
        return Err(format!("a posted lead was answered {}", answer.status()).into());
    }
    let heard = ear.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
    let transaction = heard.filter(|text| text.contains("lead_") && text.contains(LOCAL_PART));
    transaction.ok_or_else(|| "a posted lead made no transaction".into())
}

/// The ids in a transaction, without their prefixes; those of the organisation and its form stay what they are.
fn ids_in(transaction: &str) -> BTreeSet<String> {
    let organization = DEFAULT_ORG.to_string();
    let is_suffix = |text: &&str| {
        text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()) && !organization.ends_with(text)
    };
    let alone = |end: usize| !transaction.as_bytes().get(end).is_some_and(u8::is_ascii_alphanumeric);
    transaction
        .match_indices('_')
        .filter_map(|(at, _)| {
            let (begin, end) = (at + 1, at + 1 + SUFFIX);
            transaction.get(begin..end).filter(is_suffix).filter(|_| alone(end)).map(str::to_owned)
        })
        .collect()
}

/// The hash that the idempotency record is kept under.
fn once_in(transaction: &str) -> Option<String> {
    let (_, rest) = transaction.split_once("#once#")?;
    let hash = rest.get(..HASH)?;
    hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| hash.to_owned())
}

/// Stands between SDK and engine and keeps the last transaction.
#[derive(Clone, Debug)]
struct Ear {
    heard: Arc<Mutex<Option<String>>>,
    client: SharedHttpClient,
}

impl HttpClient for Ear {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Wire { heard: self.heard.clone(), inner })
    }
}

#[derive(Debug)]
struct Wire {
    heard: Arc<Mutex<Option<String>>>,
    inner: SharedHttpConnector,
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target.ends_with(".TransactWriteItems") {
            let body = request.body().bytes().and_then(|body| str::from_utf8(body).ok());
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = body.map(str::to_owned);
        }
        self.inner.call(request)
    }
}
