//! Tokens: access tokens (JWT), refresh tokens, API keys, and those of devices and submissions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{ApiKeyId, OrgId, Secret, SessionId, SubmissionId, Timestamp, UserId};
use daybook_store::{Cx, Error, Keyring, Purpose, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest token that is looked at, in bytes.
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

/// A refresh token: where the session is, 256 bits nobody can guess, and a signature, so that one that was never
/// given out ends nobody's session. Only its hash is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The organisation of the session.
    pub org: OrgId,
    /// The session.
    pub session: SessionId,
    /// The whole token.
    pub text: String,
}

impl Refresh {
    /// The first token of a session.
    pub fn first(keys: &Keyring, org: OrgId, session: SessionId) -> Result<Refresh> {
        Ok(Refresh::of(keys, org, session, &random()?))
    }

    /// The token that follows this one: the same however often it is asked for.
    pub fn successor(&self, keys: &Keyring) -> Option<Refresh> {
        let seed = keys.secret_of(Purpose::Refresh, self.text.as_bytes())?;
        Some(Refresh::of(keys, self.org, self.session, &seed))
    }

    /// The token in a text, if we gave it out once.
    pub fn read(keys: &Keyring, text: &str) -> Option<Refresh> {
        let body = text.strip_prefix("rt_").filter(|_| text.len() <= LONGEST)?;
        let mut parts = body.splitn(3, '.');
        let (place, seed, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let (org, session) = ids_in(place)?;
        keys.verify(Purpose::Refresh, format!("{place}.{seed}").as_bytes(), signature).then(|| Refresh {
            org,
            session: SessionId::new(session),
            text: text.to_owned(),
        })
    }

    fn of(keys: &Keyring, org: OrgId, session: SessionId, seed: &[u8]) -> Refresh {
        let body = format!("{}.{}", place_of(org, session.uuid()), URL_SAFE_NO_PAD.encode(seed));
        let text = format!("rt_{body}.{}", keys.sign(Purpose::Refresh, body.as_bytes()));
        Refresh { org, session, text }
    }
}

/// The secret of an API key: where the key is, and 256 random bits. Only their hash is stored.
#[derive(Debug)]
pub struct ApiKey<'t> {
    /// The organisation of the key.
    pub org: OrgId,
    /// The key.
    pub id: ApiKeyId,
    text: &'t str,
}

impl<'t> ApiKey<'t> {
    /// A new secret for a key.
    pub fn issue(org: OrgId, id: ApiKeyId) -> Result<Secret> {
        let text = format!("dbk_{}.{}", place_of(org, id.uuid()), URL_SAFE_NO_PAD.encode(random()?));
        Ok(Secret::new(text))
    }

    /// The key in a text, if it looks like one.
    pub fn read(text: &'t str) -> Option<ApiKey<'t>> {
        let (place, _) = text.strip_prefix("dbk_").filter(|_| text.len() <= LONGEST)?.split_once('.')?;
        let (org, id) = ids_in(place)?;
        Some(ApiKey { org, id: ApiKeyId::new(id), text })
    }

    /// Whether this is the secret with that hash.
    pub fn is(&self, sha256: &str) -> bool {
        daybook_store::sha256_hex(self.text.as_bytes()) == sha256
    }
}

/// The token of a device on which a user signed in: it has attempts of its own.
pub fn of_device(keys: &Keyring, user: UserId, device: Uuid) -> String {
    let device = device.simple().to_string();
    format!("{device}.{}", keys.sign(Purpose::Device, format!("{user}|{device}").as_bytes()))
}

/// The device of a token, if this user signed in on it.
pub fn device_of(keys: &Keyring, user: UserId, token: &str) -> Option<String> {
    let (device, signature) = token.split_once('.').filter(|_| token.len() <= LONGEST)?;
    keys.verify(Purpose::Device, format!("{user}|{device}").as_bytes(), signature).then(|| device.to_owned())
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    daybook_store::fill_random(&mut bytes)?;
    Ok(bytes)
}

/// An organisation and something in it, as tokens begin with.
fn place_of(org: OrgId, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode([org.uuid().into_bytes(), id.into_bytes()].concat())
}

fn ids_in(place: &str) -> Option<(OrgId, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(place).ok().filter(|bytes| bytes.len() == 32)?;
    Some((OrgId::new(Uuid::from_slice(&bytes[..16]).ok()?), Uuid::from_slice(&bytes[16..]).ok()?))
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
