//! Health: whether Daybook runs, for people, monitors and load balancers.

use daybook_domain::Timestamp;
use daybook_domain::organization::Organization;
use daybook_http::{Bare, Cx, Data, RateClass, Result, Routes, public};
use serde::{Deserialize, Serialize};

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("health")
        .get("/", public(RateClass::Free), info)
        .get("/health", public(RateClass::Free), health)
        .get("/api/health", public(RateClass::Free), health)
        .get("/health/ready", public(RateClass::Free), ready)
}

/// What this is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
struct Info {
    name: String,
    version: String,
    health: String,
}

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

/// Says what this is.
async fn info(_cx: Cx) -> Result<Data<Info>> {
    Ok(Data(Info { name: "Daybook".to_owned(), version: version(), health: "/health".to_owned() }))
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
