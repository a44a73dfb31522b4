//! The deployment's secret keys: they sign tokens, cursors and journal entries, encrypt secrets, and can be rotated.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use daybook_domain::OrgId;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// What a signature is for. A signature for one purpose is worthless for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Access tokens (JWT).
    AccessToken,
    /// Cursors of lists.
    Cursor,
    /// Journal facts.
    Journal,
    /// Tokens that let a visitor add to their submission.
    Submission,
    /// Secrets in the input of a request with an idempotency key.
    Once,
    /// Links of the journal's chain.
    Chain,
    /// Secrets of second factors, encrypted.
    SecondFactor,
    /// Keys of AI providers, encrypted.
    AiKey,
    /// Refresh tokens.
    Refresh,
    /// Single-use tokens sent by mail.
    Ticket,
    /// Invitations.
    Invitation,
    /// Links of the digest of held posts.
    HeldPost,
    /// Tokens of devices that a user signed in from before.
    Device,
    /// Pseudonyms of persons.
    Person,
    /// Signed URLs of files.
    File,
    /// Requests for a backup of a running server.
    Backup,
    /// The check value of a data folder, by which another secret than its own is noticed.
    DataFolder,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::AccessToken => b"daybook access token",
            Purpose::Cursor => b"daybook cursor",
            Purpose::Journal => b"daybook journal",
            Purpose::Submission => b"daybook submission",
            Purpose::Once => b"daybook idempotency",
            Purpose::Chain => b"daybook chain",
            Purpose::SecondFactor => b"daybook second factor",
            Purpose::AiKey => b"daybook ai key",
            Purpose::Refresh => b"daybook refresh token",
            Purpose::Ticket => b"daybook ticket",
            Purpose::Invitation => b"daybook invitation",
            Purpose::HeldPost => b"daybook held post",
            Purpose::Device => b"daybook device",
            Purpose::Person => b"daybook person",
            Purpose::File => b"daybook file",
            Purpose::Backup => b"daybook backup",
            Purpose::DataFolder => b"daybook data folder",
        }
    }
}

/// Secrets by key id; the first signs, all verify, so that a secret can be rotated without an outage. Clones share
/// their keys.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<RwLock<Keys>>,
}

type Keys = Vec<(String, Vec<u8>)>;

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys().iter().map(|(kid, _)| kid)).finish()
    }
}

/// Why a text isn't a valid keyring.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadKeyring {
    /// The secret is too short, and so too easy to guess.
    #[error("a secret needs at least 32 characters; make one with `openssl rand -hex 32`")]
    Short,
    /// The secret is copied from an example.
    #[error("this secret is copied from an example; make one with `openssl rand -hex 32`")]
    Example,
}

impl Keyring {
    /// No keys: verifies nothing, and what it signs is never genuine.
    pub fn none() -> Keyring {
        Keyring { keys: Arc::default() }
    }

    /// Reads `secret`, or `kid1:secret1,kid2:secret2` with the one that signs first.
    pub fn parse(text: &str) -> Result<Keyring, BadKeyring> {
        Ok(Keyring { keys: Arc::new(RwLock::new(Self::parse_keys(text)?)) })
    }

    /// Replaces the secrets, here and in every clone; an invalid text changes nothing.
    pub fn replace(&self, text: &str) -> Result<(), BadKeyring> {
        let keys = Self::parse_keys(text)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn parse_keys(text: &str) -> Result<Keys, BadKeyring> {
        text.split(',').map(|part| Self::parse_key(part.trim())).collect()
    }

    fn parse_key(text: &str) -> Result<(String, Vec<u8>), BadKeyring> {
        let lower = text.to_lowercase();
        if ["change-in-production", "changeme", "change-me", "your-secret", "your_secret"]
            .iter()
            .any(|known| lower.contains(known))
        {
            return Err(BadKeyring::Example);
        }
        let (kid, secret) = match text.split_once(':') {
            Some((kid, secret)) => (kid.to_owned(), secret),
            None => (sha256_hex(text.as_bytes())[..8].to_owned(), text),
        };
        if secret.chars().count() < 32 { Err(BadKeyring::Short) } else { Ok((kid, secret.as_bytes().to_vec())) }
    }

    /// The id of the key that signs now.
    pub fn current_kid(&self) -> String {
        self.keys().first().map_or_else(String::new, |(kid, _)| kid.clone())
    }

    /// Whether there is a key with this id.
    pub fn knows(&self, kid: &str) -> bool {
        self.keys().iter().any(|(known, _)| known == kid)
    }

    /// The key for a purpose, by key id.
    pub fn derived(&self, purpose: Purpose, kid: &str) -> Option<Vec<u8>> {
        let keys = self.keys();
        let (_, secret) = keys.iter().find(|(known, _)| known == kid)?;
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Some(hmac::sign(&root, purpose.label()).as_ref().to_vec())
    }

    /// Signs with the current key: `<kid>.<base64url of the first 16 bytes of HMAC-SHA-256>`.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> String {
        let kid = self.current_kid();
        let mac = self.mac(purpose, &kid, message).unwrap_or_default();
        format!("{kid}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// 256 bits derived from a message and the key of an id; without the key, they can't be known.
    pub fn secret_of(&self, purpose: Purpose, kid: &str, message: &[u8]) -> Option<Vec<u8>> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derived(purpose, kid)?);
        Some(hmac::sign(&key, &[b"secret|", message].concat()).as_ref().to_vec())
    }

    /// Signs with the key of an id.
    pub fn sign_with(&self, purpose: Purpose, kid: &str, message: &[u8]) -> Option<String> {
        Some(format!("{kid}.{}", URL_SAFE_NO_PAD.encode(self.mac(purpose, kid, message)?)))
    }

    /// Encrypts a secret that must be read again (AES-256-GCM): `<kid>.<base64url of nonce and ciphertext>`.
    pub fn seal(&self, purpose: Purpose, secret: &[u8]) -> crate::Result<String> {
        let failed = || crate::Error::internal("seal a secret", "there is no key");
        let kid = self.current_kid();
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.derived(purpose, &kid).ok_or_else(failed)?);
        let mut sealed = secret.to_vec();
        let nonce = key.and_then(|key| key.seal_in_place_append_tag(Aad::from(purpose.label()), &mut sealed));
        let nonce = nonce.map_err(|_| failed())?;
        Ok(format!("{kid}.{}", URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat())))
    }

    /// Decrypts a secret that was encrypted with one of the keys.
    pub fn open(&self, purpose: Purpose, sealed: &str) -> Option<Vec<u8>> {
        let (kid, sealed) = sealed.rsplit_once('.')?;
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.derived(purpose, kid)?).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        key.open_in_place(nonce, Aad::from(purpose.label()), sealed).ok().map(|secret| secret.to_vec())
    }

    /// Whether this is a valid signature of a message; compares in constant time.
    pub fn verify(&self, purpose: Purpose, message: &[u8], signature: &str) -> bool {
        let Some((kid, mac)) = signature.rsplit_once('.') else { return false };
        let (Some(expected), Ok(given)) = (self.mac(purpose, kid, message), URL_SAFE_NO_PAD.decode(mac)) else {
            return false;
        };
        expected.ct_eq(&given).into()
    }

    fn mac(&self, purpose: Purpose, kid: &str, message: &[u8]) -> Option<Vec<u8>> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derived(purpose, kid)?);
        Some(hmac::sign(&key, message).as_ref()[..16].to_vec())
    }
}

/// The first part of a token: an organisation and an id in it, so that the token's row is found without a look-up
/// across organisations.
pub fn place_in_token(org: OrgId, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode([org.uuid().into_bytes(), id.into_bytes()].concat())
}

/// The organisation and the id in the first part of a token.
pub fn ids_in_token(place: &str) -> Option<(OrgId, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(place).ok().filter(|bytes| bytes.len() == 32)?;
    Some((OrgId::new(Uuid::from_slice(&bytes[..16]).ok()?), Uuid::from_slice(&bytes[16..]).ok()?))
}

/// Fills a buffer with random bytes fit for secrets.
pub fn fill_random(buffer: &mut [u8]) -> crate::Result<()> {
    aws_lc_rs::rand::fill(buffer).map_err(|_| crate::Error::internal("make a secret", "the random generator failed"))
}

/// SHA-256 in base64url, for where size matters.
pub(crate) fn sha256_base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef";
    const B: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_replaced_secret_still_verifies_what_it_signed() {
        let before = Keyring::parse(&format!("a:{A}")).expect("good");
        let after = Keyring::parse(&format!("b:{B},a:{A}")).expect("good");
        let signature = before.sign(Purpose::Cursor, b"x");
        assert!(after.verify(Purpose::Cursor, b"x", &signature));
        assert!(after.sign(Purpose::Cursor, b"x").starts_with("b."));
        assert!(!before.verify(Purpose::Cursor, b"x", &after.sign(Purpose::Cursor, b"x")));
    }

    #[test]
    fn copies_take_other_secrets_together_and_keep_theirs_when_those_are_no_good() {
        let keys = Keyring::parse(&format!("a:{A}")).expect("good");
        let copy = keys.clone();
        assert_eq!(keys.replace("short"), Err(BadKeyring::Short));
        assert_eq!(copy.current_kid(), "a");
        keys.replace(&format!("b:{B},a:{A}")).expect("good");
        assert_eq!((copy.current_kid(), copy.knows("a"), copy.knows("c")), ("b".to_owned(), true, false));
    }

    #[test]
    fn a_signature_is_for_one_purpose_and_one_message() {
        let keys = Keyring::parse(A).expect("good");
        let signature = keys.sign(Purpose::Cursor, b"x");
        assert!(!keys.verify(Purpose::Journal, b"x", &signature));
        assert!(!keys.verify(Purpose::Cursor, b"y", &signature));
        assert!(!keys.verify(Purpose::Cursor, b"x", ""));
    }

    #[test]
    fn what_is_sealed_is_opened_by_a_key_of_ours_for_its_purpose_alone() {
        let before = Keyring::parse(&format!("a:{A}")).expect("good");
        let sealed = before.seal(Purpose::SecondFactor, b"secret").expect("sealed");
        assert_ne!(sealed, before.seal(Purpose::SecondFactor, b"secret").expect("sealed"));
        let after = Keyring::parse(&format!("b:{B},a:{A}")).expect("good");
        assert_eq!(after.open(Purpose::SecondFactor, &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(after.open(Purpose::Cursor, &sealed), None);
        for altered in ["", "a.", "a.AAAA", "c.AAAA", &sealed[..sealed.len() - 2]] {
            assert_eq!(after.open(Purpose::SecondFactor, altered), None, "{altered}");
        }
    }

    #[test]
    fn short_and_well_known_secrets_are_refused() {
        assert_eq!(Keyring::parse("short").err(), Some(BadKeyring::Short));
        assert_eq!(Keyring::parse("your-secret-key-change-in-production").err(), Some(BadKeyring::Example));
    }
}
