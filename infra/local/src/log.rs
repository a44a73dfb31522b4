//! The human-readable log of the one-machine server: one line per request or event, on standard error.

use daybook_store::telemetry::log_filter;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sets up logging to standard error. `RUST_LOG` sets the filter.
pub fn set_up() {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).event_format(Lines);
    let filter = log_filter("warn,daybook=info,daybook::request=info");
    // Fails only if logging is set up already; then that one is used.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}

struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Lines {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = daybook_store::Clock::System.now().to_string();
        write!(to, "{} ", time.get(11..19).unwrap_or_default())?;
        if event.metadata().target() == "daybook::request" {
            let text = |name: &str| fields.get(name).unwrap_or_default();
            let code = fields.get("code").map(|code| format!(" {code}")).unwrap_or_default();
            return writeln!(to, "{:>6} {} {}{code} {} ms", text("method"), text("path"), text("status"), text("ms"));
        }
        if *event.metadata().level() <= Level::WARN {
            write!(to, "{} ", event.metadata().level())?;
        }
        write!(to, "{}", fields.get("message").unwrap_or_default())?;
        for (name, value) in fields.0.iter().filter(|(name, _)| *name != "message") {
            write!(to, " {name}={value}")?;
        }
        writeln!(to)
    }
}

#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Escaped, so that text from outside can't add lines to the log.
        self.0.push((field.name(), value.escape_debug().to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), format!("{value:.1}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}
