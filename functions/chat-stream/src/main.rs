//! Entry point of the Lambda function `chat-stream`.

use daybook_runs::{Chat, Site};
use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_streaming(daybook_chat_stream::routes(), |from| Chat::configured(from, Site::Stream))
}
