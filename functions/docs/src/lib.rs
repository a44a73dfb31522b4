//! Docs: the OpenAPI document, and two ways to read it. Everything comes from here, no other host is asked.

use daybook_http::{Asset, Cx, RateClass, Result, Routes, public};

/// What Scalar's page may load.
const SCALAR_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
                             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What Redoc's page may load; it brings a small font along.
const REDOC_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
                            font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                            frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The routes of this function.
pub fn routes() -> Routes {
    Routes::of("docs")
        .get("/openapi.json", public(RateClass::Free), openapi)
        .get("/docs", public(RateClass::Free), scalar)
        .get("/docs/start.js", public(RateClass::Free), scalar_start)
        .get("/docs/scalar.js", public(RateClass::Free), scalar_script)
        .get("/redoc", public(RateClass::Free), redoc)
        .get("/redoc/redoc.js", public(RateClass::Free), redoc_script)
}

/// The OpenAPI document.
async fn openapi(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new("application/json", include_bytes!("../../../infra/openapi.json")))
}

/// The reference, with a client to try requests.
async fn scalar(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(HTML, include_bytes!("../assets/docs.html")).with_policy(SCALAR_POLICY))
}

async fn scalar_start(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(SCRIPT, include_bytes!("../assets/start.js")))
}

async fn scalar_script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(SCRIPT, include_bytes!("../assets/scalar.js.gz")).gzipped())
}

/// The reference, to read and print.
async fn redoc(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(HTML, include_bytes!("../assets/redoc.html")).with_policy(REDOC_POLICY))
}

async fn redoc_script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(SCRIPT, include_bytes!("../assets/redoc.js.gz")).gzipped())
}
