//! The demo website: the start page, the forms, snippets for a website, and the AI chat.

use super::{Shown, Visit, site};
use crate::DEFAULT_ORG;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use daybook_domain::FormId;

macro_rules! templates {
    ($($path:literal $name:ident { $($field:ident: $kind:ty),* })*) => {$(
        #[derive(Template)]
        #[template(path = $path)]
        struct $name {
            visit: Visit,
            $($field: $kind,)*
        }
    )*};
}

templates! {
    "site/start.html" StartPage {}
    "site/lead.html" LeadPage { form: FormId }
    "site/demo.html" DemoPage { form: FormId }
    "site/contact.html" ContactPage { form: FormId }
    "site/chat.html" ChatPage {}
    "site/thanks.html" ThanksPage {}
    "site/snippets.html" SnippetsPage { url: String, form: FormId }
}

/// The pages of the website, but for the start page, whose path is the API's, too.
pub fn pages(shown: Shown) -> Router {
    Router::new()
        .route("/enquiry", get(async |visit: Visit| site(&LeadPage { visit, form: form() })))
        .route("/book-demo", get(async |visit: Visit| site(&DemoPage { visit, form: form() })))
        .route("/contact", get(async |visit: Visit| site(&ContactPage { visit, form: form() })))
        .route("/thanks", get(async |visit: Visit| site(&ThanksPage { visit })))
        .route("/snippets", get(snippets))
        .route("/snippets/copy.js", get(async || script(include_bytes!("../../templates/site/copy.js"))))
        .route("/chat", get(async |visit: Visit| site(&ChatPage { visit })))
        .route("/chat/{file}", get(chat_file))
        .with_state(shown)
}

/// The start page.
pub fn start(visit: Visit) -> Response {
    site(&StartPage { visit })
}

async fn snippets(visit: Visit, State(shown): State<Shown>) -> Response {
    let url = shown.env.settings.public_url.clone();
    site(&SnippetsPage { visit, url, form: form() })
}

/// The scripts of the chat's page.
const CHAT_FILES: [(&str, &[u8]); 7] = [
    ("answer.js", include_bytes!("../../chat/answer.js")),
    ("api.js", include_bytes!("../../chat/api.js")),
    ("markdown-it.js", include_bytes!("../../chat/markdown-it.js.gz")),
    ("page.js", include_bytes!("../../chat/page.js")),
    ("show.js", include_bytes!("../../chat/show.js")),
    ("tree.js", include_bytes!("../../chat/tree.js")),
    ("words.js", include_bytes!("../../chat/words.js")),
];

async fn chat_file(Path(name): Path<String>) -> Response {
    let Some((_, bytes)) = CHAT_FILES.iter().find(|(file, _)| *file == name) else {
        return (StatusCode::NOT_FOUND, "No such file; the chat is at /chat.").into_response();
    };
    script(bytes)
}

/// A script, which may be compressed.
fn script(bytes: &'static [u8]) -> Response {
    let kind = (CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    let gzipped = bytes.starts_with(&[0x1f, 0x8b]).then(|| [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    (gzipped, [kind], bytes).into_response()
}

fn form() -> FormId {
    FormId::default_of(DEFAULT_ORG)
}
