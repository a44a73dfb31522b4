//! The web pages of the one-machine server: a start page, a demo website with the forms, and for its operator the records,
//! the mailbox and the HubSpot sync ledger.

mod mailbox;
mod records;
mod sync;
mod visit;
mod website;

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use daybook_domain::organization::Organization;
use daybook_domain::{Locale, OrgId, Stored, Timestamp, Zone};
use daybook_embedded::Local;
use daybook_http::page;
use daybook_jobs::mail::Outbox;
use daybook_store::Env;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use visit::Visit;

use crate::backup::{self, BackupRequest, Progress};
use crate::host::of_this_machine;

/// The content security policy of the pages: their own scripts and styles, and forms that post to this server.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'",
);

/// The pages that the header of each page links to: path, and name in English and Chinese.
pub const PAGES: [(&str, &str, &str); 10] = [
    ("/", "Start", "开始"),
    ("/enquiry", "Enquiry", "提交需求"),
    ("/book-demo", "Book a demo", "预约演示"),
    ("/contact", "Contact", "联系我们"),
    ("/snippets", "Snippets", "嵌入代码"),
    ("/chat", "AI chat", "AI 对话"),
    ("/_local/records", "Records", "记录"),
    ("/_local/", "Mailbox", "邮箱"),
    ("/_local/sync", "Sync", "同步"),
    ("/docs", "API docs", "接口文档"),
];

/// The page of a record, for links in mails.
pub const RECORD_PAGE: &str = "/_local/records/{id}?org={org}";

/// The pages of the API that get the same header.
const FRAMED: [&str; 3] = ["/account", "/docs", "/redoc"];

/// The most bytes of such a page.
const MOST_BYTES: usize = 1 << 20;

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

impl Shown {
    /// The clock by which an organisation's pages tell the time.
    async fn times(&self, org: OrgId, visit: &Visit) -> Times {
        let organization = self.env.system(org, "local pages").find_often::<Organization>(org).await;
        let organization = organization.ok().flatten().map(Stored::into_inner);
        let zone = organization.as_ref().map(|organization| organization.timezone.clone()).unwrap_or_default();
        let name = organization.map_or_else(String::new, |organization| organization.name.to_string());
        Times { zone, name, locale: visit.locale() }
    }
}

/// The time zone of an organisation, and its name.
struct Times {
    zone: Zone,
    name: String,
    locale: Locale,
}

impl Times {
    fn written(&self, at: Timestamp) -> String {
        self.zone.written_time(at, self.locale)
    }
}

/// Adds the pages to the API. Those under `/_local` are for this machine alone; download links there are signed
/// instead.
pub fn with_pages(api: Router, shown: Shown) -> Router {
    let local = Router::new()
        .route("/_local/", get(mailbox::page))
        .route("/_local", get(mailbox::page))
        .route("/_local/mail", get(async |State(shown): State<Shown>| Json(shown.outbox.mails())))
        .route("/_local/sync", get(sync::page))
        .route("/_local/records", get(records::list))
        .route("/_local/records/{id}", get(records::one))
        .route("/_local/records/{id}/{fate}", post(records::decide))
        .route("/_local/backup", post(back_up))
        // Without this route the API would answer the other paths, also to pages of other origins.
        .route("/_local/{*rest}", any(async |visit: Visit| lost(visit)))
        .layer(from_fn_with_state(shown.env.clone(), of_this_machine))
        .with_state(shown.clone());
    api.layer(from_fn(for_browsers)).merge(local).merge(website::pages(shown)).layer(from_fn(without_slash))
}

/// Sends a browser that asks for a page with a slash at its end to the page.
async fn without_slash(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_page = |short: &str| PAGES.iter().any(|(page, ..)| *page == short);
    match path.strip_suffix('/').filter(|short| !is_page(path) && is_page(short)) {
        Some(short) => {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            Redirect::permanent(&format!("{short}{query}")).into_response()
        }
        None => next.run(request).await,
    }
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

/// The pages that the API lacks for browsers: the start page, a header on its own page, and a page in place of a problem
/// document where there is nothing at an address.
async fn for_browsers(request: Request, next: Next) -> Response {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let browses = accept.is_some_and(|accept| accept.contains("text/html")) && request.method() == Method::GET;
    if !browses {
        return next.run(request).await;
    }
    let visit = Visit::of(request.uri(), request.headers());
    match request.uri().path() {
        "/" => website::start(visit),
        path if FRAMED.contains(&path) => with_header(next.run(request).await, visit).await,
        _ => match next.run(request).await {
            answer if answer.status() == StatusCode::NOT_FOUND => lost(visit),
            answer => answer,
        },
    }
}

#[derive(Template)]
#[template(path = "site/lost.html")]
struct LostPage {
    visit: Visit,
}

/// The answer where there is nothing.
fn lost(visit: Visit) -> Response {
    let mut answer = site(&LostPage { visit });
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

#[derive(Template)]
#[template(path = "site/framed.html")]
struct Header {
    visit: Visit,
}

/// A page of the API with the header of the others.
async fn with_header(answer: Response, visit: Visit) -> Response {
    let (mut parts, body) = answer.into_parts();
    let (Ok(bytes), Ok(header)) = (axum::body::to_bytes(body, MOST_BYTES).await, Header { visit }.render()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.remove(CONTENT_LENGTH);
    let html = String::from_utf8_lossy(&bytes).replacen("<body>", &format!("<body>\n{header}"), 1);
    Response::from_parts(parts, Body::from(html))
}

/// A page in the language of the visit.
fn site(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let mut answer = page(html).into_response();
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
            answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
            answer
        }
        Err(error) => {
            tracing::error!(%error, "a page can't be rendered");
            let why = "This page can't be shown. The server's log has the reason.";
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], why).into_response()
        }
    }
}
