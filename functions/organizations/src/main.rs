//! Entry point of the Lambda function `organizations`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_organizations::routes())
}
