//! The tokens that a sign-in or refresh returns: access, refresh and device token.

use daybook_domain::SessionId;
use daybook_domain::user::User;
use daybook_http::{Cx, Result, token};
use serde::{Deserialize, Serialize};

/// The result of a sign-in or refresh.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tokens {
    /// For the header `Authorization: Bearer …`.
    pub access_token: String,
    /// `bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// For `POST /api/auth/refresh`, once: it returns a new access token and the next refresh token.
    pub refresh_token: String,
    /// For the header `X-Device-Token` of later sign-ins, for 90 days or until all sessions end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// A warning about something that production refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The signed-in user.
    pub user: User,
}

/// The tokens of a session.
pub fn tokens(cx: &Cx, user: User, session: SessionId, refresh_token: String) -> Result<Tokens> {
    Ok(Tokens {
        access_token: token::issue(cx, user.id, cx.org, session)?,
        token_type: "bearer".to_owned(),
        expires_in: cx.env.settings.access_token.as_secs(),
        refresh_token,
        device_token: None,
        warning: None,
        user,
    })
}
