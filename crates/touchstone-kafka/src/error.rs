//! What can go wrong with Kafka, shaped by what the caller does next.

use rdkafka::error::KafkaError;

use crate::producer::is_denial;
use crate::settings::SettingsError;
use crate::state::StateError;

/// What the client library said. Its own text already holds the text of its cause, so the chain of causes ends here:
/// otherwise whoever prints the chain would print the cause twice.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientError(pub KafkaError);

/// Why a command that talks to Kafka, or the worker, ended without having done its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are wrong; nothing was tried.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Kafka refused something or could not be reached.
    #[error("cannot {doing}")]
    Kafka {
        /// What was tried, completing "cannot …".
        doing: String,
        /// What the client library said.
        #[source]
        source: ClientError,
    },
    /// Topics that the worker reads or writes do not exist.
    #[error("missing topics: {}; create them with `touchstone topics create`", topics.join(", "))]
    MissingTopics {
        /// Their names.
        topics: Vec<String>,
    },
    /// The next listing to be read has been deleted by the topic's retention: inputs were lost before they were judged.
    #[error(
        "{topic}/{partition}: offset {offset} is gone, the topic starts at {start}: {} inputs were deleted unjudged; \
         lengthen the topic's retention, then set the group's offset to {start} to accept the loss",
        start - offset
    )]
    OffsetGone {
        /// The input topic.
        topic: String,
        /// Its partition.
        partition: i32,
        /// The next offset to be read.
        offset: i64,
        /// The first offset that is still there.
        start: i64,
    },
    /// Too many inputs became dead letters: one bad listing must pass, a bad release must not.
    #[error(
        "{n_dead_letters} of the last {n_inputs} inputs became dead letters, more than `limits.dead_letter_limit` = \
         {limit} allows; last reason: {last_reason}; read them with `touchstone dlq list`"
    )]
    TooManyDeadLetters {
        /// Dead letters among those inputs.
        n_dead_letters: usize,
        /// The number of inputs looked at, at most 10,000.
        n_inputs: usize,
        /// The limit that was passed.
        limit: usize,
        /// The reason of the latest one, a word.
        last_reason: String,
    },
    /// Another worker took this one's place: same `instance_id` or `transactional_id`.
    #[error("another worker with the same {what} took over; give each worker its own")]
    Replaced {
        /// `kafka.instance_id` or `kafka.transactional_id`.
        what: &'static str,
    },
    /// A thread has been inside one call for too long; only a new process helps.
    #[error("the {thread} has made no progress for {seconds} s; the process must be restarted")]
    Stuck {
        /// Which thread.
        thread: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// The connection was set up anew many times, and not one transaction came through.
    #[error("gave up after setting up {n_sessions} sessions without one commit; last reason: {last_reason}")]
    GaveUp {
        /// How many sessions were tried.
        n_sessions: u32,
        /// Why the last one ended.
        last_reason: String,
    },
    /// The address for `/healthz`, `/readyz` and `/metrics` cannot be used.
    #[error("cannot listen on {address}")]
    Http {
        /// The address.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings for fetching photos are wrong, or the system lacks what fetching needs.
    #[error("[photos]")]
    Photos(#[from] touchstone_fetch::FetchError),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// What is remembered of the listings of a partition cannot be used.
    #[error("the state of {topic}/{partition}")]
    State {
        /// The state topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What is wrong.
        #[source]
        source: StateError,
    },
    /// A topic that goes by the partitions of the listings has other ones.
    #[error(
        "{topic} has {found} partitions, {listings} has {wanted}: what is remembered of a listing stands in the partition of its \
         input, so both need the same number; add partitions, or name another topic in `topics.{role}`"
    )]
    UnequalPartitions {
        /// The topic's key in `[topics]`.
        role: &'static str,
        /// Its name.
        topic: String,
        /// How many partitions it has.
        found: i32,
        /// The input topic.
        listings: String,
        /// How many partitions that has.
        wanted: i32,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    File {
        /// Its path.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Reading a topic to its end took too long.
    #[error("{topic} could not be read to its end within {seconds} s")]
    ReadTimeout {
        /// The topic.
        topic: String,
        /// The limit.
        seconds: u64,
    },
}

impl Error {
    /// Wraps what the client library said while `doing` (completing "cannot …").
    pub(crate) fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let doing = doing.into();
        move |source| Self::Kafka { doing, source: ClientError(source) }
    }

    /// Whether it is worth setting everything up anew: brokers come and go.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Kafka { source, .. } => !source.0.rdkafka_error_code().is_some_and(is_denial),
            Self::ReadTimeout { .. } => true,
            _ => false,
        }
    }

    /// The exit code of a command that ends with this error: 2 wrong usage or input, 70 the worker gave up and must be
    /// restarted, otherwise 1.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Photos(_) => 2,
            Self::Replaced { .. } | Self::Stuck { .. } | Self::GaveUp { .. } | Self::Thread(_) => 70,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    #[test]
    fn the_chain_of_causes_says_each_cause_once() {
        let source = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
        let error = Error::kafka("reach the Kafka brokers")(source);
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        assert_eq!(text.matches("BrokerTransportFailure").count(), 1, "{text}");
    }
}
