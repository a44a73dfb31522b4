//! Errors in the shape of OpenAI's API, which its clients read, on the paths where Daybook has that API.

use super::Problem;
use crate::code::Code;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use daybook_domain::Locale;
use daybook_store::Error;
use serde::{Deserialize, Serialize};

/// The paths with OpenAI's API.
const PATHS: &str = "/v1/";

/// An error of OpenAI's API.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OpenAiError {
    /// The error.
    pub error: OpenAiProblem,
}

/// What an error of OpenAI's API says.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OpenAiProblem {
    /// What happened, and what to do.
    pub message: String,
    /// The kind of error.
    pub r#type: String,
    /// The wrong field, as a JSON pointer without its first slash.
    pub param: Option<String>,
    /// The code, by which clients decide what to do.
    pub code: String,
}

impl OpenAiError {
    /// An error that comes while an answer is streamed.
    pub fn of(error: &Error) -> OpenAiError {
        Problem::of_locale(error, "", Locale::English).openai()
    }

    /// Whether a path has OpenAI's API.
    pub(crate) fn is_at(path: &str) -> bool {
        path.starts_with(PATHS)
    }

    /// The status of a code. OpenAI's clients know no 402 and no 422: a budget is a quota to them.
    pub(crate) fn status(code: Code) -> StatusCode {
        match code {
            Code::ValidationError | Code::IdempotencyKeyReused => StatusCode::BAD_REQUEST,
            Code::UnknownModel => StatusCode::NOT_FOUND,
            Code::BudgetExceeded => StatusCode::TOO_MANY_REQUESTS,
            other => other.status(),
        }
    }
}

/// The type and the code of an error.
fn names(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::Unauthenticated => ("authentication_error", "invalid_api_key"),
        Code::Forbidden => ("permission_error", code.name()),
        Code::UnknownModel => ("invalid_request_error", "model_not_found"),
        Code::BudgetExceeded => ("insufficient_quota", "insufficient_quota"),
        Code::RateLimited => ("requests", "rate_limit_exceeded"),
        Code::UpstreamError | Code::Unavailable | Code::Internal => ("server_error", code.name()),
        other => ("invalid_request_error", other.name()),
    }
}

impl Problem {
    /// The problem as an error of OpenAI's API.
    pub(super) fn openai(&self) -> OpenAiError {
        let (r#type, code) = names(self.code);
        let param = self.members.errors.first().map(|error| error.pointer.trim_start_matches('/').to_owned());
        OpenAiError {
            error: OpenAiProblem {
                message: self.detail.clone(),
                r#type: r#type.to_owned(),
                param: param.filter(|param| !param.is_empty()),
                code: code.to_owned(),
            },
        }
    }

    /// The answer with that error.
    pub(super) fn openai_answer(self) -> Response<Body> {
        let body = serde_json::to_string(&self.openai()).unwrap_or_default();
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = OpenAiError::status(self.code);
        let headers = answer.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.code == Code::BudgetExceeded {
            // OpenAI's clients repeat a request that is answered 429, unless they are told not to.
            headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        super::with_request_id(&mut answer, &self.members.request_id);
        answer
    }
}
