//! Handlers: async functions of a context and typed arguments.

use crate::call::Call;
use crate::openapi::Operation;
use crate::reply::{Answer, HttpReply};
use axum::http::Method;
use daybook_domain::{Actor, Error as Domain, Rule};
use daybook_store::{Cx, Error, Once, Result, sha256_hex};
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
    ($($argument:ident),*) => {
        impl<F, Fut, R, $($argument,)*> Handler<(R, $($argument,)*)> for F
        where
            F: Fn(Cx, $($argument),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Result<R>> + Send,
            R: HttpReply,
            $($argument: Argument,)*
        {
            #[allow(non_snake_case, unused_mut, clippy::allow_attributes, reason = "one macro for all numbers of arguments")]
            async fn call(&self, mut call: Call) -> Result<Answer> {
                $(let $argument = $argument::read(&call).await?;)*
                let input: Vec<Value> = vec![$($argument.fingerprint()),*];
                call.cx.once = once(&call, &input)?;
                if let Some(earlier) = call.cx.earlier_reply::<R>().await? {
                    return earlier.answer(&call);
                }
                self(call.cx.clone(), $($argument),*).await?.answer(&call)
            }

            fn describe(operation: &mut Operation) {
                $($argument::describe(operation);)*
                R::describe(operation);
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);

/// The idempotency of a request with an `Idempotency-Key`, bare or in quotes.
fn once(call: &Call, input: &[Value]) -> Result<Option<Arc<Once>>> {
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
        Actor::Public => "public".to_owned(),
        Actor::System => "system".to_owned(),
    };
    let scope = [who.as_str(), call.method.as_str(), call.cx.request.route, key];
    let fingerprint = serde_json::to_string(&(call.header("if-match"), input));
    let fingerprint = fingerprint.map_err(|error| Error::internal("fingerprint a request", error))?;
    let hash = sha256_hex(scope.join("\n").as_bytes());
    Ok(Some(Arc::new(Once { hash, fingerprint: sha256_hex(fingerprint.as_bytes()), kept: KEPT, from_client: true })))
}

/// The rule that a query which takes no parameters breaks with any.
pub(crate) fn no_parameters(call: &Call, known: &[String]) -> Result<()> {
    let pairs = crate::input::query_pairs(call)?;
    let mut violations = daybook_domain::Violations::default();
    for (name, _) in pairs.iter().filter(|(name, _)| !known.contains(name)) {
        let nearest = daybook_domain::read::nearest(name, known);
        violations.add(format!("/{}", daybook_domain::read::escape(name)), Rule::Unknown { nearest });
    }
    if violations.0.is_empty() { Ok(()) } else { Err(Domain::Query(violations).into()) }
}
