//! `daybook`: the one-machine server, and what belongs to it.

use clap::{Parser, Subcommand};
use daybook_local::{ServeOptions, functions, serve};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Daybook, the CRM backend, on one machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to serve on.
    #[arg(long, default_value_t = 3000)]
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
        None => {
            let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return failed(&error),
            };
            match runtime.block_on(serve(ServeOptions { port: arguments.port, data: arguments.data })) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("daybook: {error}");
    ExitCode::FAILURE
}
