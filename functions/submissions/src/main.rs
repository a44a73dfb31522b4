//! Entry point of the Lambda function `submissions`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_submissions::routes())
}
