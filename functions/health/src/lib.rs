//! Health checks for people, monitors and load balancers: whether the process responds, and whether the table does.

mod counters;

pub use counters::Counters;

use counters::Counts;
use daybook_domain::Timestamp;
use daybook_domain::organization::Organization;
use daybook_http::{Bare, Cx, Data, Own, RateClass, Result, Routes, public};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("health")
        .get("/", public(RateClass::Free), info)
        .get("/health", public(RateClass::Free), health)
        .get("/api/health", public(RateClass::Free), health)
        .get("/health/ready", public(RateClass::Free), ready)
}

/// An overview of the service.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Info {
    name: String,
    version: String,
    /// How to start.
    usage: String,
    /// The path of the health check.
    health: String,
    /// The path of the API reference.
    docs: String,
    /// The path of the OpenAPI document.
    openapi: String,
    /// The resources, each with its path.
    endpoints: BTreeMap<String, String>,
}

/// The names of the resources.
const RESOURCES: [&str; 9] =
    ["contacts", "customers", "demos", "interactions", "leads", "opportunities", "submissions", "tasks", "views"];

/// The result of a health check.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Health {
    /// `healthy`.
    status: String,
    /// The status in words.
    message: String,
    /// The server's time.
    timestamp: Timestamp,
    /// The running version.
    version: String,
    /// The number of open WebSockets; left out, as the two below, where the deployment doesn't tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_connections: Option<u64>,
    /// The number of users of all organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_users: Option<u64>,
    /// The number of conversations of all organisations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_conversations: Option<u64>,
}

/// Returns an overview of the service.
async fn info(_cx: Cx) -> Result<Data<Info>> {
    let usage = "Register with POST /api/auth/register or sign in with POST /api/auth/login, and send the access token as \
                 `Authorization: Bearer`. Forms post to /api/leads without a token.";
    let endpoint = |name: &str| (name.to_owned(), format!("/api/{name}"));
    Ok(Data(Info {
        name: "Daybook".to_owned(),
        version: version(),
        usage: usage.to_owned(),
        health: "/health".to_owned(),
        docs: "/docs".to_owned(),
        openapi: "/openapi.json".to_owned(),
        endpoints: RESOURCES.into_iter().map(endpoint).collect(),
    }))
}

/// Reports that the process responds, whether the table does or not. Counts are at most 10 s old.
async fn health(cx: Cx, Own(counters): Own<Counters>) -> Result<Bare<Health>> {
    Ok(Bare(healthy(&cx, counters.current(&cx).await)))
}

fn healthy(cx: &Cx, counts: Option<Counts>) -> Health {
    let message = "CRM API is running".to_owned();
    Health {
        status: "healthy".to_owned(),
        message,
        timestamp: cx.now(),
        version: version(),
        active_connections: counts.map(|counts| counts.active_connections),
        total_users: counts.map(|counts| counts.total_users),
        total_conversations: counts.map(|counts| counts.total_conversations),
    }
}

/// Reports that the table responds, too; fails with 503 if it doesn't.
async fn ready(cx: Cx, Own(counters): Own<Counters>) -> Result<Bare<Health>> {
    cx.find::<Organization>(cx.org).await?;
    Ok(Bare(healthy(&cx, counters.current(&cx).await)))
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
