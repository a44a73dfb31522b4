//! The sync ledger of HubSpot.

use super::{Shown, Visit, site};
use crate::DEFAULT_ORG;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use daybook_store::Cx;
use daybook_store::rows::ledger;

/// The most rows of the ledger that the page shows.
const MOST_ROWS: usize = 200;

#[derive(Template)]
#[template(path = "sync.html")]
struct SyncPage {
    visit: Visit,
    on: bool,
    rows: Vec<SyncRow>,
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

/// The page.
pub async fn page(visit: Visit, State(shown): State<Shown>) -> Response {
    let times = shown.times(DEFAULT_ORG, &visit).await;
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
        next_try: row.next_try.map(|at| times.written(at)),
        updated_at: times.written(row.updated_at),
    };
    let rows = rows.into_iter().map(row).collect();
    site(&SyncPage { visit, on: shown.hubspot, rows })
}
