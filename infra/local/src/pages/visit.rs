//! Visits of pages: the language, and where the visitor is.

use axum::extract::{FromRequestParts, Query};
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use daybook_domain::Locale;
use serde::Deserialize;
use std::convert::Infallible;

/// A visit of a page.
pub struct Visit {
    /// Whether the page is in Chinese.
    pub chinese: bool,
    path: String,
    /// The parameters of the URL but for the language.
    query: Vec<String>,
}

#[derive(Deserialize)]
struct Language {
    lang: Option<String>,
}

impl Visit {
    /// The language in the URL's query, else the browser's.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Visit {
        let asked = Query::<Language>::try_from_uri(uri).ok().and_then(|Query(query)| query.lang);
        let asked = asked.as_deref().and_then(Locale::of_tag);
        let accepted = || headers.get(ACCEPT_LANGUAGE)?.to_str().ok().and_then(Locale::accepted);
        let query =
            uri.query().unwrap_or_default().split('&').filter(|one| !one.is_empty() && !one.starts_with("lang="));
        Visit {
            chinese: asked.or_else(accepted).unwrap_or_default() == Locale::Chinese,
            path: uri.path().to_owned(),
            query: query.map(str::to_owned).collect(),
        }
    }

    /// The language.
    pub fn locale(&self) -> Locale {
        if self.chinese { Locale::Chinese } else { Locale::English }
    }

    /// The tag of the language.
    pub fn lang(&self) -> &'static str {
        self.locale().tag()
    }

    /// The text in the language of the page.
    pub fn say<'t>(&self, english: &'t str, chinese: &'t str) -> &'t str {
        self.locale().pick(english, chinese)
    }

    /// The path of the page.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether this is the page at a path, or one below it.
    pub fn is_at(&self, path: &str) -> bool {
        self.path == path || self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The same page in a language.
    pub fn here(&self, lang: &str) -> String {
        let all: Vec<&str> = self.query.iter().map(String::as_str).collect();
        let query = [all.join("&"), format!("lang={lang}")].into_iter().filter(|part| !part.is_empty());
        format!("?{}", query.collect::<Vec<_>>().join("&"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visit, Self::Rejection> {
        Ok(Visit::of(&parts.uri, &parts.headers))
    }
}
