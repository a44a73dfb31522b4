//! Entry points of HTTP functions in Lambda: they read the configuration and serve the route table.

use crate::app::app;
use crate::call::Places;
use crate::reply::Answer;
use crate::routes::Routes;
use aws_config::SdkConfig;
use axum::{Extension, Router};
use daybook_connectors::files::Bucket;
use daybook_store::Env;
use daybook_store::config::{Surroundings, Variables, start};
use daybook_store::telemetry::Invocation;
use lambda_http::{Context, Request, service_fn};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use tower::ServiceExt as _;

/// Runs an HTTP function in Lambda. A function's `main` calls nothing else.
pub fn run(routes: Routes) -> ExitCode {
    run_on(routes, |_, _| Places::default())
}

/// Runs an HTTP function that links to files in Lambda. A function's `main` calls nothing else.
pub fn run_with_files(routes: Routes) -> ExitCode {
    run_on(routes, |sdk, variables| Places {
        files: bucket(sdk, variables, "FILES_BUCKET").map(|bucket| bucket as _),
        anchors: None,
    })
}

/// Runs an HTTP function that uses the write-once archive in Lambda. A function's `main` calls nothing else.
pub fn run_with_anchors(routes: Routes) -> ExitCode {
    run_on(routes, |sdk, variables| Places {
        files: None,
        anchors: bucket(sdk, variables, "ANCHORS_BUCKET").map(|bucket| bucket as _),
    })
}

fn bucket(sdk: &SdkConfig, variables: &mut Variables<'_>, variable: &str) -> Option<Arc<Bucket>> {
    let name = variables.required(variable, |name| Ok::<_, String>(name.to_owned()));
    name.map(|name| Bucket::shared(sdk, &name))
}

/// Runs a function with the file stores it uses besides the table. A store that it doesn't name isn't linked into it.
fn run_on(routes: Routes, reach: fn(&SdkConfig, &mut Variables<'_>) -> Places) -> ExitCode {
    start(async {
        let (app, env) = served(routes, |sdk, variables| Some(reach(sdk, variables))).await?;
        lambda_http::run(service_fn(move |request| answered(app.clone(), env.clone(), request))).await
    })
}

/// Runs an HTTP function whose routes use something of its own ([`Own`](crate::Own)), from its variables. A function's
/// `main` calls nothing else.
pub fn run_with<T>(routes: Routes, own: fn(&SdkConfig, &mut Variables<'_>) -> Option<T>) -> ExitCode
where
    T: Clone + Send + Sync + 'static,
{
    start(async {
        let (app, env) = served(routes, own).await?;
        lambda_http::run(service_fn(move |request| answered(app.clone(), env.clone(), request))).await
    })
}

/// Runs an HTTP function as [`run_with`], which streams its answers at a URL of its own. A function's `main` calls nothing
/// else.
pub fn run_streaming<T>(routes: Routes, own: fn(&SdkConfig, &mut Variables<'_>) -> Option<T>) -> ExitCode
where
    T: Clone + Send + Sync + 'static,
{
    start(async {
        let (app, env) = served(routes, own).await?;
        let service = service_fn(move |request| answered(app.clone(), env.clone(), request));
        lambda_http::run_with_streaming_response(service).await
    })
}

/// The service for these routes, with an extension for them. All mistakes in the environment are reported at once.
async fn served<T: Clone + Send + Sync + 'static>(
    routes: Routes,
    own: impl FnOnce(&SdkConfig, &mut Variables<'_>) -> Option<T>,
) -> Result<(Router, Arc<Env>), lambda_http::Error> {
    let surroundings = Surroundings::read().await?;
    let get = |name: &str| surroundings.get(name);
    let mut variables = Variables::new(&get);
    let own = own(&surroundings.sdk, &mut variables);
    let env = Arc::new(surroundings.env(variables)?);
    let app = app(vec![routes], env.clone(), |router| match own {
        Some(own) => router.layer(Extension(own)),
        None => router,
    });
    Ok((app, env))
}

async fn answered(app: Router, env: Arc<Env>, mut request: Request) -> Result<Answer, Infallible> {
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
