//! `[kafka] properties`: what may be handed through to librdkafka, and what may not.

use std::fmt;

use serde::Deserialize;

use super::SettingsError;

/// A property as TOML allows to write it; librdkafka wants texts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum PropertyValue {
    Text(String),
    Whole(i64),
    Switch(bool),
    Number(f64),
}

impl fmt::Display for PropertyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Switch(on) => on.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// Properties on which exactly-once stands, or that have a key of their own: the worker sets them.
const OWNED: [(&str, &str); 14] = [
    ("bootstrap.servers", "write it as kafka.bootstrap_servers"),
    ("metadata.broker.list", "write it as kafka.bootstrap_servers"),
    ("group.id", "write it as kafka.group_id"),
    ("group.instance.id", "write it as kafka.instance_id"),
    ("transactional.id", "write it as kafka.transactional_id"),
    ("group.protocol", "transactions are tested with the classic protocol only"),
    ("enable.auto.commit", "offsets are committed in transactions only"),
    ("enable.auto.offset.store", "offsets are committed in transactions only"),
    ("auto.offset.reset", "a reset would hide lost listings"),
    ("isolation.level", "uncommitted records must not be read"),
    ("partition.assignment.strategy", "the worker follows the cooperative-sticky protocol"),
    ("enable.idempotence", "it is always on"),
    ("enable.partition.eof", "the worker sets it where it needs it"),
    ("acks", "all replicas must acknowledge"),
];

/// Refuses properties that the worker sets itself, and TLS or SASL in a build without them.
pub(super) fn check<'a>(properties: impl Iterator<Item = (&'a str, String)>) -> Result<(), SettingsError> {
    for (name, value) in properties {
        let refuse = |problem: &str| {
            // Passwords and tokens must not be repeated in an error that ends up in a log.
            let value = if name.starts_with("sasl.") || name.starts_with("ssl.") { "…" } else { &value };
            Err(SettingsError::value(format!("kafka.properties.\"{name}\""), format!("\"{value}\""), problem))
        };
        if let Some((_, problem)) = OWNED.iter().find(|(owned, _)| *owned == name) {
            return refuse(&format!("cannot be set here: {problem}"));
        }
        if needs_tls(name, &value) && !cfg!(feature = "tls") {
            return refuse(
                "this build has no TLS and no SASL; build it with `cargo build --release --features tls`",
            );
        }
    }
    Ok(())
}

fn needs_tls(name: &str, value: &str) -> bool {
    match name {
        "security.protocol" => !value.eq_ignore_ascii_case("plaintext"),
        _ => {
            name.starts_with("ssl.")
                || name.starts_with("sasl.")
                || name == "enable.ssl.certificate.verification"
        }
    }
}
