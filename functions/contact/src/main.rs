//! Entry point of the Lambda function `contact`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_contact::routes())
}
