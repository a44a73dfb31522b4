//! Entry point of the Lambda function `book-demo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run(daybook_book_demo::routes())
}
