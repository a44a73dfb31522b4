//! The API keys of programs: create, list, change, rotate and revoke. A secret is shown only once, when it is created.

use daybook_domain::api_key::{ApiKey, NewApiKey};
use daybook_domain::{ApiKeyId, Audit, Error as Domain, Stored, Timestamp};
use daybook_http::{
    CreatedSecret, Cx, Data, IfMatch, ListQuery, Listed, NewJson, Patch, Path, Result, SecretData, token,
};
use daybook_records::{Draft, created, updated};
use daybook_store::rows::key_secret::KeySecret;
use daybook_store::{Decision, Tx, sha256_hex};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many characters of a secret stay readable, to recognise a key by.
const SHOWN: usize = 6;

/// A key with its secret, which is shown only this once.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ApiKeyWithSecret)]
pub struct WithSecret {
    /// The key.
    #[serde(flatten)]
    api_key: ApiKey,
    /// The secret, for the header `Authorization: Bearer …` or `X-API-Key`. Keep it: only its hash is stored.
    key: String,
}

/// Lists keys, the newest first.
pub async fn list(cx: Cx, query: ListQuery<ApiKey>) -> Result<Listed<ApiKey>> {
    let mut page = cx.list::<ApiKey>(&query.ask()).await?;
    page.items = try_join_all(page.items.into_iter().map(|key| shown(&cx, key))).await?;
    Ok(Listed(page))
}

/// Creates a key, with no more permissions than its creator has.
pub async fn create(cx: Cx, NewJson(new): NewJson<NewApiKey>) -> Result<CreatedSecret<WithSecret>> {
    let made_by = cx.actor.owner().ok_or(Domain::NotAPerson)?;
    let stamp = cx.stamp();
    let id = ApiKeyId::new(stamp.id);
    let secret = token::ApiKey::issue(cx.org, id)?;
    let api_key = ApiKey::new(new, id, prefix(secret.expose()), made_by, &stamp)?;
    let row = KeySecret { sha256: sha256_hex(secret.expose().as_bytes()), last_used_at: None }.write(cx.org, id)?;
    let (api_key, tx) = created(&cx, Tx::default(), Draft::of(api_key)).await?;
    cx.commit(tx.with_row(row), CreatedSecret(WithSecret { api_key, key: secret.expose().to_owned() })).await
}

/// Reads a key.
pub async fn read(cx: Cx, Path(id): Path<ApiKeyId>) -> Result<Data<ApiKey>> {
    Ok(Data(shown(&cx, cx.get::<ApiKey>(id).await?.into_inner()).await?))
}

/// Changes the given fields; `null` clears. The change applies from the key's next request on.
pub async fn update(
    cx: Cx,
    Path(id): Path<ApiKeyId>,
    IfMatch(version): IfMatch,
    patch: Patch<ApiKey>,
) -> Result<Data<ApiKey>> {
    let mut fields = patch.fields;
    let last_used_at = last_used_at(&cx, id).await?;
    // A client may send back the key as it was shown.
    let shown = last_used_at.map_or(Value::Null, |at| Value::from(at.to_string()));
    if fields.get("last_used_at") == Some(&shown) {
        fields.remove("last_used_at");
    }
    daybook_records::amend(&cx, id, version, fields, |after| Data(ApiKey { last_used_at, ..after })).await
}

/// Revokes a key, at once and for good.
pub async fn revoke(cx: Cx, Path(id): Path<ApiKeyId>, IfMatch(version): IfMatch) -> Result<Data<ApiKey>> {
    daybook_records::remove(&cx, id, version, Data::<ApiKey>).await
}

/// Gives a key a new secret; the previous one stops working. The key is the caller's from then on: its scopes `own` and
/// `team` refer to them, and it may do no more than they may.
pub async fn rotate(cx: Cx, Path(id): Path<ApiKeyId>, IfMatch(version): IfMatch) -> Result<SecretData<WithSecret>> {
    cx.alter(id, version, |before: Stored<ApiKey>| {
        let cx = &cx;
        async move {
            let secret = token::ApiKey::issue(cx.org, id)?;
            let sha256 = sha256_hex(secret.expose().as_bytes());
            let row = KeySecret { sha256, last_used_at: None }.write(cx.org, id)?;
            let made_by = cx.actor.owner().unwrap_or(before.made_by);
            let wanted = ApiKey { prefix: prefix(secret.expose()), made_by, ..ApiKey::clone(&before) };
            let (after, tx) = updated(cx, Tx::default(), &before, Draft::of(wanted)).await?;
            let tx = tx.called(Audit::KeyCreated).with_row(row);
            let reply = SecretData(WithSecret { api_key: after, key: secret.expose().to_owned() });
            Ok(Decision::Commit(tx, reply))
        }
    })
    .await
}

async fn shown(cx: &Cx, api_key: ApiKey) -> Result<ApiKey> {
    Ok(ApiKey { last_used_at: last_used_at(cx, api_key.id).await?, ..api_key })
}

async fn last_used_at(cx: &Cx, id: ApiKeyId) -> Result<Option<Timestamp>> {
    Ok(KeySecret::read(&cx.env, cx.org, id).await?.and_then(|secret| secret.last_used_at))
}

fn prefix(secret: &str) -> String {
    // The secret begins with the key's id, which isn't secret; the random part behind it distinguishes keys.
    let random = secret.split_once('.').map_or("", |(_, random)| random);
    format!("dbk_…{}", random.chars().take(SHOWN).collect::<String>())
}
