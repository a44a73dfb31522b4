//! Configuration of the AWS SDK: credentials, time-outs, and one HTTP client for all calls.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use std::time::Duration;

/// The root certificates of all AWS endpoints (amazontrust.com/repository): Amazon Root CA 1 to 4, and Starfield
/// Services Root G2.
const ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// The time-out for establishing a connection.
const CONNECTING: Duration = Duration::from_secs(1);

/// The time-out of one attempt of a call; the SDK makes three. DynamoDB doesn't answer an attempt that takes longer.
const TRY: Duration = Duration::from_secs(3);

/// The SDK's configuration from the environment, or what is wrong with it.
///
/// Reading the system's certificates takes tens of milliseconds on a small function, so Amazon's own are compiled in;
/// `TLS_ROOTS=system` uses the system's instead, for a proxy with a certificate of its own.
pub async fn sdk() -> Result<SdkConfig, String> {
    let roots = match std::env::var("TLS_ROOTS").as_deref() {
        Ok("system") => TrustStore::default(),
        Ok("amazon") | Err(_) => TrustStore::empty().with_pem_certificate(ROOTS),
        Ok(_) => return Err("TLS_ROOTS: must be amazon or system".to_owned()),
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    let tls = tls.map_err(|error| format!("the TLS root certificates can't be used: {error}"))?;
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECTING).operation_attempt_timeout(TRY).build();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(client).timeout_config(timeouts);
    Ok(config.load().await)
}
