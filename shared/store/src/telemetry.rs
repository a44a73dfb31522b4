//! Logs and metrics of a function: JSON lines in its log, with metrics in CloudWatch's embedded metric format.
//!
//! Code records metrics with the `metrics` crate; without a recorder, as on one machine and in tests, they are dropped.

use metrics_cloudwatch_embedded::{Builder, Collector};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The CloudWatch namespace of all metrics; each has the dimension `Function`, its name as deployed.
pub const NAMESPACE: &str = "Daybook";

/// The maximum length of a trace that is kept; X-Ray's with all of its parts has about 120 characters.
const LONGEST_TRACE: usize = 256;

static METRICS: OnceLock<&Collector> = OnceLock::new();
static IS_WARM: AtomicBool = AtomicBool::new(false);

/// One invocation of a function by Lambda.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's request id; empty on one machine.
    pub id: String,
    /// Its X-Ray trace.
    pub trace: Option<String>,
    /// Whether it is the first of its process.
    pub cold_start: bool,
    /// When it began.
    pub started: Instant,
}

impl Default for Invocation {
    fn default() -> Invocation {
        Invocation { id: String::new(), trace: None, cold_start: false, started: Instant::now() }
    }
}

impl Invocation {
    /// Begins an invocation.
    pub fn begin(id: &str, trace: Option<&str>) -> Invocation {
        let cold_start = !IS_WARM.swap(true, Ordering::SeqCst);
        if let Some(metrics) = METRICS.get() {
            metrics.set_property("function_request_id", id.to_owned());
        }
        let trace = trace.and_then(readable_trace);
        Invocation { id: id.to_owned(), trace, cold_start, started: Instant::now() }
    }

    /// How long it has taken, in milliseconds.
    pub fn ms(&self) -> f64 {
        self.started.elapsed().as_micros() as f64 / 1000.0
    }

    /// Ends the invocation and writes its metrics.
    pub fn end(self) {
        let Some(metrics) = METRICS.get() else { return };
        // One write for all of it; the next invocation may be far off.
        let mut lines = Vec::new();
        let written = metrics.flush(&mut lines).and_then(|()| std::io::stdout().lock().write_all(&lines));
        if let Err(error) = written {
            tracing::warn!(%error, "metrics were not written");
        }
    }
}

/// The trace, if it is safe in the journal, messages and log lines.
pub fn readable_trace(trace: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-=;:|,_.".contains(&byte);
    ((1..=LONGEST_TRACE).contains(&trace.len()) && trace.bytes().all(plain)).then(|| trace.to_owned())
}

/// The log filter: `RUST_LOG`, such as `warn,daybook_store=debug`, or else `otherwise`.
pub fn log_filter(otherwise: &str) -> Targets {
    let configured = std::env::var("RUST_LOG").ok().and_then(|filter| filter.parse().ok());
    configured.or_else(|| otherwise.parse().ok()).unwrap_or_default()
}

/// Logs one JSON object a line to standard output.
pub fn log_as_json() {
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // Fails only if a log is set up already, which then is the one to use.
    let _ = tracing_subscriber::registry().with(log_filter("info")).with(lines).try_init();
}

/// Sets up metrics for CloudWatch, in Lambda.
pub fn count_for_cloudwatch() {
    let Ok(function) = std::env::var("AWS_LAMBDA_FUNCTION_NAME") else { return };
    match Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("Function", function).init() {
        Ok(collector) => {
            let _ = METRICS.set(collector);
        }
        Err(error) => tracing::warn!(%error, "metrics can't be set up; none are recorded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_kept_and_texts_are_not() {
        let trace =
            "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5";
        assert_eq!(readable_trace(trace).as_deref(), Some(trace));
        for text in ["", "a b", "a\nb", "{\"a\":1}", &"a".repeat(257)] {
            assert_eq!(readable_trace(text), None, "{text}");
        }
    }
}
