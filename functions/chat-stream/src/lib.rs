//! The chat at a URL that streams, since the HTTP API can't: the routes of the chat, whose answers this function generates
//! where it streams them, and OpenAI's API for clients that are made for that.

mod openai;
mod reader;

use daybook_domain::permission::Action::Use;
use daybook_domain::permission::Resource::Ai;
use daybook_http::{Routes, can};
use std::time::Duration;

/// How long clients of OpenAI's API wait for the beginning of an answer: as long as they wait by default.
const PATIENCE: Duration = Duration::from_secs(600);

/// The routes of this function.
pub fn routes() -> Routes {
    daybook_chat::routes_of("chat-stream").with(openai())
}

/// The routes with OpenAI's API.
pub fn openai() -> Routes {
    Routes::of("chat-stream")
        .get("/v1/models", can(Ai, Use), openai::models::list)
        .get("/v1/models/{id}", can(Ai, Use), openai::models::read)
        .lasting(PATIENCE)
        .post("/v1/chat/completions", can(Ai, Use), openai::completions::create_completion)
        .post("/v1/responses", can(Ai, Use), openai::responses::create_response)
}
