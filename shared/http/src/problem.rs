//! Error responses: RFC 9457 problem documents, made from errors. Only this module and `code` know HTTP status codes.

mod openai;

pub use openai::{OpenAiError, OpenAiProblem};

use crate::call::{locale, wants_page};
use crate::code::{Code, Refusal};
use crate::text;
use askama::Template;
use axum::body::Body;
use axum::http::header::{
    ALLOW, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use daybook_domain::ai::budget::Exceeded;
use daybook_domain::error::Oversized;
use daybook_domain::label;
use daybook_domain::{AnyId, Conflict, Error as Domain, Locale, Malformed, RunId, Unauthenticated, Violations};
use daybook_store::{Answer, Error};
use problem_details::ProblemDetails;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The HTTP status of a kind of answer.
pub(crate) fn status_of(answer: Answer) -> StatusCode {
    match answer {
        Answer::Ok => StatusCode::OK,
        Answer::Created => StatusCode::CREATED,
        Answer::Accepted => StatusCode::ACCEPTED,
        Answer::SeeOther => StatusCode::SEE_OTHER,
        Answer::NoContent => StatusCode::NO_CONTENT,
        Answer::Unauthenticated => StatusCode::UNAUTHORIZED,
        Answer::Forbidden => StatusCode::FORBIDDEN,
        // This version never produces an unknown answer.
        Answer::Unknown(_) => StatusCode::OK,
    }
}

/// The HTTP status code of an answer, as the audit log shows it; 0 for an answer that only a newer version knows.
pub fn status_code(answer: Answer) -> u16 {
    if matches!(answer, Answer::Unknown(_)) { 0 } else { status_of(answer).as_u16() }
}

/// Adds the request id to the headers of an answer.
pub(crate) fn with_request_id(answer: &mut Response<Body>, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert("x-request-id", id);
    }
}

/// The extension members of a problem document.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Members {
    /// Always `false`, for clients that test the envelope's `success`.
    pub success: bool,
    /// The stable code of the error.
    pub code: String,
    /// The id of the request, for support.
    pub request_id: String,
    /// Every broken rule, with its location.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The record that already has the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub existing_id: Option<AnyId>,
    /// The exhausted budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Exceeded>,
    /// The run in progress, or the run that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The current version of the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The current values of the fields that the request would have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub current: Option<Map<String, Value>>,
}

/// A broken rule and its location.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// The location: a JSON pointer (RFC 6901) into the body, or into the query as an object.
    pub pointer: String,
    /// The stable code of the rule.
    pub code: String,
    /// What to correct.
    pub message: String,
}

/// A problem document and the headers that go with it.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    members: Members,
    headers: HeaderMap,
    locale: Locale,
}

impl Problem {
    /// The problem document of an error. A 5xx reveals nothing but the request id.
    pub fn of(error: &Error, request_id: &str, headers: &HeaderMap) -> Problem {
        Problem::of_locale(error, request_id, locale(headers))
    }

    /// The problem document of an error in a language.
    fn of_locale(error: &Error, request_id: &str, locale: Locale) -> Problem {
        let mut problem = Problem::plain(code_of(error), request_id, locale);
        let Error::Domain(domain) = error else { return problem };
        problem.detail = text::detail(domain, locale);
        match domain {
            Domain::Invalid(violations) | Domain::Query(violations) => {
                problem.members.errors = field_errors(violations, locale)
            }
            Domain::Unfit { .. } => {
                let message = problem.detail.clone();
                let (field, pointer, code) = (String::new(), String::new(), "too_many".to_owned());
                problem.members.errors = vec![FieldError { field, pointer, code, message }];
            }
            Domain::Duplicate { field, existing_id } => {
                problem.members.existing_id = *existing_id;
                let message = problem.detail.clone();
                let pointer = format!("/{field}");
                problem.members.errors =
                    vec![FieldError { field: (*field).to_owned(), pointer, code: "duplicate".to_owned(), message }];
            }
            Domain::Stale { version, current } => {
                problem.members.version = Some(*version);
                problem.members.current = Some(current.clone());
            }
            Domain::Budget(exceeded) => problem.members.budget = Some(*exceeded),
            Domain::RunInProgress(run) | Domain::Upstream { run } => problem.members.run_id = Some(*run),
            Domain::Limited { retry_after } => {
                problem.headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Domain::Unauthenticated(why) => {
                let code = match why {
                    Unauthenticated::CodeNeeded => Some("required"),
                    Unauthenticated::Code => Some("wrong_code"),
                    Unauthenticated::Missing | Unauthenticated::Invalid | Unauthenticated::Password => None,
                };
                let message = problem.detail.clone();
                let at_code = |code: &str| FieldError {
                    field: "code".to_owned(),
                    pointer: "/code".to_owned(),
                    code: code.to_owned(),
                    message,
                };
                problem.members.errors = code.map(at_code).into_iter().collect();
                problem.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"daybook\""));
            }
            _ => {}
        }
        problem
    }

    /// What an error says, in a language.
    pub fn told(error: &Error, locale: Locale) -> String {
        Problem::of_locale(error, "", locale).detail
    }

    /// What a connection that outlasts a request is told of an error: its code, what to do, and what it is about.
    pub fn frame(error: &Error, request_id: &str, locale: Locale) -> Value {
        let problem = Problem::of_locale(error, request_id, locale);
        if problem.is_ours() {
            tracing::error!(request_id, error = %error.chain(), "a message failed");
        }
        let mut frame = serde_json::to_value(&problem.members).unwrap_or_default();
        frame["detail"] = Value::from(problem.detail);
        if let Some(members) = frame.as_object_mut() {
            members.remove("success");
        }
        frame
    }

    /// The problem of a path without a route.
    pub(crate) fn no_route(request_id: &str, request: &Parts) -> Problem {
        let mut problem = Problem::plain(Code::NotFound, request_id, locale(&request.headers));
        problem.detail = text::no_route(&request.method, request.uri.path(), problem.locale);
        problem
    }

    /// The problem of a method that the path doesn't support.
    pub(crate) fn no_method(request_id: &str, request: &Parts, allowed: &str) -> Problem {
        let mut problem = Problem::plain(Code::MethodNotAllowed, request_id, locale(&request.headers));
        problem.detail = text::no_method(&request.method, request.uri.path(), allowed, problem.locale);
        problem.headers.extend(HeaderValue::from_str(allowed).ok().map(|allowed| (ALLOW, allowed)));
        problem
    }

    /// The problem of a request that a server on one machine refuses before it reaches a route.
    pub fn refused(why: Refusal, request_id: &str, headers: &HeaderMap) -> Problem {
        let mut problem = Problem::plain(why.code(), request_id, locale(headers));
        problem.detail = text::refusal(why, problem.locale).to_owned();
        problem
    }

    /// The problem of a handler that panicked.
    pub(crate) fn panicked(request_id: &str) -> Problem {
        Problem::plain(Code::Internal, request_id, Locale::English)
    }

    /// Whether an error means that the caller is authenticated but not permitted to do this.
    pub fn is_denial(error: &Error) -> bool {
        code_of(error) == Code::Forbidden
    }

    /// The stable error code.
    pub fn code(&self) -> &'static str {
        self.code.name()
    }

    /// Whether it is a server error (5xx).
    pub fn is_ours(&self) -> bool {
        self.code.status().is_server_error()
    }

    /// The HTTP status code, and the document as JSON.
    pub fn document(self) -> (u16, Value) {
        (self.code.status().as_u16(), serde_json::to_value(self.described()).unwrap_or_default())
    }

    fn described(&self) -> ProblemDetails<Members> {
        ProblemDetails::from_status_code(self.code.status())
            .with_type(kind_of(self.code))
            .with_title(text::title(self.code, self.locale))
            .with_detail(self.detail.clone())
            .with_extensions(self.members.clone())
    }

    /// The answer to a request at a path: a problem document, a page for a browser that posted a plain form, or an error of
    /// OpenAI's API.
    pub fn answer(self, path: &str, request: &HeaderMap) -> Response<Body> {
        if OpenAiError::is_at(path) {
            return self.openai_answer();
        }
        let title = text::title(self.code, self.locale);
        let is_page = wants_page(request);
        let (kind, body) = if is_page {
            let is_correctable =
                matches!(self.code.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST);
            let page = Page { problem: &self, title, chinese: self.locale == Locale::Chinese, is_correctable };
            ("text/html; charset=utf-8", page.render().unwrap_or_default())
        } else {
            ("application/problem+json", serde_json::to_string(&self.described()).unwrap_or_default())
        };
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = self.code.status();
        answer.headers_mut().extend(self.headers);
        with_request_id(&mut answer, &self.members.request_id);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if is_page {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        }
        answer.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(self.locale.tag()));
        answer
    }

    fn plain(code: Code, request_id: &str, locale: Locale) -> Problem {
        let members = Members { code: code.name().to_owned(), request_id: request_id.to_owned(), ..Members::default() };
        Problem { code, detail: text::title(code, locale).to_owned(), members, headers: HeaderMap::new(), locale }
    }
}

/// The content security policy of a page that uses inline styles, and loads nothing.
pub(crate) const PAGE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

#[derive(Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    problem: &'a Problem,
    title: &'a str,
    chinese: bool,
    /// Whether the visitor can correct what was wrong, and send it again.
    is_correctable: bool,
}

impl Page<'_> {
    /// What a field is called on pages, if it is one that Daybook knows.
    fn label<'f>(&self, field: &'f str) -> &'f str {
        label::of_field(field, self.problem.locale).unwrap_or(field)
    }
}

/// The URL of a problem type, relative to the API's address.
fn kind_of(code: Code) -> Uri {
    let path = format!("/problems/{}", code.name());
    Uri::try_from(path).expect("a path of letters and underscores")
}

fn code_of(error: &Error) -> Code {
    let domain = match error {
        Error::Domain(domain) => domain,
        Error::Unavailable { .. } => return Code::Unavailable,
        Error::Internal { .. } => return Code::Internal,
    };
    match domain {
        Domain::Malformed(Malformed::Slow { .. }) => Code::RequestTimeout,
        Domain::Malformed(_) => Code::Malformed,
        Domain::MediaType { .. } => Code::UnsupportedMediaType,
        Domain::Invalid(_) | Domain::Unfit { .. } => Code::ValidationError,
        Domain::Query(_) => Code::InvalidQuery,
        Domain::Unauthenticated(_) => Code::Unauthenticated,
        Domain::Forbidden(_) | Domain::Origin(_) | Domain::Network | Domain::NotAPerson => Code::Forbidden,
        Domain::NotFound(_) => Code::NotFound,
        Domain::Duplicate { .. } => Code::Duplicate,
        Domain::Stale { .. } => Code::PreconditionFailed,
        Domain::Conflict(Conflict::KeyReused) => Code::IdempotencyKeyReused,
        Domain::Conflict(Conflict::RegistrationClosed | Conflict::BeyondOwnRole) => Code::Forbidden,
        Domain::Conflict(_) => Code::Conflict,
        Domain::TooLarge { what: Oversized::Url, .. } => Code::UriTooLong,
        Domain::TooLarge { .. } => Code::TooLarge,
        Domain::Limited { .. } => Code::RateLimited,
        Domain::Budget(_) => Code::BudgetExceeded,
        Domain::UnknownModel { .. } => Code::UnknownModel,
        Domain::RunInProgress(_) => Code::Conflict,
        Domain::StreamElsewhere { .. } => Code::UseStreamUrl,
        Domain::Upstream { .. } => Code::UpstreamError,
    }
}

fn field_errors(violations: &Violations, locale: Locale) -> Vec<FieldError> {
    let field = |pointer: &str| pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
    violations
        .0
        .iter()
        .map(|violation| FieldError {
            field: field(&violation.pointer),
            pointer: violation.pointer.clone(),
            code: violation.rule.code().to_owned(),
            message: text::rule(&violation.rule, locale),
        })
        .collect()
}
