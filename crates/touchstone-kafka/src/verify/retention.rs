//! What retention may have taken of two topics that are written together: Kafka cuts each at the borders of its own segments.

use std::collections::BTreeMap;

use super::ledger::OutputRecord;

/// Clocks of workers and brokers differ by less, and records of one partition are written about in the order of their times.
const MARGIN_MS: i64 = 60 * 60 * 1000;

/// What is left of an output topic.
pub(super) struct Remains {
    n_partitions: usize,
    /// Of each partition whose beginning is gone, when the first record that is left was written; `None` where that is unknown.
    first_ms: BTreeMap<i32, Option<i64>>,
}

impl Remains {
    /// Of the records of a topic, in log order in each partition, and the first offset that each of its partitions still has.
    pub(super) fn of(records: &[OutputRecord], starts: &BTreeMap<i32, i64>) -> Self {
        let cut = starts.iter().filter(|(_, start)| **start > 0);
        let mut first_ms: BTreeMap<i32, Option<i64>> = cut.map(|(partition, _)| (*partition, None)).collect();
        for record in records.iter().rev() {
            if let Some(first) = first_ms.get_mut(&record.at.partition) {
                *first = record.timestamp_ms;
            }
        }
        Self { n_partitions: starts.len(), first_ms }
    }

    /// Whether the record of this topic may be gone that was written together with a record of `other`, under the same key.
    pub(super) fn may_lack(&self, other: &Self, record: &OutputRecord) -> bool {
        let may_hold =
            |partition: &i32| self.n_partitions != other.n_partitions || *partition == record.at.partition;
        self.first_ms.iter().filter(|(partition, _)| may_hold(partition)).any(|(_, first_ms)| {
            let times = first_ms.zip(record.timestamp_ms);
            times.is_none_or(|(first, written)| written <= first.saturating_add(MARGIN_MS))
        })
    }
}
