//! Entry point of the Lambda function `run-jobs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_queue(daybook_run_jobs::worker)
}
