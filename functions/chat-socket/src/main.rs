//! Entry point of the Lambda function `chat-socket`.

use std::process::ExitCode;

fn main() -> ExitCode {
    daybook_jobs::run_sockets(daybook_chat_socket::chat, daybook_chat_socket::handle)
}
