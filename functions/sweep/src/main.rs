//! Entry point of the Lambda function `sweep`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_schedule("sweep", daybook_sweep::queues, daybook_sweep::sweep)
}
