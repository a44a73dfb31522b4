//! Contact: a message through a contact form. It becomes a submission and a lead (source `contact_form`);
//! the visitor gets an answer by mail, the team the message.

use daybook_domain::message::Message;
use daybook_domain::permission::{Action::Create, Resource::Leads};
use daybook_http::{Cx, Posted, RateClass, Result, Routes, public};
use daybook_intake::{Post, Thanks};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("contact").post("/api/contact", public(RateClass::Form).or_can(Leads, Create), send)
}

/// Takes a message in: answers a script in JSON, a plain form with a page or by sending it to `_next`.
async fn send(cx: Cx, posted: Posted<Message>) -> Result<Thanks> {
    Thanks::accept(&cx, Post::of(posted), |receipt| receipt).await
}
