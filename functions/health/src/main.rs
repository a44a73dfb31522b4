//! Entry point of the Lambda function `health`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_with(daybook_health::routes(), |_, _| Some(daybook_health::Counters::default()))
}
