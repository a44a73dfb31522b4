//! Serving: start-up, workers in the background, and an orderly end.

use crate::data::{ADDRESS, DataError, check_format, lock, table, unusable};
use crate::files::Folder;
use crate::pace::{Pace, counted};
use crate::pages::{Shown, with_pages};
use crate::system::{Options, StartError, System};
use crate::workers::{BATCH, Workers};
use crate::{log, secrets};
use daybook_domain::job::KEPT;
use daybook_domain::{FormId, Phone};
use daybook_embedded::{Durability, Local};
use daybook_jobs::hubspot::{HubSpot, HubSpotSettings};
use daybook_jobs::mail::Outbox;
use daybook_store::config::Variables;
use daybook_store::{Clock, Settings};
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// How often due items are looked for and the checkpoint is kept.
const SWEEP: Duration = Duration::from_secs(1);

/// How often messages are looked for whose time has come since.
const LOOK: Duration = Duration::from_millis(100);

/// How often expired items are removed. Every item is looked at for that, and nothing relies on it (DynamoDB takes a day
/// or two).
const EXPIRY: Duration = Duration::from_secs(6 * 3600);

/// How long after the start they are removed first: not when somebody is about to try things out.
const FIRST_EXPIRY: Duration = Duration::from_secs(600);

/// How long requests, and then workers, are waited for at the end.
const LONGEST_END: Duration = Duration::from_secs(10);

/// Where to serve, and from what.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The port; 0 for any that is free.
    pub port: u16,
    /// The folder of the data.
    pub data: PathBuf,
}

/// Why the server doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or forbidden.
    #[error("port {0} can't be used ({1}); choose another with --port")]
    Port(u16, io::Error),
    /// The data folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A variable of the environment is wrong.
    #[error("{0}")]
    Environment(#[from] daybook_store::config::ConfigError),
    /// The system doesn't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Serving broke off.
    #[error("serving broke off: {0}")]
    Broken(io::Error),
}

/// Serves until Ctrl-C or SIGTERM; then requests and workers are let finish.
pub async fn serve(options: ServeOptions) -> Result<(), ServeError> {
    log::set_up();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).await.map_err(|error| ServeError::Port(options.port, error))?;
    let address = listener.local_addr().map_err(ServeError::Broken)?;
    let Opened { _lock, table, options: mut system } = opened(&options.data, Clock::System)?;
    let here = format!("http://127.0.0.1:{}", address.port());
    std::fs::write(options.data.join(ADDRESS), here).map_err(|error| unusable(&options.data, error))?;
    system.settings.public_url = format!("http://localhost:{}", address.port());
    system.hubspot = from_environment(&mut system.settings)?;
    let (rate_limits, has_hubspot) = (system.settings.rate_limits, system.hubspot.is_some());
    let system = System::start(system).await?;

    // Loads the numbering plans now rather than in the first visitor's request.
    tokio::task::spawn_blocking(|| Phone::parse("+86 138 0013 8000").map(|phone| phone.e164(Phone::DEFAULT_COUNTRY)));
    let left = system.workers.catch_up().await.map_err(StartError::from)?;
    let (stop, stopped) = watch::channel(());
    let pace = Pace::new();
    let working = tokio::spawn(work(system.workers.clone(), pace.clone(), stopped));
    let tidying = tokio::spawn(tidy(table.clone(), system.files.clone()));
    announce(address, &options, left, rate_limits);

    let shown = Shown {
        env: system.env.clone(),
        outbox: system.outbox.clone(),
        hubspot: has_hubspot,
        table: table.clone(),
        data: options.data.clone(),
    };
    let app = system.app_with(|api| with_pages(api, shown));
    let app = app.layer(axum::middleware::from_fn_with_state(pace, counted));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (asked, mut was_asked) = watch::channel(());
    let graceful = axum::serve(listener, app).with_graceful_shutdown(async move {
        asked_to_stop().await;
        eprintln!("Stopping: finishing what was begun.");
        drop(asked);
    });
    let served = tokio::select! {
        served = graceful => served,
        // A client that neither goes on nor goes away doesn't keep the server.
        () = async { let _ = was_asked.changed().await; tokio::time::sleep(LONGEST_END).await } => Ok(()),
    };
    drop(stop);
    tidying.abort();
    // The workers end by themselves once nothing is left; they hold nothing that could be lost.
    let _ = tokio::time::timeout(LONGEST_END, working).await;
    served.map_err(ServeError::Broken)
}

/// The data of a folder.
pub(crate) struct Opened {
    /// While this is there no other process uses the folder.
    pub _lock: File,
    /// The table.
    pub table: Local,
    /// A system on it.
    pub options: Options,
}

/// The data of a folder, locked, and a system on it.
pub(crate) fn opened(data: &Path, clock: Clock) -> Result<Opened, ServeError> {
    std::fs::create_dir_all(data).map_err(|error| unusable(data, error))?;
    let lock = lock(data)?;
    check_format(data)?;
    let keys = secrets::keyring(data).map_err(|error| unusable(data, error))?;
    let durability = durability()?;
    let table = table(data, durability)?;
    let outbox =
        Outbox::open(&data.join("mail.jsonl"), || Clock::System.now()).map_err(|error| unusable(data, error))?;
    let options = Options::new(Arc::new(table.clone()), clock, keys, outbox, data.to_owned());
    Ok(Opened { _lock: lock, table, options: options.map_err(StartError::from)? })
}

/// Works until told to stop, on each queue by itself so that none waits for another's other system; then
/// finishes what is due.
async fn work(workers: Arc<Workers>, pace: Pace, stop: watch::Receiver<()>) {
    let mut tasks = JoinSet::new();
    let (told, paced, mut stopped) = (workers.clone(), pace.clone(), stop.clone());
    tasks.spawn(async move {
        while stopped.has_changed().is_ok() {
            paced.room().await;
            if told.dispatch().await == 0 {
                tokio::select! {
                    _ = stopped.changed() => {}
                    () = told.committed() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    });
    for worker in workers.all() {
        let (workers, worker, paced, mut stopped) = (workers.clone(), worker.clone(), pace.clone(), stop.clone());
        tasks.spawn(async move {
            while stopped.has_changed().is_ok() {
                paced.room().await;
                let most = if paced.is_busy() { worker.consumer.limits().batch_under_load } else { BATCH };
                if workers.work_on(&worker, most).await == 0 {
                    tokio::select! {
                        _ = stopped.changed() => {}
                        () = workers.arrival(worker.consumer.queue()) => {}
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
                tracing::warn!(%error, "old files stay");
            }
            table.remove_expired(Clock::System.now().as_second())
        });
        let removed = removed.await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%error, "expired items stay");
        }
    }
}

/// When a write is acknowledged, by the environment.
fn durability() -> Result<Durability, ServeError> {
    let get = |name: &str| std::env::var(name).ok();
    let mut variables = Variables::new(&get);
    let durability = variables.optional("DURABILITY", str::parse);
    match variables.wrong.is_empty() {
        true => Ok(durability.unwrap_or_default()),
        false => Err(daybook_store::config::ConfigError(variables.wrong).into()),
    }
}

/// The variables that `cargo dev` honours; some of them only here.
fn from_environment(settings: &mut Settings) -> Result<Option<HubSpot>, ServeError> {
    let get = |name: &str| std::env::var(name).ok();
    let mut variables = Variables::new(&get);
    let off = variables.optional("RATE_LIMITS", |text| match text {
        "off" => Ok(false),
        "on" => Ok(true),
        _ => Err("must be on or off"),
    });
    let base = variables
        .optional("RETRY_BASE_MS", |text| text.parse::<u64>().map(|millis| Duration::from_millis(millis.max(1))));
    settings.rate_limits = off.unwrap_or(settings.rate_limits);
    settings.retry_base = base.unwrap_or(settings.retry_base);
    daybook_store::config::adjust(settings, &mut variables);
    let hubspot = daybook_jobs::config::hubspot(&mut variables);
    if variables.wrong.is_empty() {
        let client = hubspot
            .map(|hubspot| HubSpot::new(HubSpotSettings { pause: settings.retry_base / 10, ..hubspot }))
            .transpose();
        return client.map_err(|error| ServeError::Broken(io::Error::other(error)));
    }
    Err(daybook_store::config::ConfigError(variables.wrong).into())
}

fn announce(address: SocketAddr, options: &ServeOptions, left: usize, rate_limits: bool) {
    let url = format!("http://localhost:{}", address.port());
    let form = FormId::default_of(crate::DEFAULT_ORG);
    eprintln!("Daybook {} is ready.\n", env!("CARGO_PKG_VERSION"));
    eprintln!("  Website        {url}/");
    eprintln!("  Snippets       {url}/snippets");
    eprintln!("  Mailbox        {url}/_local/");
    eprintln!("  HubSpot        {url}/_local/sync");
    eprintln!("  API reference  {url}/docs");
    eprintln!("  API            {url}/api/leads");
    eprintln!("  Form address   {url}/f/{form}");
    eprintln!("  Data           {}", options.data.display());
    if left > 0 {
        eprintln!("  Taken up       {left} journal entries since the last checkpoint");
    }
    if !rate_limits {
        eprintln!("  Rate limits    off");
    }
    eprintln!("\nCtrl-C stops it.\n");
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
