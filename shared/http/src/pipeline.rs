//! The request pipeline around every handler: request id, access, rate limit, body limit, time-out, audit and log line.

use crate::access::{Access, RateClass, admit};
use crate::audit;
use crate::call::{Call, Places, content_type, is_form};
use crate::problem::{Problem, with_request_id};
use crate::reply::Answer;
use crate::routes::Route;
use crate::texts::{charset_in, gathered, url_encoded};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use daybook_domain::error::Oversized;
use daybook_domain::permission::Action;
use daybook_domain::{Error as Domain, Malformed, OrgId};
use daybook_store::telemetry::{Invocation, readable_trace};
use daybook_store::{Env, Error, RequestInfo, Result};
use flate2::read::MultiGzDecoder;
use http_body_util::LengthLimitError;
use lambda_http::request::RequestContext;
use serde_json::Value;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// The maximum size of a request body, in bytes.
pub(crate) const BODY_BYTES: usize = 256 * 1024;

/// The maximum length of a request's URL, in bytes; the gateway on AWS takes 10 KB with the headers.
const URL_BYTES: usize = 8 * 1024;

/// The time in which a body must arrive: less than any request may take, so that the client learns why it was refused.
const BODY_TIME: Duration = Duration::from_secs(15);

/// The time for which a body may come in before the caller's rights are read again.
const SLOW_BODY: Duration = Duration::from_secs(1);

/// Answers a request: assigns its id, checks access, reads the body, calls the handler, and writes one log line.
pub(crate) async fn answer(env: Arc<Env>, route: Route, request: Request<Body>) -> Answer {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let id = request_id(&parts.headers, &env);
    let mut who: Option<(OrgId, String)> = None;
    let outcome = match tokio::time::timeout(
        route.longest,
        handled(&env, &route, &mut parts, body, &id, started, &mut who),
    )
    .await
    {
        Ok(outcome) => outcome,
        Err(late) => Err(Error::unavailable("answer in time", late)),
    };
    let (mut answer, code) = match outcome {
        Ok(answer) => (answer, None),
        Err(error) => {
            let problem = Problem::of(&error, &id, &parts.headers);
            if problem.is_ours() {
                tracing::error!(request_id = %id, error = %error.chain(), "request failed");
            }
            let code = problem.code();
            let mut answer = problem.answer(parts.uri.path(), &parts.headers);
            if let (Some(class), "rate_limited") = (route.access.class(), code) {
                limit_headers(answer.headers_mut(), class, 0);
            }
            (answer, Some(code))
        }
    };
    with_request_id(&mut answer, &id);
    Line { id: &id, started, code, route: Some(&route), who: who.as_ref() }.write(&parts, &answer);
    answer
}

/// The log line of a request: the fields that are in neither the request nor the answer.
pub(crate) struct Line<'a> {
    /// The request's id.
    pub id: &'a str,
    /// When the request arrived.
    pub started: Instant,
    /// The code of the problem, if the answer is one.
    pub code: Option<&'static str>,
    /// The route that answered, if any.
    pub route: Option<&'a Route>,
    /// The organisation and the actor, if they are known.
    pub who: Option<&'a (OrgId, String)>,
}

impl Line<'_> {
    /// Writes the line, and counts the answer in the metrics if it is a server error.
    pub(crate) fn write(&self, parts: &Parts, answer: &Answer) {
        let invocation = parts.extensions.get::<Invocation>();
        let ms = self.started.elapsed().as_micros() as f64 / 1000.0;
        if answer.status().is_server_error() {
            count_server_error();
        }
        tracing::info!(
            target: "daybook::request",
            method = %parts.method,
            path = parts.uri.path(),
            status = answer.status().as_u16(),
            ms,
            code = self.code,
            org = self.who.map(|(org, _)| tracing::field::display(org)),
            actor = self.who.map(|(_, actor)| actor.as_str()),
            route = self.route.map(|route| route.path),
            function = self.route.map(|route| route.function),
            request_id = self.id,
            function_request_id = invocation.map(|invocation| invocation.id.as_str()),
            xray_trace_id = invocation.and_then(|invocation| invocation.trace.as_deref()),
            cold_start = invocation.map(|invocation| invocation.cold_start),
            "request"
        );
    }
}

/// Counts a server error (5xx) in the metrics, by which the alarms of the functions of forms go off.
pub(crate) fn count_server_error() {
    metrics::counter!("ServerErrors").increment(1);
}

async fn handled(
    env: &Arc<Env>,
    route: &Route,
    parts: &mut Parts,
    body: Body,
    id: &str,
    started: Instant,
    who: &mut Option<(OrgId, String)>,
) -> Result<Answer> {
    let url = parts.uri.path_and_query().map_or(0, |url| url.as_str().len());
    if url > URL_BYTES {
        return Err(Domain::TooLarge { what: Oversized::Url, limit: URL_BYTES as u64 }.into());
    }
    let ip = client_address(parts);
    let admitted = admit(env, route.access, &parts.headers, ip).await?;
    *who = Some((admitted.org, admitted.actor.id().map_or_else(|| "public".to_owned(), |id| id.to_string())));
    let began = Instant::now();
    let body = read_body(&parts.headers, body).await?;
    // Rights may have changed while a body came in slowly.
    let admitted = match began.elapsed() > SLOW_BODY && admitted.actor.owner().is_some() {
        true => admit(env, route.access, &parts.headers, ip).await?,
        false => admitted,
    };
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let info = RequestInfo {
        id: id.to_owned(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        route: route.path,
        query: parts.uri.query().map(str::to_owned).filter(|_| !route.access.is_private()),
        body: journaled_body(&parts.headers, &body).filter(|_| !route.access.is_private()),
        ip,
        user_agent: text(USER_AGENT).map(|agent| agent.chars().take(300).collect()),
        trace: parts
            .extensions
            .get::<Invocation>()
            .and_then(|invocation| invocation.trace.clone())
            .or_else(|| readable_trace(&text(HeaderName::from_static("traceparent"))?)),
        started,
        batch: None,
        commits: AtomicU32::new(0),
        replayed: AtomicBool::new(false),
        seen: std::sync::Mutex::default(),
        language: std::sync::Mutex::default(),
    };
    let (allowance, records_reads) = (admitted.allowance, admitted.records_reads);
    let cx = admitted.context(env, info).await?;
    let request = cx.request.clone();
    let path = path_parameters(parts).await?;
    let call = Call {
        cx,
        method: parts.method.clone(),
        path,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.clone(),
        body,
        places: parts.extensions.get::<Places>().cloned().unwrap_or_default(),
        extensions: parts.extensions.clone(),
    };
    let asked = call.cx.clone();
    let outcome = (route.handler)(call).await;
    if let Some(language) = *request.language.lock().unwrap_or_else(PoisonError::into_inner) {
        parts.headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(language.tag()));
    }
    let mut answer = match outcome {
        Err(error) if asked.actor.id().is_some() && Problem::is_denial(&error) => {
            audit::denied(&asked).await?;
            return Err(error);
        }
        outcome => outcome?,
    };
    let reads = parts.method == Method::GET || matches!(route.access, Access::Can(_, Action::Read));
    // A read that is on record already isn't recorded twice.
    if records_reads && reads && request.commits.load(Ordering::SeqCst) == 0 {
        audit::viewed(&asked).await?;
    }
    if request.replayed.load(Ordering::SeqCst) {
        answer.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    if let (Some(class), Some(left)) = (route.access.class(), allowance) {
        limit_headers(answer.headers_mut(), class, left);
    }
    Ok(answer)
}

/// Returns the client's request id if it is 1 to 64 letters, digits, `-`, `_` or `.`, else a new one.
pub fn request_id(headers: &HeaderMap, env: &Env) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match given.filter(plain) {
        Some(given) => given.to_owned(),
        None => format!("req_{}", env.ids.next().simple()),
    }
}

/// The client's address, as the gateway or the socket reports it. Any client can forge `X-Forwarded-For`.
fn client_address(parts: &Parts) -> Option<IpAddr> {
    match parts.extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref()?.parse().ok(),
        Some(_) => None,
        None => parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip()),
    }
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    let too_large = Domain::TooLarge { what: Oversized::Body, limit: BODY_BYTES as u64 };
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES) {
        return Err(too_large.into());
    }
    let arrived = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_BYTES)).await;
    let late = |_| Error::from(Domain::Malformed(Malformed::Slow { seconds: BODY_TIME.as_secs() }));
    let body = arrived.map_err(late)?.map_err(|error| {
        let over = std::error::Error::source(&error).is_some_and(|cause| cause.is::<LengthLimitError>());
        if over { too_large.clone() } else { Domain::Malformed(Malformed::Incomplete) }
    })?;
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(body),
        Some(b"gzip" | b"x-gzip") => inflated(&body).map_err(Into::into),
        Some(_) => Err(Domain::Malformed(Malformed::Encoding).into()),
    }
}

/// A gzip body, inflated; it may have no more bytes than any other.
fn inflated(body: &Bytes) -> std::result::Result<Bytes, Domain> {
    let mut inflated = Vec::new();
    let read = MultiGzDecoder::new(body.as_ref()).take(BODY_BYTES as u64 + 1).read_to_end(&mut inflated);
    match read {
        Err(_) => Err(Domain::Malformed(Malformed::Gzip)),
        Ok(bytes) if bytes > BODY_BYTES => Err(Domain::TooLarge { what: Oversized::Body, limit: BODY_BYTES as u64 }),
        Ok(_) => Ok(Bytes::from(inflated)),
    }
}

/// The body as the journal stores it: a JSON object, or the fields of a form.
fn journaled_body(headers: &HeaderMap, body: &Bytes) -> Option<Value> {
    let kind = content_type(headers)?;
    if kind.subtype() == mime::JSON || kind.suffix() == Some(mime::JSON) {
        // Masking goes by field names, which only an object has.
        return serde_json::from_slice(body).ok().filter(Value::is_object);
    }
    if is_form(headers) && kind.type_() == mime::APPLICATION {
        // What is in no charset that is named isn't text; the submission has its bytes.
        return url_encoded(body, charset_in(&kind)).plain().map(|texts| Value::Object(gathered(texts.pairs)));
    }
    None
}

async fn path_parameters(parts: &Parts) -> Result<Vec<(String, String)>> {
    let unreadable = |_| Error::from(Domain::Malformed(Malformed::Path));
    let parameters = RawPathParams::from_request_parts(&mut parts.clone(), &()).await.map_err(unreadable)?;
    Ok(parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn limit_headers(headers: &mut HeaderMap, class: RateClass, left: u32) {
    let Some(rate) = class.rate() else { return };
    let seconds = rate.per.as_secs();
    let lines = [
        ("ratelimit-policy", format!("\"{}\";q={};w={seconds}", class.name(), rate.burst)),
        ("ratelimit", format!("\"{}\";r={left};t={seconds}", class.name())),
        ("x-ratelimit-limit", rate.burst.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
    ];
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
