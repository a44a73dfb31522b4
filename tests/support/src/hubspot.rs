//! A fake HubSpot for tests: an HTTP server with contacts and their properties, with HubSpot's refusals, rate limits and
//! search delay, and with injected faults.
//!
//! Shapes and texts follow HubSpot's API specification (CRM contacts and properties), its pages on error handling,
//! usage guidelines and search, and published answers. Behaviour without a source is marked "a guess".

mod batch;
mod contacts;
mod definitions;
mod faults;
mod limits;
mod objects;
mod problem;
mod properties;
mod reply;
mod routes;
mod search;
mod wire;

pub use contacts::Contact;
pub use faults::Fault;
pub use limits::Policy;
pub use properties::Property;

use contacts::{Account, Writing};
use daybook_store::Clock;
use faults::Script;
use limits::Limits;
use problem::Problem;
use properties::Values;
use reply::Reply;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use wire::{Request, Sent};

/// The access token that is accepted.
pub const TOKEN: &str = "pat-test-00000000-0000-4000-8000-000000000000";

/// A HubSpot account, and the server in front of it. Clones are the same account.
#[derive(Clone, Debug)]
pub struct HubSpot {
    base_url: String,
    state: Arc<Mutex<State>>,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query as it was sent, without its question mark.
    pub query: String,
    /// The body; null where it is no JSON.
    pub body: Value,
    /// The status of its answer, even an incomplete one; none if the connection broke before.
    pub status: Option<u16>,
}

impl HubSpot {
    /// A new account, served on a free port until the runtime ends.
    pub async fn start(clock: Clock) -> HubSpot {
        HubSpot::serve(clock, 0).await.expect("a free port")
    }

    /// A new account, served on this port of this machine until the runtime ends.
    pub async fn serve(clock: Clock, port: u16) -> std::io::Result<HubSpot> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let state = State {
            clock,
            account: Account::default(),
            limits: Limits::default(),
            script: Script::default(),
            requests: Vec::new(),
            answers: 0,
        };
        let hubspot = HubSpot { base_url, state: Arc::new(Mutex::new(state)) };
        tokio::spawn(wire::listen(listener, hubspot.clone()));
        Ok(hubspot)
    }

    /// Its base URL: scheme, host and port, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Every contact, removed ones too, by id.
    pub fn contacts(&self) -> Vec<Contact> {
        self.state().account.all().cloned().collect()
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.state().requests.clone()
    }

    /// Plans a fault for the next request without one.
    pub fn fail_next(&self, fault: Fault) {
        self.state().script.plan(fault);
    }

    /// From now on each request fails with this probability; the same seed gives the same faults. Planned faults take
    /// precedence.
    pub fn fail_randomly(&self, seed: u64, rate: f64) {
        self.state().script.randomly(seed, rate);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.state().script = Script::default();
    }

    /// Sets the limits of requests in ten seconds and in a day. A search counts towards the day and towards its own limit
    /// of five in a second.
    pub fn set_limits(&self, per_ten_seconds: usize, per_day: usize) {
        self.state().limits.set(per_ten_seconds, per_day);
    }

    /// Removes all limits, including that of searches, and the headers that report them.
    pub fn lift_limits(&self) {
        self.state().limits.lift();
    }

    /// Takes from the token the right to define properties.
    pub fn revoke_scopes(&self) {
        self.state().account.may_define = false;
    }

    /// Gives the token the right to define properties back.
    pub fn grant_scopes(&self) {
        self.state().account.may_define = true;
    }

    /// Adds a contact as a HubSpot user would, and returns its id. Panics if HubSpot would refuse.
    pub fn add_contact<'a>(&self, properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut state = self.state();
        let now = state.clock.now();
        let id = state.account.create(&values(properties), now).expect("a contact that HubSpot takes");
        id.to_string()
    }

    /// Edits a contact as a HubSpot user would. Panics if there is none, or if HubSpot would refuse.
    pub fn edit_contact<'a>(&self, id: &str, properties: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut state = self.state();
        let now = state.clock.now();
        let found = state.account.find(id, None).ok().flatten().expect("a contact");
        state.account.update(found, &values(properties), now, Writing::Update).expect("an edit that HubSpot takes");
    }

    /// Removes a contact as a HubSpot user would. Panics if there is none.
    pub fn remove_contact(&self, id: &str) {
        let mut state = self.state();
        let now = state.clock.now();
        let found = state.account.find(id, None).ok().flatten().expect("a contact");
        state.account.archive(found, now);
    }

    /// Defines a property, replacing one of the same name.
    pub fn define_property(&self, property: Property) {
        self.state().account.define(property);
    }

    /// The answer to a request, and its delay.
    fn answer(&self, request: &Request) -> (Duration, Sent) {
        let mut state = self.state();
        if let Some(what) = request.path.strip_prefix("/_fake/") {
            return (Duration::ZERO, Sent::Whole(state.by_hand(&request.method, what)));
        }
        let mut delay = Duration::ZERO;
        let limited = state.limits.hold();
        let sent = match state.script.next(limited) {
            None => Sent::Whole(state.carry_out(request)),
            Some(Fault::Answer { status, headers, body }) => Sent::Whole(Reply { status, headers, body }),
            Some(Fault::TooMany(policy)) => Sent::Whole(state.refuse(policy)),
            Some(Fault::DropBefore) => Sent::Nothing,
            Some(Fault::CommitThenDrop) => {
                state.carry_out(request);
                Sent::Nothing
            }
            Some(Fault::CutAfter(bytes)) => Sent::part(state.carry_out(request), bytes),
            Some(Fault::Delay(by)) => {
                delay = by;
                Sent::Whole(state.carry_out(request))
            }
        };
        let seen = Seen {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            body: serde_json::from_slice(&request.body).unwrap_or_default(),
            status: sent.status(),
        };
        state.requests.push(seen);
        (delay, sent)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn values<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Values {
    properties.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[derive(Debug)]
struct State {
    clock: Clock,
    account: Account,
    limits: Limits,
    script: Script,
    requests: Vec<Seen>,
    answers: u64,
}

impl State {
    /// Carries out a request, if the token and the limits allow it.
    fn carry_out(&mut self, request: &Request) -> Reply {
        let now = self.clock.now();
        let number = self.count();
        let search = routes::is_search(request);
        let mut reply = if request.header("authorization") != format!("Bearer {TOKEN}") {
            Problem::unauthorized().reply(number)
        } else if let Err(policy) = self.limits.admit(now, search) {
            policy.reply(number)
        } else {
            routes::answer(&mut self.account, now, request).unwrap_or_else(|problem| problem.reply(number))
        };
        if !search {
            reply.headers.extend(self.limits.headers(now, None));
        }
        reply
    }

    /// Refuses a request as if a limit were reached.
    fn refuse(&mut self, policy: Policy) -> Reply {
        let mut reply = policy.reply(self.count());
        reply.headers.extend(self.limits.headers(self.clock.now(), Some(policy)));
        reply
    }

    /// The routes below `/_fake/`, for a server started by hand.
    fn by_hand(&mut self, method: &str, what: &str) -> Reply {
        match (method, what) {
            ("GET", "contacts") => {
                let shown: Vec<Value> = self.account.all().map(Contact::whole).collect();
                Reply::json(200, &json!({"results": shown}))
            }
            ("GET", "requests") => {
                let shown = |seen: &Seen| {
                    json!({
                        "method": seen.method, "path": seen.path, "query": seen.query, "body": seen.body,
                        "status": seen.status
                    })
                };
                Reply::json(200, &json!({"results": self.requests.iter().map(shown).collect::<Vec<Value>>()}))
            }
            ("DELETE", "faults") => {
                self.script = Script::default();
                Reply::empty()
            }
            _ => Reply::json(404, &json!({"message": "GET contacts, GET requests or DELETE faults"})),
        }
    }

    fn count(&mut self) -> u64 {
        self.answers += 1;
        self.answers
    }
}
