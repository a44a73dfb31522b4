//! Entry point of the Lambda function `chat-run`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_queue(daybook_chat_run::worker)
}
