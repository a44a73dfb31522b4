//! Entry point of the Lambda function `tasks`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_tasks::routes())
}
