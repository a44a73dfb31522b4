//! The command-line program `daybook`: the one-machine server, backup and restore, demo data, and the OpenAPI
//! document.

use clap::{Parser, Subcommand};
use daybook_domain::Timestamp;
use daybook_domain::origin::Host;
use daybook_local::{DemoData, ServeOptions, backup, demo_data, redrive, reference, restore, serve};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long the process waits for blocking work before it exits.
const LONGEST_END: Duration = Duration::from_secs(2);

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Daybook, the CRM backend, on one machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to serve on.
    #[arg(long, global = true, default_value_t = 3000)]
    port: u16,
    /// The folder to keep data in.
    #[arg(long, global = true, default_value = ".daybook")]
    data: PathBuf,
    /// A host name or IP address to answer for, besides localhost and 127.0.0.1; repeatable. The server also listens on
    /// a given address; 0.0.0.0 and :: stand for all addresses of this machine.
    #[arg(long = "host", value_name = "NAME OR ADDRESS")]
    hosts: Vec<Host>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print the OpenAPI document.
    Openapi,
    /// Copy the data folder in its current state to another folder, also while its server runs.
    Backup {
        /// The folder to create.
        folder: PathBuf,
    },
    /// Restore a backup to the data folder, which must not exist yet.
    Restore {
        /// The backup.
        folder: PathBuf,
    },
    /// Dispatch the journal's entries again, from a time on, when the server starts next: what was to follow from them and
    /// didn't happen, such as mails and syncs, happens then.
    Redrive {
        /// The time, such as 2026-11-30T08:00:00Z.
        #[arg(long)]
        from: Timestamp,
    },
    /// Fill the default organisation with sample leads and customers, or remove them.
    #[command(subcommand, name = "demo-data")]
    DemoData(DemoDataCommand),
}

#[derive(Subcommand)]
enum DemoDataCommand {
    /// Create leads and customers with realistic names, companies and states, dated over the last 90 days.
    Create {
        /// The number of leads.
        #[arg(long, default_value_t = 1000)]
        leads: usize,
        /// The number of customers, each with a contact, an opportunity, two interactions and a task.
        #[arg(long, default_value_t = 60)]
        customers: usize,
    },
    /// Move what `create` made to the trash; other records stay.
    Remove,
}

fn main() -> ExitCode {
    keep_files_private();
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Openapi) => {
            match reference().to_pretty_json() {
                Ok(json) => println!("{json}"),
                Err(error) => return failed(&error),
            }
            ExitCode::SUCCESS
        }
        Some(Command::DemoData(what)) => {
            let what = match what {
                DemoDataCommand::Create { leads, customers } => DemoData::Create { leads, customers },
                DemoDataCommand::Remove => DemoData::Remove,
            };
            run(demo_data(what, &arguments.data))
        }
        Some(Command::Redrive { from }) => run(redrive(from, &arguments.data)),
        Some(Command::Backup { folder }) => run(backup(&arguments.data, &folder)),
        Some(Command::Restore { folder }) => run(restore(&folder, &arguments.data)),
        None => run(serve(ServeOptions { port: arguments.port, data: arguments.data, hosts: arguments.hosts })),
    }
}

/// Lets only this user read the files that this process creates: they hold the secret, mails and customers' data.
#[cfg(unix)]
fn keep_files_private() {
    use rustix::fs::Mode;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

#[cfg(not(unix))]
fn keep_files_private() {}

fn run<E: std::fmt::Display>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(work);
    // A copy, or a search for expired items, isn't waited for.
    runtime.shutdown_timeout(LONGEST_END);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("daybook: {error}");
    ExitCode::FAILURE
}
