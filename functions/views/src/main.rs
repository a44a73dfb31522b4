//! Entry point of the Lambda function `views`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_views::routes())
}
