//! Handlers: async functions of a context and typed arguments, with support for idempotency keys.

use crate::call::{Call, query_pairs};
use crate::operation::Operation;
use crate::reply::{Answer, HttpReply};
use axum::http::Method;
use daybook_domain::masking::MASK;
use daybook_domain::read::escape;
use daybook_domain::{Actor, Error as Domain, Malformed, Rule, Violations};
use daybook_store::{Cx, Error, Once, Purpose, Result, sha256_hex};
use serde_json::Value;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long an idempotency key is kept: 24 hours.
pub(crate) const KEPT: Duration = Duration::from_secs(86_400);

/// A handler argument, read from the request.
pub trait Argument: Sized + Send {
    /// Reads the argument, or returns all of its violations.
    fn read(call: &Call) -> impl Future<Output = Result<Self>> + Send;

    /// The argument's part of the request fingerprint, which identifies repeats of the same request.
    fn fingerprint(&self) -> Value;

    /// The scope of an anonymous caller's idempotency key: the posted form.
    fn scope(&self) -> Option<String> {
        None
    }

    /// Whether it is part of what identifies a request. What only shapes the answer isn't.
    const IDENTIFIES: bool = true;

    /// Whether it reads the query. If no argument does, query parameters are refused.
    const READS_QUERY: bool = false;

    /// Adds the argument to the route's OpenAPI operation.
    fn describe(operation: &mut Operation);
}

/// A function that answers a route.
pub trait Handler<Arguments>: Clone + Send + Sync + 'static {
    /// Reads the arguments and calls the function; a repeat gets the stored reply instead.
    fn call(&self, call: Call) -> impl Future<Output = Result<Answer>> + Send;

    /// Adds the arguments and the reply to the route's OpenAPI operation.
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
                // Each argument's part, if it identifies the request, with its scope.
                let parts: Vec<Option<(Value, Option<String>)>> =
                    vec![$($kind::IDENTIFIES.then(|| ($argument.fingerprint(), $argument.scope()))),*];
                let (input, scopes): (Vec<Value>, Vec<Option<String>>) = parts.into_iter().flatten().unzip();
                call.cx.once = once(&call, &scopes, &input)?;
                if R::REPLAYED && let Some(earlier) = call.cx.earlier_reply::<R>().await? {
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

/// Reads the `Idempotency-Key` header, bare or in quotes, and fingerprints the request.
fn once(call: &Call, scopes: &[Option<String>], input: &[Value]) -> Result<Option<Arc<Once>>> {
    let mut keys = call.headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next().filter(|_| call.method != Method::GET) else { return Ok(None) };
    let bad = || Domain::Malformed(Malformed::IdempotencyKey);
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
        // Actors that only a newer version knows don't call this version.
        Actor::System | Actor::Unknown(_) => "system".to_owned(),
    };
    let scope = [who.as_str(), call.method.as_str(), call.cx.request.route, key];
    let fingerprint = serde_json::to_string(&(call.header("if-match"), input));
    let mut fingerprint = fingerprint.map_err(|error| Error::internal("fingerprint a request", error))?;
    if fingerprint.contains(MASK) {
        // Typed input masks secrets; the signed body distinguishes requests that differ only in a secret.
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

/// Refuses query parameters on a route that takes none.
fn no_parameters(call: &Call) -> Result<()> {
    let mut violations = Violations::default();
    for (name, _) in query_pairs(call)? {
        violations.add(format!("/{}", escape(&name)), Rule::Unknown { nearest: None });
    }
    if violations.0.is_empty() { Ok(()) } else { Err(Domain::Query(violations).into()) }
}
