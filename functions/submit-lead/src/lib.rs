//! Submit a lead: the public door. Whatever a form posts is stored first, and answered the same way.
//!
//! Anonymous posts go to the default form, or the form they name; posts with credentials are trusted and
//! skip the checks. One lead per address: who writes again adds a submission to it.

use daybook_domain::permission::{Action::Create, Resource::Leads};
use daybook_http::{Asset, Created, Cx, Form, Posted, RateClass, Result, Routes, public};
use daybook_intake::{Post, Receipt, Thanks, accept};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("submit-lead")
        .post("/api/leads", public(RateClass::Form).or_can(Leads, Create), submit)
        .post("/f/{form_id}", public(RateClass::Form), submit_form)
        .get("/daybook-form.js", public(RateClass::Free), script)
}

/// Takes a lead in.
async fn submit(cx: Cx, posted: Posted) -> Result<Created<Receipt>> {
    accept(&cx, Post::of(posted), |receipt, _| Created(receipt)).await
}

/// Takes a lead in from a plain HTML form: thanks the visitor on a page, or sends them to `_next`.
async fn submit_form(cx: Cx, _form: Form, posted: Posted) -> Result<Thanks> {
    Thanks::accept(&cx, Post::of(posted), |receipt| receipt).await
}

/// The script for `<daybook-form>`: errors beside their fields, attribution, no second post of the same form.
async fn script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new("text/javascript; charset=utf-8", include_bytes!("../assets/daybook-form.js")))
}
