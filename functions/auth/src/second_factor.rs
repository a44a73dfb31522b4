//! The second factor: codes of an authenticator app that change every 30 seconds (TOTP, RFC 6238), and recovery codes.
//!
//! A code works once, within half a minute of its time. A wrong code counts as a failed attempt, like a wrong
//! password.

use crate::attempt::Attempt;
use crate::passwords;
use crate::sessions::who;
use daybook_domain::user::User;
use daybook_domain::{Conflict, Error as Domain, Event, OrgId, Record as _, Rule, Secret, UserId};
use daybook_http::{Cx, Data, Error, Json, Result, SecretData};
use daybook_records::check_confirmed;
use daybook_store::rows::RowWrite;
use daybook_store::rows::credential::Credential;
use daybook_store::rows::second_factor::SecondFactor;
use daybook_store::{Purpose, Tx, fill_random, sha256_hex};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret as Key, Totp};

/// The number of recovery codes of a user.
const RECOVERY_CODES: usize = 10;

/// A request to set up the second factor.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorSetup)]
pub struct SetUp {
    /// The password.
    current_password: Secret,
}

/// The secret for the authenticator app.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewSecondFactor {
    /// The secret in base 32, to type into the app.
    secret: String,
    /// The secret as an `otpauth:` URL, for a QR code.
    otpauth_url: String,
}

/// A code from the app.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The code that the app shows.
    code: Secret,
}

/// Recovery codes, in case the app is lost.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    /// The codes. Each works once in place of a code from the app. They are shown only this once.
    recovery_codes: Vec<String>,
}

/// A request to switch the second factor off.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondFactorDisable)]
pub struct Disable {
    /// The password.
    current_password: Secret,
    /// A code from the app, or a recovery code.
    code: Secret,
}

/// Whether sign-in requires a code.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Off {
    /// Whether the second factor is on.
    second_factor: bool,
}

/// Sets up a second factor; it takes effect once a code from the app is confirmed. Not before the address is confirmed, as
/// another person may have registered with it.
pub async fn set_up(cx: Cx, Json(ask): Json<SetUp>) -> Result<SecretData<NewSecondFactor>> {
    let (id, _) = who(&cx)?;
    let user = cx.get::<User>(id).await?;
    if user.second_factor {
        return Err(Domain::Conflict(Conflict::SecondFactor).into());
    }
    let attempt = has_password(&cx, id, ask.current_password).await?;
    check_confirmed(&cx).await?;
    let mut key = [0; 20];
    fill_random(&mut key)?;
    let sealed = cx.env.keys.seal(Purpose::SecondFactor, &key)?;
    let row = SecondFactor { sealed, last_step: 0, recovery_sha256: Vec::new() }.write(cx.org, id)?;
    let totp = totp_of(&key, user.email.as_str())?;
    let url = totp.to_url().map_err(|error| Error::internal("make a second factor", error.to_string()))?;
    let reply = SecretData(NewSecondFactor { secret: Key::from(key).to_base32(), otpauth_url: url });
    // Updates the user's version, so that this can't overtake a confirmation.
    let after = User::clone(&user).following(&user, cx.now());
    let tx = Tx::update(&user, &after).with_row(row).with_row(attempt.cleared(&cx)?);
    cx.commit(tx, reply).await
}

/// Switches the second factor on, by a code from the app.
pub async fn confirm(cx: Cx, Json(ask): Json<Code>) -> Result<SecretData<RecoveryCodes>> {
    let (id, _) = who(&cx)?;
    let attempt = Attempt::of_user(id);
    attempt.take(&cx).await?;
    let user = cx.get::<User>(id).await?;
    let before = SecondFactor::read(&cx.env, cx.org, id).await?.filter(|_| !user.second_factor);
    let before = before.ok_or(Domain::Conflict(Conflict::SecondFactor))?;
    let used = used(&cx, &before, ask.code.expose())?;
    let used = used.ok_or_else(|| Domain::invalid("/code", Rule::WrongCode))?;
    let recovery_codes = (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<Vec<_>>>()?;
    let recovery_sha256 = recovery_codes.iter().map(|code| sha256_hex(code.as_bytes())).collect();
    let after = User { second_factor: true, ..User::clone(&user) }.following(&user, cx.now());
    let tx = Tx::update(&user, &after)
        .announced(Event::UserSecondFactorOn)
        .with_row(SecondFactor { recovery_sha256, ..used }.follow(cx.org, id, &before)?)
        .with_row(attempt.cleared(&cx)?);
    cx.commit(tx, SecretData(RecoveryCodes { recovery_codes })).await
}

/// Switches the second factor off, by password and code.
pub async fn disable(cx: Cx, Json(ask): Json<Disable>) -> Result<Data<Off>> {
    let (id, _) = who(&cx)?;
    let user = cx.get::<User>(id).await?;
    if !user.second_factor {
        return Err(Domain::Conflict(Conflict::SecondFactor).into());
    }
    let attempt = has_password(&cx, id, ask.current_password).await?;
    let row = spent(&cx, cx.org, id, ask.code.expose()).await?;
    let row = row.ok_or_else(|| Domain::invalid("/code", Rule::WrongCode))?;
    let after = User { second_factor: false, ..User::clone(&user) }.following(&user, cx.now());
    let tx =
        Tx::update(&user, &after).announced(Event::UserSecondFactorOff).with_row(row).with_row(attempt.cleared(&cx)?);
    cx.commit(tx, Data(Off { second_factor: false })).await
}

/// The row of a user's second factor with a code marked as used; none if the code is wrong or was used before.
pub async fn spent(cx: &Cx, org: OrgId, user: UserId, code: &str) -> Result<Option<RowWrite>> {
    let Some(before) = SecondFactor::read(&cx.env, org, user).await? else { return Ok(None) };
    used(cx, &before, code)?.map(|after| after.follow(org, user, &before)).transpose()
}

/// A second factor with a code or recovery code marked as used; none if it is wrong or was used before.
fn used(cx: &Cx, before: &SecondFactor, code: &str) -> Result<Option<SecondFactor>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase();
    let sha256 = sha256_hex(code.as_bytes());
    if let Some(at) = before.recovery_sha256.iter().position(|known| *known == sha256) {
        let mut after = before.clone();
        after.recovery_sha256.remove(at);
        return Ok(Some(after));
    }
    let unsealed = cx.env.keys.open(Purpose::SecondFactor, &before.sealed);
    let key = unsealed.ok_or_else(|| Error::internal("read a second factor", "its encryption key no longer exists"))?;
    let step = totp_of(&key, "user")?.check(&code, cx.now().as_second().max(0) as u64);
    let Some(last_step) = step.filter(|step| *step > before.last_step) else { return Ok(None) };
    // Encrypted again with the current key, so that the older key can be retired some day.
    let sealed = cx.env.keys.seal(Purpose::SecondFactor, &key)?;
    Ok(Some(SecondFactor { last_step, sealed, ..before.clone() }))
}

fn totp_of(key: &[u8], account: &str) -> Result<Totp> {
    // In the URL a colon separates issuer and account.
    let account = account.replace(':', " ");
    let builder = Builder::new().with_secret(key).with_issuer(Some("Daybook")).with_account_name(account);
    builder.build().map_err(|error| Error::internal("make a second factor", error.to_string()))
}

/// A recovery code: 80 random bits.
fn recovery_code() -> Result<String> {
    let mut bytes = [0; 10];
    fill_random(&mut bytes)?;
    Ok(Key::from(&bytes[..]).to_base32().to_lowercase())
}

/// Checks the signed-in user's password and counts the attempt; fails if the password is wrong.
pub async fn has_password(cx: &Cx, id: UserId, password: Secret) -> Result<Attempt> {
    let attempt = Attempt::of_user(id);
    attempt.take(cx).await?;
    let phc = Credential::read(&cx.env, cx.org, id).await?.map(|credential| credential.phc);
    match passwords::verify(password, phc).await? {
        true => Ok(attempt),
        false => Err(Domain::invalid("/current_password", Rule::WrongPassword).into()),
    }
}
