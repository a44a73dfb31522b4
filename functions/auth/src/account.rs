//! The signed-in user's account: reading and changing it, and the web page that links in e-mails open.

use crate::sessions::who;
use daybook_domain::edit::merged;
use daybook_domain::permission::Permission;
use daybook_domain::user::User;
use daybook_domain::{OrgId, Rule, Violations};
use daybook_http::{Asset, Cx, Data, IfMatch, PageLanguage, Patch, Result};
use daybook_store::rows::bucket::Rate;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The page's content security policy. The page loads its own content alone and sends input nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How many user names a user may try per hour, so that the names in use can't be found out by trying.
const NAMES: Rate = Rate { burst: 20, per: Duration::from_secs(3600) };

/// The signed-in user.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Me {
    /// The user.
    #[serde(flatten)]
    user: User,
    /// Their organisation.
    organization_id: OrgId,
    /// Their permissions.
    permissions: Vec<Permission>,
}

/// Returns the signed-in user, their organisation and their permissions.
pub async fn me(cx: Cx) -> Result<Data<Me>> {
    let user = cx.get::<User>(who(&cx)?.0).await?;
    Ok(Data(Me { user: user.into_inner(), organization_id: cx.org, permissions: cx.grants.list() }))
}

/// Changes the caller's name or user name; `null` clears. Other fields are changed by an administrator.
pub async fn change(cx: Cx, IfMatch(version): IfMatch, patch: Patch<User>) -> Result<Data<User>> {
    let (id, _) = who(&cx)?;
    if patch.fields.contains_key("username") {
        cx.limited("username", &id.to_string(), NAMES).await?;
    }
    let change = |user: &User| {
        let wanted = merged(user, patch.fields.clone())?;
        let own = User { name: wanted.name.clone(), username: wanted.username.clone(), ..user.clone() };
        let mut violations = Violations::default();
        for (changed, place) in [
            (wanted.email != user.email, "/email"),
            (wanted.role != user.role, "/role"),
            (wanted.status != user.status, "/status"),
            (wanted.second_factor != user.second_factor, "/second_factor"),
        ] {
            if changed {
                violations.add(place, Rule::ReadOnly);
            }
        }
        violations.into_result().map(|()| own)
    };
    daybook_records::change(&cx, id, version, change, Data).await
}

/// The page that links in e-mails open: a new password, a confirmed address, an invitation, a held
/// post.
pub async fn page(_cx: Cx, _: PageLanguage) -> Result<Asset> {
    Ok(Asset::new("text/html; charset=utf-8", include_bytes!("../assets/account.html")).with_policy(POLICY))
}

/// The script of the page of a held post.
pub async fn held_script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new("text/javascript; charset=utf-8", include_bytes!("../assets/held.js")))
}

/// The page's script.
pub async fn script(_cx: Cx) -> Result<Asset> {
    Ok(Asset::new("text/javascript; charset=utf-8", include_bytes!("../assets/account.js")))
}
