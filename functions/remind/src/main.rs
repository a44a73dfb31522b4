//! Entry point of the Lambda function `remind`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_queue(daybook_remind::worker)
}
