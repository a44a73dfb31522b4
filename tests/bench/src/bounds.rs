//! Bounds: how long a request holds the server's only core, by what a health check waits for meanwhile, for every route with
//! bodies at their limits; and the server's memory.

use crate::Result;
use crate::cases::{Case, get, post_as};
use crate::known::Known;
use crate::load::Connection;
use crate::machine::{LOAD_CORE, Machine};
use crate::server::Server;
use daybook_local::functions;
use daybook_testing::{HostileBody, hostile_bodies, hostile_query, hostile_search};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The number of leads.
const LEADS: usize = 5_000;

/// The pause between two health checks.
const PAUSE: Duration = Duration::from_millis(1);

/// How many of the longest are shown.
const SHOWN: usize = 5;

/// A request, and how it was taken.
struct Taken {
    what: String,
    request: String,
    /// The longest that a health check took meanwhile.
    stall: Duration,
    took: Duration,
}

/// Measures all routes; returns a table.
pub fn run(binary: &Path, data: &Path, machine: &Machine) -> Result<String> {
    crate::seed::fill(binary, data, LEADS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    machine.stay_on(LOAD_CORE)?;
    let server = Server::start(binary, data, machine)?;
    runtime.block_on(measure(&server))
}

async fn measure(server: &Server) -> Result<String> {
    let known = Known::learn(server.address, LEADS, &[Case::Read]).await?;
    server.settle().await?;
    let before = server.memory().ok_or("the server's memory can't be read")?;
    let watch = Watch::begin(server.address).await?;
    let quiet = watch.longest_of(tokio::time::sleep(Duration::from_secs(2))).await.1;
    let mut taken = Vec::new();
    for (what, request) in requests(&known) {
        let begun = Instant::now();
        let (status, stall) = watch.longest_of(send(server.address, &request)).await;
        let status = status.map_err(|error| format!("{what}: {error}"))?;
        if status >= 500 {
            return Err(format!("{what} was answered with {status}").into());
        }
        taken.push(Taken { what, request, stall, took: begun.elapsed() });
    }
    taken.sort_by_key(|one| std::cmp::Reverse(one.stall));
    let count = taken.len();
    taken.truncate(SHOWN);
    let worst: Vec<_> = taken.iter().take(4).map(|one| send(server.address, &one.request)).collect();
    let at_once = watch.longest_of(futures::future::join_all(worst)).await.1;
    let after = server.memory().ok_or("the server's memory can't be read")?;
    let mut table = String::from("| request | health check meanwhile, ms | answer after, ms |\n|---|--:|--:|\n");
    writeln!(table, "| none | {:.1} | |", millis(quiet))?;
    for Taken { what, stall, took, .. } in &taken {
        writeln!(table, "| {what} | {:.1} | {:.0} |", millis(*stall), millis(*took))?;
    }
    writeln!(table, "| the first four of these at once | {:.1} | |", millis(at_once))?;
    let mb = |kb: u64| kb as f64 / 1024.0;
    write!(
        table,
        "\n{count} requests to {LEADS} leads; memory {:.0} MB before, {:.0} MB at most.\n",
        mb(before.now),
        mb(after.most)
    )?;
    Ok(table)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Every route with every body, or with a long query; and lists, searches and exports over all leads.
fn requests(known: &Known) -> Vec<(String, String)> {
    let token = Some(known.token.as_str());
    let mut all = Vec::new();
    for route in functions().into_iter().flat_map(|function| function.list) {
        let id = if route.path.starts_with("/api/leads/") { known.ids[0].as_str() } else { "id" };
        let path = route.path.replace("{id}", id).replace(['{', '}'], "");
        if path.contains("logout") || path.contains("sessions") || route.method.as_str() == "DELETE" {
            continue;
        }
        if route.method.as_str() == "GET" {
            all.push((format!("`GET {path}`, a long query"), get(&format!("{path}?{}", hostile_query()), token)));
            continue;
        }
        for HostileBody { what, kind, body } in hostile_bodies() {
            let request = post_as(&path, &body, token).replacen("POST", route.method.as_str(), 1);
            let request = request.replacen("application/json", kind, 1);
            all.push((format!("`{} {path}`, {what}", route.method), request));
        }
    }
    for path in [
        "/api/leads?limit=200",
        "/api/leads?limit=200&filter[requirements][contains]=zzzz&filter[company][contains]=zzzz",
        "/api/leads?limit=200&search=a",
        "/api/audit-logs?limit=200",
        "/api/audit-logs/verify",
    ] {
        all.push((format!("`GET {path}`"), get(path, token)));
    }
    let search = hostile_search().to_string();
    all.push((
        "`POST /api/leads/search`, 99 values of 400 digits".to_owned(),
        post_as("/api/leads/search", &search, token),
    ));
    let export = post_as("/api/audit-logs/export", r#"{"format": "csv"}"#, token);
    all.push(("`POST /api/audit-logs/export`".to_owned(), export));
    all
}

/// Sends a request on a connection of its own; returns the status.
async fn send(address: SocketAddr, request: &str) -> std::result::Result<u16, String> {
    let mut connection = Connection::open(address).await.map_err(|error| error.to_string())?;
    let answer = connection.ask(request).await.map_err(|error| error.to_string())?;
    Ok(answer.status)
}

/// Asks for the server's health, again and again.
struct Watch {
    longest: Arc<AtomicU64>,
    asking: tokio::task::JoinHandle<()>,
}

impl Watch {
    async fn begin(address: SocketAddr) -> Result<Watch> {
        let longest = Arc::new(AtomicU64::new(0));
        let mut connection = Connection::open(address).await?;
        let noted = longest.clone();
        let asking = tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                if connection.ask(&get("/health", None)).await.is_err() {
                    noted.store(u64::MAX, Ordering::Relaxed);
                    return;
                }
                noted.fetch_max(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Ok(Watch { longest, asking })
    }

    /// The output of a future, and the longest that a health check took meanwhile.
    async fn longest_of<F: Future>(&self, work: F) -> (F::Output, Duration) {
        self.longest.store(0, Ordering::Relaxed);
        let output = work.await;
        // The check that was waiting is counted when it is answered.
        tokio::time::sleep(PAUSE * 5).await;
        (output, Duration::from_micros(self.longest.load(Ordering::Relaxed)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.asking.abort();
    }
}
