//! The chat at a URL that streams, since the HTTP API can't: the routes of the chat, whose answers this function generates
//! where it streams them.

use daybook_http::Routes;

/// The routes of this function.
pub fn routes() -> Routes {
    daybook_chat::routes_of("chat-stream")
}
