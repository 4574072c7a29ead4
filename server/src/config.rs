//! Typed settings: the compiled-in defaults, then a file, then the environment.
//!
//! The only file that reads the environment. Secrets are [`Secret`]s, which print nothing.
//! [`Config::unsafe_settings`] says what keeps `serve` from starting.

mod kek;

use crate::custody::Custody;
use serde::Deserialize;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use zeroize::Zeroizing;

/// The reference of all settings.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Every setting; `config.default.toml` says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How requests come in.
    pub server: ServerConfig,
    /// Where the rows are.
    pub database: DatabaseConfig,
    /// The key-encryption key.
    pub keys: KeysConfig,
    /// How mail goes out.
    pub mail: MailConfig,
    /// How money comes in.
    pub payments: PaymentsConfig,
    /// What the platform and its payment provider take of a sale.
    pub fees: FeesConfig,
    /// How often purchases may be confirmed.
    pub checkout: CheckoutConfig,
    /// Where the platform is registered for tax.
    pub tax: TaxConfig,
    /// How sellers' own servers are told.
    pub webhooks: WebhooksConfig,
    /// How long sessions last.
    pub sessions: SessionsConfig,
    /// How much the worker does at once.
    pub worker: WorkerConfig,
    /// Where sellers' rates for their customers are counted.
    pub gateway: GatewayConfig,
    /// What is logged.
    pub log: LogConfig,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How the world reaches this server; no slash at its end.
    pub base_url: String,
    /// Further host names.
    pub hosts: Vec<String>,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Open connections at most.
    pub max_connections: usize,
    /// Requests at work at most.
    pub max_requests: usize,
    /// Largest request body in bytes.
    pub max_body: usize,
    /// Seconds that a request may take.
    pub request_timeout: u64,
}

impl ServerConfig {
    /// Whether browsers reach this server over TLS, so that cookies are `Secure`.
    pub fn is_https(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    /// The host of `base_url`, with its port if one is written.
    pub fn base_host(&self) -> &str {
        let after = self.base_url.split_once("://").map_or("", |(_, rest)| rest);
        after.split('/').next().unwrap_or("")
    }
}

/// `[database]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:…` or `postgres://…`; may hold a password.
    pub url: String,
    /// Connections of readers.
    pub connections: usize,
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split(':').next().unwrap_or("");
        write!(f, "DatabaseConfig({scheme}:…)")
    }
}

/// `[keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The key itself.
    pub kek: Secret,
    /// A file that holds it.
    pub kek_file: String,
    /// A command that prints it.
    pub kek_command: String,
}

/// `[mail]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Where to: may hold a password.
    pub url: Secret,
    /// The sender.
    pub from: String,
}

/// `[payments]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentsConfig {
    /// Take sandbox money.
    pub sandbox: bool,
    /// Signs and checks webhooks.
    pub webhook_secret: Secret,
}

/// `[checkout]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckoutConfig {
    /// Purchases that one account or address may confirm at once, and in a minute.
    pub confirms_per_minute: u32,
    /// And in an hour.
    pub confirms_per_hour: u32,
}

/// `[fees]`, in basis points: hundredths of a percent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeesConfig {
    /// Of a sale on the seller's own traffic.
    pub seller_bps: u32,
    /// Of a sale that the marketplace brought.
    pub marketplace_bps: u32,
    /// Of any other sale.
    pub default_bps: u32,
    /// What a payment costs, of what the buyer pays.
    pub payment_bps: u32,
    /// And in minor units for each payment.
    pub payment_fixed_minor: i64,
}

/// `[tax]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxConfig {
    /// The seller of record's country; empty leaves it to the owner.
    pub country: String,
    /// Whether prices contain their tax.
    pub prices_include_tax: bool,
    /// The header in which trusted proxies say a visitor's country; empty for none.
    pub country_header: String,
}

/// `[webhooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Send to this machine too, by http.
    pub insecure: bool,
}

/// `[sessions]`, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// Until an unused session ends.
    pub idle: i64,
    /// Until any ends.
    pub absolute: i64,
    /// The same for administrators.
    pub admin_idle: i64,
    /// The same for administrators.
    pub admin_absolute: i64,
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// Jobs at work at once in this process.
    pub jobs: usize,
}

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// A Redis that servers share; empty for the memory of this process. May hold a password.
    pub redis: Secret,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// A list of `target=level`, as tracing-subscriber's EnvFilter reads it.
    pub filter: String,
}

/// A text that is never printed, and wiped when dropped.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text: only for whoever uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "unset"
        } else {
            "redacted"
        })
    }
}

/// A setting that can't be used, named `section.field`, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct ConfigError {
    /// Which: `server.base_url`, or the file.
    pub setting: String,
    /// Why, and what to do.
    pub reason: String,
}

impl ConfigError {
    fn new(setting: impl Into<String>, reason: impl Into<String>) -> Self {
        let (setting, reason) = (setting.into(), reason.into());
        Self { setting, reason }
    }
}

impl Config {
    /// The defaults, overridden by `file` and then by the process's environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let text = match file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| ConfigError::new(path.display().to_string(), error.to_string()))?,
        };
        Self::from_parts(&text, std::env::vars())
    }

    /// As [`Config::load`], from a file's text and an environment given by the caller.
    pub fn from_parts(
        file: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let parse = |name: &str, text: &str| {
            text.parse::<toml::Table>()
                .map_err(|error| ConfigError::new(name, error.to_string()))
        };
        let mut settings = parse("config.default.toml", DEFAULTS)?;
        for (section, fields) in parse("the configuration file", file)? {
            override_section(&mut settings, &section, fields)?;
        }
        for (name, value) in environment {
            override_variable(&mut settings, &name, &value)?;
        }
        let config = Config::deserialize(toml::Value::Table(settings));
        let mut config =
            config.map_err(|error| ConfigError::new("configuration", error.to_string()))?;
        let trimmed = config.server.base_url.trim_end_matches('/').len();
        config.server.base_url.truncate(trimmed);
        Ok(config)
    }

    /// The defaults alone.
    pub fn defaults() -> Self {
        Self::from_parts("", std::iter::empty()).expect("the compiled-in defaults are valid")
    }

    /// The key-encryption key, from the setting, the file it names, or the command that prints it.
    pub fn custody(&self) -> Result<Custody, ConfigError> {
        let keys = &self.keys;
        let text = if !keys.kek_command.is_empty() {
            let printed = kek::printed(&keys.kek_command);
            printed.map_err(|reason| ConfigError::new("keys.kek_command", reason))?
        } else if !keys.kek_file.is_empty() {
            return custody_in_file(Path::new(&keys.kek_file));
        } else {
            keys.kek.clone()
        };
        custody_of(&text)
    }

    /// What must be settled before strangers are served; empty when all is well.
    pub fn unsafe_settings(&self) -> Vec<ConfigError> {
        let mut found = Vec::new();
        let mut complain = |wrong: bool, setting: &str, reason: &str| {
            if wrong {
                found.push(ConfigError::new(setting, reason));
            }
        };
        complain(
            !self.server.is_https(),
            "server.base_url",
            "must start with https://; put a TLS proxy in front and say its address here",
        );
        complain(
            self.mail.url.is_empty() || self.mail.from.is_empty(),
            "mail.url",
            "a mailer and mail.from are needed: licenses and sign-in links go out by mail",
        );
        complain(
            self.payments.webhook_secret.reveal().len() < 24,
            "payments.webhook_secret",
            "must have at least 24 characters, or anybody could say that they paid",
        );
        complain(
            self.payments.sandbox,
            "payments.sandbox",
            "sandbox money is for `mintreu demo` only",
        );
        complain(
            self.webhooks.insecure,
            "webhooks.insecure",
            "sellers could make this server call services of its own machine",
        );
        if let Err(error) = self.custody() {
            found.push(error);
        }
        found
    }
}

/// The key-encryption key that a file holds.
pub fn custody_in_file(path: &Path) -> Result<Custody, ConfigError> {
    let read = std::fs::read_to_string(path);
    let read = read.map_err(|error| ConfigError::new("keys.kek_file", error.to_string()))?;
    custody_of(&Secret::new(read))
}

fn custody_of(text: &Secret) -> Result<Custody, ConfigError> {
    let wrong = || {
        ConfigError::new(
            "keys.kek_file",
            "must hold 32 bytes in base64, as `openssl rand -base64 32` prints them",
        )
    };
    Custody::from_text(text.reveal()).ok_or_else(wrong)
}

fn override_section(
    settings: &mut toml::Table,
    section: &str,
    fields: toml::Value,
) -> Result<(), ConfigError> {
    let known = settings
        .get_mut(section)
        .and_then(toml::Value::as_table_mut);
    match (known, fields) {
        (Some(known), toml::Value::Table(fields)) => {
            known.extend(fields);
            Ok(())
        }
        _ => Err(ConfigError::new(section, "there is no such section")),
    }
}

/// `MINTREU_SECTION_FIELD=value`, read as the type that the default has.
fn override_variable(
    settings: &mut toml::Table,
    name: &str,
    value: &str,
) -> Result<(), ConfigError> {
    // Tests have variables of their own.
    let setting = name
        .strip_prefix("MINTREU_")
        .filter(|rest| !rest.starts_with("TEST_"));
    let Some((section, field)) = setting.and_then(|rest| rest.split_once('_')) else {
        return Ok(());
    };
    let (section, field) = (section.to_lowercase(), field.to_lowercase());
    let known = settings
        .get_mut(&section)
        .and_then(|fields| fields.get_mut(&field))
        .ok_or_else(|| ConfigError::new(name, "there is no such setting"))?;
    *known = match known {
        toml::Value::Integer(_) => value
            .parse()
            .map(toml::Value::Integer)
            .map_err(|_| ConfigError::new(name, "must be a whole number"))?,
        toml::Value::Boolean(_) => value
            .parse()
            .map(toml::Value::Boolean)
            .map_err(|_| ConfigError::new(name, "must be true or false"))?,
        toml::Value::Array(_) => {
            let items = value.split(',').map(str::trim);
            toml::Value::Array(items.map(toml::Value::from).collect())
        }
        _ => toml::Value::String(value.to_owned()),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let owned = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_parts(file, owned)
    }

    #[test]
    fn the_environment_overrides_the_file_overrides_the_defaults() {
        let file = "[server]\nbase_url = \"https://shop.example/\"\nmax_body = 7";
        let config = with(
            file,
            &[
                ("MINTREU_SERVER_MAX_BODY", "9"),
                ("MINTREU_SERVER_HOSTS", "a.example, b.example"),
            ],
        )
        .unwrap();
        assert_eq!(config.server.base_url, "https://shop.example");
        assert_eq!(config.server.base_host(), "shop.example");
        assert_eq!(config.server.max_body, 9);
        assert_eq!(config.server.hosts, ["a.example", "b.example"]);
        assert_eq!(config.database.connections, 8);
    }

    #[test]
    fn a_wrong_name_or_type_is_told() {
        for (name, value) in [
            ("MINTREU_SERVER_LISTEM", "x"),
            ("MINTREU_WORKER_JOBS", "many"),
        ] {
            assert_eq!(with("", &[(name, value)]).unwrap_err().setting, name);
        }
        assert!(with("[sever]\nlisten = 1", &[]).is_err());
        assert!(with("[server]\nlisten = \"nowhere\"", &[]).is_err());
    }

    #[test]
    fn each_unsafe_setting_is_named() {
        let names = |config: &Config| -> Vec<String> {
            let found = config.unsafe_settings();
            found.into_iter().map(|error| error.setting).collect()
        };
        let expected = [
            "server.base_url",
            "mail.url",
            "payments.webhook_secret",
            "keys.kek_file",
        ];
        assert_eq!(names(&Config::defaults()), expected);
        let kek = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let safe = with(
            "[mail]\nurl = \"file:out\"\nfrom = \"a@b.example\"",
            &[
                ("MINTREU_SERVER_BASE_URL", "https://shop.example"),
                (
                    "MINTREU_PAYMENTS_WEBHOOK_SECRET",
                    "0123456789012345678901234",
                ),
                ("MINTREU_KEYS_KEK", kek),
            ],
        )
        .unwrap();
        assert_eq!(names(&safe), Vec::<String>::new());
        let printed = format!("{safe:?}");
        assert!(
            !printed.contains(kek) && !printed.contains("01234567890"),
            "{printed}"
        );
    }
}
