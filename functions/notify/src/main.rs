//! Entry point of the Lambda function `notify`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_queue(daybook_notify::worker)
}
