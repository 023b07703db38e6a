//! What was rejected, and why; sending it again.

mod replay;

pub use replay::{Fate, Replay, ReplayOptions, Replayed, replay};

use crate::Error;
use crate::dead_letter::Rejection;
use crate::headers::{self, Source};
use crate::reader::{Record, read_topic};
use crate::settings::Settings;

/// Every reason that a worker of this version gives, a word each.
pub const REASONS: &[&str] = &Rejection::WORDS;

/// One dead letter, as a person wants to see it; the input's bytes stay in the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it stands in the dead-letter topic.
    pub at: Source,
    /// When it was written, in milliseconds of Unix time.
    pub timestamp_ms: Option<i64>,
    /// The input that was rejected.
    pub source: Option<Source>,
    /// What was wrong, beginning with the reason, a word, and a colon.
    pub error: String,
    /// How often the input was tried.
    pub attempts: u32,
    /// The input's key, with whatever is not UTF-8 replaced.
    pub key: Option<String>,
    /// The length of the input's value in bytes; `None` for a message without one.
    pub bytes: Option<usize>,
    /// Whether only the beginning of the value was kept.
    pub is_truncated: bool,
}

impl DeadLetter {
    /// The reason, a word: what the metric `touchstone_dead_letters_total` counts by.
    pub fn reason(&self) -> &str {
        self.error.split(':').next().unwrap_or_default()
    }

    fn of(record: &Record) -> Self {
        let whole = record.header(headers::TRUNCATED).and_then(|text| text.parse().ok());
        let number = |name| record.header(name).and_then(|text| text.parse().ok());
        Self {
            at: record.at.clone(),
            timestamp_ms: record.timestamp_ms,
            source: record.header(headers::SOURCE).and_then(Source::parse),
            error: record.header(headers::ERROR).unwrap_or("unknown: no header touchstone-error").to_owned(),
            attempts: number(headers::ATTEMPTS).unwrap_or(1),
            key: record.key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned()),
            bytes: whole.or_else(|| record.value.as_ref().map(Vec::len)),
            is_truncated: whole.is_some(),
        }
    }
}

/// The last `limit` dead letters of the topic, oldest first.
///
/// # Errors
/// As [`read_topic`].
pub fn list(settings: &Settings, limit: usize) -> Result<Vec<DeadLetter>, Error> {
    let mut letters = Vec::new();
    let order = |letter: &DeadLetter| (letter.timestamp_ms, letter.at.clone());
    read_topic(settings, &settings.topics.dead_letters, |record| {
        letters.push(DeadLetter::of(&record));
        // Partitions come mixed, so the oldest can only be told when they are sorted; now and then is enough.
        if letters.len() >= 2 * limit.max(1_000) {
            letters.sort_by_key(order);
            letters.drain(..letters.len() - limit);
        }
    })?;
    letters.sort_by_key(order);
    letters.drain(..letters.len().saturating_sub(limit));
    Ok(letters)
}
