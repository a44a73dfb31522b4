//! The way to AWS: one configuration, and one HTTP client for everything that the SDK calls.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use std::time::Duration;

/// The roots that all of AWS's endpoints are certified by (amazontrust.com/repository): Amazon Root CA 1 to 4, and
/// Starfield Services Root G2.
const ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// How long a connection may take to stand.
const CONNECTING: Duration = Duration::from_secs(1);

/// How long one try of a call may take; the SDK makes three. A try of DynamoDB's that takes longer won't be answered.
const TRY: Duration = Duration::from_secs(3);

/// The account, region and credentials of the environment, or what is wrong with it.
///
/// Reading the system's certificates takes tens of milliseconds on a small function, so Amazon's own are compiled in;
/// `TLS_ROOTS=system` brings the system's back, for a proxy that has its own.
pub async fn sdk() -> Result<SdkConfig, String> {
    let roots = match std::env::var("TLS_ROOTS").as_deref() {
        Ok("system") => TrustStore::default(),
        Ok("amazon") | Err(_) => TrustStore::empty().with_pem_certificate(ROOTS),
        Ok(_) => return Err("TLS_ROOTS: must be amazon or system".to_owned()),
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    let tls = tls.map_err(|error| format!("the roots of TLS: {error}"))?;
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECTING).operation_attempt_timeout(TRY).build();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(client).timeout_config(timeouts);
    Ok(config.load().await)
}
