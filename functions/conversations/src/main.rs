//! Entry point of the Lambda function `conversations`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_conversations::routes())
}
