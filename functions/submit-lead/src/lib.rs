//! The public endpoint for lead forms: stores every submission first, and gives every visitor the same response.
//!
//! Anonymous posts go to the form they name or to the default form; posts with credentials are trusted and skip the
//! checks. One lead per address: a repeat visitor's post adds a submission to it.

use daybook_domain::ask::Plain;
use daybook_domain::permission::{Action::Create, Resource::Leads};
use daybook_http::{Asset, Created, Cx, Form, Posted, RateClass, Result, Routes, public};
use daybook_intake::{Post, Receipt, Thanks, accept};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("submit-lead")
        .post("/api/leads", public(RateClass::Form).or_can(Leads, Create), submit)
        .post("/f/{form_id}", public(RateClass::Form).or_can(Leads, Create), submit_form)
        .get("/daybook-form.js", public(RateClass::Free), script)
}

/// Accepts a lead.
async fn submit(cx: Cx, posted: Posted) -> Result<Created<Receipt>> {
    accept(Post::of(&cx, posted).await?, |receipt, _| Created(receipt)).await
}

/// Accepts a lead from a plain HTML form: shows a thank-you page, or redirects to `_next`.
async fn submit_form(cx: Cx, _form: Form, posted: Posted<Plain>) -> Result<Thanks> {
    Thanks::accept(Post::of(&cx, posted).await?, |receipt| receipt).await
}

/// The script of `<daybook-form>`: shows errors beside their fields, adds attribution, and prevents duplicate posts.
async fn script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new("text/javascript; charset=utf-8", include_bytes!("../assets/daybook-form.js")))
}
