//! Entry point of the Lambda function `health`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_health::routes())
}
