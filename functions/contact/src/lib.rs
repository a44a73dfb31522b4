//! The contact form endpoint: turns a message into a submission and a lead (source `contact_form`). The visitor gets a
//! confirmation by e-mail, the team a notification.

use daybook_domain::message::Message;
use daybook_domain::permission::{Action::Create, Resource::Leads};
use daybook_http::{Cx, Posted, RateClass, Result, Routes, public};
use daybook_intake::{Post, Thanks};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("contact").post("/api/contact", public(RateClass::Form).or_can(Leads, Create), send)
}

/// Accepts a message. A script gets JSON, a plain form gets a page or a redirect to its `_next`.
async fn send(cx: Cx, posted: Posted<Message>) -> Result<Thanks> {
    Thanks::accept(Post::of(&cx, posted).await?, |receipt| receipt).await
}
