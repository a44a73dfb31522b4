//! Entry point of the Lambda function `dispatch`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_stream(daybook_dispatch::queues, daybook_dispatch::dispatch, daybook_dispatch::redrive)
}
