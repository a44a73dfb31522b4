//! The reply to a posted form: a thank-you page, a redirect, or JSON for a script.

use crate::accept::{Post, Receipt, accept};
use askama::Template;
use daybook_domain::Locale;
use daybook_domain::origin::origin_of;
use daybook_http::{
    Answer, Call, Content, Created, Cx, Error, HttpReply, Operation, Result, is_plain_form, page, see_other,
};
use daybook_store::{Answer as Kind, Reply};
use serde::{Deserialize, Serialize};

/// Thanks a visitor: with a page, a redirect, or JSON for a script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thanks<D = Receipt> {
    data: D,
    next: Option<String>,
    locale: Locale,
}

impl<D: Content + Clone> Thanks<D> {
    /// Stores a post and returns the reply; `data` makes the JSON for a script.
    pub async fn accept(cx: &Cx, post: Post, data: impl Fn(Receipt) -> D) -> Result<Thanks<D>> {
        let (next, locale) = (post.controls.next.clone(), post.enquiry.locale.or(post.by.locale));
        accept(post, |receipt, form| Thanks {
            data: data(receipt),
            next: next.clone().filter(|next| form.may_return_to(next) || is_ours(cx, next)),
            locale: locale.unwrap_or(form.locale),
        })
        .await
    }
}

impl<D> Thanks<D> {
    /// A reply with this JSON for a script, and with the default page for a plain form.
    pub fn with(data: D, locale: Locale) -> Thanks<D> {
        Thanks { data, next: None, locale }
    }
}

/// Whether a URL belongs to the deployment, or to one of its allowed origins.
fn is_ours(cx: &Cx, next: &str) -> bool {
    let settings = &cx.env.settings;
    // Browsers drop tabs and read backslashes as slashes, so only plain characters are allowed.
    let plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let own_path = plain && next.starts_with('/') && !next.starts_with("//");
    let origin = origin_of(next);
    let listed = |known: &str| origin.is_some() && origin_of(known) == origin;
    own_path || listed(&settings.public_url) || settings.allowed_origins.iter().any(|known| listed(known))
}

impl<D: Content> Reply for Thanks<D> {
    const ANSWER: Kind = Kind::Created;
}

impl<D: Content> HttpReply for Thanks<D> {
    fn answer(self, call: &Call) -> Result<Answer> {
        if !is_plain_form(call) {
            return Created(self.data).answer(call);
        }
        match &self.next {
            Some(next) => see_other(next),
            None => {
                let shown = Page { chinese: self.locale == Locale::Chinese };
                shown.render().map(page).map_err(|error| Error::internal("show a page", error))
            }
        }
    }

    fn describe(operation: &mut Operation) {
        Created::<D>::describe(operation);
        operation.pages();
    }
}

#[derive(Template)]
#[template(path = "thanks.html")]
struct Page {
    chinese: bool,
}
