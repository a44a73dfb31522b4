//! Entry point of the Lambda function `anchor-journal`.

use daybook_jobs::Provider;
use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_schedule("anchor-journal", Provider::archive, daybook_anchor_journal::anchor)
}
