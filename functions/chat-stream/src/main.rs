//! Entry point of the Lambda function `chat-stream`.

use daybook_runs::Site;
use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_http::run_streaming(daybook_chat_stream::routes(), |from| daybook_runs::Chat::configured(from, Site::Stream))
}
