//! Entry point of the Lambda function `chat`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_with(daybook_chat::routes(), daybook_sockets::chat_behind_the_api)
}
