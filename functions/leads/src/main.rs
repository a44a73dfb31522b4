//! Entry point of the Lambda function `leads`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_leads::routes())
}
