//! Tokens: issues and verifies access tokens (JWT), refresh tokens, API keys, device tokens and submission tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::{ApiKeyId, Epoch, OrgId, Secret, SessionId, SubmissionId, Timestamp, UserId};
use daybook_store::rows::is_too_far_ahead;
use daybook_store::{Cx, Error, Keyring, Purpose, Result, ids_in_token, place_in_token};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The maximum length of a token, in bytes; longer ones are refused.
const LONGEST: usize = 4096;

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// The user's organisation.
    pub org: OrgId,
    /// The user's session; it may have ended since.
    pub sid: SessionId,
    /// When it was issued: seconds since 1970.
    pub iat: i64,
    /// When it expires: seconds since 1970.
    pub exp: i64,
    /// The issuer.
    pub iss: String,
}

const ISSUER: &str = "daybook";
const TYPE: &str = "at+jwt";

/// The longest time for which a deployment may issue access tokens.
const LONGEST_ACCESS: Duration = Duration::from_secs(86_400);

/// Issues an access token: HS256, signed with the key that `kid` names.
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

/// Returns a token's claims if Daybook signed it and it hasn't expired. The algorithm is fixed; `kid` only picks a key.
pub fn verify(keys: &Keyring, token: &str, now: Timestamp) -> Option<Claims> {
    if token.len() > LONGEST {
        return None;
    }
    let header = decode_header(token).ok()?;
    // Daybook issues no tokens with critical extensions (RFC 7515, 4.1.11).
    if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
        return None;
    }
    let key = keys.derived(Purpose::AccessToken, header.kid.as_deref()?)?;
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&[ISSUER]);
    // Checked below by the deployment's clock, without leeway: tokens are issued and checked by the same clock. A client
    // refreshes one that was issued while the clock was ahead.
    rules.validate_exp = false;
    let claims = decode::<Claims>(token, &DecodingKey::from_secret(&key), &rules).ok()?.claims;
    is_ahead(claims.exp, now, LONGEST_ACCESS).then_some(claims)
}

/// Whether an end, in seconds since 1970, is yet to come, and no later than a period allows.
fn is_ahead(end: i64, now: Timestamp, period: Duration) -> bool {
    let allowed = |end: Timestamp| !is_too_far_ahead(end, now, period);
    end > now.as_second() && Timestamp::from_millisecond(end.saturating_mul(1000)).is_ok_and(allowed)
}

/// The unverified key id in a token's header, if there is one.
pub(crate) fn kid(token: &str) -> Option<String> {
    if token.len() > LONGEST { None } else { decode_header(token).ok()?.kid }
}

/// A refresh token: the location of the session, 256 unguessable bits, and a signature, so that a forged token ends no
/// session. Only its hash is stored.
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
        let first = Refresh::of(keys, &keys.current_kid(), org, session, &random()?);
        first.ok_or_else(|| Error::internal("issue a token", "there is no key"))
    }

    /// The successor of this token. Deterministic: all processes compute the same one at every call, also while only
    /// some functions have a newer key.
    pub fn successor(&self, keys: &Keyring) -> Option<Refresh> {
        let kid = self.text.splitn(3, '.').nth(2)?.rsplit_once('.')?.0;
        let seed = keys.secret_of(Purpose::Refresh, kid, self.text.as_bytes())?;
        Refresh::of(keys, kid, self.org, self.session, &seed)
    }

    /// Parses a token; `None` unless Daybook signed it.
    pub fn read(keys: &Keyring, text: &str) -> Option<Refresh> {
        let body = text.strip_prefix("rt_").filter(|_| text.len() <= LONGEST)?;
        let mut parts = body.splitn(3, '.');
        let (place, seed, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let (org, session) = ids_in_token(place)?;
        keys.verify(Purpose::Refresh, format!("{place}.{seed}").as_bytes(), signature).then(|| Refresh {
            org,
            session: SessionId::new(session),
            text: text.to_owned(),
        })
    }

    fn of(keys: &Keyring, kid: &str, org: OrgId, session: SessionId, seed: &[u8]) -> Option<Refresh> {
        let body = format!("{}.{}", place_in_token(org, session.uuid()), URL_SAFE_NO_PAD.encode(seed));
        let text = format!("rt_{body}.{}", keys.sign_with(Purpose::Refresh, kid, body.as_bytes())?);
        Some(Refresh { org, session, text })
    }
}

/// The secret of an API key: the location of the key, and 256 random bits. Only its hash is stored.
#[derive(Debug)]
pub struct ApiKey<'t> {
    /// The organisation of the key.
    pub org: OrgId,
    /// The key.
    pub id: ApiKeyId,
    text: &'t str,
}

impl<'t> ApiKey<'t> {
    /// Issues a new secret for a key.
    pub fn issue(org: OrgId, id: ApiKeyId) -> Result<Secret> {
        let text = format!("dbk_{}.{}", place_in_token(org, id.uuid()), URL_SAFE_NO_PAD.encode(random()?));
        Ok(Secret::new(text))
    }

    /// Parses an API key; `None` if the text isn't in the format of one.
    pub fn read(text: &'t str) -> Option<ApiKey<'t>> {
        let (place, _) = text.strip_prefix("dbk_").filter(|_| text.len() <= LONGEST)?.split_once('.')?;
        let (org, id) = ids_in_token(place)?;
        Some(ApiKey { org, id: ApiKeyId::new(id), text })
    }

    /// Whether the secret has this hash.
    pub fn is(&self, sha256: &str) -> bool {
        daybook_store::sha256_hex(self.text.as_bytes()) == sha256
    }
}

/// How long the token of a device is valid.
const DEVICE: Duration = Duration::from_secs(90 * 86_400);

/// Issues the token of a device on which a user signed in: its end in seconds since 1970, and a signature. It is valid
/// in the current epoch of the user's sessions only, so that a new password ends it.
pub fn of_device(keys: &Keyring, epoch: Epoch, now: Timestamp) -> String {
    let end = now.plus(DEVICE).as_second();
    format!("{end}.{}", keys.sign(Purpose::Device, device(epoch, end).as_bytes()))
}

/// Whether a token was issued for a device of this user, in this epoch, and is valid.
pub fn is_of_device(keys: &Keyring, epoch: Epoch, token: &str, now: Timestamp) -> bool {
    let Some((end, signature)) = token.split_once('.').filter(|_| token.len() <= LONGEST) else { return false };
    let Ok(end) = end.parse::<i64>() else { return false };
    is_ahead(end, now, DEVICE) && keys.verify(Purpose::Device, device(epoch, end).as_bytes(), signature)
}

/// The text that a device token's signature covers.
fn device(Epoch { user, number }: Epoch, end: i64) -> String {
    format!("{user}|{number}|{end}")
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    daybook_store::fill_random(&mut bytes)?;
    Ok(bytes)
}

/// Issues the token that lets the visitor add to a submission.
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
    use uuid::Uuid;

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
    fn a_token_that_ends_later_than_any_issued_by_now_was_issued_while_the_clock_was_ahead() {
        let ends_in = |seconds: i64| {
            let mut claims = claims();
            claims["exp"] = json!(NOW + seconds);
            verdict(&signed(header(Algorithm::HS256, Some("a"), TYPE), &claims, "a"))
        };
        // The clocks of two processes may differ by a minute.
        assert!(ends_in(1) && ends_in(86_400) && ends_in(86_460));
        for seconds in [86_461, 3 * 86_400, 1 << 40, i64::MAX - NOW] {
            assert!(!ends_in(seconds), "{seconds}");
        }
    }

    /// A token of these parts, signed with a key.
    fn of_parts(header: &str, payload: &str, key: &[u8]) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(key), Algorithm::HS256);
        format!("{message}.{}", signature.expect("a signature"))
    }

    #[test]
    fn tokens_that_only_look_like_ours_are_refused() {
        let key = |purpose| keys().derived(purpose, "a").expect("a key");
        let access = key(Purpose::AccessToken);
        let head = json!({"alg": "HS256", "typ": TYPE, "kid": "a"});
        let header_with = |name: &str, value: Value| {
            let mut header = head.clone();
            header[name] = value;
            of_parts(&header.to_string(), &claims().to_string(), &access)
        };
        let claim_with = |name: &str, value: Value| {
            let mut changed = claims();
            changed[name] = value;
            of_parts(&head.to_string(), &changed.to_string(), &access)
        };
        let without = |name: &str| {
            let mut changed = claims();
            changed.as_object_mut().expect("an object").remove(name);
            of_parts(&head.to_string(), &changed.to_string(), &access)
        };
        let good = of_parts(&head.to_string(), &claims().to_string(), &access);
        assert!(verdict(&good), "the valid token must be accepted for the others to prove anything");
        let parts: Vec<&str> = good.split('.').collect();
        let (a, b, c) = (parts[0], parts[1], parts[2]);
        let flipped = format!("{}{}", if c.starts_with('A') { 'B' } else { 'A' }, &c[1..]);
        let mut refused: Vec<(&str, String)> = vec![
            ("signed with another key of ours", signed(header(Algorithm::HS256, Some("b"), TYPE), &claims(), "a")),
            ("HS512 with our key", signed(header(Algorithm::HS512, Some("a"), TYPE), &claims(), "a")),
            ("HS384 with our key", signed(header(Algorithm::HS384, Some("a"), TYPE), &claims(), "a")),
            ("no kid", signed(header(Algorithm::HS256, None, TYPE), &claims(), "a")),
            ("no typ", of_parts(r#"{"alg":"HS256","kid":"a"}"#, &claims().to_string(), &access)),
            ("no alg", of_parts(&json!({"typ": TYPE, "kid": "a"}).to_string(), &claims().to_string(), &access)),
            ("signed for another purpose", of_parts(&head.to_string(), &claims().to_string(), &key(Purpose::Cursor))),
            (
                "signed with the secret itself",
                of_parts(&head.to_string(), &claims().to_string(), b"0123456789abcdef0123456789abcdef"),
            ),
            ("signed with nothing", of_parts(&head.to_string(), &claims().to_string(), b"")),
            ("a header that is a list", of_parts("[]", &claims().to_string(), &access)),
            ("a header that is no JSON", of_parts("{", &claims().to_string(), &access)),
            ("claims that are a list", of_parts(&head.to_string(), "[]", &access)),
            ("claims that are a text", of_parts(&head.to_string(), "\"x\"", &access)),
            ("claims that are no JSON", of_parts(&head.to_string(), "{", &access)),
            ("no claims", of_parts(&head.to_string(), "", &access)),
            (
                "exp twice",
                of_parts(
                    &head.to_string(),
                    &claims().to_string().replace("\"exp\":", "\"exp\":9999999999,\"exp\":"),
                    &access,
                ),
            ),
            (
                "exp beyond any number",
                of_parts(&head.to_string(), &claims().to_string().replace(&(NOW + 60).to_string(), "1e400"), &access),
            ),
            ("no signature", format!("{a}.{b}.")),
            ("two parts", format!("{a}.{b}")),
            ("one part", a.to_owned()),
            ("four parts", format!("{good}.{c}")),
            ("five parts", format!("{a}.{b}.{c}.{a}.{b}")),
            ("parts in another order", format!("{b}.{a}.{c}")),
            ("a signature with a bit flipped", format!("{a}.{b}.{flipped}")),
            ("a signature cut short", format!("{a}.{b}.{}", &c[..c.len() - 2])),
            ("a signature with more behind it", format!("{good}A")),
            ("padding", format!("{good}=")),
            ("a blank before it", format!(" {good}")),
            ("a line break behind it", format!("{good}\n")),
            ("a NUL in it", format!("{a}.{b}\0.{c}")),
            ("claims of another token", format!("{a}.{}.{c}", URL_SAFE_NO_PAD.encode(json!({"sub": "x"}).to_string()))),
            ("a megabyte", "x".repeat(1 << 20)),
            ("a megabyte of claims", format!("{a}.{}.{c}", "A".repeat(1 << 20))),
            ("nothing", String::new()),
            ("dots", "..".to_owned()),
        ];
        for name in ["none", "None", "NONE", "nOnE", "RS256", "ES256", "EdDSA", "PS256", "hs256", ""] {
            refused.push(("another algorithm", header_with("alg", json!(name))));
            let unsigned = URL_SAFE_NO_PAD.encode(json!({"alg": name, "typ": TYPE, "kid": "a"}).to_string());
            refused.push(("another algorithm, unsigned", format!("{unsigned}.{b}.")));
        }
        for kid in
            [json!("c"), json!(""), json!("../a"), json!("a\0"), json!("A"), json!(0), json!(["a"]), json!({"a": 1})]
        {
            refused.push(("another kid", header_with("kid", kid)));
        }
        for typ in [json!("JWT"), json!("rt+jwt"), json!("AT+JWT"), json!(""), json!(1)] {
            refused.push(("another typ", header_with("typ", typ)));
        }
        refused.push(("an extension that must be understood", header_with("crit", json!(["exp"]))));
        for name in ["sub", "org", "sid", "exp", "iss", "iat"] {
            refused.push(("a claim missing", without(name)));
            refused.push(("a claim of another type", claim_with(name, json!([1]))));
            refused.push(("a claim that is null", claim_with(name, Value::Null)));
        }
        for exp in [json!(NOW), json!(NOW - 1), json!(0), json!(-1), json!("9999999999"), json!(f64::MAX), json!(9.5e9)]
        {
            refused.push(("an end that has passed, or is no number of seconds", claim_with("exp", exp)));
        }
        for (name, value) in [
            ("iss", "another"),
            ("iss", "daybook "),
            ("sub", "usr_x"),
            ("org", "usr_01jd2h6q8e5k9v4m3n7p1r0stw"),
            ("sid", ""),
        ] {
            refused.push(("another value", claim_with(name, json!(value))));
        }
        assert!(refused.len() >= 40);
        for (what, token) in refused {
            assert!(!verdict(&token), "{what}: {}", token.chars().take(300).collect::<String>());
        }
        // Keys in a token's header are ignored: only the keyring decides.
        for name in ["jku", "x5u", "jwk", "x5c"] {
            let brought = of_parts(
                &json!({"alg": "HS256", "typ": TYPE, "kid": "a", name: "https://evil.example/keys"}).to_string(),
                &claims().to_string(),
                b"evil",
            );
            assert!(!verdict(&brought), "{name}");
        }
    }

    #[test]
    fn refresh_tokens_follow_from_each_other_and_can_t_be_made_up() {
        let (org, session) = (OrgId::new(Uuid::from_u128(1)), SessionId::new(Uuid::from_u128(2)));
        let first = Refresh::first(&keys(), org, session).expect("a token");
        let second = first.successor(&keys()).expect("a token");
        assert_eq!(first.successor(&keys()), Some(second.clone()));
        assert_ne!(first, second);
        assert_eq!(Refresh::read(&keys(), &second.text), Some(second));
        let others = Keyring::parse("a:ffffffffffffffffffffffffffffffff").expect("a keyring");
        assert_eq!(Refresh::read(&others, &first.text), None);
        assert_ne!(first.successor(&others), first.successor(&keys()));
        // During key rotation, functions with the old or the new key compute the same successor.
        let newer = Keyring::parse(
            "n:ffffffffffffffffffffffffffffffff,a:0123456789abcdef0123456789abcdef,b:fedcba9876543210fedcba9876543210",
        );
        assert_eq!(first.successor(&newer.expect("a keyring")), first.successor(&keys()));
        for text in ["", "rt_", "rt_a.b.c", &first.text[1..], &format!("{}x", first.text)] {
            assert_eq!(Refresh::read(&keys(), text), None, "{text}");
        }
    }

    #[test]
    fn a_device_token_is_valid_for_its_user_in_its_epoch_and_until_its_end() {
        let epoch = |user, number| Epoch { user: UserId::new(Uuid::from_u128(user)), number };
        let now = Timestamp::from_millisecond(NOW * 1000).expect("a time");
        let token = of_device(&keys(), epoch(1, 3), now);
        let on = |days: u64| now.plus(Duration::from_secs(days * 86_400));
        let good = |epoch, token: &str, days| is_of_device(&keys(), epoch, token, on(days));
        assert!(good(epoch(1, 3), &token, 0) && good(epoch(1, 3), &token, 89));
        assert!(!good(epoch(1, 3), &token, 90), "past its end");
        let before = |seconds| is_of_device(&keys(), epoch(1, 3), &token, now.minus(Duration::from_secs(seconds)));
        assert!(before(60) && !before(61), "issued while the clock was ahead");
        assert!(!good(epoch(2, 3), &token, 0), "another user");
        assert!(!good(epoch(1, 4), &token, 0) && !good(epoch(1, 2), &token, 0), "another epoch");
        let (end, signature) = token.split_once('.').expect("two parts");
        let later = end.parse::<i64>().expect("a number") + 1;
        let device = Uuid::from_u128(7).simple().to_string();
        let user = UserId::new(Uuid::from_u128(1));
        let earlier = format!("{device}.{}", keys().sign(Purpose::Device, format!("{user}|{device}").as_bytes()));
        for wrong in ["", ".", "x", end, &format!("{later}.{signature}"), &format!("{token}x"), &earlier] {
            assert!(!good(epoch(1, 3), wrong, 0), "{wrong}");
        }
        let others = Keyring::parse("a:ffffffffffffffffffffffffffffffff").expect("a keyring");
        assert!(!is_of_device(&others, epoch(1, 3), &token, now));
    }
}
