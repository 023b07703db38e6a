//! The worker's settings file: TOML, unknown keys are errors, every key but the brokers has a default.

mod limits;
mod properties;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use touchstone_fetch::FetchSettings;

pub use limits::{Limits, NullValue};
use properties::PropertyValue;

use crate::Error;
use crate::state::Room;

/// What is wrong with a settings file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{}", message.trim_end())]
    Toml {
        /// What the reader said, with line, column and the line itself.
        message: String,
    },
    /// A value that cannot be used.
    #[error("{key} = {value}: {problem}")]
    Value {
        /// The key with its table, for example `limits.dead_letter_limit`.
        key: String,
        /// The value found.
        value: String,
        /// Why it cannot be used and what to write instead.
        problem: String,
    },
    /// A key that this command needs is absent.
    #[error("{key} is not set: {problem}")]
    Missing {
        /// The key with its table.
        key: &'static str,
        /// What to do.
        problem: &'static str,
    },
}

impl SettingsError {
    pub(crate) fn value(
        key: impl Into<String>,
        value: impl std::fmt::Display,
        problem: impl Into<String>,
    ) -> Self {
        Self::Value { key: key.into(), value: value.to_string(), problem: problem.into() }
    }
}

/// Everything in the worker file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How to reach Kafka; `scan`, `eval` and `explain` need none.
    pub kafka: Option<KafkaSettings>,
    /// The names of the topics.
    pub topics: TopicNames,
    /// The catalog.
    pub catalog: CatalogSettings,
    /// What is remembered of listings.
    pub state: StateSettings,
    /// The worker's own web server.
    pub http: HttpSettings,
    /// How photos of listings are fetched.
    pub photos: PhotoSettings,
    /// The model.
    pub models: FileSettings,
    /// The policy.
    pub policy: FileSettings,
    /// The lexicon.
    pub lexicon: FileSettings,
    /// Bounds on memory, time and trouble.
    pub limits: Limits,
}

/// `[kafka]`: how to reach Kafka and who this worker is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// `host:port`, several joined by commas.
    pub bootstrap_servers: String,
    /// The consumer group that shares the listings; default `touchstone`.
    #[serde(default = "default_group")]
    pub group_id: String,
    /// A name of this worker that survives its restart, unique in the group. With it the group does not rebalance when
    /// the worker comes back within the session time-out, and its unfinished transaction is aborted at once.
    pub instance_id: Option<String>,
    /// The name of this worker's transactions, unique in the cluster; default `touchstone-<group_id>-<instance_id>`, or
    /// a fresh one for each process without an `instance_id`.
    pub transactional_id: Option<String>,
    /// Further properties of librdkafka, for all clients.
    #[serde(default)]
    properties: BTreeMap<String, PropertyValue>,
    /// Set for the simulated broker alone, which forgets offsets committed in a transaction.
    #[serde(skip)]
    pub(crate) simulated: bool,
}

/// `[topics]`: what the topics are called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopicNames {
    /// The input; default `listings`.
    pub listings: String,
    /// The reference catalog, compacted; default `catalog`.
    pub catalog: String,
    /// The flags; default `review`.
    pub review: String,
    /// A verdict for every listing; default `verdicts`.
    pub verdicts: String,
    /// Inputs that could not be judged; default `listings.dlq`.
    pub dead_letters: String,
    /// Reviewers' rulings; default `decisions`.
    pub decisions: String,
    /// Listings to be judged again; default `listings.recheck`.
    pub recheck: String,
    /// What is remembered of each listing, compacted; default `listings.state`.
    pub state: String,
}

impl Default for TopicNames {
    fn default() -> Self {
        Self {
            listings: "listings".into(),
            catalog: "catalog".into(),
            review: "review".into(),
            verdicts: "verdicts".into(),
            dead_letters: "listings.dlq".into(),
            decisions: "decisions".into(),
            recheck: "listings.recheck".into(),
            state: "listings.state".into(),
        }
    }
}

/// `[catalog]`: how a worker starts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogSettings {
    /// A folder of this worker's own, relative to the settings file, for a local snapshot of the catalog topic: with it a restart reads
    /// only what is new. Without one the topic is read from its beginning each time.
    pub snapshot_path: Option<PathBuf>,
}

/// `[state]`: how what is remembered of listings is kept at hand. The truth is in the state topic.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// A folder for what does not fit into memory, relative to the settings file; default the system's for temporary files.
    pub spill_path: Option<PathBuf>,
    /// How much memory one partition may take before it moves to a file, in bytes; default 256 MiB, about a million listings.
    pub max_partition_bytes: usize,
}

impl Default for StateSettings {
    fn default() -> Self {
        Self { spill_path: None, max_partition_bytes: 256 << 20 }
    }
}

impl StateSettings {
    fn check(&self) -> Result<(), SettingsError> {
        if !((64 << 10)..=(64 << 30)).contains(&self.max_partition_bytes) {
            let problem = "must be 65536 to 68719476736";
            return Err(SettingsError::value("state.max_partition_bytes", self.max_partition_bytes, problem));
        }
        Ok(())
    }

    pub(crate) fn room(&self) -> Room {
        let folder = self.spill_path.clone().unwrap_or_else(std::env::temp_dir);
        Room { folder, max_memory_bytes: self.max_partition_bytes }
    }
}

/// `[http]`: where `/healthz`, `/readyz` and `/metrics` are served.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// The address; without one nothing is served. Port 0 takes any free port.
    pub listen: Option<SocketAddr>,
}

/// `[photos]`: what may be fetched for a listing, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhotoSettings {
    /// How long the photos of one listing may take together, in milliseconds; default 5000.
    pub deadline_ms: u64,
    /// If set, the only hosts from which photos are fetched: a name, or `*.name` for all below it.
    pub allow_hosts: Option<Vec<String>>,
    /// Hosts from which photos are never fetched, nor from the hosts below them; also addresses and networks, which cover the
    /// names that resolve into them.
    pub deny_hosts: Vec<String>,
    /// The only ports from which photos are fetched; default 443.
    pub allow_ports: Vec<u16>,
    /// `http://127.0.0.1:PORT`: exempt from the https and address rules. For tests only.
    pub test_origins: Vec<String>,
    /// How many photos are fetched at the same time, and for how many listings; default 32.
    pub max_fetches: NonZeroUsize,
    /// How many photos are fetched from one host at the same time; default 4.
    pub max_fetches_per_host: NonZeroUsize,
    /// How long after a verdict that lacks photos for a passing cause they are tried again, in seconds: one entry for each try;
    /// default a minute, ten minutes, an hour. Without entries they are not.
    pub recheck_after_s: Vec<u64>,
}

impl Default for PhotoSettings {
    fn default() -> Self {
        Self {
            deadline_ms: 5_000,
            allow_hosts: None,
            deny_hosts: Vec::new(),
            allow_ports: FetchSettings::default().allow_ports,
            test_origins: Vec::new(),
            max_fetches: NonZeroUsize::new(32).expect("32 is not zero"),
            max_fetches_per_host: FetchSettings::default().max_concurrent_per_host,
            recheck_after_s: vec![60, 600, 3_600],
        }
    }
}

impl PhotoSettings {
    /// How long the photos of one listing may take together.
    pub const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// How long after a partial verdict photos are tried again, for each try.
    pub(crate) fn recheck_after(&self) -> Vec<Duration> {
        self.recheck_after_s.iter().map(|seconds| Duration::from_secs(*seconds)).collect()
    }

    /// The same for the fetcher.
    pub fn fetch_settings(&self) -> FetchSettings {
        FetchSettings {
            allow_hosts: self.allow_hosts.clone(),
            deny_hosts: self.deny_hosts.clone(),
            allow_ports: self.allow_ports.clone(),
            test_origins: self.test_origins.clone(),
            max_concurrent: self.max_fetches,
            max_concurrent_per_host: self.max_fetches_per_host,
            ..FetchSettings::default()
        }
    }
}

/// `[models]`, `[policy]`, `[lexicon]`: where the file, or the folder of the lexicon, lies.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileSettings {
    /// The path, relative to the settings file; without one the compiled-in default serves.
    pub path: Option<PathBuf>,
}

/// Six days: the re-check topic keeps its records for a week.
const MAX_RECHECK_S: u64 = 6 * 24 * 3_600;

fn default_group() -> String {
    "touchstone".into()
}

impl Settings {
    /// Reads and checks the text of a settings file.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value of the wrong type or out of range, a property that the worker sets
    /// itself, or TLS and SASL in a build without them.
    ///
    /// ```
    /// use touchstone_kafka::Settings;
    /// let settings = Settings::from_toml("[kafka]\nbootstrap_servers = \"kafka:9092\"").unwrap();
    /// assert_eq!(settings.topics.dead_letters, "listings.dlq");
    /// let error = Settings::from_toml("[limits]\ndead_leter_limit = 5").unwrap_err();
    /// assert!(error.to_string().contains("unknown field `dead_leter_limit`"));
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        let settings: Self =
            toml::from_str(text).map_err(|e| SettingsError::Toml { message: e.to_string() })?;
        settings.check()?;
        Ok(settings)
    }

    /// Reads a settings file; paths in it are taken relative to its folder.
    ///
    /// # Errors
    /// A file that cannot be read, and everything that [`Settings::from_toml`] refuses.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::File { path: path.display().to_string(), source })?;
        let mut settings = Self::from_toml(&text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in [&mut settings.models, &mut settings.policy, &mut settings.lexicon] {
            file.path = file.path.take().map(|path| folder.join(path));
        }
        settings.catalog.snapshot_path = settings.catalog.snapshot_path.take().map(|path| folder.join(path));
        settings.state.spill_path = settings.state.spill_path.take().map(|path| folder.join(path));
        Ok(settings)
    }

    /// The defaults with these brokers: what `--bootstrap HOST:PORT` means.
    pub fn with_bootstrap(bootstrap_servers: impl Into<String>) -> Self {
        Self { kafka: Some(KafkaSettings::new(bootstrap_servers)), ..Self::default() }
    }

    /// The `[kafka]` table.
    ///
    /// # Errors
    /// If the file has none.
    pub fn kafka(&self) -> Result<&KafkaSettings, SettingsError> {
        self.kafka.as_ref().ok_or(SettingsError::Missing {
            key: "kafka.bootstrap_servers",
            problem: "name the brokers in the table [kafka], or give --bootstrap HOST:PORT",
        })
    }

    fn check(&self) -> Result<(), SettingsError> {
        self.kafka.as_ref().map_or(Ok(()), KafkaSettings::check)?;
        self.topics.check()?;
        self.photos.check()?;
        self.state.check()?;
        self.limits.check()
    }
}

impl KafkaSettings {
    /// Default settings for these brokers.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            group_id: default_group(),
            instance_id: None,
            transactional_id: None,
            properties: BTreeMap::new(),
            simulated: false,
        }
    }

    /// The same with one more property of librdkafka.
    #[must_use]
    pub fn with_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), PropertyValue::Text(value.into()));
        self
    }

    /// The further properties of librdkafka, as texts.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&str, String)> {
        self.properties.iter().map(|(name, value)| (name.as_str(), value.to_string()))
    }

    fn check(&self) -> Result<(), SettingsError> {
        not_empty("kafka.bootstrap_servers", &self.bootstrap_servers)?;
        not_empty("kafka.group_id", &self.group_id)?;
        for (key, value) in
            [("kafka.instance_id", &self.instance_id), ("kafka.transactional_id", &self.transactional_id)]
        {
            value.as_deref().map_or(Ok(()), |value| not_empty(key, value))?;
        }
        properties::check(self.properties())
    }
}

impl TopicNames {
    /// Every topic with its key in `[topics]`.
    pub(crate) fn all(&self) -> [(&'static str, &str); 8] {
        [
            ("listings", &self.listings),
            ("catalog", &self.catalog),
            ("review", &self.review),
            ("verdicts", &self.verdicts),
            ("dead_letters", &self.dead_letters),
            ("decisions", &self.decisions),
            ("recheck", &self.recheck),
            ("state", &self.state),
        ]
    }

    fn check(&self) -> Result<(), SettingsError> {
        let all = self.all();
        for (idx, (key, name)) in all.iter().enumerate() {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if name.is_empty()
                || name.len() > 249
                || !name.chars().all(allowed)
                || matches!(*name, "." | "..")
            {
                let problem =
                    "a topic name has 1 to 249 of the characters a-z, A-Z, 0-9, dot, underscore and hyphen";
                return Err(SettingsError::value(format!("topics.{key}"), format!("\"{name}\""), problem));
            }
            if let Some((other, _)) = all[..idx].iter().find(|(_, earlier)| earlier == name) {
                let problem = format!("is also topics.{other}; give each topic its own name");
                return Err(SettingsError::value(format!("topics.{key}"), format!("\"{name}\""), problem));
            }
        }
        Ok(())
    }
}

impl PhotoSettings {
    fn check(&self) -> Result<(), SettingsError> {
        if !(1..=60_000).contains(&self.deadline_ms) {
            let problem = "must be 1 to 60000 milliseconds";
            return Err(SettingsError::value("photos.deadline_ms", self.deadline_ms, problem));
        }
        for (key, n) in
            [("max_fetches", self.max_fetches), ("max_fetches_per_host", self.max_fetches_per_host)]
        {
            if n.get() > 10_000 {
                return Err(SettingsError::value(format!("photos.{key}"), n, "must be 1 to 10000"));
            }
        }
        if self.recheck_after_s.len() > 20 || self.recheck_after_s.iter().any(|s| *s > MAX_RECHECK_S) {
            let problem =
                "must have at most 20 entries of at most 518400 seconds: the re-check topic keeps a week";
            let value = format!("{:?}", self.recheck_after_s);
            return Err(SettingsError::value("photos.recheck_after_s", value, problem));
        }
        if self.allow_ports.is_empty() || self.allow_ports.contains(&0) {
            let problem = "must name at least one port, and none is 0";
            return Err(SettingsError::value(
                "photos.allow_ports",
                format!("{:?}", self.allow_ports),
                problem,
            ));
        }
        for origin in &self.test_origins {
            let port = origin.strip_prefix("http://127.0.0.1:").and_then(|port| port.parse::<u16>().ok());
            if port.is_none() {
                let problem =
                    "must have the form http://127.0.0.1:PORT; other hosts are fetched by https only";
                return Err(SettingsError::value("photos.test_origins", format!("\"{origin}\""), problem));
            }
        }
        Ok(())
    }
}

fn not_empty(key: &str, value: &str) -> Result<(), SettingsError> {
    if value.trim().is_empty() {
        return Err(SettingsError::value(key, "\"\"", "must not be empty"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
