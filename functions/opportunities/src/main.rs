//! Entry point of the Lambda function `opportunities`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_opportunities::routes())
}
