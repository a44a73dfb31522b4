//! Entry point of the Lambda function `chat-stream`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_streaming(daybook_chat_stream::routes(), daybook_sockets::streaming_chat)
}
