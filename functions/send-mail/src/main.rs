//! Entry point of the Lambda function `send-mail`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_queue(daybook_send_mail::worker)
}
