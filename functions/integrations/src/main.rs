//! Entry point of the Lambda function `integrations`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_integrations::routes())
}
