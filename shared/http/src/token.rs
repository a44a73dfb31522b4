//! Tokens: access tokens (JWT), refresh tokens, and the token that lets a visitor add to a submission.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{OrgId, SessionId, SubmissionId, Timestamp, UserId};
use daybook_store::{Cx, Error, Keyring, Purpose, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

/// The longest access token that is looked at, in bytes.
const LONGEST: usize = 4096;

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// Their organisation.
    pub org: OrgId,
    /// Their session; it may have ended since.
    pub sid: SessionId,
    /// When it was issued: seconds since 1970.
    pub iat: i64,
    /// When it ends: seconds since 1970.
    pub exp: i64,
    /// Who issued it.
    pub iss: String,
}

const ISSUER: &str = "daybook";
const TYPE: &str = "at+jwt";

/// An access token: HS256, signed with the key that `kid` names.
pub fn issue(cx: &Cx, sub: UserId, org: OrgId, sid: SessionId) -> Result<String> {
    let now = cx.now();
    let exp = now.plus(cx.env.settings.access_token).as_second();
    let claims = Claims { sub, org, sid, iat: now.as_second(), exp, iss: ISSUER.to_owned() };
    let kid = cx.env.keys.current_kid();
    let key = cx.env.keys.derived(Purpose::AccessToken, &kid);
    let key = key.ok_or_else(|| Error::internal("issue a token", "there is no key"))?;
    let header = Header { typ: Some(TYPE.to_owned()), kid: Some(kid), ..Header::new(Algorithm::HS256) };
    encode(&header, &claims, &EncodingKey::from_secret(&key)).map_err(|error| Error::internal("issue a token", error))
}

/// What a token says, if it is one of ours and in force. The algorithm is fixed; `kid` only picks a key.
pub fn verify(keys: &Keyring, token: &str, now: Timestamp) -> Option<Claims> {
    if token.len() > LONGEST {
        return None;
    }
    let header = decode_header(token).ok()?;
    if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(TYPE) {
        return None;
    }
    let key = keys.derived(Purpose::AccessToken, header.kid.as_deref()?)?;
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&[ISSUER]);
    // Judged below by the clock of the deployment, without leeway: it issues and checks by the same clock.
    rules.validate_exp = false;
    let claims = decode::<Claims>(token, &DecodingKey::from_secret(&key), &rules).ok()?.claims;
    (claims.exp > now.as_second()).then_some(claims)
}

/// The key that a token says it is signed with, if it says so.
pub(crate) fn kid(token: &str) -> Option<String> {
    if token.len() > LONGEST { None } else { decode_header(token).ok()?.kid }
}

/// A refresh token: where the session is, and 256 random bits. Only its hash is stored.
pub fn refresh(org: OrgId, session: SessionId) -> Result<String> {
    let mut secret = [0; 32];
    daybook_store::fill_random(&mut secret)?;
    let place = [org.uuid().into_bytes(), session.uuid().into_bytes()].concat();
    Ok(format!("rt_{}.{}", URL_SAFE_NO_PAD.encode(place), URL_SAFE_NO_PAD.encode(secret)))
}

/// The token that lets whoever posted a submission add to it.
pub fn of_submission(cx: &Cx, submission: SubmissionId) -> String {
    cx.sign(Purpose::Submission, submission.to_string().as_bytes())
}

/// Whether a token lets its holder add to a submission.
pub fn is_of_submission(cx: &Cx, submission: SubmissionId, token: &str) -> bool {
    cx.env.keys.verify(Purpose::Submission, submission.to_string().as_bytes(), token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;

    fn keys() -> Keyring {
        Keyring::parse("a:0123456789abcdef0123456789abcdef,b:fedcba9876543210fedcba9876543210").expect("a keyring")
    }

    fn claims() -> Value {
        let id = uuid::Uuid::nil();
        json!({
            "sub": UserId::new(id), "org": OrgId::new(id), "sid": SessionId::new(id),
            "iat": NOW, "exp": NOW + 60, "iss": "daybook"
        })
    }

    fn signed(header: Header, claims: &Value, kid: &str) -> String {
        let key = keys().derived(Purpose::AccessToken, kid).expect("a key");
        encode(&header, claims, &EncodingKey::from_secret(&key)).expect("a token")
    }

    fn header(algorithm: Algorithm, kid: Option<&str>, typ: &str) -> Header {
        Header { typ: Some(typ.to_owned()), kid: kid.map(str::to_owned), ..Header::new(algorithm) }
    }

    fn verdict(token: &str) -> bool {
        verify(&keys(), token, Timestamp::from_millisecond(NOW * 1000).expect("a time")).is_some()
    }

    #[test]
    fn tokens_of_both_keys_are_taken() {
        for kid in ["a", "b"] {
            assert!(verdict(&signed(header(Algorithm::HS256, Some(kid), TYPE), &claims(), kid)));
        }
    }

    #[test]
    fn tokens_that_only_look_like_ours_are_refused() {
        let good = signed(header(Algorithm::HS256, Some("a"), TYPE), &claims(), "a");
        let with = |name: &str, value: Value| {
            let mut changed = claims();
            changed[name] = value;
            signed(header(Algorithm::HS256, Some("a"), TYPE), &changed, "a")
        };
        let parts: Vec<&str> = good.split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": TYPE, "kid": "a"}).to_string());
        let refused = [
            signed(header(Algorithm::HS256, Some("b"), TYPE), &claims(), "a"),
            signed(header(Algorithm::HS256, Some("c"), TYPE), &claims(), "a"),
            signed(header(Algorithm::HS256, Some("../a"), TYPE), &claims(), "a"),
            signed(header(Algorithm::HS256, None, TYPE), &claims(), "a"),
            signed(header(Algorithm::HS512, Some("a"), TYPE), &claims(), "a"),
            signed(header(Algorithm::HS256, Some("a"), "rt+jwt"), &claims(), "a"),
            with("exp", json!(NOW)),
            with("exp", json!("9999999999")),
            with("exp", json!(f64::MAX)),
            with("iss", json!("somebody")),
            with("sub", json!("usr_x")),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{good}.{}", parts[2]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}A", good),
            "x".repeat(1 << 20),
            String::new(),
        ];
        for token in refused {
            assert!(!verdict(&token), "{}", token.chars().take(300).collect::<String>());
        }
    }
}
