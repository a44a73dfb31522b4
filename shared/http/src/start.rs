//! Starting an HTTP function in Lambda.

use crate::app::app;
use crate::routes::Routes;
use daybook_store::config::{Variables, environment, log_as_json};
use std::process::ExitCode;
use std::sync::Arc;

/// Runs a function in Lambda: this is all of its `main`.
pub fn run(routes: Routes) -> ExitCode {
    log_as_json();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let get = |name: &str| std::env::var(name).ok();
        let env = match environment(Variables::new(&get)).await {
            Ok(env) => Arc::new(env),
            Err(error) => return failed(&error),
        };
        match lambda_http::run(app(vec![routes], env)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    })
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!(%error, "can't start");
    ExitCode::FAILURE
}
