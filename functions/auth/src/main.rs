//! Entry point of the Lambda function `auth`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_auth::routes())
}
