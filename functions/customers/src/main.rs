//! Entry point of the Lambda function `customers`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_customers::routes())
}
