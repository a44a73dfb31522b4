//! Password hashing: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), at most one hash per core at a time.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use daybook_domain::{Error as Domain, NewPassword, Rule, Secret};
use daybook_http::{Cx, Error, Language, Result};
use daybook_store::CommonPasswords;
use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// One permit per core. A hash takes a core and 19 MiB for some 20 ms: more at a time would be slower and need more
/// memory.
static PERMITS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))));

/// Wiped memory blocks of finished hashes, for reuse: at most one per permit. An allocator would keep as much for
/// every thread that ever hashed.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// The hash to compare with if there is no such user, so that unknown users take as long as known ones.
static DUMMY_HASH: LazyLock<Option<String>> =
    LazyLock::new(|| hash_now(&Secret::new("the password of no user".to_owned())).ok());

/// The most common passwords, in order and in lower case.
static COMMON: &str = include_str!("../assets/common-passwords.txt");

/// Refuses a common password, or returns a warning, depending on the deployment's settings.
pub fn judge(cx: &Cx, language: Language, password: &NewPassword, pointer: &str) -> Result<Option<String>> {
    if !is_common(password.expose()) {
        return Ok(None);
    }
    match cx.env.settings.common_passwords {
        CommonPasswords::Refuse => Err(Domain::invalid(pointer, Rule::CommonPassword).into()),
        CommonPasswords::Warn => {
            let warning = language.0.pick(
                "This password is too common; choose another one, as production refuses it.",
                "该密码过于常见，生产环境会拒绝，请更换。",
            );
            Ok(Some(warning.to_owned()))
        }
    }
}

fn is_common(password: &str) -> bool {
    static LINES: LazyLock<HashSet<&str>> =
        LazyLock::new(|| COMMON.lines().filter(|line| !line.starts_with('#')).collect());
    LINES.contains(password.to_lowercase().as_str())
}

/// The current parameters of new hashes.
fn parameters() -> Result<Params> {
    Params::new(19_456, 2, 1, None).map_err(hash_failed)
}

/// Whether a hash has the current algorithm and parameters; if not, it is replaced when the password is known.
pub fn is_up_to_date(phc: &str) -> bool {
    let read = || {
        let hash = PasswordHash::new(phc).ok()?;
        let current = parameters().ok()?;
        let params = Params::try_from(&hash).ok()?;
        let same = (params.m_cost(), params.t_cost(), params.p_cost())
            == (current.m_cost(), current.t_cost(), current.p_cost());
        Some(same && hash.algorithm == Algorithm::Argon2id.ident())
    };
    read().unwrap_or(false)
}

/// The hash of a password, as a PHC string. Keyboards that type the same password in other characters give the same hash.
pub async fn hash(password: Secret) -> Result<String> {
    on_a_core(move || hash_now(&password.folded())).await?
}

/// Whether a password matches a hash. Without a hash the result is false, after the same work.
pub async fn verify(password: Secret, phc: Option<String>) -> Result<bool> {
    on_a_core(move || {
        let known = phc.is_some();
        let Some(phc) = phc.or_else(|| DUMMY_HASH.clone()) else { return Ok(false) };
        Ok(is_right(&password, &phc)? && known)
    })
    .await?
}

fn hash_now(password: &Secret) -> Result<String> {
    let params = parameters()?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(hash_failed)?,
        salt: Some(Salt::generate()),
        hash: None,
    };
    let hash = PasswordHash { hash: Some(output(password, &hash)?), ..hash };
    Ok(hash.to_string())
}

/// Whether a password matches a hash, in whatever characters a keyboard types it.
fn is_right(password: &Secret, phc: &str) -> Result<bool> {
    let folded = password.folded();
    // Earlier versions hashed passwords as they were entered.
    Ok(matches(&folded, phc)? || folded.expose() != password.expose() && matches(password, phc)?)
}

fn matches(password: &Secret, phc: &str) -> Result<bool> {
    let hash = PasswordHash::new(phc).map_err(|error| Error::internal("read a password's hash", error.to_string()))?;
    Ok(Some(output(password, &hash)?) == hash.hash)
}

/// The output for a password with the salt and the parameters of a hash.
fn output(password: &Secret, hash: &PasswordHash) -> Result<Output> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(hash_failed)?;
    let version = hash.version.map(Version::try_from).transpose().map_err(hash_failed)?.unwrap_or_default();
    let params = Params::try_from(hash).map_err(hash_failed)?;
    let salt = hash.salt.as_ref().ok_or_else(|| hash_failed("the hash has no salt"))?;
    let mut out = vec![0; hash.hash.as_ref().map_or(Params::DEFAULT_OUTPUT_LEN, Output::len)];
    let mut memory = idle_memory().pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(algorithm, version, params);
    let done = argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut out, &mut memory[..]);
    memory.fill(Block::default());
    idle_memory().push(memory);
    done.map_err(hash_failed)?;
    Output::new(&out).map_err(hash_failed)
}

fn idle_memory() -> MutexGuard<'static, Vec<Vec<Block>>> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash_failed(error: impl Display) -> Error {
    Error::internal("hash a password", error.to_string())
}

async fn on_a_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = PERMITS.clone().acquire_owned().await.map_err(|error| Error::internal("wait for a core", error))?;
    // The permit moves into the work, which runs on if the request is cancelled.
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(|error| Error::internal("hash a password", error))
}
