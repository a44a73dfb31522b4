//! The Lambda function `anchor-journal`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_schedule_with_anchors("anchor-journal", daybook_anchor_journal::anchor)
}
