//! API keys: what programs sign in with. A secret is shown once, when it is made.

use daybook_domain::api_key::{ApiKey, NewApiKey};
use daybook_domain::user::may_change_grants;
use daybook_domain::{ApiKeyId, Audit, Error as Domain, Record as _, Rule, Timestamp};
use daybook_http::{CreatedSecret, Cx, Data, IfMatch, Json, ListQuery, Listed, Patch, Path, Result, SecretData, token};
use daybook_store::rows::key_secret::KeySecret;
use daybook_store::{Decision, Page, Tx, sha256_hex};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

/// How many characters of a secret stay readable, to know a key by.
const PREFIX: usize = 12;

/// A key, and when it was last used.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ApiKeyShown)]
pub struct Shown {
    /// The key.
    #[serde(flatten)]
    api_key: ApiKey,
    /// When it was last used, to the minute.
    last_used_at: Option<Timestamp>,
}

/// A key with its secret, which is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ApiKeyWithSecret)]
pub struct WithSecret {
    /// The key.
    #[serde(flatten)]
    api_key: ApiKey,
    /// For the header `Authorization: Bearer …`, or `X-API-Key`. Keep it: it is stored nowhere.
    key: String,
}

/// Lists keys, the newest first.
pub async fn list(cx: Cx, query: ListQuery<ApiKey>) -> Result<Listed<Shown>> {
    let page = cx.list::<ApiKey>(&query.ask()).await?;
    let items = try_join_all(page.items.into_iter().map(|key| shown(&cx, key))).await?;
    let fields = page.fields;
    Ok(Listed(Page { items, limit: page.limit, next_cursor: page.next_cursor, fields, total: page.total }))
}

/// Makes a key that may do no more than whoever makes it.
pub async fn create(cx: Cx, Json(new): Json<NewApiKey>) -> Result<CreatedSecret<WithSecret>> {
    let made_by = cx.actor.owner().ok_or(Domain::NotAPerson)?;
    let stamp = cx.stamp();
    let id = ApiKeyId::new(stamp.id);
    let secret = token::ApiKey::issue(cx.org, id)?;
    let api_key = ApiKey::new(new, id, prefix(secret.expose()), made_by, &stamp)?;
    may_change_grants(&cx.grants, &[api_key.grants()])?;
    in_the_future(&cx, &api_key)?;
    let row = KeySecret { sha256: sha256_hex(secret.expose().as_bytes()), last_used_at: None }.write(cx.org, id)?;
    let tx = Tx::create(&api_key).called(Audit::KeyCreated).with_row(row);
    cx.commit(tx, CreatedSecret(WithSecret { api_key, key: secret.expose().to_owned() })).await
}

/// Reads a key.
pub async fn read(cx: Cx, Path(id): Path<ApiKeyId>) -> Result<Data<Shown>> {
    Ok(Data(shown(&cx, cx.get(id).await?).await?))
}

/// Changes the fields that are named; `null` clears. It counts from the key's next request on.
pub async fn update(
    cx: Cx,
    Path(id): Path<ApiKeyId>,
    IfMatch(version): IfMatch,
    patch: Patch<ApiKey>,
) -> Result<Data<ApiKey>> {
    let change = |before: &ApiKey| {
        let wanted = patch.over(before)?.checked()?;
        may_change_grants(&cx.grants, &[before.grants(), wanted.grants()])?;
        if wanted.expires_at != before.expires_at {
            in_the_future(&cx, &wanted)?;
        }
        Ok(wanted)
    };
    cx.change(id, version, change, Data).await
}

/// Takes a key out of force, at once and for good.
pub async fn revoke(cx: Cx, Path(id): Path<ApiKeyId>, IfMatch(version): IfMatch) -> Result<Data<ApiKey>> {
    cx.alter(id, version, |key: ApiKey| {
        let tx = Tx::delete(&key).called(Audit::KeyRevoked);
        std::future::ready(Ok(Decision::Commit(tx, Data(key))))
    })
    .await
}

/// Gives a key another secret; the one before it works no more.
pub async fn rotate(cx: Cx, Path(id): Path<ApiKeyId>, IfMatch(version): IfMatch) -> Result<SecretData<WithSecret>> {
    cx.alter(id, version, |before: ApiKey| {
        let cx = &cx;
        async move {
            may_change_grants(&cx.grants, &[before.grants()])?;
            let secret = token::ApiKey::issue(cx.org, id)?;
            let sha256 = sha256_hex(secret.expose().as_bytes());
            let row = KeySecret { sha256, last_used_at: None }.write(cx.org, id)?;
            let after = ApiKey { prefix: prefix(secret.expose()), ..before.clone() }.following(&before, cx.now());
            let tx = Tx::update(&before, &after).called(Audit::KeyCreated).with_row(row);
            let reply = SecretData(WithSecret { api_key: after, key: secret.expose().to_owned() });
            Ok(Decision::Commit(tx, reply))
        }
    })
    .await
}

async fn shown(cx: &Cx, api_key: ApiKey) -> Result<Shown> {
    let secret = KeySecret::read(&cx.env, cx.org, api_key.id).await?;
    Ok(Shown { api_key, last_used_at: secret.and_then(|secret| secret.last_used_at) })
}

fn prefix(secret: &str) -> String {
    // The place of the key comes first and is no secret; what tells keys apart stands behind it.
    let random = secret.split_once('.').map_or("", |(_, random)| random);
    format!("dbk_…{}", random.chars().take(PREFIX / 2).collect::<String>())
}

fn in_the_future(cx: &Cx, key: &ApiKey) -> Result<(), Domain> {
    match key.is_in_force(cx.now()) {
        true => Ok(()),
        false => Err(Domain::invalid("/expires_at", Rule::Format { expected: "a time to come".to_owned() })),
    }
}
