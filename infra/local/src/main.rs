//! `daybook`: the one-machine server, and what belongs to it.

use clap::{Parser, Subcommand};
use daybook_local::{DemoData, Engine, ServeOptions, demo_data, functions, serve, serve_table};
use std::path::PathBuf;
use std::process::ExitCode;

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
    #[arg(long, default_value = ".daybook")]
    data: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print the OpenAPI document.
    Openapi,
    /// Serve the table alone, for functions that run as processes of their own; it is gone when this ends.
    Table,
    /// Fill the default organisation with leads to try things out with, or take them out again.
    #[command(subcommand, name = "demo-data")]
    DemoData(DemoDataCommand),
}

#[derive(Subcommand)]
enum DemoDataCommand {
    /// Make leads: names, companies and states as they might be, over the last 90 days.
    Create {
        /// How many.
        #[arg(long, default_value_t = 1000)]
        leads: usize,
    },
    /// Move the leads that `create` made to the trash; others stay.
    Remove,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Openapi) => {
            let routes: Vec<_> = functions().into_iter().flat_map(|function| function.list).collect();
            match daybook_http::document(&routes).to_pretty_json() {
                Ok(json) => println!("{json}"),
                Err(error) => return failed(&error),
            }
            ExitCode::SUCCESS
        }
        Some(Command::DemoData(what)) => {
            let what = match what {
                DemoDataCommand::Create { leads } => DemoData::Create { leads },
                DemoDataCommand::Remove => DemoData::Remove,
            };
            run(demo_data(what, &arguments.data))
        }
        Some(Command::Table) => run(table(arguments.port)),
        None => run(serve(ServeOptions { port: arguments.port, data: arguments.data })),
    }
}

async fn table(port: u16) -> Result<(), String> {
    let engine = Engine::in_memory().map_err(|error| error.to_string())?;
    let address = serve_table(engine, port).await.map_err(|error| error.to_string())?;
    eprintln!("The table is at {address}, until Ctrl-C.");
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}

fn run<E: std::fmt::Display>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("daybook: {error}");
    ExitCode::FAILURE
}
