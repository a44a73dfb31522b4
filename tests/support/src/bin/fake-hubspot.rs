//! `fake-hubspot`: the fake HubSpot as a program of its own. Contacts are kept in memory.
//!
//! `GET /_fake/contacts` and `GET /_fake/requests` list its contacts and the requests it received, `DELETE /_fake/faults`
//! stops the injected faults.

use daybook_store::Clock;
use daybook_testing::hubspot::{HubSpot, TOKEN};
use std::process::ExitCode;
use std::str::FromStr;

const USAGE: &str = "fake-hubspot [--port 4010] [--fail 0.3] [--seed 1] [--rate off]";

/// The command line.
struct Arguments {
    port: u16,
    fail: f64,
    seed: u64,
    limits: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => return failed(&error),
    };
    let hubspot = match HubSpot::serve(Clock::System, arguments.port).await {
        Ok(hubspot) => hubspot,
        Err(error) => return failed(&format!("port {}: {error}", arguments.port)),
    };
    if !arguments.limits {
        hubspot.lift_limits();
    }
    if arguments.fail > 0.0 {
        hubspot.fail_randomly(arguments.seed, arguments.fail);
    }
    println!("HUBSPOT_ACCESS_TOKEN={TOKEN}");
    println!("HUBSPOT_BASE_URL={}", hubspot.base_url());
    std::future::pending::<()>().await;
    ExitCode::SUCCESS
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut arguments = Arguments { port: 4010, fail: 0.0, seed: 1, limits: true };
        while let Some(name) = words.next() {
            let value = words.next().unwrap_or_default();
            match name.as_str() {
                "--port" => arguments.port = read(&name, &value)?,
                "--fail" => arguments.fail = read(&name, &value)?,
                "--seed" => arguments.seed = read(&name, &value)?,
                "--rate" if value == "off" => arguments.limits = false,
                "--rate" if value == "on" => arguments.limits = true,
                _ => return Err(format!("{name} {value}: not understood\n{USAGE}")),
            }
        }
        Ok(arguments)
    }
}

fn read<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} {value}: not a number\n{USAGE}"))
}

fn failed(error: &str) -> ExitCode {
    eprintln!("fake-hubspot: {error}");
    ExitCode::FAILURE
}
