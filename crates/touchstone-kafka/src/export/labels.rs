//! Rulings as labels: each with the listing as it was judged, and how probable it was that such a flag was ruled.

use std::collections::BTreeMap;

use touchstone_types::{CatalogKey, CatalogRecord, Decision, Flag, Listing, Probability, round6};

use super::Unreadable;
use super::propensity::{Case, propensity};
use super::rulings::{Ruled, Rulings, label};
use crate::catalog_follower;
use crate::reader::Record;

/// A week in seconds.
const WEEK: i64 = 7 * 86_400;

/// A listing as it was judged, and what a person ruled.
#[derive(Debug, Clone, PartialEq)]
pub struct RuledListing {
    /// The listing as it was judged, without inline picture bytes.
    pub listing: Listing,
    /// Whether the flag was upheld; else it was dismissed.
    pub upheld: bool,
    /// The week in which it was observed (else ruled), counted from 1 at the earliest.
    pub week: u32,
    /// How probable it was that a flag like this was ruled at all, above 0.
    pub selection_probability: Probability,
}

/// How many rulings there were, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Rulings that could be read.
    pub rulings: usize,
    /// Of these, labels that were exported: flags upheld.
    pub upheld: usize,
    /// And flags dismissed.
    pub dismissed: usize,
    /// Rulings on flags that were ruled again.
    pub ruled_again: usize,
    /// Flags that somebody else must decide.
    pub escalated: usize,
    /// Flags that are no longer in the topic of flags, or not at the revision that was ruled.
    pub gone: usize,
    /// Rulings that name another listing or version than their flag.
    pub mismatched: usize,
    /// Rulings on a version of a listing that another marketplace's listing of that name has too.
    pub twice: usize,
    /// Flags in the topic.
    pub flags: usize,
    /// Flags like which not one was ruled.
    pub unspoken_flags: usize,
}

/// What [`labels`](super::labels()) found.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelsExport {
    /// The live records of the catalog, in the order of their keys.
    pub catalog: Vec<CatalogRecord>,
    /// The labelled listings in order of time, then of listing and version; none twice.
    pub listings: Vec<RuledListing>,
    /// How many there are, and of what.
    pub counts: LabelCounts,
    /// Decisions, flags and catalog records that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// Takes records in until the topics have been read.
pub(super) struct Labels {
    rulings: BTreeMap<String, Ruled>,
    n_rulings: usize,
    /// Every flag in the topic, at its highest revision, by its identifier.
    flags: BTreeMap<String, Seen>,
    /// For flags that were ruled the highest revision not above the one that was ruled.
    judged: BTreeMap<String, Flag>,
    catalog: BTreeMap<CatalogKey, CatalogRecord>,
    unreadable: Vec<Unreadable>,
}

/// What is kept of every flag.
#[derive(Debug, Clone, Copy)]
struct Seen {
    revision: u64,
    decision: Decision,
    priority: u64,
}

impl Labels {
    pub(super) fn new(rulings: Rulings) -> Self {
        Self {
            rulings: rulings.by_flag(),
            n_rulings: rulings.n_read,
            flags: BTreeMap::new(),
            judged: BTreeMap::new(),
            catalog: BTreeMap::new(),
            unreadable: rulings.unreadable,
        }
    }

    /// Takes a record of the topic of flags in.
    pub(super) fn flag(&mut self, record: &Record) {
        let Some(value) = &record.value else { return };
        let flag = match Flag::from_json(value) {
            // A retract is the flag before it once more, with another reason.
            Ok(flag) if flag.verdict().decision == Decision::Retract => return,
            Ok(flag) => flag,
            Err(error) => {
                self.unreadable.push(Unreadable { at: record.at.clone(), problem: error.to_string() });
                return;
            }
        };
        let verdict = flag.verdict();
        let (id, revision) = (verdict.flag_id.to_string(), verdict.revision);
        let seen = Seen { revision, decision: verdict.decision, priority: verdict.priority };
        if self.flags.get(&id).is_none_or(|known| known.revision <= revision) {
            self.flags.insert(id.clone(), seen);
        }
        let was_ruled = self.rulings.get(&id).is_some_and(|ruled| revision <= ruled.decision.revision);
        if was_ruled && self.judged.get(&id).is_none_or(|known| known.verdict().revision <= revision) {
            self.judged.insert(id, flag);
        }
    }

    /// Takes a record of the catalog in; of a repeated key the last counts.
    pub(super) fn catalog(&mut self, record: &Record) {
        match catalog_follower::read(record.key.as_deref(), record.value.as_deref()) {
            Ok((key, Some(read))) => {
                self.catalog.insert(key, read);
            }
            Ok((key, None)) => {
                self.catalog.remove(&key);
            }
            Err(problem) => self.unreadable.push(Unreadable { at: record.at.clone(), problem }),
        }
    }

    /// What follows from all of it.
    pub(super) fn finish(mut self) -> LabelsExport {
        let mut counts = LabelCounts {
            rulings: self.n_rulings,
            ruled_again: self.n_rulings - self.rulings.len(),
            flags: self.flags.len(),
            ..LabelCounts::default()
        };
        let labelled = self.labelled(&mut counts);
        let probabilities = self.probabilities(&labelled, &mut counts);
        let mut dated: Vec<(i64, RuledListing)> = Vec::new();
        let first = labelled.values().filter_map(|row| row.second).min().unwrap_or(0);
        for (id, row) in labelled {
            *(if row.upheld { &mut counts.upheld } else { &mut counts.dismissed }) += 1;
            let second = row.second.unwrap_or(first);
            let week = 1 + u32::try_from((second - first) / WEEK).unwrap_or(u32::MAX - 1);
            let Labelled { listing, upheld, .. } = row;
            let selection_probability = probabilities[&id];
            dated.push((second, RuledListing { listing, upheld, week, selection_probability }));
        }
        dated.sort_by(|(one, a), (other, b)| {
            let name = |row: &RuledListing| (row.listing.listing_id.clone(), row.listing.version);
            one.cmp(other).then_with(|| name(a).cmp(&name(b)))
        });
        LabelsExport {
            catalog: self.catalog.into_values().collect(),
            listings: dated.into_iter().map(|(_, row)| row).collect(),
            counts,
            unreadable: self.unreadable,
        }
    }

    /// The listings with a label, by their flags; counts the rulings that give none.
    fn labelled(&mut self, counts: &mut LabelCounts) -> BTreeMap<String, Labelled> {
        let mut found: BTreeMap<String, Labelled> = BTreeMap::new();
        // One topic holds one space of identifiers. Where two marketplaces share it nonetheless, the form has room for one of them.
        let mut by_name: BTreeMap<(String, u64), String> = BTreeMap::new();
        for (id, ruled) in &self.rulings {
            let Some(upheld) = label(ruled.decision.ruling) else {
                counts.escalated += 1;
                continue;
            };
            let Some(flag) = self.judged.remove(id) else {
                counts.gone += 1;
                continue;
            };
            let verdict = flag.verdict();
            if verdict.listing_id != ruled.decision.listing_id
                || verdict.listing_version != ruled.decision.listing_version
            {
                counts.mismatched += 1;
                continue;
            }
            let observed = flag.listing().observed_at.map(|time| time.as_second());
            let (listing, ruled_at) = (flag.listing().clone(), ruled.second());
            let row = Labelled { listing, upheld, second: observed.or(ruled_at), ruled_at };
            let name = (row.listing.listing_id.to_string(), row.listing.version);
            if let Some(other) = by_name.get(&name).cloned() {
                counts.twice += 1;
                if found.get(&other).is_some_and(|other| other.ruled_at > row.ruled_at) {
                    continue;
                }
                found.remove(&other);
            }
            by_name.insert(name, id.clone());
            found.insert(id.clone(), row);
        }
        found
    }

    /// The selection probability of each labelled flag.
    fn probabilities(
        &self,
        labelled: &BTreeMap<String, Labelled>,
        counts: &mut LabelCounts,
    ) -> BTreeMap<String, Probability> {
        let case = |(id, seen): (&String, &Seen)| Case {
            decision: seen.decision,
            priority: seen.priority,
            is_ruled: labelled.contains_key(id),
        };
        let cases: Vec<Case> = self.flags.iter().map(case).collect();
        let estimate = propensity(&cases);
        counts.unspoken_flags = estimate.n_unspoken;
        // Rounded as every number that is written, but never down to zero.
        let probability = |p: f64| {
            Probability::new(round6(p).clamp(1e-6, 1.0))
                .expect("it was put between 0 and 1, and a share is no NaN")
        };
        self.flags.keys().cloned().zip(estimate.probabilities.into_iter().map(probability)).collect()
    }
}

/// A listing with a label.
struct Labelled {
    listing: Listing,
    upheld: bool,
    /// When it was observed, else ruled, in seconds of Unix time.
    second: Option<i64>,
    ruled_at: Option<i64>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{flag, flag_of, flagged, record, ruling};
    use super::*;

    fn exported(rulings: &[Record], flags: &[Record], catalog: &[Record]) -> LabelsExport {
        let mut read = Rulings::default();
        rulings.iter().for_each(|record| read.add(record));
        let mut labels = Labels::new(read);
        flags.iter().for_each(|record| labels.flag(record));
        catalog.iter().for_each(|record| labels.catalog(record));
        labels.finish()
    }

    fn listing(id: &str, title: &str, more: &Value) -> Value {
        let mut listing = flag(id, &json!({}))["listing"].take();
        listing["title"] = title.into();
        for (key, field) in more.as_object().unwrap() {
            listing[key] = field.clone();
        }
        json!({ "listing": listing })
    }

    #[test]
    fn a_ruling_labels_the_listing_as_it_was_judged() {
        let revised = |place: &str, revision: u64, title: &str| {
            let mut more = listing("EX-1", title, &json!({}));
            more["revision"] = revision.into();
            flagged(place, "EX-1", &more)
        };
        let flags = [
            revised("review/0@1", 1, "first"),
            revised("review/0@2", 2, "second"),
            revised("review/0@3", 4, "fourth"),
            flagged("review/0@4", "EX-2", &json!({})),
        ];
        let rulings = [
            ruling("decisions/0@0", "EX-1", "uphold", &json!({"revision": 3})),
            ruling("decisions/0@1", "EX-2", "dismiss", &json!({})),
        ];
        let found = exported(&rulings, &flags, &[]);
        let rows: Vec<(&str, &str, bool)> = found
            .listings
            .iter()
            .map(|row| (row.listing.listing_id.as_str(), row.listing.title.as_str(), row.upheld))
            .collect();
        assert_eq!(rows, [("EX-1", "second", true), ("EX-2", "Cartucho Lumora 20", false)]);
        assert_eq!((found.counts.upheld, found.counts.dismissed, found.counts.flags), (1, 1, 2));
    }

    #[test]
    fn rulings_without_a_label_are_counted_by_their_reason() {
        let retract = json!({"decision": "retract", "reasons": ["photo_of_known_fake"]});
        let flags = [
            flagged("review/0@1", "EX-1", &json!({})),
            flagged("review/0@2", "EX-2", &json!({"revision": 2})),
            flagged("review/0@3", "EX-3", &json!({})),
            flagged("review/0@4", "EX-4", &retract),
            record("review/0@5", b"EX-9", Some("{}".to_owned())),
        ];
        let rulings = [
            ruling("decisions/0@0", "EX-1", "uphold", &json!({})),
            ruling("decisions/0@1", "EX-1", "escalate", &json!({})),
            ruling("decisions/0@2", "EX-2", "uphold", &json!({})),
            ruling("decisions/0@3", "EX-3", "uphold", &json!({"listing_version": 2})),
            ruling("decisions/0@4", "EX-4", "uphold", &json!({})),
            ruling("decisions/0@5", "EX-5", "uphold", &json!({})),
            record("decisions/0@6", b"EX-6", Some("no JSON".to_owned())),
        ];
        let found = exported(&rulings, &flags, &[]);
        let expected = LabelCounts {
            rulings: 6,
            ruled_again: 1,
            escalated: 1,
            gone: 3,
            mismatched: 1,
            flags: 3,
            unspoken_flags: 3,
            ..LabelCounts::default()
        };
        assert_eq!((found.counts, found.listings), (expected, Vec::new()));
        let places: Vec<String> = found.unreadable.iter().map(|u| u.at.to_string()).collect();
        assert_eq!(places, ["decisions/0@6", "review/0@5"]);
    }

    #[test]
    fn weeks_count_from_the_earliest_listing() {
        let observed = |id: &str, time: &str| listing(id, "x", &json!({"observed_at": time}));
        let flags = [
            flagged("review/0@1", "EX-1", &observed("EX-1", "2026-03-15T10:00:00Z")),
            flagged("review/0@2", "EX-2", &observed("EX-2", "2026-03-01T10:00:00Z")),
            flagged("review/0@3", "EX-3", &json!({})),
            flagged("review/0@4", "EX-4", &json!({})),
        ];
        let rulings = [
            ruling("decisions/0@0", "EX-1", "uphold", &json!({})),
            ruling("decisions/0@1", "EX-2", "dismiss", &json!({})),
            ruling("decisions/0@2", "EX-3", "dismiss", &json!({"decided_at": "2026-03-08T09:59:59Z"})),
            Record {
                timestamp_ms: Some(1_773_050_400_000),
                ..ruling("decisions/0@3", "EX-4", "uphold", &json!({}))
            },
        ];
        let found = exported(&rulings, &flags, &[]);
        let weeks: Vec<(&str, u32)> =
            found.listings.iter().map(|row| (row.listing.listing_id.as_str(), row.week)).collect();
        assert_eq!(weeks, [("EX-2", 1), ("EX-3", 1), ("EX-4", 2), ("EX-1", 3)]);
    }

    #[test]
    fn flags_count_once_at_their_last_revision_for_the_selection() {
        // Forty flags in two cells; of the upper cell all are ruled, of the lower one half.
        let mut flags: Vec<Record> = Vec::new();
        let mut rulings: Vec<Record> = Vec::new();
        for n in 0..40_u64 {
            let id = format!("EX-{n}");
            flags.push(flagged(&format!("review/0@{}", 2 * n), &id, &json!({"priority": 1000 - n})));
            let last = json!({"priority": n, "revision": 2});
            flags.push(flagged(&format!("review/0@{}", 2 * n + 1), &id, &last));
            if n >= 20 || n % 2 == 0 {
                rulings.push(ruling(&format!("decisions/0@{n}"), &id, "uphold", &json!({"revision": 2})));
            }
        }
        let found = exported(&rulings, &flags, &[]);
        assert_eq!((found.counts.flags, found.listings.len()), (40, 30));
        let of = |id: &str| {
            let row = found.listings.iter().find(|row| row.listing.listing_id.as_str() == id).unwrap();
            row.selection_probability.get()
        };
        assert_eq!((of("EX-2"), of("EX-30")), (round6(11.5 / 22.0), round6(21.5 / 22.0)));
    }

    #[test]
    fn one_name_on_two_marketplaces_is_exported_once() {
        let other = touchstone_types::flag_id("other", &touchstone_types::ListingId::new("EX-1").unwrap(), 1);
        let flags = [
            flagged("review/0@1", "EX-1", &json!({})),
            flagged("review/0@2", "EX-1", &json!({"flag_id": other.to_string(), "marketplace": "other"})),
        ];
        for (day, upheld) in [(1, true), (3, false)] {
            let rulings = [
                ruling("decisions/0@0", "EX-1", "uphold", &json!({"decided_at": "2026-03-02T00:00:00Z"})),
                ruling(
                    "decisions/0@1",
                    "EX-1",
                    "dismiss",
                    &json!({"flag_id": other.to_string(), "decided_at": format!("2026-03-0{day}T00:00:00Z")}),
                ),
            ];
            let found = exported(&rulings, &flags, &[]);
            assert_eq!((found.counts.twice, found.listings.len()), (1, 1));
            assert_eq!(found.listings[0].upheld, upheld);
        }
        assert_ne!(flag_of("EX-1"), other.to_string());
    }

    #[test]
    fn of_the_catalog_the_live_records_are_kept() {
        let brand = |name: &str| Some(format!(r#"{{"kind":"brand","brand_id":"b","name":"{name}"}}"#));
        let catalog = [
            record("catalog/0@0", b"brand/b", brand("Lumora")),
            record("catalog/0@1", b"brand/b", brand("Lumora Ink")),
            record(
                "catalog/0@2",
                b"brand/c",
                Some(r#"{"kind":"brand","brand_id":"c","name":"C"}"#.to_owned()),
            ),
            record("catalog/0@3", b"brand/c", None),
            record("catalog/0@4", b"what", brand("D")),
            record("catalog/0@5", b"brand/e", Some("{}".to_owned())),
        ];
        let found = exported(&[], &[], &catalog);
        let [CatalogRecord::Brand(brand)] = found.catalog.as_slice() else { panic!("{:?}", found.catalog) };
        assert_eq!((brand.name.as_str(), found.unreadable.len()), ("Lumora Ink", 2));
    }
}
