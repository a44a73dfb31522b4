//! Error answers of providers.

use super::answer::Event;
use super::format::Format;
use super::responses;
use super::script::Refusal;
use crate::connection::Reply;
use serde_json::{Value, json};

impl Refusal {
    /// The answer, whole.
    pub(super) fn reply(&self, format: Format) -> Reply {
        let mut reply = Reply::json(self.status(), &self.body(format));
        if let Refusal::RateLimited { retry_after: Some(seconds) } = self {
            reply.headers.push(("retry-after".to_owned(), seconds.to_string()));
        }
        reply
    }

    /// The error in a stream that has begun.
    pub(super) fn event(&self, format: Format) -> Event {
        let body = self.body(format);
        match format {
            Format::Responses => {
                let error = &body["error"];
                let code = if error["code"].is_null() { &error["type"] } else { &error["code"] };
                responses::event(("error", json!({"code": code, "message": error["message"], "param": null})), 0)
            }
            Format::ChatCompletions => Event::unnamed(&body),
            Format::Messages => Event::named("error", &body),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Refusal::BadRequest(_) => 400,
            Refusal::BadKey => 401,
            Refusal::NoModel | Refusal::NoPath => 404,
            Refusal::RateLimited { .. } | Refusal::Quota => 429,
            Refusal::Internal => 500,
            Refusal::Unavailable => 503,
            Refusal::Overloaded => 529,
        }
    }

    fn body(&self, format: Format) -> Value {
        match format {
            Format::Responses | Format::ChatCompletions => {
                let (of_type, code) = self.openai();
                json!({"error": {"message": self.message(), "type": of_type, "param": null, "code": code}})
            }
            Format::Messages => {
                let mut error = json!({"type": self.anthropic(), "message": self.message()});
                if *self == Refusal::Quota {
                    error["details"] = json!({"error_code": "enforced_spend_limit_reached"});
                }
                json!({"type": "error", "error": error, "request_id": "req_0"})
            }
        }
    }

    fn message(&self) -> &str {
        match self {
            Refusal::RateLimited { .. } => "Rate limit reached for requests.",
            Refusal::Quota => "You exceeded your current quota.",
            Refusal::Internal => "The server had an error while processing your request.",
            Refusal::Unavailable => "The service is unavailable.",
            Refusal::Overloaded => "Overloaded",
            Refusal::BadKey => "Incorrect API key provided.",
            Refusal::NoModel => "The model does not exist.",
            Refusal::NoPath => "Not found.",
            Refusal::BadRequest(message) => message,
        }
    }

    /// OpenAI's type and code.
    fn openai(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Refusal::RateLimited { .. } => ("requests", Some("rate_limit_exceeded")),
            Refusal::Quota => ("insufficient_quota", Some("insufficient_quota")),
            Refusal::Internal | Refusal::Unavailable | Refusal::Overloaded => ("server_error", None),
            Refusal::BadKey => ("invalid_request_error", Some("invalid_api_key")),
            Refusal::NoModel => ("invalid_request_error", Some("model_not_found")),
            Refusal::NoPath | Refusal::BadRequest(_) => ("invalid_request_error", None),
        }
    }

    /// Anthropic's type.
    fn anthropic(&self) -> &'static str {
        match self {
            Refusal::RateLimited { .. } | Refusal::Quota => "rate_limit_error",
            Refusal::Internal | Refusal::Unavailable => "api_error",
            Refusal::Overloaded => "overloaded_error",
            Refusal::BadKey => "authentication_error",
            Refusal::NoModel | Refusal::NoPath => "not_found_error",
            Refusal::BadRequest(_) => "invalid_request_error",
        }
    }
}
