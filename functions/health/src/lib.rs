//! Health: whether Daybook runs, for people, monitors and load balancers.

use daybook_domain::Timestamp;
use daybook_domain::organization::Organization;
use daybook_http::{Bare, Cx, Data, RateClass, Result, Routes, public};
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

/// What this is, and where to go from here.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Info {
    name: String,
    version: String,
    /// What to do first.
    usage: String,
    /// Where it says how it is.
    health: String,
    /// The API reference.
    docs: String,
    /// The same as an OpenAPI document.
    openapi: String,
    /// What people work with, and where.
    endpoints: BTreeMap<String, String>,
}

/// The resources that people work with.
const RESOURCES: [&str; 9] =
    ["contacts", "customers", "demos", "interactions", "leads", "opportunities", "submissions", "tasks", "views"];

/// How it is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Health {
    /// `healthy`.
    status: String,
    /// The same in words.
    message: String,
    /// Now.
    timestamp: Timestamp,
    /// The version that runs.
    version: String,
}

/// Says what this is, and where to go from here.
async fn info(_cx: Cx) -> Result<Data<Info>> {
    let usage = "Register with POST /api/auth/register or sign in with POST /api/auth/login, and send the access token as \
                 `Authorization: Bearer`. Forms post to /api/leads without any.";
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

/// Says that the process answers; touches nothing else.
async fn health(cx: Cx) -> Result<Bare<Health>> {
    let message = "CRM API is running".to_owned();
    Ok(Bare(Health { status: "healthy".to_owned(), message, timestamp: cx.now(), version: version() }))
}

/// Says that the table answers too; fails with 503 where it doesn't.
async fn ready(cx: Cx) -> Result<Bare<Health>> {
    cx.find::<Organization>(cx.org).await?;
    health(cx).await
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
