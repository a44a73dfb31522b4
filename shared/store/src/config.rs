//! Settings from environment variables; all mistakes are reported at once.

use crate::{
    Clock, CommonPasswords, DynamoDb, Env, FirstAddress, FirstOwner, Ids, Keyring, Registration, Secrets, Settings,
    Table, TableOptions, aws, telemetry,
};
use aws_config::SdkConfig;
use daybook_domain::{EmailAddress, OrgId, Secret};
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The suffix of a variable that holds the ARN of a value rather than the value.
pub const SUFFIX: &str = "_ARN";

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error)]
#[error("the environment needs to be corrected:\n{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Reads variables and collects the mistakes in them.
pub struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    /// The mistakes so far.
    pub wrong: Vec<String>,
}

impl<'a> Variables<'a> {
    /// Variables from a look-up function.
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Variables<'a> {
        Variables { get, wrong: Vec::new() }
    }

    /// The text of a variable, if it is set.
    pub fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|text| !text.trim().is_empty())
    }

    /// A variable, parsed; a mistake is added to `wrong`.
    pub fn optional<T, E: std::fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text = (self.get)(name).filter(|text| !text.trim().is_empty())?;
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong.push(format!("{name}: {error}"));
                None
            }
        }
    }

    /// A variable that must be set.
    pub fn required<T, E: std::fmt::Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let missing = (self.get)(name).is_none_or(|text| text.trim().is_empty());
        if missing {
            self.wrong.push(format!("{name}: is missing"));
        }
        self.optional(name, parse)
    }
}

/// The settings in these variables.
pub fn settings(from: &mut Variables<'_>) -> Option<Settings> {
    let org = from.required("DEFAULT_ORG_ID", str::parse::<OrgId>);
    let team = from.required("TEAM_EMAIL", address);
    // The rest is read all the same, so that all mistakes are reported at once.
    let placeholder = || EmailAddress::parse("placeholder@example.com").ok();
    let complete = org.is_some() && team.is_some();
    let mut settings = Settings::new(org.unwrap_or(OrgId::new(uuid::Uuid::nil())), team.or_else(placeholder)?);
    adjust(&mut settings, from);
    from.required("PUBLIC_URL", |text| Ok::<_, String>(text.to_owned()));
    complete.then_some(settings)
}

/// Overrides the settings whose variables are set; the others keep their values.
pub fn adjust(settings: &mut Settings, from: &mut Variables<'_>) {
    let registration = from.optional("REGISTRATION", |text| match text {
        "open" => Ok(Registration::Open),
        "invite" => Ok(Registration::Invite),
        "closed" => Ok(Registration::Closed),
        _ => Err("must be open, invite or closed"),
    });
    let minutes = from.optional("ACCESS_TOKEN_EXPIRE_MINUTES", |text| match text.parse::<u64>() {
        Ok(minutes @ 1..=1440) => Ok(minutes),
        _ => Err("must be a number of minutes from 1 to 1440"),
    });
    let origins = from.optional("ALLOWED_ORIGINS", |text| {
        Ok::<_, String>(
            text.split(',').map(|origin| origin.trim().trim_end_matches('/').to_owned()).collect::<Vec<_>>(),
        )
    });
    let url = from.optional("PUBLIC_URL", |text| {
        let address = daybook_domain::origin::origin_of(text).map(|_| text.trim_end_matches('/').to_owned());
        address.ok_or("must be an http(s) address")
    });
    let account = from.optional("ACCOUNT_URL", |text| {
        daybook_domain::origin::origin_of(text).map(|_| text.to_owned()).ok_or("must be an http(s) address")
    });
    let record = from.optional("RECORD_URL", |text| match daybook_domain::origin::origin_of(text) {
        Some(_) if text.contains("{id}") => Ok(text.to_owned()),
        _ => Err("must be an http(s) address with {id} in it, such as https://crm.example.com/{type}/{id}"),
    });
    let common = from.optional("COMMON_PASSWORDS", |text| match text {
        "refuse" => Ok(CommonPasswords::Refuse),
        "warn" => Ok(CommonPasswords::Warn),
        _ => Err("must be refuse or warn"),
    });
    let counts = from.optional("HEALTH_COUNTS", |text| match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off"),
    });
    let team = from.optional("TEAM_EMAIL", address);
    let owner = from.optional("OWNER_EMAIL", address);
    let code = from.optional("OWNER_CODE", |text| match text.chars().count() {
        0..FirstAddress::SHORTEST_CODE => Err("must have at least 16 characters; make one with `openssl rand -hex 16`"),
        _ => Ok(Secret::new(text.to_owned())),
    });
    let address = owner.map(|email| FirstOwner::Address(FirstAddress { email, code }));
    settings.first_owner = address.unwrap_or_else(|| settings.first_owner.clone());
    settings.registration = registration.unwrap_or(settings.registration);
    settings.access_token = minutes.map_or(settings.access_token, |minutes| Duration::from_secs(minutes * 60));
    settings.allowed_origins = origins.unwrap_or_else(|| std::mem::take(&mut settings.allowed_origins));
    settings.public_url = url.unwrap_or_else(|| std::mem::take(&mut settings.public_url));
    settings.account_url = account.or_else(|| settings.account_url.take());
    settings.record_url = record.or_else(|| settings.record_url.take());
    settings.common_passwords = common.unwrap_or(settings.common_passwords);
    settings.health_counts = counts.unwrap_or(settings.health_counts);
    settings.team_address = team.unwrap_or_else(|| settings.team_address.clone());
}

fn address(text: &str) -> Result<EmailAddress, &'static str> {
    EmailAddress::parse(text).map_err(|_| "must be an e-mail address")
}

/// The environment of a Lambda function: its variables, the values that they name by ARN, and the SDK's configuration.
pub struct Surroundings {
    /// The configuration of the AWS SDK.
    pub sdk: SdkConfig,
    /// The values in Parameter Store and Secrets Manager.
    pub secrets: Secrets,
    table: Option<Table>,
}

impl Surroundings {
    /// Reads the environment: `X`, or where `X_ARN` names a parameter or secret, its value.
    pub async fn read() -> Result<Surroundings, ConfigError> {
        let sdk = aws::sdk().await.map_err(|wrong| ConfigError(vec![wrong]))?;
        let elsewhere = |(name, arn): (String, String)| {
            // Names such as AWS_ROLE_ARN are the SDK's.
            let variable = name.strip_suffix(SUFFIX).filter(|name| !name.starts_with("AWS_"))?.to_owned();
            (!arn.trim().is_empty()).then(|| (variable, arn.trim().to_owned()))
        };
        let arns = std::env::vars().filter_map(elsewhere);
        let table = std::env::var("TABLE_NAME").ok();
        let table = table.map(|name| Table::new(Arc::new(DynamoDb::connect(&sdk, &name)), TableOptions::default()));
        // The connection to the table is opened meanwhile, so that no request waits for it.
        let warm = async {
            if let Some(table) = &table {
                table.warm().await;
            }
        };
        let (secrets, ()) = tokio::join!(Secrets::read(&sdk, Clock::System, arns), warm);
        Ok(Surroundings { sdk, secrets: secrets?, table })
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        self.secrets.value(name).or_else(|| std::env::var(name).ok())
    }

    /// The parts that all requests of a function share. Mistakes in the function's own variables are already in
    /// `variables`.
    pub fn env(&self, mut variables: Variables<'_>) -> Result<Env, ConfigError> {
        let settings = settings(&mut variables);
        let secret = if (variables.get)("JWT_SECRET").is_some() { "JWT_SECRET" } else { "SECRET_KEY" };
        // A function that signs and verifies nothing may not read the secret either.
        let keyless = variables.optional("KEYLESS", |text| text.parse::<bool>().map_err(|_| "must be true or false"));
        let keys = match keyless {
            Some(true) => Some(Keyring::none()),
            Some(false) | None => variables.required(secret, Keyring::parse),
        };
        variables.required("TABLE_NAME", |name| Ok::<_, String>(name.to_owned()));
        let (Some(settings), Some(keys), Some(table), true) =
            (settings, keys, self.table.clone(), variables.wrong.is_empty())
        else {
            return Err(ConfigError(variables.wrong));
        };
        let ring = keys.clone();
        self.secrets.watch(secret, move |text| {
            if let Err(error) = ring.replace(text) {
                tracing::error!(%error, "the new secret can't be used; the old one stays in use");
            }
        });
        let secrets = self.secrets.clone();
        Ok(Env { table, clock: Clock::System, ids: Ids::new(Clock::System), keys, settings, secrets })
    }
}

/// Runs a function: sets up logging and metrics, and logs the error if the function fails.
pub fn start<E: std::fmt::Display>(function: impl Future<Output = Result<(), E>>) -> ExitCode {
    telemetry::log_as_json();
    telemetry::count_for_cloudwatch();
    let ended = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(function).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the function failed");
            ExitCode::FAILURE
        }
    }
}
