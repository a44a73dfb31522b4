//! The pages of the one-machine server: the demo form and the mailbox.

use askama::Template;
use axum::extract::{Query, Request, State};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use daybook_domain::{FormId, Locale};
use daybook_http::page;
use daybook_jobs::mail::{Caught, Outbox};
use serde::Deserialize;
use std::sync::Arc;

use crate::DEFAULT_ORG;

/// Adds the pages to the API.
pub fn with_pages(api: Router, outbox: Arc<Outbox>) -> Router {
    let local = Router::new()
        .route("/_local/", get(mailbox))
        .route("/_local", get(mailbox))
        .route("/_local/mail", get(async |State(outbox): State<Arc<Outbox>>| Json(outbox.mails())))
        .with_state(outbox);
    api.layer(axum::middleware::from_fn(demo_for_browsers)).merge(local)
}

#[derive(Template)]
#[template(path = "demo.html")]
struct Demo {
    chinese: bool,
    form: FormId,
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Mailbox {
    mails: Vec<Caught>,
}

#[derive(Deserialize)]
struct Language {
    lang: Option<String>,
}

/// Browsers get the demo page at `/`; everything else goes to the API.
async fn demo_for_browsers(request: Request, next: Next) -> Response {
    match demo_for(&request) {
        Some(demo) => shown(&demo),
        None => next.run(request).await,
    }
}

fn demo_for(request: &Request) -> Option<Demo> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let browser = text(ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    if request.uri().path() != "/" || request.method() != axum::http::Method::GET || !browser {
        return None;
    }
    let asked = Query::<Language>::try_from_uri(request.uri()).ok().and_then(|Query(query)| query.lang);
    let asked = asked.as_deref().and_then(Locale::of_tag);
    let locale = asked.or_else(|| text(ACCEPT_LANGUAGE).and_then(Locale::accepted)).unwrap_or_default();
    Some(Demo { chinese: locale == Locale::Chinese, form: FormId::default_of(DEFAULT_ORG) })
}

async fn mailbox(State(outbox): State<Arc<Outbox>>) -> Response {
    let mut mails = outbox.mails();
    mails.reverse();
    shown(&Mailbox { mails })
}

fn shown(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => page(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page can't be shown");
            page("<h1>This page can't be shown.</h1>".to_owned()).into_response()
        }
    }
}
