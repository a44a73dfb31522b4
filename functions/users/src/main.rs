//! Entry point of the Lambda function `users`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_users::routes())
}
