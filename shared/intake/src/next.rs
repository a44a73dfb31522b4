//! Where a visitor goes after a form: to `_next`, if its origin is known; else the builder of the page is told why not.

use daybook_domain::Locale;
use daybook_domain::form::Form;
use daybook_domain::origin::origin_of;
use daybook_http::Cx;
use serde::{Deserialize, Serialize};

/// What became of `_next`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Onward)]
pub struct Next {
    /// The URL to go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why the visitor isn't sent to the URL that `_next` named, for the builder of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_refused: Option<String>,
}

impl Next {
    /// Judges the URL that a form names: the same with and without a script.
    pub(crate) fn of(cx: &Cx, form: &Form, wanted: Option<&str>, locale: Locale) -> Next {
        let Some(wanted) = wanted.filter(|wanted| !wanted.trim().is_empty()) else { return Next::default() };
        if form.may_return_to(wanted) || is_ours(cx, wanted) {
            return Next { next: Some(wanted.to_owned()), next_refused: None };
        }
        let why = match origin_of(wanted) {
            Some(origin) => locale.pick(
                format!("{origin} is not among the form's allowed_origins, nor in ALLOWED_ORIGINS"),
                format!("{origin} 不在表单的 allowed_origins 中，也不在 ALLOWED_ORIGINS 中"),
            ),
            None => locale.pick(
                "_next must be an absolute http or https URL, or a path of this server".to_owned(),
                "_next 必须是完整的 http 或 https 地址，或本服务器的路径".to_owned(),
            ),
        };
        Next { next: None, next_refused: Some(why) }
    }
}

/// Whether a URL belongs to the deployment, or to one of its allowed origins.
fn is_ours(cx: &Cx, next: &str) -> bool {
    let settings = &cx.env.settings;
    // Browsers drop tabs and read backslashes as slashes, so only plain characters are allowed.
    let plain = next.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let own_path = plain && next.starts_with('/') && !next.starts_with("//");
    let is_known = |origin: String| {
        origin_of(&settings.public_url).is_some_and(|own| own == origin) || settings.sends_visitors_to(&origin)
    };
    own_path || origin_of(next).is_some_and(is_known)
}
