//! The benchmark: measures Daybook's throughput, latency and memory on one core, and compares them with the table
//! alone.
//!
//! The server runs on one core and the load generator on another. Progress goes to standard error, tables to standard
//! output.

mod bounds;
mod cases;
mod engine;
mod first_token;
mod functions;
mod known;
mod load;
mod machine;
mod report;
mod seed;
mod server;
mod sockets;

use cases::{Case, Script};
use clap::Parser;
use engine::Baseline;
use known::Known;
use load::Load;
use machine::{LOAD_CORE, Machine, SERVER_CORE};
use report::{Findings, Memories, Row};
use server::Server;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The server's allocator, so that the baseline uses the same one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of runs of each case.
const RUNS: usize = 3;

/// The number of simultaneous connections.
const AT_ONCE: usize = 16;

/// The warm-up time of a case.
const WARM_UP: Duration = Duration::from_millis(500);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measures Daybook on this machine: requests per second, latency, memory, and the table alone.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The duration of each run.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The numbers of leads; everything is measured with each.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000])]
    leads: Vec<usize>,
    /// The cases to measure; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Case>,
    /// Keep the data folders.
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    instead: Option<Instead>,
}

/// What to measure instead of the server.
#[derive(clap::Subcommand)]
enum Instead {
    /// Each function as Lambda runs it: size, start, memory, latency.
    Functions(functions::Arguments),
    /// The time until the first text of an answer.
    FirstToken,
    /// WebSockets: pings, questions, memory.
    Sockets,
    /// How long requests at their limits hold the core.
    Bounds,
}

impl Arguments {
    fn wants(&self, case: Case) -> bool {
        self.only.is_empty() || self.only.contains(&case)
    }

    fn lasting(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(tables) => {
            println!("{tables}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("daybook-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<String> {
    let ours = own_folder()?;
    if let Some(Instead::Functions(arguments)) = &arguments.instead {
        return functions::run(arguments, &ours);
    }
    let binary = server::build(&ours)?;
    let folder = Folder::make(&ours, arguments.keep)?;
    let machine = Machine::look(&folder.path);
    if let Some(Instead::FirstToken) = &arguments.instead {
        return first_token::run(&binary, &folder.path.join("first-token"), &machine);
    }
    if let Some(Instead::Sockets) = &arguments.instead {
        return sockets::run(&binary, &folder.path.join("sockets"), &machine);
    }
    if let Some(Instead::Bounds) = &arguments.instead {
        return bounds::run(&binary, &folder.path.join("bounds"), &machine);
    }
    let mut filled = Vec::new();
    for &leads in &arguments.leads {
        let data = folder.path.join(format!("leads-{leads}"));
        seed::fill(&binary, &data, leads)?;
        filled.push((leads, data));
    }
    // A single thread, so that its core is that of the whole load.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let baseline = match arguments.wants(Case::Create) {
        true => Some(Baseline::prepare(&folder.path, &runtime)?),
        false => None,
    };
    machine.stay_on(LOAD_CORE)?;
    let mut findings = Findings::new(arguments.lasting(), baseline.as_ref().map(|baseline| baseline.items));
    for (leads, data) in filled {
        eprintln!("With {leads} leads:");
        let server = Server::start(&binary, &data, &machine)?;
        runtime.block_on(measure(arguments, &machine, &server, baseline.as_ref(), leads, &mut findings))?;
    }
    Ok(findings.tables(&machine))
}

/// Measures all cases on a server with this number of leads.
async fn measure(
    arguments: &Arguments,
    machine: &Machine,
    server: &Server,
    baseline: Option<&Baseline>,
    leads: usize,
    findings: &mut Findings,
) -> Result<()> {
    server.settle().await?;
    let at_rest = server.memory();
    let cases: Vec<Case> = Case::ALL.into_iter().filter(|case| arguments.wants(*case)).collect();
    let known = Known::learn(server.address, leads, &cases).await?;
    if let Some(hits) = known.hits() {
        findings.hits.push((leads, hits));
    }
    let mut before_creates = None;
    for case in cases {
        if case == Case::Create {
            before_creates = server.memory();
        }
        let script = Script::of(case, &known);
        let mut row = Row::new(case, leads);
        for run in 1..=RUNS {
            server.settle().await?;
            if let Some(baseline) = baseline.filter(|_| case == Case::Create) {
                // Right before the creates it is compared with, on the same core.
                machine.stay_on(SERVER_CORE)?;
                findings.engine.push(baseline.run(arguments.lasting()).await?);
                machine.stay_on(LOAD_CORE)?;
            }
            row.many.push(observe(server, &script, AT_ONCE, arguments.lasting()).await?);
            row.afterwards.push(server.settle().await?);
            row.one.push(observe(server, &script, 1, arguments.lasting()).await?);
            eprintln!("  {run}/{RUNS} {}", row.progress());
        }
        findings.rows.push(row);
    }
    findings.memories.push(Memories { leads, at_rest, before_creates, at_end: server.memory() });
    Ok(())
}

async fn observe(server: &Server, script: &Script, connections: usize, lasting: Duration) -> Result<load::Outcome> {
    let load = Load { address: server.address, connections, lasting };
    Load { lasting: WARM_UP, ..load }.put_on(script).await?;
    let outcome = load.put_on(script).await?;
    if let Some(error) = &outcome.first_error {
        eprintln!("  {} errors, the first: {error}", outcome.errors);
    }
    Ok(outcome)
}

/// The build folder of this program, into which the server is built too.
fn own_folder() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    Ok(exe.parent().ok_or("this program is in no folder")?.to_owned())
}

/// The folder of the data: beside the build rather than among temporary files, which may be in memory.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(ours: &Path, keep: bool) -> Result<Folder> {
        let path = ours.with_file_name(format!("bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder { path, keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("The data stays in {}", self.path.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
