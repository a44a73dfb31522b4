//! The reply to a posted form: a thank-you page, a redirect, or JSON for a script.

use crate::accept::{Post, Receipt, accept};
use askama::Template;
use daybook_domain::Locale;
use daybook_http::{
    Answer, Call, Content, Created, Error, HttpReply, Operation, Result, is_plain_form, page, see_other,
};
use daybook_store::{Answer as Kind, Reply};
use serde::{Deserialize, Serialize};

/// Thanks a visitor: with a page, a redirect, or JSON for a script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thanks<D = Receipt> {
    data: D,
    next: Option<String>,
    locale: Locale,
    /// Whether a confirmation is sent.
    #[serde(default)]
    is_mailed: bool,
}

impl<D: Content + Clone> Thanks<D> {
    /// Stores a post and returns the reply; `data` makes the JSON for a script.
    pub async fn accept(post: Post, data: impl Fn(Receipt) -> D) -> Result<Thanks<D>> {
        let locale = post.enquiry.locale.or(post.by.locale);
        let is_mailed = post.enquiry.email.is_some();
        accept(post, |receipt, form| Thanks {
            next: receipt.onward.next.clone(),
            data: data(receipt),
            locale: locale.unwrap_or(form.locale),
            is_mailed,
        })
        .await
    }
}

impl<D> Thanks<D> {
    /// A reply with this JSON for a script, and with the default page for a plain form.
    pub fn with(data: D, locale: Locale) -> Thanks<D> {
        Thanks { data, next: None, locale, is_mailed: true }
    }
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
                let shown = Page { chinese: self.locale == Locale::Chinese, is_mailed: self.is_mailed };
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
    is_mailed: bool,
}
