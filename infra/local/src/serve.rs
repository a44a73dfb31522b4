//! The server process: start-up, background workers, and graceful shutdown.

use crate::connections::{ConnectionLimits, Connections};
use crate::data::{ADDRESS, DataError, check_format, has_format, is_empty, lock, make_private, table, unusable};
use crate::files::Folder;
use crate::host::{Addresses, KnownHosts, of_known_host};
use crate::pace::{Pace, counted};
use crate::pages::{RECORD_PAGE, Shown, with_pages};
use crate::system::{Options, StartError, System};
use crate::workers::Workers;
use crate::{log, secrets};
use axum::middleware::from_fn_with_state;
use daybook_domain::job::KEPT;
use daybook_domain::origin::Host;
use daybook_domain::{FormId, Phone};
use daybook_embedded::{Durability, Local};
use daybook_jobs::ai::AiProviders;
use daybook_jobs::hubspot::{HubSpot, HubSpotSettings};
use daybook_jobs::llm::Timeouts;
use daybook_jobs::mail::Outbox;
use daybook_store::config::Variables;
use daybook_store::{Clock, Settings};
use futures::future::join_all;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// How often due items are swept and the checkpoint is stored.
const SWEEP: Duration = Duration::from_secs(1);

/// How often the queues are polled for messages that have become due.
const LOOK: Duration = Duration::from_millis(100);

/// How often expired items are removed. That scans the whole table, and nothing relies on it (DynamoDB takes a day or
/// two).
const EXPIRY: Duration = Duration::from_secs(6 * 3600);

/// How long ago an item must have expired to be removed. Reads leave expired items out at once, and nothing is removed
/// too early where the clock is ahead for a time, by no more than this.
const EXPIRED_FOR: Duration = Duration::from_secs(7 * 86_400);

/// How long after the start expired items are first removed, so that the scan doesn't slow down the first requests.
const FIRST_EXPIRY: Duration = Duration::from_secs(600);

/// How long the shutdown waits for requests, and then for workers.
const LONGEST_END: Duration = Duration::from_secs(10);

/// The options of the server.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The port; 0 for any free one.
    pub port: u16,
    /// The data folder.
    pub data: PathBuf,
    /// The hosts to answer for besides the machine's own names. Addresses among them are listened on.
    pub hosts: Vec<Host>,
}

/// Why the server doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is in use or not permitted, or the address isn't one of the machine.
    #[error("{0} can't be listened on ({1}); choose another port with --port, or another address with --host")]
    Address(SocketAddr, io::Error),
    /// The data folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An environment variable is invalid.
    #[error("{0}")]
    Environment(#[from] daybook_store::config::ConfigError),
    /// The system doesn't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server failed while running.
    #[error("the server failed: {0}")]
    Broken(io::Error),
}

/// Serves until Ctrl-C or SIGTERM; then lets requests and workers finish.
pub async fn serve(options: ServeOptions) -> Result<(), ServeError> {
    log::set_up();
    let addresses = Addresses::of(&options.hosts);
    let (listeners, port) = listen(&addresses.all, options.port).await?;
    let Opened { _lock, table, options: mut system } = opened(&options.data, Clock::System)?;
    let here = format!("http://{}", SocketAddr::from((addresses.loopback, port)));
    std::fs::write(options.data.join(ADDRESS), here).map_err(|error| unusable(&options.data, error))?;
    system.settings.public_url = format!("http://localhost:{port}");
    system.settings.record_url = Some(format!("http://localhost:{port}{RECORD_PAGE}"));
    let Named { hubspot, ai, limits } = from_environment(&mut system.settings)?;
    (system.hubspot, system.ai) = (hubspot, Some(ai));
    let (rate_limits, has_hubspot) = (system.settings.rate_limits, system.hubspot.is_some());
    let system = System::start(system).await?;

    // Loads the numbering plans now rather than in the first visitor's request.
    tokio::task::spawn_blocking(|| Phone::parse("+86 138 0013 8000").map(|phone| phone.e164(Phone::DEFAULT_COUNTRY)));
    let left = system.workers.catch_up().await.map_err(StartError::from)?;
    let (stop, stopped) = watch::channel(());
    let pace = Pace::new();
    let working = tokio::spawn(work(system.workers.clone(), pace.clone(), stopped));
    let tidying = tokio::spawn(tidy(table.clone(), system.files.clone()));
    announce(port, &options, left, rate_limits);

    let shown = Shown {
        env: system.env.clone(),
        outbox: system.outbox.clone(),
        hubspot: has_hubspot,
        table: table.clone(),
        data: options.data.clone(),
    };
    let known = KnownHosts::new(system.env.clone(), &options.hosts);
    let app = system.app_with(|api| with_pages(api, shown).layer(from_fn_with_state(known, of_known_host)));
    let app = app.layer(from_fn_with_state(pace, counted));
    let (asked, mut was_asked) = watch::channel(());
    tokio::spawn(async move {
        asked_to_stop().await;
        eprintln!("Stopping after the requests in progress.");
        drop(asked);
    });
    let connections = Connections::new(limits);
    let env = system.env.clone();
    let serve_on = |listener| connections.clone().serve(listener, app.clone(), env.clone(), was_asked.clone());
    let serving: Vec<_> = listeners.into_iter().map(serve_on).collect();
    tokio::select! {
        _ = join_all(serving) => {}
        // A client that neither continues nor disconnects must not block the shutdown.
        () = async { let _ = was_asked.changed().await; tokio::time::sleep(LONGEST_END).await } => {}
    }
    drop(stop);
    tidying.abort();
    // The workers end by themselves when no work is left; they hold nothing that could be lost.
    let _ = tokio::time::timeout(LONGEST_END, working).await;
    Ok(())
}

/// Listens on these addresses, all at one port, which is returned, too: 0 becomes a free one.
async fn listen(addresses: &[IpAddr], mut port: u16) -> Result<(Vec<TcpListener>, u16), ServeError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::from((*address, port));
        let listener = TcpListener::bind(address).await.map_err(|error| ServeError::Address(address, error))?;
        port = listener.local_addr().map_err(ServeError::Broken)?.port();
        listeners.push(listener);
    }
    Ok((listeners, port))
}

/// An opened data folder.
pub(crate) struct Opened {
    /// The lock that keeps other processes out of the folder.
    pub _lock: File,
    /// The table.
    pub table: Local,
    /// Options for a system on the table.
    pub options: Options,
}

/// Opens and locks a data folder.
pub(crate) fn opened(data: &Path, clock: Clock) -> Result<Opened, ServeError> {
    // Other files that a folder already holds are the user's.
    let is_ours = has_format(data) || is_empty(data);
    std::fs::create_dir_all(data).map_err(|error| unusable(data, error))?;
    let lock = lock(data)?;
    check_format(data)?;
    let keys = secrets::keyring(data)?;
    // Earlier versions let other users of the machine read it, and so may the maker of an empty folder. Some file systems
    // have no permissions.
    if is_ours && let Err(error) = make_private(data) {
        tracing::warn!(%error, folder = %data.display(), "other users of this machine may read the data folder");
    }
    let durability = durability()?;
    let table = table(data, durability)?;
    secrets::write_check(data, &keys)?;
    let outbox =
        Outbox::open(&data.join("mail.jsonl"), || Clock::System.now()).map_err(|error| unusable(data, error))?;
    let options = Options::new(Arc::new(table.clone()), clock, keys, outbox, data.to_owned());
    Ok(Opened { _lock: lock, table, options: options.map_err(StartError::from)? })
}

/// Runs the workers until the stop signal, each queue in tasks of its own, so that none waits for another's external
/// system; then finishes the due work.
async fn work(workers: Arc<Workers>, pace: Pace, stop: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    let (dispatcher, paced, mut stopped) = (workers.clone(), pace.clone(), stop.clone());
    tasks.spawn(async move {
        while stopped.has_changed().is_ok() {
            paced.yield_to_requests().await;
            if dispatcher.dispatch().await == 0 {
                tokio::select! {
                    _ = stopped.changed() => {}
                    () = dispatcher.committed() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    });
    let lines =
        workers.all().iter().flat_map(|worker| worker.consumer.lines().into_iter().map(move |line| (worker, line)));
    let places = lines.flat_map(|(worker, line)| (0..line.places.at_once).map(move |nth| (worker, line, nth)));
    for (worker, line, nth) in places {
        let (workers, worker, paced, mut stopped) = (workers.clone(), worker.clone(), pace.clone(), stop.clone());
        tasks.spawn(async move {
            while stopped.has_changed().is_ok() {
                paced.yield_to_requests().await;
                let rests = paced.is_busy() && nth >= line.places.under_load;
                // One message at a time, so that none waits for a long one while another place is free.
                if rests || workers.work_on(&worker, line, 1).await == 0 {
                    tokio::select! {
                        _ = stopped.changed() => {}
                        () = workers.arrival(line.queue) => {}
                        () = tokio::time::sleep(LOOK) => {}
                    }
                }
            }
        });
    }
    let (sweeper, mut stopped) = (workers.clone(), stop);
    tasks.spawn(async move {
        let mut anchored = None;
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stopped.has_changed().is_ok() {
            note("sweep", sweeper.sweep().await.map(|_| ()));
            note("checkpoint", sweeper.keep_checkpoint().await);
            let today = sweeper.env.clock.now().start_of_day();
            if anchored != Some(today) {
                note("the day's anchor", sweeper.anchor().await.map(|_| anchored = Some(today)));
            }
            tokio::select! {
                _ = stopped.changed() => {}
                _ = sweep.tick() => {}
            }
        }
    });
    while tasks.join_next().await.is_some() {}
    workers.run().await;
    note("checkpoint", workers.keep_checkpoint().await);
}

fn note(what: &str, outcome: daybook_store::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(error = %error.chain(), "{what} failed");
    }
}

async fn tidy(table: Local, files: Folder) {
    let mut ticks = tokio::time::interval_at(Instant::now() + FIRST_EXPIRY, EXPIRY);
    loop {
        ticks.tick().await;
        let (table, files) = (table.clone(), files.clone());
        let removed = tokio::task::spawn_blocking(move || {
            if let Err(error) = files.tidy(KEPT) {
                tracing::warn!(%error, "old files can't be removed");
            }
            table.remove_expired(Clock::System.now().minus(EXPIRED_FOR).as_second())
        });
        let removed = removed.await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%error, "expired items can't be removed");
        }
    }
}

/// Reads from the environment when a write is acknowledged.
fn durability() -> Result<Durability, ServeError> {
    let get = |name: &str| std::env::var(name).ok();
    let mut variables = Variables::new(&get);
    let durability = variables.optional("DURABILITY", str::parse);
    match variables.wrong.is_empty() {
        true => Ok(durability.unwrap_or_default()),
        false => Err(daybook_store::config::ConfigError(variables.wrong).into()),
    }
}

/// What the environment names: other systems, and the limits of connections.
struct Named {
    hubspot: Option<HubSpot>,
    ai: Arc<AiProviders>,
    limits: ConnectionLimits,
}

/// Applies the environment variables of `cargo dev`, some of which exist only here.
fn from_environment(settings: &mut Settings) -> Result<Named, ServeError> {
    let get = |name: &str| std::env::var(name).ok();
    let mut variables = Variables::new(&get);
    let off = variables.optional("RATE_LIMITS", |text| match text {
        "off" => Ok(false),
        "on" => Ok(true),
        _ => Err("must be on or off"),
    });
    let base = variables
        .optional("RETRY_BASE_MS", |text| text.parse::<u64>().map(|millis| Duration::from_millis(millis.max(1))));
    let count = |text: &str| text.parse::<usize>().ok().filter(|count| *count > 0).ok_or("must be a number from 1 on");
    let all = variables.optional("MAX_CONNECTIONS", count);
    let per_address = variables.optional("MAX_CONNECTIONS_PER_ADDRESS", count);
    settings.rate_limits = off.unwrap_or(settings.rate_limits);
    settings.retry_base = base.unwrap_or(settings.retry_base);
    daybook_store::config::adjust(settings, &mut variables);
    let hubspot = daybook_jobs::config::hubspot(&mut variables);
    let ai = AiProviders::read(&get, Timeouts::default()).map_err(|wrong| variables.wrong.extend(wrong));
    let (Ok(ai), true) = (ai, variables.wrong.is_empty()) else {
        return Err(daybook_store::config::ConfigError(variables.wrong).into());
    };
    let hubspot =
        hubspot.map(|hubspot| HubSpot::new(HubSpotSettings { pause: settings.retry_base / 10, ..hubspot })).transpose();
    let hubspot = hubspot.map_err(|error| ServeError::Broken(io::Error::other(error)))?;
    let limits = ConnectionLimits::of(all, per_address);
    Ok(Named { hubspot, ai: Arc::new(ai), limits })
}

fn announce(port: u16, options: &ServeOptions, left: usize, rate_limits: bool) {
    let url = format!("http://localhost:{port}");
    let form = FormId::default_of(crate::DEFAULT_ORG);
    eprintln!("Daybook {} is ready.\n", env!("CARGO_PKG_VERSION"));
    eprintln!("  Start here     {url}/");
    eprintln!("  AI chat        {url}/chat");
    eprintln!("  Snippets       {url}/snippets");
    eprintln!("  Records        {url}/_local/records");
    eprintln!("  Mailbox        {url}/_local/");
    eprintln!("  HubSpot        {url}/_local/sync");
    eprintln!("  API reference  {url}/docs");
    eprintln!("  API            {url}/api/leads");
    eprintln!("  Form address   {url}/f/{form}");
    eprintln!("  Data           {}", options.data.display());
    if !options.hosts.is_empty() {
        let hosts: Vec<String> = options.hosts.iter().map(Host::to_string).collect();
        eprintln!("  Other hosts    {}", hosts.join(", "));
    }
    if left > 0 {
        eprintln!("  Catching up    {left} journal entries since the last checkpoint");
    }
    if !rate_limits {
        eprintln!("  Rate limits    off");
    }
    eprintln!("\nPress Ctrl-C to stop.\n");
}

async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        let Ok(mut terminate) = terminate else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
}
