//! The fake HubSpot's routes.

use super::batch::Version;
use super::contacts::Account;
use super::problem::Problem;
use super::reply::Reply;
use super::wire::{Request, percent_decoded};
use super::{batch, definitions, objects, search};
use daybook_domain::Timestamp;

/// HubSpot's API versions that are named by a date.
const DATES: [&str; 3] = ["2025-09", "2026-03", "2026-09"];

/// Whether a request is a search, which has limits of its own and no rate limit headers.
pub(super) fn is_search(request: &Request) -> bool {
    request.method == "POST" && request.path.trim_end_matches('/').ends_with("/search")
}

/// Carries out a request.
pub(super) fn answer(account: &mut Account, now: Timestamp, request: &Request) -> Result<Reply, Problem> {
    let segments: Vec<String> = request.path.trim_matches('/').split('/').map(percent_decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (version, area, object, rest) = match segments.as_slice() {
        ["crm", "v3", area, object, rest @ ..] => (Version::Three, *area, *object, rest),
        ["crm", area, date, object, rest @ ..] if DATES.contains(date) => (Version::Dated, *area, *object, rest),
        _ => return Err(Problem::new(404, "resource not found")),
    };
    if !["contacts", "contact", "0-1"].contains(&object) {
        return Err(Problem::new(400, format!("Unable to infer object type from: {object}")));
    }
    match (area, request.method.as_str(), rest) {
        ("objects", "GET", []) => objects::list(account, request),
        ("objects", "POST", []) => objects::create(account, now, &request.json()?),
        ("objects", "POST", ["batch", action]) => batch::answer(account, now, version, action, &request.json()?),
        ("objects", "POST", ["search"]) => search::answer(account, now, &request.json()?),
        ("objects", "POST", ["merge"]) => objects::merge(account, now, &request.json()?),
        ("objects", "POST", ["gdpr-delete"]) => objects::forget(account, &request.json()?),
        ("objects", "GET", [id]) => objects::read(account, request, id),
        ("objects", "PATCH", [id]) => objects::update(account, now, request, id),
        ("objects", "DELETE", [id]) => objects::archive(account, now, id),
        ("properties", "GET", []) => Ok(definitions::list(account)),
        ("properties", "POST", []) => definitions::define(account, &request.json()?),
        ("properties", "GET", [name]) => definitions::read(account, name),
        ("objects" | "properties", _, [] | [_]) => Err(Problem::new(405, "HTTP 405 Method Not Allowed")),
        _ => Err(Problem::new(404, "resource not found")),
    }
}
