//! Passwords: argon2id with the parameters of OWASP (19 MiB, 2 passes, 1 lane), as many at once as there are cores.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use daybook_domain::Secret;
use daybook_http::{Error, Result};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// Hashing takes a core and 19 MiB for some 25 ms: more at once would only be slower, and larger.
static PERMITS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))));

/// A hash to compare with where there is no user, so that unknown users take as long as known ones.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now(&Secret::new("nobody's password".to_owned())).ok());

/// The hash of a password, as a PHC string.
pub async fn hash(password: Secret) -> Result<String> {
    on_a_core(move || hash_now(&password)).await?
}

/// Whether a password belongs to a hash; never, after the same work, where there is no hash.
pub async fn verify(password: Secret, phc: Option<String>) -> Result<bool> {
    on_a_core(move || {
        let known = phc.is_some();
        let Some(phc) = phc.or_else(|| NOBODY.clone()) else { return Ok(false) };
        let hash =
            PasswordHash::new(&phc).map_err(|error| Error::internal("read a password's hash", error.to_string()))?;
        Ok(argon2().verify_password(password.expose().as_bytes(), &hash).is_ok() && known)
    })
    .await?
}

fn hash_now(password: &Secret) -> Result<String> {
    let hash = argon2().hash_password(password.expose().as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| Error::internal("hash a password", error.to_string()))
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap_or_default())
}

async fn on_a_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = PERMITS.clone().acquire_owned().await.map_err(|error| Error::internal("wait for a core", error))?;
    // The permit goes with the work, which runs on when the one who asked goes away.
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    done.await.map_err(|error| Error::internal("hash a password", error))
}
