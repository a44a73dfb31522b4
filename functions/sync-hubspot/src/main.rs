//! Entry point of the Lambda function `sync-hubspot`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_queue(daybook_sync_hubspot::worker)
}
