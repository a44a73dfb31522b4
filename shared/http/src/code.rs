//! The stable error codes that clients see, with their HTTP statuses.

use axum::http::StatusCode;

/// A stable error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Malformed,
    UnsupportedMediaType,
    ValidationError,
    InvalidQuery,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Misdirected,
    Duplicate,
    Conflict,
    IdempotencyKeyReused,
    PreconditionFailed,
    RequestTimeout,
    TooLarge,
    UriTooLong,
    RateLimited,
    BudgetExceeded,
    UnknownModel,
    UseStreamUrl,
    UpstreamError,
    Unavailable,
    Internal,
}

impl Code {
    pub(crate) const ALL: [Code; 23] = [
        Code::Malformed,
        Code::UnsupportedMediaType,
        Code::ValidationError,
        Code::InvalidQuery,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::Misdirected,
        Code::Duplicate,
        Code::Conflict,
        Code::IdempotencyKeyReused,
        Code::PreconditionFailed,
        Code::RequestTimeout,
        Code::TooLarge,
        Code::UriTooLong,
        Code::RateLimited,
        Code::BudgetExceeded,
        Code::UnknownModel,
        Code::UseStreamUrl,
        Code::UpstreamError,
        Code::Unavailable,
        Code::Internal,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Code::Malformed => "malformed",
            Code::UnsupportedMediaType => "unsupported_media_type",
            Code::ValidationError => "validation_error",
            Code::InvalidQuery => "invalid_query",
            Code::Unauthenticated => "unauthenticated",
            Code::Forbidden => "forbidden",
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::Misdirected => "misdirected",
            Code::Duplicate => "duplicate",
            Code::Conflict => "conflict",
            Code::IdempotencyKeyReused => "idempotency_key_reused",
            Code::PreconditionFailed => "precondition_failed",
            Code::RequestTimeout => "request_timeout",
            Code::TooLarge => "too_large",
            Code::UriTooLong => "uri_too_long",
            Code::RateLimited => "rate_limited",
            Code::BudgetExceeded => "budget_exceeded",
            Code::UnknownModel => "unknown_model",
            Code::UseStreamUrl => "use_stream_url",
            Code::UpstreamError => "upstream_error",
            Code::Unavailable => "unavailable",
            Code::Internal => "internal",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Code::Malformed | Code::InvalidQuery | Code::UnknownModel | Code::UseStreamUrl => StatusCode::BAD_REQUEST,
            Code::BudgetExceeded => StatusCode::PAYMENT_REQUIRED,
            Code::UpstreamError => StatusCode::BAD_GATEWAY,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::ValidationError | Code::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Code::Duplicate | Code::Conflict => StatusCode::CONFLICT,
            Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UriTooLong => StatusCode::URI_TOO_LONG,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why a request is refused before it reaches a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The host that it names isn't the server's.
    UnknownHost,
    /// Its page is for the server's own machine alone.
    OtherMachine,
    /// A page of another origin made it, and its page is for this server's own pages alone.
    OtherOrigin,
    /// It isn't the handshake of a WebSocket.
    NoHandshake,
    /// A page of an origin that isn't allowed opens a WebSocket.
    OriginNotAllowed,
    /// There are as many connections as there may be, in all or of its address.
    TooManyConnections,
}

impl Refusal {
    pub(crate) fn code(self) -> Code {
        match self {
            Refusal::UnknownHost => Code::Misdirected,
            Refusal::OtherMachine | Refusal::OtherOrigin | Refusal::OriginNotAllowed => Code::Forbidden,
            Refusal::NoHandshake => Code::Malformed,
            Refusal::TooManyConnections => Code::Unavailable,
        }
    }
}
