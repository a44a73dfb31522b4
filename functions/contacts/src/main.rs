//! Entry point of the Lambda function `contacts`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_contacts::routes())
}
