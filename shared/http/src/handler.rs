//! Handlers: async functions of a context and typed arguments.

use crate::call::{Call, query_pairs};
use crate::operation::Operation;
use crate::reply::{Answer, HttpReply};
use axum::http::Method;
use daybook_domain::read::escape;
use daybook_domain::{Actor, Error as Domain, Rule, Violations};
use daybook_store::{Cx, Error, Once, Purpose, Result, sha256_hex};
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long an idempotency key is remembered.
pub(crate) const KEPT: Duration = Duration::from_secs(86_400);

/// Something a handler takes, read from the request.
pub trait Argument: Sized + Send {
    /// Reads it, or says everything that is wrong with it.
    fn read(call: &Call) -> impl Future<Output = Result<Self>> + Send;

    /// What was read, as it counts towards "the same request".
    fn fingerprint(&self) -> Value;

    /// What the idempotency key of somebody unknown counts for: the form they post.
    fn scope(&self) -> Option<String> {
        None
    }

    /// Whether it reads the query; where no argument does, a query with parameters is refused.
    const READS_QUERY: bool = false;

    /// Adds it to the documentation of the route.
    fn describe(operation: &mut Operation);
}

/// A function that answers a route.
pub trait Handler<Arguments>: Clone + Send + Sync + 'static {
    /// Reads the arguments, answers repeats, and calls the function.
    fn call(&self, call: Call) -> impl Future<Output = Result<Answer>> + Send;

    /// Adds arguments and reply to the documentation of the route.
    fn describe(operation: &mut Operation);
}

macro_rules! handler {
    ($($kind:ident $argument:ident),*) => {
        impl<F, Fut, R, $($kind,)*> Handler<(R, $($kind,)*)> for F
        where
            F: Fn(Cx, $($kind),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<R>> + Send,
            R: HttpReply,
            $($kind: Argument,)*
        {
            async fn call(&self, mut call: Call) -> Result<Answer> {
                let reads_query = false $(|| $kind::READS_QUERY)*;
                if !reads_query {
                    no_parameters(&call)?;
                }
                $(let $argument = $kind::read(&call).await?;)*
                let input: Vec<Value> = vec![$($argument.fingerprint()),*];
                let scopes: Vec<Option<String>> = vec![$($argument.scope()),*];
                call.cx.once = once(&call, &scopes, &input)?;
                if let Some(earlier) = call.cx.earlier_reply::<R>().await? {
                    return earlier.answer(&call);
                }
                self(call.cx.clone(), $($argument),*).await?.answer(&call)
            }

            fn describe(operation: &mut Operation) {
                $($kind::describe(operation);)*
                R::describe(operation);
            }
        }
    };
}

handler!();
handler!(A a);
handler!(A a, B b);
handler!(A a, B b, C c);
handler!(A a, B b, C c, D d);

/// The idempotency of a request with an `Idempotency-Key`, bare or in quotes.
fn once(call: &Call, scopes: &[Option<String>], input: &[Value]) -> Result<Option<Arc<Once>>> {
    let mut keys = call.headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next().filter(|_| call.method != Method::GET) else { return Ok(None) };
    let bad =
        || Domain::Malformed("Idempotency-Key must come once, with 1 to 255 printable ASCII characters".to_owned());
    let key = key.to_str().map_err(|_| bad())?.trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let good = (1..=255).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !good || keys.next().is_some() {
        return Err(bad().into());
    }
    let who = match &call.cx.actor {
        Actor::User { id, .. } => id.to_string(),
        Actor::ApiKey { id, .. } => id.to_string(),
        Actor::Public => format!("public {scopes:?}"),
        // None of a newer version's actors asks here.
        Actor::System | Actor::Unknown(_) => "system".to_owned(),
    };
    let scope = [who.as_str(), call.method.as_str(), call.cx.request.route, key];
    let fingerprint = serde_json::to_string(&(call.header("if-match"), input));
    let mut fingerprint = fingerprint.map_err(|error| Error::internal("fingerprint a request", error))?;
    if fingerprint.contains("\"***\"") {
        // Secrets are masked in the input as it is typed, but tell two requests apart.
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        fingerprint += &call.cx.sign(Purpose::Once, body.to_string().as_bytes());
    }
    let hash = sha256_hex(scope.join("\n").as_bytes());
    Ok(Some(Arc::new(Once {
        org: call.cx.org,
        hash,
        fingerprint: sha256_hex(fingerprint.as_bytes()),
        kept: KEPT,
        from_client: true,
    })))
}

/// Refuses a query with parameters on a route that takes none.
fn no_parameters(call: &Call) -> Result<()> {
    let mut violations = Violations::default();
    for (name, _) in query_pairs(call)? {
        violations.add(format!("/{}", escape(&name)), Rule::Unknown { nearest: None });
    }
    if violations.0.is_empty() { Ok(()) } else { Err(Domain::Query(violations).into()) }
}
