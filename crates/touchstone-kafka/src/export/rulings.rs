//! The topic of decisions, read whole: of several rulings on one flag the last counts.

use std::collections::BTreeMap;

use touchstone_types::{ReviewDecision, Ruling};

use super::Unreadable;
use crate::headers::Source;
use crate::reader::Record;

/// A ruling and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Ruled {
    pub decision: ReviewDecision,
    pub at: Source,
    /// When the record was written, in milliseconds of Unix time.
    written_ms: Option<i64>,
}

impl Ruled {
    /// When it was ruled, in seconds of Unix time: what the reviewer's program says, else when the record was written.
    pub(super) fn second(&self) -> Option<i64> {
        let decided = self.decision.decided_at.map(|time| time.as_second());
        decided.or_else(|| self.written_ms.map(|ms| ms.div_euclid(1000)))
    }

    /// Whether this ruling takes the place of `other` on the same flag. Within a partition the later record does. A flag's
    /// rulings share one key, so they stand in one partition unless somebody added partitions; then the times decide.
    fn supersedes(&self, other: &Self) -> bool {
        if self.at.partition == other.at.partition {
            return self.at.offset > other.at.offset;
        }
        let order = |ruled: &Self| (ruled.decision.decided_at, ruled.at.partition);
        order(self) > order(other)
    }
}

/// All rulings.
#[derive(Debug, Default)]
pub(super) struct Rulings {
    /// For each flag its last ruling in each partition.
    last: BTreeMap<String, BTreeMap<i32, Ruled>>,
    /// How many rulings could be read.
    pub n_read: usize,
    pub unreadable: Vec<Unreadable>,
}

impl Rulings {
    /// Takes a record of the topic in; partitions may be mixed.
    pub(super) fn add(&mut self, record: &Record) {
        // A null value says nothing: the topic is not compacted.
        let Some(value) = &record.value else { return };
        match ReviewDecision::from_json(value) {
            Ok(decision) => {
                self.n_read += 1;
                let (at, flag) = (record.at.clone(), decision.flag_id.to_string());
                let ruled = Ruled { decision, at, written_ms: record.timestamp_ms };
                let own = self.last.entry(flag).or_default();
                if own.get(&ruled.at.partition).is_none_or(|other| ruled.supersedes(other)) {
                    own.insert(ruled.at.partition, ruled);
                }
            }
            Err(error) => {
                self.unreadable.push(Unreadable { at: record.at.clone(), problem: error.to_string() });
            }
        }
    }

    /// The ruling that counts for each flag, by the flag's identifier. An escalation that counts is one of them: whoever
    /// escalates after having upheld wants somebody else to rule.
    pub(super) fn by_flag(&self) -> BTreeMap<String, Ruled> {
        let last = |own: &BTreeMap<i32, Ruled>| {
            let mut rulings = own.values();
            let first = rulings.next()?;
            Some(rulings.fold(first, |last, next| if next.supersedes(last) { next } else { last }).clone())
        };
        self.last.iter().filter_map(|(flag, own)| Some((flag.clone(), last(own)?))).collect()
    }
}

/// What a ruling says of a listing: whether it is a counterfeit, or nothing.
pub(super) const fn label(ruling: Ruling) -> Option<bool> {
    match ruling {
        Ruling::Uphold => Some(true),
        Ruling::Dismiss => Some(false),
        Ruling::Escalate => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{flag_of, record, ruling};
    use super::*;

    fn last(records: &[Record]) -> Ruling {
        let mut rulings = Rulings::default();
        records.iter().for_each(|record| rulings.add(record));
        assert_eq!(rulings.n_read, records.len());
        rulings.by_flag()[&flag_of("EX-1")].decision.ruling
    }

    #[test]
    fn of_several_rulings_on_a_flag_the_last_record_counts_whatever_its_time() {
        let early =
            ruling("decisions/0@5", "EX-1", "dismiss", &json!({"decided_at": "2026-03-01T00:00:00Z"}));
        let late = ruling("decisions/0@4", "EX-1", "uphold", &json!({"decided_at": "2026-03-02T00:00:00Z"}));
        assert_eq!(last(&[early.clone(), late.clone()]), Ruling::Dismiss);
        assert_eq!(last(&[late, early]), Ruling::Dismiss);
    }

    #[test]
    fn across_partitions_the_later_time_counts() {
        let time = |day: u8| json!({"decided_at": format!("2026-03-0{day}T00:00:00Z")});
        let records = [
            ruling("decisions/1@9", "EX-1", "uphold", &time(2)),
            ruling("decisions/0@50", "EX-1", "dismiss", &time(1)),
            ruling("decisions/2@1", "EX-1", "escalate", &json!({})),
        ];
        assert_eq!(last(&records), Ruling::Uphold);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_passed_over() {
        let mut rulings = Rulings::default();
        rulings.add(&record("decisions/3@7", b"EX-1", Some("{\"flag_id\":7}".to_owned())));
        rulings.add(&record("decisions/3@8", b"EX-1", None));
        rulings.add(&ruling("decisions/3@9", "EX-1", "uphold", &json!({})));
        assert_eq!((rulings.n_read, rulings.by_flag().len(), rulings.unreadable.len()), (1, 1, 1));
        assert_eq!(rulings.unreadable[0].at.to_string(), "decisions/3@7");
        assert!(rulings.unreadable[0].problem.contains("flag_id"), "{}", rulings.unreadable[0].problem);
    }
}
