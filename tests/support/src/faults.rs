//! Fault injection for calls of the table: the plan of which call fails in which way, and a proxy between SDK and emulator
//! that carries it out.

use crate::stale::Lag;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Barrier;

/// A fault of a call of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the call is sent; nothing is written.
    Before,
    /// The call is carried out and its answer is lost.
    AnswerLost,
    /// The table throttles the call; nothing is written.
    Throttled,
    /// The server fails; nothing is written.
    ServerError,
    /// The call conflicts with another transaction; nothing is written.
    Conflict,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 5] =
        [Fault::Before, Fault::AnswerLost, Fault::Throttled, Fault::ServerError, Fault::Conflict];
}

/// The planned faults, by the number of the call, and the calls so far.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    calls: Vec<String>,
    rights: BTreeSet<Right>,
    faults: BTreeMap<usize, Fault>,
    random: Option<(u64, f64)>,
    distance: Option<u64>,
    meeting: Option<Meeting>,
    lag: Option<Lag>,
}

/// Calls of one operation that wait for one another.
#[derive(Debug)]
struct Meeting {
    operation: &'static str,
    missing: usize,
    place: Arc<Barrier>,
}

impl Faults {
    /// Plans a fault for the call with this number, counted from zero from now on.
    pub fn at(&self, number: usize, fault: Fault) {
        let mut script = self.script();
        let number = script.calls.len() + number;
        script.faults.insert(number, fault);
    }

    /// From now on each call fails with this probability; the same seed gives the same faults.
    pub fn randomly(&self, seed: u64, rate: f64) {
        self.script().random = Some((seed | 1, rate));
    }

    /// From now on each call takes 5 to 20 ms, so that simultaneous requests overlap as they do over a network, even on a
    /// busy machine.
    pub fn at_a_distance(&self) {
        self.script().distance = Some(0x9e37_79b9_7f4a_7c15);
    }

    /// The next calls of an operation wait for one another, so that what each of these requests has read is older than
    /// what any of them writes, however the machine takes turns.
    pub fn meet(&self, operation: &'static str, calls: usize) {
        self.script().meeting = Some(Meeting { operation, missing: calls, place: Arc::new(Barrier::new(calls)) });
    }

    /// Waits until this many calls have been made from the beginning.
    pub async fn until(&self, calls: usize) {
        while self.script().calls.len() < calls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Removes the delay of calls.
    pub fn nearby(&self) {
        self.script().distance = None;
    }

    /// From now on the indexes lag behind by this number of writes.
    pub fn indexes_lag_by(&self, writes: usize) {
        self.script().lag = Some(Lag::of(writes));
    }

    /// Removes all faults.
    pub fn heal(&self) {
        let mut script = self.script();
        script.faults.clear();
        script.random = None;
        script.lag = None;
    }

    /// The operations called so far, in order.
    pub fn calls(&self) -> Vec<String> {
        self.script().calls.clone()
    }

    /// The rights needed by the calls since this was last called.
    pub fn take_rights(&self) -> BTreeSet<Right> {
        std::mem::take(&mut self.script().rights)
    }

    /// Wraps a client with these faults.
    pub fn before(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Proxy { faults: self.clone(), client })
    }

    pub(crate) fn next(&self, operation: &str) -> Option<Fault> {
        let mut script = self.script();
        let number = script.calls.len();
        script.calls.push(operation.to_owned());
        let planned = script.faults.remove(&number);
        planned.or_else(|| {
            let (seed, rate) = script.random.as_mut()?;
            let hit = (xorshift(seed) >> 11) as f64 / ((1_u64 << 53) as f64) < *rate;
            hit.then(|| Fault::ALL[(xorshift(seed) % Fault::ALL.len() as u64) as usize])
        })
    }

    /// The way of a call to the table: its delay, and its wait for the calls that it has to meet.
    pub(crate) async fn travel(&self, operation: &str) {
        if let Some(place) = self.meeting(operation) {
            place.wait().await;
        }
        if let Some(way) = self.way() {
            tokio::time::sleep(way).await;
        }
    }

    fn meeting(&self, operation: &str) -> Option<Arc<Barrier>> {
        let mut script = self.script();
        let meeting = script.meeting.as_mut().filter(|meeting| meeting.operation == operation)?;
        meeting.missing = meeting.missing.checked_sub(1)?;
        Some(Arc::clone(&meeting.place))
    }

    fn way(&self) -> Option<Duration> {
        let mut script = self.script();
        let state = script.distance.as_mut()?;
        Some(Duration::from_micros(5_000 + xorshift(state) % 15_000))
    }

    /// Whether indexes lag behind.
    pub(crate) fn lagging(&self) -> Option<()> {
        self.script().lag.as_ref().map(|_| ())
    }

    /// Runs a function with the lag of the indexes, if there is one.
    pub(crate) fn with_lag<T>(&self, run: impl FnOnce(&mut Lag) -> T) -> Option<T> {
        self.script().lag.as_mut().map(run)
    }

    /// Records the rights that a call needs. A transaction needs the right to each of its actions.
    pub(crate) fn needs(&self, rights: impl IntoIterator<Item = Right>) {
        self.script().rights.extend(rights);
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A right to the table: the IAM action, and the index if the call reads one.
pub type Right = (String, Option<String>);

pub(crate) fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[derive(Debug)]
struct Proxy {
    faults: Faults,
    client: SharedHttpClient,
}

impl HttpClient for Proxy {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Connector { faults: self.faults.clone(), inner })
    }
}

#[derive(Debug)]
struct Connector {
    faults: Faults,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body: Value = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let Some(fault) = self.faults.next(&operation) else {
            let inner = self.inner.clone();
            let faults = self.faults.clone();
            return HttpConnectorFuture::new(async move {
                faults.travel(&operation).await;
                inner.call(request).await
            });
        };
        match fault {
            Fault::Before => broken(),
            Fault::AnswerLost => {
                let done = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    let _ = done.await;
                    Err(ConnectorError::timeout("the answer was lost".into()))
                })
            }
            Fault::Throttled => refused(
                400,
                json!({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}),
            ),
            Fault::ServerError => refused(
                500,
                json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "oops"}),
            ),
            Fault::Conflict => match body.get("TransactItems").and_then(Value::as_array).map(Vec::len) {
                Some(count) => {
                    let mut reasons = vec![json!({"Code": "None"}); count];
                    if let Some(last) = reasons.last_mut() {
                        *last =
                            json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
                    }
                    refused(
                        400,
                        json!({
                            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                            "Message": "Transaction cancelled", "CancellationReasons": reasons
                        }),
                    )
                }
                None if matches!(operation.as_str(), "Query" | "GetItem" | "BatchGetItem") => broken(),
                None => refused(
                    400,
                    json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException", "message": "Transaction is ongoing for the item"}),
                ),
            },
        }
    }
}

fn broken() -> HttpConnectorFuture {
    HttpConnectorFuture::ready(Err(ConnectorError::io("the connection broke".into())))
}

fn refused(status: u16, body: Value) -> HttpConnectorFuture {
    let status = status.try_into().expect("a status");
    HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
}
