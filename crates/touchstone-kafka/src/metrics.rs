//! What the worker counts, in the names of the Prometheus text format.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use touchstone_types::{Decision, PhotoFailure};

use crate::dead_letter::Rejection;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EventLabel {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct StageLabel {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct PartitionLabel {
    partition: i32,
}

/// The stages whose time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Reading the message.
    Parse,
    /// Waiting for photos, once for each listing that has any to fetch.
    Photos,
    /// Judging, decoding of inline photos included.
    Judge,
    /// One transaction.
    Commit,
    /// From receiving a listing to its commit.
    Whole,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Parse, Self::Photos, Self::Judge, Self::Commit, Self::Whole];

    const fn word(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Photos => "photos",
            Self::Judge => "judge",
            Self::Commit => "commit",
            Self::Whole => "whole",
        }
    }
}

/// What became of partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rebalance {
    Assigned,
    /// Given up in good order.
    Revoked,
    /// Somebody else's before this worker knew: it was silent for too long.
    Lost,
}

impl Rebalance {
    const ALL: [Self; 3] = [Self::Assigned, Self::Revoked, Self::Lost];

    const fn word(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
        }
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionEnd {
    Committed,
    Aborted,
    /// Whether it was committed was not known; the session was set up anew.
    Indefinite,
}

impl TransactionEnd {
    const ALL: [Self; 3] = [Self::Committed, Self::Aborted, Self::Indefinite];

    const fn word(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Indefinite => "indefinite",
        }
    }
}

/// What happened in the life of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LifeEvent {
    Retract,
    RecheckWritten,
    /// A re-check gave a verdict.
    Rechecked,
    /// A re-check was out of date.
    RecheckDropped,
    /// The catalog changed, the flag stands as it is.
    SweepConfirmed,
    /// The catalog changed, and so did the verdict.
    SweepChanged,
    RulingApplied,
    /// A ruling on a flag that is not known, or an escalation.
    RulingIgnored,
    Expired,
}

impl LifeEvent {
    const ALL: [Self; 9] = [
        Self::Retract,
        Self::RecheckWritten,
        Self::Rechecked,
        Self::RecheckDropped,
        Self::SweepConfirmed,
        Self::SweepChanged,
        Self::RulingApplied,
        Self::RulingIgnored,
        Self::Expired,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Retract => "retract",
            Self::RecheckWritten => "recheck_written",
            Self::Rechecked => "rechecked",
            Self::RecheckDropped => "recheck_dropped",
            Self::SweepConfirmed => "sweep_confirmed",
            Self::SweepChanged => "sweep_changed",
            Self::RulingApplied => "ruling_applied",
            Self::RulingIgnored => "ruling_ignored",
            Self::Expired => "expired",
        }
    }
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) n_listings: usize,
    pub(crate) n_open: usize,
    /// Open flags that were judged with another catalog.
    pub(crate) n_due: usize,
    pub(crate) memory_bytes: usize,
}

type Counters<L> = Family<L, Counter>;
type Seconds = Gauge<f64, AtomicU64>;

/// Everything the worker counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    listings: Counters<OutcomeLabel>,
    dead_letters: Counters<ReasonLabel>,
    photo_fetch: Counters<OutcomeLabel>,
    transactions: Counters<OutcomeLabel>,
    partitions: Counters<OutcomeLabel>,
    catalog_records: Counters<OutcomeLabel>,
    life: Counters<EventLabel>,
    remembered: [Gauge; 4],
    stages: [Histogram; Stage::ALL.len()],
    lag: Family<PartitionLabel, Gauge>,
    oldest_uncommitted: Seconds,
    catalog_age: Seconds,
    in_flight: Gauge,
    in_flight_bytes: Gauge,
}

/// The words of `touchstone_photo_fetch_total{outcome}` for success.
const FETCHED: &str = "ok";

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::default();
        let listings = Counters::<OutcomeLabel>::default();
        registry.register(
            "touchstone_listings",
            "Inputs committed, by what became of them",
            listings.clone(),
        );
        let dead_letters = Counters::<ReasonLabel>::default();
        registry.register("touchstone_dead_letters", "Inputs that could not be judged", dead_letters.clone());
        let photo_fetch = Counters::<OutcomeLabel>::default();
        registry.register("touchstone_photo_fetch", "Photos of listings asked for", photo_fetch.clone());
        let transactions = Counters::<OutcomeLabel>::default();
        registry.register("touchstone_transactions", "Kafka transactions", transactions.clone());
        let partitions = Counters::<OutcomeLabel>::default();
        registry.register("touchstone_partitions", "Partitions that came and went", partitions.clone());
        let catalog_records = Counters::<OutcomeLabel>::default();
        let help = "Records read from the catalog topic";
        registry.register("touchstone_catalog_records", help, catalog_records.clone());
        let life = Counters::<EventLabel>::default();
        registry.register("touchstone_flag_events", "What happened in the life of flags", life.clone());
        let remembered = [
            ("touchstone_state_listings", "Listings that are remembered"),
            ("touchstone_open_flags", "Listings with an open flag"),
            ("touchstone_sweep_due", "Open flags judged with an older catalog"),
            ("touchstone_state_memory_bytes", "Memory that the state takes"),
        ]
        .map(|(name, help)| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        });
        let lag = Family::<PartitionLabel, Gauge>::default();
        registry.register("touchstone_lag", "Inputs not yet committed, by partition owned", lag.clone());
        let gauges = (Seconds::default(), Seconds::default(), Gauge::default(), Gauge::default());
        let (oldest_uncommitted, catalog_age, in_flight, in_flight_bytes) = gauges;
        let help = "Age of the oldest input that was read and not committed";
        registry.register("touchstone_oldest_uncommitted_seconds", help, oldest_uncommitted.clone());
        let help = "Time since the catalog in use was known to be complete";
        registry.register("touchstone_catalog_age_seconds", help, catalog_age.clone());
        registry.register("touchstone_in_flight", "Listings in the worker", in_flight.clone());
        let help = "Bytes of messages in the worker";
        registry.register("touchstone_in_flight_bytes", help, in_flight_bytes.clone());
        let stages = stage_histograms(&mut registry);
        Arc::new(Self {
            registry,
            listings,
            dead_letters,
            photo_fetch,
            transactions,
            partitions,
            catalog_records,
            life,
            remembered,
            stages,
            lag,
            oldest_uncommitted,
            catalog_age,
            in_flight,
            in_flight_bytes,
        })
        .with_zeros()
    }

    /// Creates every label value known beforehand, so that a rate can be computed from the first event on.
    fn with_zeros(self: Arc<Self>) -> Arc<Self> {
        let decisions = Decision::ALL.iter().filter(|d| **d != Decision::Retract).map(|d| d.as_str());
        for outcome in decisions.chain(["dead_letter"]) {
            drop(self.listings.get_or_create(&OutcomeLabel { outcome }));
        }
        for reason in Rejection::WORDS {
            drop(self.dead_letters.get_or_create(&ReasonLabel { reason }));
        }
        for outcome in PhotoFailure::ALL.iter().map(|f| f.as_str()).chain([FETCHED]) {
            drop(self.photo_fetch.get_or_create(&OutcomeLabel { outcome }));
        }
        for end in TransactionEnd::ALL {
            drop(self.transactions.get_or_create(&OutcomeLabel { outcome: end.word() }));
        }
        for kind in Rebalance::ALL {
            drop(self.partitions.get_or_create(&OutcomeLabel { outcome: kind.word() }));
        }
        for event in LifeEvent::ALL {
            drop(self.life.get_or_create(&EventLabel { event: event.word() }));
        }
        for outcome in ["applied", "bad"] {
            drop(self.catalog_records.get_or_create(&OutcomeLabel { outcome }));
        }
        self
    }

    pub(crate) fn listing(&self, outcome: &'static str) {
        self.listings.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn dead_letter(&self, reason: &'static str) {
        self.dead_letters.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn photo(&self, failure: Option<PhotoFailure>) {
        let outcome = failure.map_or(FETCHED, PhotoFailure::as_str);
        self.photo_fetch.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn transaction(&self, end: TransactionEnd) {
        self.transactions.get_or_create(&OutcomeLabel { outcome: end.word() }).inc();
    }

    pub(crate) fn rebalance(&self, kind: Rebalance, n_partitions: usize) {
        self.partitions.get_or_create(&OutcomeLabel { outcome: kind.word() }).inc_by(n_partitions as u64);
    }

    /// How many transactions were committed so far.
    pub(crate) fn n_commits(&self) -> u64 {
        self.transactions.get_or_create(&OutcomeLabel { outcome: TransactionEnd::Committed.word() }).get()
    }

    pub(crate) fn catalog_record(&self, applied: bool) {
        let outcome = if applied { "applied" } else { "bad" };
        self.catalog_records.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn life(&self, event: LifeEvent) {
        self.life.get_or_create(&EventLabel { event: event.word() }).inc();
    }

    pub(crate) fn set_remembered(&self, now: Remembered) {
        let Remembered { n_listings, n_open, n_due, memory_bytes } = now;
        for (gauge, n) in self.remembered.iter().zip([n_listings, n_open, n_due, memory_bytes]) {
            gauge.set(i64::try_from(n).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn stage(&self, stage: Stage, time: Duration) {
        self.stages[stage as usize].observe(time.as_secs_f64());
    }

    pub(crate) fn set_lags(&self, lags: &[(i32, i64)]) {
        self.lag.clear();
        for (partition, lag) in lags {
            self.lag.get_or_create(&PartitionLabel { partition: *partition }).set(*lag);
        }
    }

    pub(crate) fn set_oldest(&self, received: Option<Instant>) {
        self.oldest_uncommitted.set(received.map_or(0.0, |at| at.elapsed().as_secs_f64()));
    }

    pub(crate) fn set_catalog_age(&self, age: Duration) {
        self.catalog_age.set(age.as_secs_f64());
    }

    pub(crate) fn set_in_flight(&self, listings: usize, bytes: usize) {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.in_flight.set(whole(listings));
        self.in_flight_bytes.set(whole(bytes));
    }

    /// The text that Prometheus reads.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("writing to a string cannot fail");
        text
    }
}

fn stage_histograms(registry: &mut Registry) -> [Histogram; Stage::ALL.len()] {
    // From 50 µs to 26 s in steps of two.
    fn histogram() -> Histogram {
        Histogram::new((0..20).map(|step| 5e-5 * f64::from(1_u32 << step)))
    }
    let family = Family::<StageLabel, Histogram>::new_with_constructor(histogram);
    registry.register("touchstone_stage_seconds", "Time taken by one listing or transaction", family.clone());
    Stage::ALL.map(|stage| family.get_or_create_owned(&StageLabel { stage: stage.word() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_promised_names_and_zeros_from_the_start() {
        let metrics = Metrics::new();
        metrics.listing("review");
        metrics.stage(Stage::Judge, Duration::from_millis(1));
        metrics.set_lags(&[(3, 12)]);
        let text = metrics.encode();
        for line in [
            "touchstone_listings_total{outcome=\"review\"} 1",
            "touchstone_listings_total{outcome=\"dead_letter\"} 0",
            "touchstone_stage_seconds_count{stage=\"judge\"} 1",
            "touchstone_lag{partition=\"3\"} 12",
            "touchstone_oldest_uncommitted_seconds 0.0",
            "touchstone_dead_letters_total{reason=\"too_deep\"} 0",
            "touchstone_photo_fetch_total{outcome=\"timeout\"} 0",
            "touchstone_transactions_total{outcome=\"committed\"} 0",
            "touchstone_partitions_total{outcome=\"lost\"} 0",
            "touchstone_catalog_age_seconds 0.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
