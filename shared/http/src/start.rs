//! Starting an HTTP function in Lambda.

use crate::app::app;
use crate::routes::Routes;
use daybook_store::config::{Variables, environment, start};
use std::process::ExitCode;
use std::sync::Arc;

/// Runs a function in Lambda: this is all of its `main`.
pub fn run(routes: Routes) -> ExitCode {
    start(async {
        let get = |name: &str| std::env::var(name).ok();
        let env = environment(Variables::new(&get)).await?;
        lambda_http::run(app(vec![routes], Arc::new(env), |router| router)).await
    })
}
