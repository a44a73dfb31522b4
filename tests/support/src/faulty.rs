//! An engine with injected faults: calls fail as they do over a network, and are retried as the SDK does.

use crate::faults::{Fault, Faults, Right};
use crate::stale::Lag;
use daybook_store::engine::{Act, Action, Engine, Failure, Part, QueryAsk, QueryPage};
use daybook_store::item::Item;
use daybook_store::schema::{Key, Range};
use daybook_store::{Error, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;

/// The number of tries of a call; the SDK tries all calls but transactions three times.
const TRIES: usize = 3;

/// An engine with injected faults.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub inner: Arc<dyn Engine>,
    pub faults: Faults,
    /// Whether the faults are injected on the wire, below the SDK, rather than here.
    pub on_the_wire: bool,
}

/// The failure of a call whose connection broke.
fn broken() -> Failure {
    Failure::OutcomeUnknown("the connection broke".into())
}

impl Faulty {
    /// Makes a call, with its planned fault if there is one; returns the outcome.
    async fn call<'r, T: Send>(
        &'r self,
        operation: &'static str,
        tries: usize,
        run: impl Fn() -> BoxFuture<'r, Result<T, Failure>> + Send + Sync,
    ) -> Result<T, Failure> {
        if self.on_the_wire {
            return run().await;
        }
        let mut failure = broken();
        for _ in 0..tries {
            let fault = self.faults.next(operation);
            if fault.is_none() {
                self.faults.travel(operation).await;
            }
            failure = match fault {
                None => return run().await,
                Some(Fault::Before) => broken(),
                Some(Fault::AnswerLost) => {
                    let _ = run().await;
                    Failure::OutcomeUnknown("the answer was lost".into())
                }
                Some(Fault::Throttled) => Failure::Busy("slow down".into()),
                Some(Fault::ServerError) => Failure::OutcomeUnknown("oops".into()),
                Some(Fault::Conflict) if is_read(operation) => broken(),
                Some(Fault::Conflict) => {
                    return Err(Failure::Contended("a transaction is ongoing for the item".into()));
                }
            };
        }
        Err(failure)
    }

    /// The items before a write changes them; read only while indexes lag behind.
    async fn noted(&self, actions: &[Action]) -> Option<(Vec<Key>, Vec<Item>)> {
        self.faults.lagging()?;
        let keys: Vec<Key> =
            actions.iter().filter(|action| action.act != Act::Check).map(|action| action.key.clone()).collect();
        let old = self.inner.get(&keys, Part::Whole).await.expect("what a write changes");
        Some((keys, old))
    }

    fn note<T>(&self, noted: Option<(Vec<Key>, Vec<Item>)>, done: &Result<T, Failure>) {
        if let (Some((keys, old)), Ok(_)) = (noted, done) {
            self.faults.with_lag(|lag| lag.note(keys, old));
        }
    }
}

fn is_read(operation: &str) -> bool {
    matches!(operation, "GetItem" | "BatchGetItem" | "Query")
}

/// DynamoDB's name of a single action.
fn name_of(act: &Act) -> &'static str {
    match act {
        Act::Put(_) => "PutItem",
        Act::Update(_) => "UpdateItem",
        Act::Delete => "DeleteItem",
        Act::Check => "ConditionCheckItem",
    }
}

fn right(name: &str) -> Right {
    (format!("dynamodb:{name}"), None)
}

fn failure_of(error: Error) -> Failure {
    match error {
        Error::Internal { source, .. } => Failure::Invalid(source),
        error => Failure::OutcomeUnknown(error.into()),
    }
}

impl Engine for Faulty {
    fn get<'a>(&'a self, keys: &'a [Key], part: Part) -> BoxFuture<'a, Result<Vec<Item>>> {
        let operation = if keys.len() == 1 { "GetItem" } else { "BatchGetItem" };
        self.faults.needs([right(operation)]);
        async move {
            let call =
                self.call(operation, TRIES, || self.inner.get(keys, part).map(|read| read.map_err(failure_of)).boxed());
            call.await.map_err(|failure| failure.into_error("read items"))
        }
        .boxed()
    }

    fn query<'a>(&'a self, range: &'a Range, ask: QueryAsk) -> BoxFuture<'a, Result<QueryPage>> {
        let index = range.index.map(|index| index.name().to_owned());
        self.faults.needs([("dynamodb:Query".to_owned(), index)]);
        async move {
            let lagging = range.index.is_some() && self.faults.lagging().is_some();
            let inner = QueryAsk { part: if lagging { Part::Whole } else { ask.part }, ..ask.clone() };
            let run = || self.inner.query(range, inner.clone()).map(|read| read.map_err(failure_of)).boxed();
            let page = self.call("Query", TRIES, run).await;
            let page = page.map_err(|failure| failure.into_error("list items"))?;
            let stale = |lag: &mut Lag| lag.stale(range, &ask, page.clone());
            Ok(if lagging { self.faults.with_lag(stale).unwrap_or(page) } else { page })
        }
        .boxed()
    }

    fn write<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<Item, Failure>> {
        self.faults.needs([right(name_of(&action.act))]);
        async move {
            let noted = self.noted(std::slice::from_ref(action)).await;
            let done = self.call(name_of(&action.act), TRIES, || self.inner.write(action)).await;
            self.note(noted, &done);
            done
        }
        .boxed()
    }

    fn transact<'a>(&'a self, actions: &'a [Action]) -> BoxFuture<'a, Result<(), Failure>> {
        self.faults.needs(actions.iter().map(|action| right(name_of(&action.act))));
        async move {
            let noted = self.noted(actions).await;
            let done = self.call("TransactWriteItems", 1, || self.inner.transact(actions)).await;
            self.note(noted, &done);
            done
        }
        .boxed()
    }
}
