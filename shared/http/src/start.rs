//! Starting an HTTP function in Lambda.

use crate::app::app;
use crate::routes::Routes;
use daybook_store::config::{Surroundings, Variables, start};
use daybook_store::telemetry::Invocation;
use lambda_http::{Context, Request, service_fn};
use std::process::ExitCode;
use std::sync::Arc;
use tower::ServiceExt as _;

/// Runs a function in Lambda: this is all of its `main`.
pub fn run(routes: Routes) -> ExitCode {
    start(async {
        let surroundings = Surroundings::read().await?;
        let get = |name: &str| surroundings.get(name);
        let env = Arc::new(surroundings.env(Variables::new(&get))?);
        let app = app(vec![routes], env.clone(), |router| router);
        lambda_http::run(service_fn(move |mut request: Request| {
            let (app, env) = (app.clone(), env.clone());
            async move {
                let invocation = match request.extensions().get::<Context>() {
                    Some(context) => Invocation::begin(&context.request_id, context.xray_trace_id.as_deref()),
                    None => Invocation::default(),
                };
                env.secrets.refresh().await;
                request.extensions_mut().insert(invocation.clone());
                let answer = app.oneshot(request).await;
                invocation.end();
                answer
            }
        }))
        .await
    })
}
