//! Upheld flags as proposals of known fakes, which count for nothing until a person has approved them.
//!
//! Counterfeiters show the brand's own photos. A known fake with such a photo would flag every honest seller who shows it too, so a
//! photo that matched anything in the catalog is never proposed; see [`why_left_out`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;
use touchstone_types::{
    Bank, CatalogKey, CatalogRecord, Evidence, Flag, KeptPhoto, PhotoFeatures, Ruling, wire,
};

use super::Unreadable;
use super::rulings::{Ruled, Rulings};
use crate::reader::Record;
use crate::state::Entry;

/// A known fake that a person may approve, as one line of the file: `catalog submit` sends the record of lines in which
/// `approved_by` names somebody.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Nobody yet.
    pub approved_by: Option<String>,
    /// The record, of kind `fake`; its identifier is that of the flag.
    pub record: wire::CatalogRecord,
    /// What it comes from, for whoever approves it.
    pub because: Because,
}

/// What a proposal comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Because {
    /// The flag that was upheld.
    pub flag_id: String,
    /// Who upheld it.
    pub reviewer: Option<String>,
    /// The reasons of the flag.
    pub reasons: Vec<String>,
    /// The listing.
    pub listing_id: String,
    /// Where it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The photos of the record, in its order: whoever approves must have seen them.
    pub photos: Vec<ProposedPhoto>,
    /// The photos of the listing that the record must not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// Where a proposed photo comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProposedPhoto {
    /// Its place in the listing, from 0.
    pub image: usize,
    /// Where it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// A photo that is not proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its place in the listing, from 0.
    pub image: usize,
    /// Why not.
    pub why: String,
}

/// How many flags were upheld, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeCounts {
    /// Rulings that could be read.
    pub rulings: usize,
    /// Flags that were upheld.
    pub upheld: usize,
    /// Of these, those that had closed, or were at another version of their listing, before they were upheld.
    pub closed: usize,
    /// Those of which a known fake is in the catalog already.
    pub known: usize,
    /// Those that concern no brand.
    pub without_brand: usize,
    /// Proposals with a title and no photo.
    pub title_only: usize,
    /// Photos that are not proposed, of listings that are.
    pub left_out: usize,
}

/// What [`fakes`](super::fakes()) found.
#[derive(Debug, Clone, PartialEq)]
pub struct FakesExport {
    /// One for each flag that was upheld while it was open, in the order of their identifiers.
    pub proposals: Vec<Proposal>,
    /// How many there are, and of what.
    pub counts: FakeCounts,
    /// Decisions and entries of the state that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// Takes records in until the topics have been read.
pub(super) struct Fakes {
    counts: FakeCounts,
    /// The rulings that uphold, by the flag's identifier.
    upheld: BTreeMap<String, Ruled>,
    /// The listings of these flags.
    listings: BTreeSet<Vec<u8>>,
    /// The entries of the state that speak of one of their listings, by partition and key: the last one counts.
    entries: BTreeMap<(i32, Vec<u8>), Record>,
    unreadable: Vec<Unreadable>,
}

impl Fakes {
    pub(super) fn new(rulings: Rulings) -> Self {
        let mut upheld = rulings.by_flag();
        upheld.retain(|_, ruled| ruled.decision.ruling == Ruling::Uphold);
        let listings =
            upheld.values().map(|ruled| ruled.decision.listing_id.as_str().as_bytes().to_vec()).collect();
        let counts = FakeCounts { rulings: rulings.n_read, upheld: upheld.len(), ..FakeCounts::default() };
        Self { counts, upheld, listings, entries: BTreeMap::new(), unreadable: rulings.unreadable }
    }

    /// Takes a record of the state in.
    pub(super) fn state(&mut self, record: &Record) {
        let Some(key) = &record.key else { return };
        // A million listings may stand there; only those that were ruled matter.
        if !self.listings.contains(key) {
            return;
        }
        let place = (record.at.partition, key.clone());
        match record.value {
            Some(_) => self.entries.insert(place, record.clone()),
            None => self.entries.remove(&place),
        };
    }

    /// What follows from all of it.
    pub(super) fn finish(mut self) -> FakesExport {
        let mut proposals: BTreeMap<String, Proposal> = BTreeMap::new();
        for (_, record) in std::mem::take(&mut self.entries) {
            let entry = Entry::from_json(record.value.as_deref().unwrap_or_default());
            let flags = match entry.and_then(|entry| entry.flags()) {
                Ok(flags) => flags,
                Err(error) => {
                    self.unreadable.push(Unreadable { at: record.at, problem: error.to_string() });
                    continue;
                }
            };
            for (flag, photos) in flags {
                let id = flag.verdict().flag_id.to_string();
                let Some(ruled) = self.upheld.remove(&id) else { continue };
                if is_known(&flag) {
                    self.counts.known += 1;
                    continue;
                }
                match proposal(&flag, &photos, &ruled) {
                    Ok(Some(proposal)) => {
                        self.counts.title_only += usize::from(proposal.because.photos.is_empty());
                        self.counts.left_out += proposal.because.left_out.len();
                        proposals.insert(id, proposal);
                    }
                    Ok(None) => self.counts.without_brand += 1,
                    Err(problem) => self.unreadable.push(Unreadable { at: record.at.clone(), problem }),
                }
            }
        }
        // What is left was upheld and had closed before.
        self.counts.closed = self.upheld.len();
        FakesExport {
            proposals: proposals.into_values().collect(),
            counts: self.counts,
            unreadable: self.unreadable,
        }
    }
}

/// Whether the known fake that was made of a flag is in the catalog already: then its photos match that, and a second proposal
/// would have none.
fn is_known(flag: &Flag) -> bool {
    let id = flag.verdict().flag_id.to_string();
    let is_own = |piece: &Evidence| match piece {
        Evidence::PhotoMatch(found) => {
            matches!(&found.reference.key, CatalogKey::Fake(_, fake) if fake.to_string() == id)
        }
        _ => false,
    };
    flag.verdict().evidence.iter().any(is_own)
}

/// The proposal for a flag; `None` where it concerns no brand. An error where the catalog would not take it.
fn proposal(flag: &Flag, kept: &[KeptPhoto], ruled: &Ruled) -> Result<Option<Proposal>, String> {
    let (verdict, listing) = (flag.verdict(), flag.listing());
    let Some(brand) = &verdict.brand_id else { return Ok(None) };
    let (mut images, mut photos, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for photo in kept {
        let image = photo.image_idx;
        if let Some(why) = why_left_out(photo, &verdict.evidence) {
            left_out.push(LeftOut { image, why });
            continue;
        }
        let url = listing.images.get(image).and_then(|image| image.url.clone());
        photos.push(ProposedPhoto { image, url, sha256: photo.sha256.clone() });
        images.push(json!({ "features": wire::Features::from(&photo.features) }));
    }
    let day = ruled.decision.decided_at.map(|time| format!(" on {}", time.strftime("%Y-%m-%d")));
    let note = format!(
        "upheld{}: listing {}, version {}, marketplace \"{}\"",
        day.unwrap_or_default(),
        verdict.listing_id,
        verdict.listing_version,
        verdict.marketplace
    );
    let record = json!({
        "kind": "fake", "brand_id": brand.as_str(), "id": verdict.flag_id.to_string(),
        "title": listing.title, "images": images, "note": note,
    });
    // Read as the catalog would, so that what is proposed can be submitted.
    let record = CatalogRecord::from_json(record.to_string().as_bytes())
        .map_err(|error| format!("no fake can be made of it: {error}"))?;
    let because = Because {
        flag_id: verdict.flag_id.to_string(),
        reviewer: ruled.decision.reviewer.clone(),
        reasons: verdict.reasons.iter().map(ToString::to_string).collect(),
        listing_id: verdict.listing_id.to_string(),
        url: listing.url.clone(),
        photos,
        left_out,
    };
    Ok(Some(Proposal { approved_by: None, record: wire::CatalogRecord::from(&record), because }))
}

/// Why a photo must not become that of a known fake, if so: a genuine or benign photo would flag honest sellers, one of a known
/// fake is in the bank already, and features of another version cannot be searched.
fn why_left_out(kept: &KeptPhoto, evidence: &[Evidence]) -> Option<String> {
    let matched = evidence.iter().filter_map(|piece| match piece {
        Evidence::PhotoMatch(found) if found.image_idx == kept.image_idx => Some(found),
        _ => None,
    });
    // Of several matches the one that would do most harm.
    let severest = matched.min_by_key(|found| match found.bank {
        Bank::Genuine => 0,
        Bank::Benign => 1,
        Bank::Fake => 2,
    });
    if let Some(found) = severest {
        return Some(format!("it matches the {} photo {}", found.bank, found.reference));
    }
    let version = kept.features.version;
    (version != PhotoFeatures::VERSION).then(|| {
        format!("its features are of version {version}, this build needs {}", PhotoFeatures::VERSION)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::testing::{flag, flag_of, record, ruling};
    use super::*;

    fn exported(rulings: &[Record], states: &[Record]) -> FakesExport {
        let mut read = Rulings::default();
        rulings.iter().for_each(|record| read.add(record));
        let mut fakes = Fakes::new(read);
        states.iter().for_each(|record| fakes.state(record));
        fakes.finish()
    }

    fn photo(image: usize, version: u32) -> Value {
        json!({"image": image, "sha256": "ab".repeat(32), "turned": vec!["0".repeat(64); 8],
               "features": {"version": version, "pdq": format!("{image:064x}"), "quality": 97, "detail": "AAEC"}})
    }

    fn matched(image: usize, bank: &str, reference: &str) -> Value {
        json!({"stage": "image", "kind": "photo_match", "image": image, "reference": reference, "bank": bank,
               "distance": 6, "transform": "none", "quality": 97})
    }

    fn state(place: &str, listing: &str, flag: Value, photos: Vec<Value>) -> Record {
        let mut value =
            json!({"version": 1, "revision": 1, "marketplace": "example", "seller_id": "S-1", "seen_ms": 0});
        (value["flag"], value["features"]) = (flag, Value::from(photos));
        record(place, listing.as_bytes(), Some(value.to_string()))
    }

    fn images(n: usize) -> Vec<Value> {
        (0..n).map(|n| json!({"url": format!("https://img.example/{n}.jpg")})).collect()
    }

    fn upheld(listing: &str) -> Record {
        let more = json!({"reviewer": "R. Example", "decided_at": "2026-03-02T10:15:00Z"});
        ruling("decisions/0@0", listing, "uphold", &more)
    }

    #[test]
    fn an_open_flag_that_was_upheld_becomes_a_proposal() {
        let mut open = flag("EX-1", &json!({}));
        open["listing"]["images"] = images(1).into();
        open["listing"]["url"] = "https://shop.example/EX-1".into();
        let found =
            exported(&[upheld("EX-1")], &[state("listings.state/2@7", "EX-1", open, vec![photo(0, 1)])]);
        let [proposal] = found.proposals.as_slice() else { panic!("{found:?}") };
        let id = flag_of("EX-1");
        let expected = json!({
            "approved_by": null,
            "record": {
                "kind": "fake", "brand_id": "lumora", "id": id, "title": "Cartucho Lumora 20",
                "images": [{"features": {"version": 1, "pdq": "0".repeat(64), "quality": 97, "detail": "AAEC"}}],
                "note": "upheld on 2026-03-02: listing EX-1, version 1, marketplace \"example\"",
            },
            "because": {
                "flag_id": id, "reviewer": "R. Example", "reasons": ["counterfeit_slang"], "listing_id": "EX-1",
                "url": "https://shop.example/EX-1",
                "photos": [{"image": 0, "url": "https://img.example/0.jpg", "sha256": "ab".repeat(32)}],
            },
        });
        assert_eq!(serde_json::to_value(proposal).unwrap(), expected);
        assert_eq!(found.counts, FakeCounts { rulings: 1, upheld: 1, ..FakeCounts::default() });
        assert_eq!(found.unreadable, []);
    }

    #[test]
    fn photos_that_match_anything_in_the_catalog_are_never_proposed() {
        let mut open = flag("EX-1", &json!({}));
        open["listing"]["images"] = images(6).into();
        open["evidence"] = json!([
            matched(0, "genuine", "product/lumora/LM-20K#0"),
            matched(1, "benign", "benign/placeholder#0"),
            matched(2, "fake", "fake/lumora/F-1#0"),
            // Another brand's own photo is a genuine one just as well.
            matched(3, "fake", "fake/lumora/F-1#0"),
            matched(3, "genuine", "product/other/P#0"),
        ]);
        let photos = (0..5).map(|n| photo(n, 1)).chain([photo(5, 9)]).collect();
        let found = exported(&[upheld("EX-1")], &[state("listings.state/0@0", "EX-1", open, photos)]);
        let [Proposal { because, record, .. }] = found.proposals.as_slice() else { panic!("{found:?}") };
        let wire::CatalogRecord::Fake(fake) = record else { panic!("{record:?}") };
        assert_eq!(fake.images.len(), 1);
        assert_eq!(because.photos.iter().map(|photo| photo.image).collect::<Vec<_>>(), [4]);
        let why: Vec<&str> = because.left_out.iter().map(|left| left.why.as_str()).collect();
        assert_eq!(
            why,
            [
                "it matches the genuine photo product/lumora/LM-20K#0",
                "it matches the benign photo benign/placeholder#0",
                "it matches the fake photo fake/lumora/F-1#0",
                "it matches the genuine photo product/other/P#0",
                "its features are of version 9, this build needs 1",
            ]
        );
        assert_eq!((found.counts.left_out, found.counts.title_only), (5, 0));
    }

    #[test]
    fn what_is_not_open_or_not_upheld_is_not_proposed() {
        let open = |id: &str| flag(id, &json!({}));
        let mut other_version = open("EX-3");
        other_version["flag_id"] = flag_of("EX-9").into();
        let rulings = [
            upheld("EX-1"),
            upheld("EX-2"),
            upheld("EX-3"),
            upheld("EX-4"),
            ruling("decisions/0@4", "EX-5", "dismiss", &json!({})),
            ruling("decisions/0@5", "EX-6", "uphold", &json!({})),
            ruling("decisions/0@6", "EX-6", "escalate", &json!({})),
        ];
        let states = [
            state("listings.state/0@0", "EX-1", open("EX-1"), vec![]),
            record("listings.state/0@1", b"EX-1", None),
            state("listings.state/0@2", "EX-2", Value::Null, vec![]),
            state("listings.state/0@3", "EX-3", other_version, vec![]),
            state("listings.state/0@4", "EX-5", open("EX-5"), vec![]),
            state("listings.state/0@5", "EX-6", open("EX-6"), vec![]),
            record("listings.state/0@6", b"\xffcursors", Some("{\"decisions\":{}}".to_owned())),
        ];
        let found = exported(&rulings, &states);
        let expected = FakeCounts { rulings: 7, upheld: 4, closed: 4, ..FakeCounts::default() };
        assert_eq!((found.proposals, found.counts), (Vec::new(), expected));
        assert_eq!(found.unreadable, []);
    }

    #[test]
    fn a_flag_that_closed_after_it_was_upheld_is_proposed_and_one_in_the_catalog_is_not() {
        let mut closed = json!({"version": 2, "revision": 1, "seller_id": "S-1", "seen_ms": 0});
        closed["upheld"] = json!({"flag": flag("EX-1", &json!({})), "features": [photo(0, 1)]});
        let mut known = flag("EX-2", &json!({}));
        known["evidence"] = json!([matched(0, "fake", &format!("fake/lumora/{}#0", flag_of("EX-2")))]);
        let states = [
            record("listings.state/0@0", b"EX-1", Some(closed.to_string())),
            state("listings.state/0@1", "EX-2", known, vec![photo(0, 1)]),
        ];
        let found = exported(&[upheld("EX-1"), upheld("EX-2")], &states);
        let [proposal] = found.proposals.as_slice() else { panic!("{found:?}") };
        assert_eq!((proposal.because.listing_id.as_str(), proposal.because.photos.len()), ("EX-1", 1));
        assert_eq!(found.counts, FakeCounts { rulings: 2, upheld: 2, known: 1, ..FakeCounts::default() });
    }

    #[test]
    fn without_a_photo_the_title_stays_and_without_a_brand_nothing() {
        let mut nobody = flag("EX-2", &json!({}));
        nobody.as_object_mut().unwrap().remove("brand_id");
        let states = [
            state("listings.state/0@0", "EX-1", flag("EX-1", &json!({})), vec![]),
            state("listings.state/0@1", "EX-2", nobody, vec![photo(0, 1)]),
        ];
        let found = exported(&[upheld("EX-1"), upheld("EX-2")], &states);
        let expected =
            FakeCounts { rulings: 2, upheld: 2, without_brand: 1, title_only: 1, ..FakeCounts::default() };
        assert_eq!((found.proposals.len(), found.counts), (1, expected));
    }

    #[test]
    fn entries_that_cannot_be_read_are_named_and_passed_over() {
        let mut broken = photo(0, 1);
        broken["features"]["pdq"] = "xyz".into();
        let states = [
            record("listings.state/1@3", b"EX-1", Some("[]".to_owned())),
            state("listings.state/1@4", "EX-2", flag("EX-2", &json!({})), vec![broken]),
            state("listings.state/1@5", "EX-3", flag("EX-3", &json!({"decision": "clear"})), vec![]),
            state("listings.state/1@6", "EX-4", flag("EX-4", &json!({})), vec![photo(0, 1)]),
        ];
        let rulings: Vec<Record> = (1..=4).map(|n| upheld(&format!("EX-{n}"))).collect();
        let found = exported(&rulings, &states);
        let places: Vec<String> = found.unreadable.iter().map(|u| u.at.to_string()).collect();
        assert_eq!(places, ["listings.state/1@3", "listings.state/1@4", "listings.state/1@5"]);
        assert!(found.unreadable[1].problem.contains("pdq"), "{}", found.unreadable[1].problem);
        assert_eq!(found.proposals.len(), 1);
    }
}
