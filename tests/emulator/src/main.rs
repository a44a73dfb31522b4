//! `daybook-emulator`: a local server with DynamoDB's protocol and Daybook's table in memory, for functions that run as
//! processes of their own.

use clap::Parser;
use daybook_emulator::{Emulator, serve_table};
use std::process::ExitCode;

/// Serves Daybook's table by DynamoDB's protocol, in memory, for functions that run as processes of their own.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The port to serve on.
    #[arg(long, default_value_t = 8000)]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Arguments::parse().port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daybook-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(port: u16) -> Result<(), String> {
    let emulator = Emulator::in_memory().map_err(|error| error.to_string())?;
    let address = serve_table(emulator, port).await.map_err(|error| error.to_string())?;
    eprintln!("The table is at {address}, until Ctrl-C.");
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}
