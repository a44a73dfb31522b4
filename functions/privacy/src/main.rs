//! Entry point of the Lambda function `privacy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_with_files(daybook_privacy::routes())
}
