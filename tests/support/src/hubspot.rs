//! A stand-in for HubSpot: contacts and their properties behind a socket, with HubSpot's refusals, limits and lags,
//! and with faults where a test puts them.
//!
//! Shapes and texts follow HubSpot's API specification (CRM contacts and properties), its pages on error handling,
//! usage guidelines and search, and answers that others have published. What is none of these says "a guess".

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
    /// The status it was answered with, in whole or in part; none where the connection broke instead.
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

    /// Where it is: a scheme, a host and a port, without a slash at the end.
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

    /// This goes wrong with the next request for which nothing is planned yet.
    pub fn fail_next(&self, fault: Fault) {
        self.state().script.plan(fault);
    }

    /// From now on each request goes wrong with this probability, the same way for the same seed. What is planned
    /// for a request goes first.
    pub fn fail_randomly(&self, seed: u64, rate: f64) {
        self.state().script.randomly(seed, rate);
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.state().script = Script::default();
    }

    /// How many requests it takes in ten seconds, and how many in a day. A search counts for the day and for its own
    /// limit, five in a second.
    pub fn set_limits(&self, per_ten_seconds: usize, per_day: usize) {
        self.state().limits.set(per_ten_seconds, per_day);
    }

    /// No limit holds any more, that on searches neither; the headers that tell of limits are gone.
    pub fn lift_limits(&self) {
        self.state().limits.lift();
    }

    /// The token may no longer define properties.
    pub fn revoke_scopes(&self) {
        self.state().account.may_define = false;
    }

    /// The token may define properties again.
    pub fn grant_scopes(&self) {
        self.state().account.may_define = true;
    }

    /// Somebody at HubSpot adds a contact; its id. Panics if HubSpot would refuse.
    pub fn add_contact<'a>(&self, properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut state = self.state();
        let now = state.clock.now();
        let id = state.account.create(&values(properties), now).expect("a contact that HubSpot takes");
        id.to_string()
    }

    /// Somebody at HubSpot edits a contact. Panics if there is none, or if HubSpot would refuse.
    pub fn edit_contact<'a>(&self, id: &str, properties: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut state = self.state();
        let now = state.clock.now();
        let found = state.account.find(id, None).ok().flatten().expect("a contact");
        state.account.update(found, &values(properties), now, Writing::Update).expect("an edit that HubSpot takes");
    }

    /// Somebody at HubSpot removes a contact. Panics if there is none.
    pub fn remove_contact(&self, id: &str) {
        let mut state = self.state();
        let now = state.clock.now();
        let found = state.account.find(id, None).ok().flatten().expect("a contact");
        state.account.archive(found, now);
    }

    /// Defines a property, in place of the one of this name.
    pub fn define_property(&self, property: Property) {
        self.state().account.define(property);
    }

    /// What is sent for a request, and how long after.
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
    /// Does what a request asks, if the token and the limits allow it.
    fn carry_out(&mut self, request: &Request) -> Reply {
        let now = self.clock.now();
        let number = self.count();
        let search = routes::is_search(request);
        let mut reply = if request.authorization != format!("Bearer {TOKEN}") {
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

    /// Refuses as if a limit were reached.
    fn refuse(&mut self, policy: Policy) -> Reply {
        let mut reply = policy.reply(self.count());
        reply.headers.extend(self.limits.headers(self.clock.now(), Some(policy)));
        reply
    }

    /// What is there for whoever started the server by hand.
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
