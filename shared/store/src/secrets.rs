//! Secrets stored outside the environment: where `X_ARN` is set, the value of `X` is read from the parameter (SSM
//! Parameter Store) or secret (Secrets Manager) that it names.
//!
//! They are read at the cold start. Those with a watcher are read again once they are five minutes old, so that a
//! secret is rotated without a deployment. A value that can't be read again stays in use.

use crate::Clock;
use crate::config::{ConfigError, SUFFIX};
use aws_config::SdkConfig;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_sdk_ssm::error::DisplayErrorContext;
use daybook_domain::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a value counts as current.
pub const FRESH: Duration = Duration::from_secs(300);

/// The minimum time between two reads that are caused by unknown key ids, which any client may send.
pub const PAUSE: Duration = Duration::from_secs(30);

/// The time-out of a read, all attempts included: at a cold start, which has 10 s, and later, when a request waits.
const AT_START: Duration = Duration::from_secs(6);
const LATER: Duration = Duration::from_secs(1);

/// The number of attempts of a read at a cold start. Parameter Store takes 40 calls a second of an account, unless the
/// limit is raised, and many functions may start at once.
const TRIES: u32 = 5;

type Watcher = Box<dyn Fn(&str) + Send + Sync>;

/// The values of a function in Parameter Store and Secrets Manager; `None` where it has none.
#[derive(Clone, Default)]
pub struct Secrets(Option<Arc<Shared>>);

struct Shared {
    client: Client,
    clock: Clock,
    places: Vec<Place>,
    state: Mutex<State>,
}

struct State {
    read: Timestamp,
    values: BTreeMap<String, String>,
    watchers: Vec<(String, Watcher)>,
}

/// A variable, and the name of its value in Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    variable: String,
    name: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.0.iter().flat_map(|shared| &shared.places);
        f.debug_list().entries(places.map(|place| &place.variable)).finish()
    }
}

impl Secrets {
    /// Reads the values of these variables, given by name and ARN.
    pub async fn read(
        sdk: &SdkConfig,
        clock: Clock,
        arns: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Secrets, ConfigError> {
        let (mut places, mut wrong) = (Vec::new(), Vec::new());
        for (variable, arn) in arns {
            match asked_for(&arn) {
                Some(name) => places.push(Place { variable, name }),
                None => wrong.push(format!(
                    "{variable}{SUFFIX}: must be the complete ARN of an SSM parameter or a Secrets Manager secret"
                )),
            }
        }
        if !wrong.is_empty() {
            return Err(ConfigError(wrong));
        }
        if places.is_empty() {
            return Ok(Secrets(None));
        }
        let with = |retries, longest| {
            let longest = TimeoutConfig::builder().operation_timeout(longest).build();
            let config = aws_sdk_ssm::config::Builder::from(sdk).retry_config(retries);
            Client::from_conf(config.timeout_config(longest).build())
        };
        let patient = RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(Duration::from_millis(200));
        let values = values(&with(patient, AT_START), &places).await?;
        let client = with(RetryConfig::disabled(), LATER);
        let state = Mutex::new(State { read: clock.now(), values, watchers: Vec::new() });
        Ok(Secrets(Some(Arc::new(Shared { client, clock, places, state }))))
    }

    /// The value of a variable, if it is stored outside the environment.
    pub fn value(&self, variable: &str) -> Option<String> {
        self.0.as_ref()?.state().values.get(variable).cloned()
    }

    /// Calls `watcher` with every new value of a variable.
    pub fn watch(&self, variable: &str, watcher: impl Fn(&str) + Send + Sync + 'static) {
        if let Some(shared) = &self.0 {
            shared.state().watchers.push((variable.to_owned(), Box::new(watcher)));
        }
    }

    /// Reads watched values again that are no longer current.
    pub async fn refresh(&self) {
        self.refresh_older_than(FRESH).await;
    }

    /// Reads watched values again at once, unless that was done within [`PAUSE`]: a request has a key id that only a
    /// newer secret explains.
    pub async fn refresh_now(&self) {
        self.refresh_older_than(PAUSE).await;
    }

    async fn refresh_older_than(&self, age: Duration) {
        let Some(shared) = &self.0 else { return };
        let now = shared.clock.now();
        let places: Vec<Place> = {
            let mut state = shared.state();
            // A read that lies ahead was made while the clock was ahead.
            if state.read <= now && state.read.until(now) < age {
                return;
            }
            // Concurrent requests go on with the current values.
            state.read = now;
            let is_watched = |place: &&Place| state.watchers.iter().any(|(watched, _)| *watched == place.variable);
            shared.places.iter().filter(is_watched).cloned().collect()
        };
        match values(&shared.client, &places).await {
            Ok(values) => shared.state().take(values),
            Err(error) => tracing::error!(%error, "secrets can't be read again; the current values stay in use"),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, values: BTreeMap<String, String>) {
        for (variable, value) in values {
            if self.values.get(&variable) != Some(&value) {
                tracing::info!(variable, "a secret was replaced");
                let of_it = self.watchers.iter().filter(|(watched, _)| *watched == variable);
                of_it.for_each(|(_, watcher)| watcher(&value));
                self.values.insert(variable, value);
            }
        }
    }
}

/// The name of an ARN's value in Parameter Store. Secrets are read through it by a reference name
/// (docs.aws.amazon.com/systems-manager, "Referencing AWS Secrets Manager secrets"), which omits the six characters at
/// the end of a secret's ARN.
fn asked_for(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (Some("arn"), Some(_), Some(service)) = (parts.next(), parts.next(), parts.next()) else { return None };
    let resource = parts.nth(2)?;
    match service {
        "ssm" => match resource.strip_prefix("parameter/")? {
            "" => None,
            // An ARN omits the leading slash of a hierarchical name.
            levels if levels.contains('/') => Some(format!("/{levels}")),
            name => Some(name.to_owned()),
        },
        "secretsmanager" => {
            let (name, end) = resource.strip_prefix("secret:")?.rsplit_once('-')?;
            let complete = end.len() == 6 && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
            complete.then(|| format!("/aws/reference/secretsmanager/{name}"))
        }
        _ => None,
    }
}

async fn values(client: &Client, places: &[Place]) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    // One after the other, over one connection.
    for Place { variable, name } in places {
        let failed = |why: String| ConfigError(vec![format!("{variable}{SUFFIX}: {name} can't be read: {why}")]);
        let reply = client.get_parameter().name(name).with_decryption(true).send().await;
        let reply = reply.map_err(|error| failed(DisplayErrorContext(&error).to_string()))?;
        let value = reply.parameter.and_then(|parameter| parameter.value);
        let value = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        values.insert(variable.clone(), value.ok_or_else(|| failed("its value is empty".to_owned()))?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_asked_for_by_name_and_secrets_by_reference() {
        let parameter = "arn:aws:ssm:eu-central-1:123456789012:parameter";
        assert_eq!(asked_for(&format!("{parameter}/daybook/prod/jwt")).as_deref(), Some("/daybook/prod/jwt"));
        assert_eq!(asked_for(&format!("{parameter}/jwt")).as_deref(), Some("jwt"));
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:daybook/jwt-secret-AbC123";
        assert_eq!(asked_for(secret).as_deref(), Some("/aws/reference/secretsmanager/daybook/jwt-secret"));
    }

    #[test]
    fn other_arns_and_texts_are_refused() {
        for arn in [
            "",
            "secret",
            "arn:aws:ssm:eu-central-1:123456789012:parameter/",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:jwt",
            "arn:aws:s3:::bucket/key",
        ] {
            assert_eq!(asked_for(arn), None, "{arn}");
        }
    }
}
