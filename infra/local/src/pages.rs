//! The web pages of the one-machine server: a demo website with the forms, the mailbox, and the HubSpot sync ledger.

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use daybook_domain::{FormId, Locale};
use daybook_embedded::Local;
use daybook_http::page;
use daybook_jobs::mail::{Caught, Outbox};
use daybook_store::rows::ledger;
use daybook_store::{Cx, Env};
use serde::Deserialize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;

use crate::DEFAULT_ORG;
use crate::backup::{self, BackupRequest, Progress};
use crate::host::of_this_machine;

/// The content security policy of the website: its own scripts and styles, and forms that post to this server.
const SITE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'",
);

/// The most rows of the ledger that the page shows.
const MOST_ROWS: usize = 200;

/// The data behind the pages.
#[derive(Clone)]
pub struct Shown {
    /// The table.
    pub env: Arc<Env>,
    /// The mailbox.
    pub outbox: Arc<Outbox>,
    /// Whether HubSpot is switched on.
    pub hubspot: bool,
    /// The storage engine of the table.
    pub table: Local,
    /// The data folder.
    pub data: PathBuf,
}

/// Adds the pages to the API. Those under `/_local` are for this machine alone; download links there are signed
/// instead.
pub fn with_pages(api: Router, shown: Shown) -> Router {
    let local = Router::new()
        .route("/_local/", get(mailbox))
        .route("/_local", get(mailbox))
        .route("/_local/mail", get(async |State(shown): State<Shown>| Json(shown.outbox.mails())))
        .route("/_local/sync", get(sync))
        .route("/_local/backup", post(back_up))
        // Without this route the API would answer the other paths, also to pages of other origins.
        .route("/_local/{*rest}", any(async || (StatusCode::NOT_FOUND, "No such page; the mailbox is at /_local/.")))
        .layer(axum::middleware::from_fn_with_state(shown.env.clone(), of_this_machine))
        .with_state(shown.clone());
    let site = Router::new()
        .route("/book-demo", get(async |visit: Visit| site(&DemoPage { chinese: visit.chinese, form: form() })))
        .route("/contact", get(async |visit: Visit| site(&ContactPage { chinese: visit.chinese, form: form() })))
        .route("/thanks", get(async |visit: Visit| site(&ThanksPage { chinese: visit.chinese })))
        .route("/snippets", get(snippets))
        .route("/chat", get(async |visit: Visit| site(&ChatPage { chinese: visit.chinese })))
        .route("/chat/{file}", get(chat_file))
        .with_state(shown);
    api.layer(axum::middleware::from_fn(lead_form_for_browsers)).merge(local).merge(site)
}

/// Makes a backup, and streams its progress line by line.
async fn back_up(State(shown): State<Shown>, Json(asked): Json<BackupRequest>) -> Response {
    if !asked.is_good(&shown.env) {
        let why = "The signature is invalid or has expired. Make backups with `daybook backup`, which signs its request \
                   with the secret of the data folder.";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::task::spawn_blocking(move || {
        let progress = |copied| match sender.send(Progress::Copied(copied)) {
            Ok(()) => ControlFlow::Continue(()),
            // The caller has disconnected.
            Err(_) => ControlFlow::Break(()),
        };
        let done = backup::copy(&shown.table, &shown.data, &PathBuf::from(asked.folder), progress);
        let end = done.map_or_else(|error| Progress::Failed(error.to_string()), |_| Progress::Done);
        let _ = sender.send(end);
    });
    let lines = futures::stream::unfold(receiver, async |mut receiver| {
        let line = receiver.recv().await?.line();
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    Body::from_stream(lines).into_response()
}

macro_rules! templates {
    ($($path:literal $name:ident { $($field:ident: $kind:ty),* })*) => {$(
        #[derive(Template)]
        #[template(path = $path)]
        struct $name {
            $($field: $kind,)*
        }
    )*};
}

templates! {
    "site/lead.html" LeadPage { chinese: bool, form: FormId }
    "site/demo.html" DemoPage { chinese: bool, form: FormId }
    "site/contact.html" ContactPage { chinese: bool, form: FormId }
    "site/chat.html" ChatPage { chinese: bool }
    "site/thanks.html" ThanksPage { chinese: bool }
    "site/snippets.html" SnippetsPage { chinese: bool, url: String, form: FormId }
    "mailbox.html" MailboxPage { mails: Vec<Caught> }
    "sync.html" SyncPage { on: bool, rows: Vec<SyncRow> }
}

/// A row of the ledger as the page shows it.
struct SyncRow {
    record: String,
    state: &'static str,
    remote_id: Option<String>,
    attempts: u32,
    last_error: Option<String>,
    next_try: Option<String>,
    updated_at: String,
}

/// The language of a visit to the website.
struct Visit {
    chinese: bool,
}

#[derive(Deserialize)]
struct Language {
    lang: Option<String>,
}

impl Visit {
    /// The language in the URL's query, else the browser's.
    fn of(uri: &Uri, headers: &HeaderMap) -> Visit {
        let asked = Query::<Language>::try_from_uri(uri).ok().and_then(|Query(query)| query.lang);
        let asked = asked.as_deref().and_then(Locale::of_tag);
        let accepted = || headers.get(ACCEPT_LANGUAGE)?.to_str().ok().and_then(Locale::accepted);
        Visit { chinese: asked.or_else(accepted).unwrap_or_default() == Locale::Chinese }
    }
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Visit, Self::Rejection> {
        Ok(Visit::of(&parts.uri, &parts.headers))
    }
}

/// Serves the lead form to browsers at `/`; all other requests go to the API.
async fn lead_form_for_browsers(request: Request, next: Next) -> Response {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let browser = accept.is_some_and(|accept| accept.contains("text/html"));
    if request.uri().path() != "/" || request.method() != Method::GET || !browser {
        return next.run(request).await;
    }
    let visit = Visit::of(request.uri(), request.headers());
    site(&LeadPage { chinese: visit.chinese, form: form() })
}

async fn snippets(visit: Visit, State(shown): State<Shown>) -> Response {
    let url = shown.env.settings.public_url.clone();
    site(&SnippetsPage { chinese: visit.chinese, url, form: form() })
}

/// The scripts of the chat's page.
const CHAT_FILES: [(&str, &[u8]); 7] = [
    ("answer.js", include_bytes!("../chat/answer.js")),
    ("api.js", include_bytes!("../chat/api.js")),
    ("markdown-it.js", include_bytes!("../chat/markdown-it.js.gz")),
    ("page.js", include_bytes!("../chat/page.js")),
    ("show.js", include_bytes!("../chat/show.js")),
    ("tree.js", include_bytes!("../chat/tree.js")),
    ("words.js", include_bytes!("../chat/words.js")),
];

async fn chat_file(Path(name): Path<String>) -> Response {
    let Some((_, bytes)) = CHAT_FILES.iter().find(|(file, _)| *file == name) else {
        return (StatusCode::NOT_FOUND, "No such file; the chat is at /chat.").into_response();
    };
    let kind = (CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    let gzipped = bytes.starts_with(&[0x1f, 0x8b]).then(|| [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    (gzipped, [kind], *bytes).into_response()
}

async fn mailbox(State(shown): State<Shown>) -> Response {
    let mut mails = shown.outbox.mails();
    mails.reverse();
    local(&MailboxPage { mails })
}

async fn sync(State(shown): State<Shown>) -> Response {
    let cx: Cx = shown.env.system(DEFAULT_ORG, "sync page");
    let rows = match ledger::page(&cx, ledger::HUBSPOT, None, MOST_ROWS, None).await {
        Ok(page) => page.items,
        Err(error) => {
            tracing::error!(error = %error.chain(), "the sync ledger can't be read");
            Vec::new()
        }
    };
    let row = |row: ledger::Row| SyncRow {
        record: row.record.to_string(),
        state: row.state.name(),
        remote_id: row.remote_id,
        attempts: row.attempts,
        last_error: row.last_error,
        next_try: row.next_try.map(|at| at.to_string()),
        updated_at: row.updated_at.to_string(),
    };
    local(&SyncPage { on: shown.hubspot, rows: rows.into_iter().map(row).collect() })
}

fn form() -> FormId {
    FormId::default_of(DEFAULT_ORG)
}

/// A page of the website.
fn site(template: &impl Template) -> Response {
    let mut answer = local(template);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, SITE_POLICY);
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
    answer
}

/// A page for the operator of the server.
fn local(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => page(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page can't be rendered");
            page("<h1>This page can't be shown. The server's log has the reason.</h1>".to_owned()).into_response()
        }
    }
}
