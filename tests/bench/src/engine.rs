//! The baseline: the throughput of the table alone with the items of a lead's creation.
//!
//! One lead is posted to a whole system, and its transaction is recorded. Transactions like it, with
//! fresh ids and addresses, then go directly to a separate table: no HTTP, no planning, the same durable commits.

use crate::Result;
use crate::cases::{fresh_local_part, lead};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use daybook_domain::LeadId;
use daybook_embedded::{Durability, Local};
use daybook_jobs::mail::Outbox;
use daybook_local::{DEFAULT_ORG, Options, System};
use daybook_store::condition::{Change, Condition};
use daybook_store::engine::{Act, Action, Engine, Failure, Part, QueryAsk, QueryPage};
use daybook_store::item::{AttributeValue, Item};
use daybook_store::schema::{Key, Range};
use daybook_store::{Clock, Ids, Keyring};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// The number of transactions prepared before the measurement starts.
const BATCH: usize = 500;

/// The characters of an id behind its prefix.
const SUFFIX: usize = 26;

/// The characters of a SHA-256 in hexadecimal.
const HASH: usize = 64;

/// The name of the recorded lead, as it appears in the transaction.
const LOCAL_PART: &str = "benchmarklead";
const REQUEST_ID: &str = "req_benchmarkbenchmarkbenchmarkbench";

/// A table in a folder, and a create to repeat.
pub struct Baseline {
    table: Local,
    transaction: Vec<Action>,
    /// The ids that must be different in each transaction, besides address and request.
    ids: BTreeSet<String>,
    once: String,
    fresh: Ids,
    /// The number of items that a create writes or checks.
    pub items: usize,
}

impl Baseline {
    /// A table in a folder, as the server opens it.
    pub fn prepare(folder: &Path, runtime: &Runtime) -> Result<Baseline> {
        let table = Local::open(&folder.join("engine"), Durability::default())?;
        let transaction = runtime.block_on(overheard(table.clone(), folder))?;
        let text = format!("{transaction:?}");
        let once = once_in(&text).ok_or("the transaction holds no idempotency record")?;
        let (ids, items) = (ids_in(&text), transaction.len());
        Ok(Baseline { table, ids, once, transaction, fresh: Ids::new(Clock::System), items })
    }

    /// Transactions a second, one after the other.
    pub async fn run(&self, lasting: Duration) -> Result<f64> {
        let (mut done, mut spent) = (0, Duration::ZERO);
        while spent < lasting {
            let all: Vec<Vec<Action>> = (0..BATCH).map(|_| self.next()).collect();
            let begun = Instant::now();
            for actions in all {
                let written = self.table.transact(&actions).await;
                written.map_err(|failure| format!("a transaction failed: {failure:?}"))?;
            }
            spent += begun.elapsed();
            done += BATCH;
        }
        Ok(done as f64 / spent.as_secs_f64())
    }

    /// The next transaction: the recorded one with fresh ids and addresses.
    fn next(&self) -> Vec<Action> {
        let unique = self.fresh.next();
        let mut pairs = vec![
            (LOCAL_PART.to_owned(), fresh_local_part()),
            (REQUEST_ID.to_owned(), format!("req_{}", unique.simple())),
            (self.once.clone(), unique.simple().to_string().repeat(2)),
        ];
        for id in &self.ids {
            let fresh = LeadId::new(self.fresh.next()).to_string();
            pairs.push((id.clone(), fresh[fresh.len() - SUFFIX..].to_owned()));
        }
        let fresh = |text: &str| pairs.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
        self.transaction.iter().map(|action| retold(action, &fresh)).collect()
    }
}

/// An action with a function applied to each of its texts.
fn retold(action: &Action, fresh: &dyn Fn(&str) -> String) -> Action {
    let key = Key { pk: fresh(&action.key.pk), sk: fresh(&action.key.sk) };
    let act = match &action.act {
        Act::Put(item) => Act::Put(item.iter().map(|(name, value)| (name.clone(), value_of(value, fresh))).collect()),
        Act::Update(update) => {
            let mut update = update.clone();
            for (_, change) in &mut update.changes {
                if let Change::Set(value) | Change::SetIfAbsent(value) = change {
                    *value = value_of(value, fresh);
                }
            }
            Act::Update(update)
        }
        other => other.clone(),
    };
    Action { key, act, condition: condition_of(&action.condition, fresh) }
}

fn value_of(value: &AttributeValue, fresh: &dyn Fn(&str) -> String) -> AttributeValue {
    match value {
        AttributeValue::S(text) => AttributeValue::S(fresh(text)),
        AttributeValue::L(list) => AttributeValue::L(list.iter().map(|value| value_of(value, fresh)).collect()),
        other => other.clone(),
    }
}

fn condition_of(condition: &Condition, fresh: &dyn Fn(&str) -> String) -> Condition {
    let all = |all: &[Condition]| all.iter().map(|one| condition_of(one, fresh)).collect();
    match condition {
        Condition::Equal(name, value) => Condition::Equal(name.clone(), value_of(value, fresh)),
        Condition::All(conditions) => Condition::All(all(conditions)),
        Condition::Any(conditions) => Condition::Any(all(conditions)),
        other => other.clone(),
    }
}

/// The transaction of a posted lead.
async fn overheard(table: Local, folder: &Path) -> Result<Vec<Action>> {
    let keys = Keyring::parse("bench:0123456789abcdef0123456789abcdef")?;
    let outbox = Outbox::in_memory(|| Clock::System.now());
    let ear = Arc::new(Ear { heard: Mutex::default(), inner: table });
    let mut options = Options::new(ear.clone(), Clock::System, keys, outbox, folder.join("files"))?;
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
    let heard = std::mem::take(&mut *ear.heard.lock().unwrap_or_else(PoisonError::into_inner));
    match format!("{heard:?}").contains(LOCAL_PART) {
        true => Ok(heard),
        false => Err("a posted lead made no transaction".into()),
    }
}

/// The ids in a transaction, without prefixes, except those of the organisation and its form.
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

/// The hash in the key of the idempotency record.
fn once_in(transaction: &str) -> Option<String> {
    let (_, rest) = transaction.split_once("#once#")?;
    let hash = rest.get(..HASH)?;
    hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| hash.to_owned())
}

/// An engine that records the last transaction between the store and the table.
#[derive(Debug)]
struct Ear {
    heard: Mutex<Vec<Action>>,
    inner: Local,
}

impl Engine for Ear {
    fn get<'a>(&'a self, keys: &'a [Key], part: Part) -> BoxFuture<'a, daybook_store::Result<Vec<Item>>> {
        self.inner.get(keys, part)
    }

    fn query<'a>(&'a self, range: &'a Range, ask: QueryAsk) -> BoxFuture<'a, daybook_store::Result<QueryPage>> {
        self.inner.query(range, ask)
    }

    fn write<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, std::result::Result<Item, Failure>> {
        self.inner.write(action)
    }

    fn transact<'a>(&'a self, actions: &'a [Action]) -> BoxFuture<'a, std::result::Result<(), Failure>> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = actions.to_vec();
        self.inner.transact(actions).boxed()
    }
}
