//! The API documentation: the OpenAPI document and two viewers for it, Scalar and Redoc, all served from this origin
//! alone.

use daybook_http::{Asset, Cx, PageLanguage, RateClass, Result, Routes, public};

/// The content security policy of Scalar's page.
const SCALAR_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; \
                             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The content security policy of Redoc's page, which embeds a small font.
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

/// The reference in Scalar, with a client to try requests.
async fn scalar(_cx: Cx, _: PageLanguage) -> Result<Asset> {
    Ok(Asset::new(HTML, include_bytes!("../assets/docs.html")).with_policy(SCALAR_POLICY))
}

/// The script that starts Scalar.
async fn scalar_start(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(SCRIPT, include_bytes!("../assets/start.js")))
}

/// Scalar.
async fn scalar_script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(SCRIPT, include_bytes!("../assets/scalar.js.gz")).gzipped())
}

/// The reference in Redoc, to read and print.
async fn redoc(_cx: Cx, _: PageLanguage) -> Result<Asset> {
    Ok(Asset::new(HTML, include_bytes!("../assets/redoc.html")).with_policy(REDOC_POLICY))
}

/// Redoc.
async fn redoc_script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new(SCRIPT, include_bytes!("../assets/redoc.js.gz")).gzipped())
}
