//! Entry point of the Lambda function `docs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_docs::routes())
}
