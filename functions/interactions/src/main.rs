//! Entry point of the Lambda function `interactions`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_interactions::routes())
}
