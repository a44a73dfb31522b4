//! The answer to a plain HTML form.

use crate::intake::Receipt;
use askama::Template;
use daybook_domain::Locale;
use daybook_domain::form::{Form, origin_of};
use daybook_http::{
    Answer, Call, Created, Cx, Error, HttpReply, Operation, Posted, Result, is_plain_form, page, see_other,
};
use daybook_store::{Answer as Kind, Reply};
use serde::{Deserialize, Serialize};

/// Thanks a visitor: on a page, by sending them on, or in JSON to a script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Thanks {
    receipt: Receipt,
    next: Option<String>,
    locale: Locale,
}

impl Thanks {
    /// The thanks for a submission. `_next` counts where the form, or the deployment, lists its origin.
    pub fn new(cx: &Cx, posted: &Posted, receipt: Receipt, form: &Form) -> Thanks {
        let settings = &cx.env.settings;
        let ours = |next: &str| {
            // Browsers drop tabs and read backslashes as slashes, so only what looks harmless is.
            let plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
            let own_path = plain && next.starts_with('/') && !next.starts_with("//");
            let origin = origin_of(next);
            let listed = |known: &str| origin.is_some() && origin_of(known) == origin;
            own_path || listed(&settings.public_url) || settings.allowed_origins.iter().any(|known| listed(known))
        };
        let next = posted.intake.controls.next.clone().filter(|next| form.may_return_to(next) || ours(next));
        let locale = posted.intake.enquiry.locale.or(posted.locale).unwrap_or(form.locale);
        Thanks { receipt, next, locale }
    }
}

impl Reply for Thanks {
    const ANSWER: Kind = Kind::Created;
}

impl HttpReply for Thanks {
    fn answer(self, call: &Call) -> Result<Answer> {
        if !is_plain_form(call) {
            return Created(self.receipt).answer(call);
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
        Created::<Receipt>::describe(operation);
        operation.pages();
    }
}

#[derive(Template)]
#[template(path = "thanks.html")]
struct Page {
    chinese: bool,
}
