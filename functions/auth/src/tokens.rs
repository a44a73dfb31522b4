//! What a client signs in with from now on.

use daybook_domain::SessionId;
use daybook_domain::user::User;
use daybook_http::{Cx, Result, token};
use serde::{Deserialize, Serialize};

/// What signing in gives.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tokens {
    /// For the header `Authorization: Bearer …`.
    pub access_token: String,
    /// `bearer`.
    pub token_type: String,
    /// Seconds until the access token ends.
    pub expires_in: u64,
    /// For a new access token, once: `POST /api/auth/refresh` answers the next one, too.
    pub refresh_token: String,
    /// For the header `X-Device-Token` when signing in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_token: Option<String>,
    /// What would be refused in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Who signed in.
    pub user: User,
}

/// What a client signs in with from now on.
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
