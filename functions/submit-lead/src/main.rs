//! Entry point of the Lambda function `submit-lead`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_submit_lead::routes())
}
