//! What a kept photo shows of a catalog that has changed since its picture was looked at.

use std::slice::from_ref;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use touchstone_catalog::{MAX_PHOTO_MATCHES, Snapshot};
use touchstone_image_hash::{DEFAULT_RADIUS, MatchSettings, PhotoScore};
use touchstone_types::{
    Bank, CatalogKey, CatalogRecord, KeptPhoto, PhotoFeatures, PhotoMatch, ReferenceImage,
};

use crate::photos::{hash_only, snapshot, with_photos};
use crate::pictures::{features, matches, photo};

const REFERENCES: [&str; 6] = [
    "genuine-lm-20k.jpg",
    "genuine-lm-20c.jpg",
    "genuine-sv-h7.jpg",
    "genuine-vt-corsa1.jpg",
    "seller-sv-h7.webp",
    "placeholder.png",
];

const PHOTOS: [&str; 9] = [
    "seller-lm-20k-mirror.jpg",
    "seller-lm-20c-framed.jpg",
    "seller-sv-h7.webp",
    "seller-sv-h7-mirror.jpg",
    "seller-sv-h7-crop-mirror.jpg",
    "seller-vt-corsa1-turned.jpg",
    "seller-vt-collage.jpg",
    "seller-placeholder-framed.jpg",
    "own-sv-desk.jpg",
];

fn again_of(snapshot: &Snapshot, kept: &KeptPhoto, before: &[PhotoMatch]) -> Vec<PhotoMatch> {
    let settings =
        MatchSettings { radius: DEFAULT_RADIUS, score: &PhotoScore::default(), only_proposed: false };
    snapshot.kept_photo_matches(kept, before, &settings)
}

fn again(snapshot: &Snapshot, name: &str, before: &[PhotoMatch]) -> Vec<PhotoMatch> {
    again_of(snapshot, &photo(name).kept(0), before)
}

/// In the order of evidence, in which matches come back.
fn by_reference(mut matches: Vec<PhotoMatch>) -> Vec<PhotoMatch> {
    matches.sort_by(|a, b| a.reference.cmp(&b.reference));
    matches
}

fn names(matches: &[PhotoMatch]) -> Vec<String> {
    matches.iter().map(|m| m.reference.to_string()).collect()
}

/// Records by their keys, each with a picture, some with nothing but its hash.
fn records() -> impl Strategy<Value = Vec<CatalogRecord>> {
    let key = prop_oneof![
        6 => (0..4_u8).prop_map(|n| format!("product/lumora/P{n}")),
        2 => Just("product/veltrano/Q".to_owned()),
        2 => Just("fake/lumora/F".to_owned()),
        1 => Just("benign/X".to_owned()),
    ];
    let image = (prop::sample::select(&REFERENCES[..]), prop::bool::weighted(0.2));
    let image = image.prop_map(|(name, is_bare)| if is_bare { hash_only(name) } else { features(name) });
    let images = prop::collection::vec(image, 1..3);
    prop::collection::btree_map(key, images, 0..6)
        .prop_map(|records| records.iter().map(|(key, images)| with_photos(key, images)).collect())
}

fn features_of(records: &[CatalogRecord], found: &PhotoMatch) -> Option<PhotoFeatures> {
    let record = records.iter().find(|record| record.key() == found.reference.key)?;
    record.images().get(found.reference.image_idx)?.features.clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, rng_seed: RngSeed::Fixed(31), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_catalog_shows_the_same(records in records(), which in prop::sample::select(&PHOTOS[..])) {
        let snapshot = snapshot(records);
        let before = by_reference(matches(&snapshot, which));
        let found = again(&snapshot, which, &before);
        prop_assert!(found.is_sorted_by_key(|m| m.score.map_or(0, |score| -(score.get() * 100.0).round() as i32)));
        prop_assert_eq!(by_reference(found), before);
    }

    #[test]
    fn what_did_not_change_stays_and_what_came_is_what_the_picture_shows(
        old in records(),
        new in records(),
        which in prop::sample::select(&PHOTOS[..]),
    ) {
        let before = by_reference(matches(&snapshot(old.clone()), which));
        let after = snapshot(new.clone());
        let found = again(&after, which, &before);
        let picture = names(&matches(&after, which));
        for m in &found {
            let twin = m.near_duplicate_of.as_ref();
            prop_assert!(twin.is_none_or(|twin| found.iter().any(|other| other.reference == *twin)));
            // A reference that is another picture may be found anew.
            let pdq = |records| features_of(records, m).map(|features| features.pdq);
            let earlier = before.iter().find(|earlier| earlier.reference == m.reference);
            let earlier = earlier.filter(|_| pdq(&old) == pdq(&new));
            if let Some(earlier) = earlier {
                let as_before = PhotoMatch { near_duplicate_of: m.near_duplicate_of.clone(), ..earlier.clone() };
                prop_assert_eq!(&as_before, m);
            } else {
                prop_assert!(m.score.is_none() && m.overlay.is_none() && m.distance <= DEFAULT_RADIUS);
                prop_assert!(picture.contains(&m.reference.to_string()), "{} of {:?}", m.reference, picture);
            }
        }
        for m in &before {
            let is_same = features_of(&old, m) == features_of(&new, m);
            prop_assert!(!is_same || found.iter().any(|found| found.reference == m.reference));
        }
    }
}

#[test]
fn a_match_goes_with_its_record_its_brand_or_its_picture() {
    let product = |name: &str| with_photos("product/lumora/H7", &[features(name)]);
    let name = "seller-sv-h7-crop-mirror.jpg";
    let before = matches(&snapshot([product("genuine-sv-h7.jpg")]), name);
    assert_eq!(names(&before), ["product/lumora/H7#0"]);
    let left = |records: Vec<CatalogRecord>| again(&snapshot(records), name, &before);
    assert_eq!(left(vec![product("genuine-sv-h7.jpg")]), before);
    assert_eq!(left(vec![]), []);
    assert_eq!(left(vec![product("genuine-lm-20k.jpg")]), []);
    let moved = [features("genuine-lm-20k.jpg"), features("genuine-sv-h7.jpg")];
    assert_eq!(left(vec![with_photos("product/lumora/H7", &moved)]), []);
    let brand = CatalogKey::parse("brand/lumora").unwrap();
    let without = snapshot([product("genuine-sv-h7.jpg")]).with_changes(&[(brand, None)].into());
    assert_eq!(again(&without, name, &before), []);
}

#[test]
fn a_reference_whose_features_are_still_to_be_computed_counts_as_it_was() {
    let product = |url: Option<&str>, of: Option<PhotoFeatures>| {
        let mut record = with_photos("product/lumora/H7", &[features("genuine-sv-h7.jpg")]);
        record.images_mut()[0] = ReferenceImage { url: url.map(str::to_owned), features: of };
        record
    };
    let name = "seller-sv-h7-crop-mirror.jpg";
    let current = features("genuine-sv-h7.jpg");
    let before = matches(&snapshot([product(None, Some(current.clone()))]), name);
    let stays = |record| !again(&snapshot([record]), name, &before).is_empty();
    let outdated = PhotoFeatures { version: 99, ..current };
    assert!(stays(product(Some("https://a.example/1"), None)));
    assert!(stays(product(Some("https://a.example/1"), Some(outdated.clone()))));
    assert!(!stays(product(None, Some(outdated))), "nothing will ever compute them");
    let other = product(Some("https://a.example/1"), Some(features("genuine-lm-20k.jpg")));
    assert!(!stays(other), "they are computed, and of another picture");
}

#[test]
fn a_photo_kept_by_another_version_keeps_what_lives() {
    let product = with_photos("product/lumora/H7", &[features("genuine-sv-h7.jpg")]);
    let before = matches(&snapshot([product]), "seller-sv-h7.webp");
    let mut kept = photo("seller-sv-h7.webp").kept(0);
    kept.features.version = 99;
    kept.turned = photo("own-sv-desk.jpg").dihedral;
    let other = || with_photos("benign/X", &[hash_only("own-sv-desk.jpg")]);
    let left = |key: &str| {
        again_of(&snapshot([with_photos(key, &[features("genuine-sv-h7.jpg")]), other()]), &kept, &before)
    };
    assert_eq!(left("product/lumora/H7"), before);
    assert_eq!(left("product/lumora/H8"), []);
}

#[test]
fn where_the_better_twin_went_the_next_is_named_and_one_is_always_left_unnamed() {
    let copy = features("genuine-sv-h7.jpg");
    let product = |id: &str| with_photos(&format!("product/{id}"), from_ref(&copy));
    let all = || ["lumora/A", "lumora/B", "veltrano/C"].map(product);
    let name = "seller-sv-h7-crop-mirror.jpg";
    let before = matches(&snapshot(all()), name);
    let twins = |found: &[PhotoMatch]| -> Vec<(String, Option<String>)> {
        let twin = |m: &PhotoMatch| m.near_duplicate_of.as_ref().map(ToString::to_string);
        found.iter().map(|m| (m.reference.to_string(), twin(m))).collect()
    };
    let [best, ..] = &before[..] else { panic!("three matches") };
    assert!(before[1..].iter().all(|m| m.near_duplicate_of.as_ref() == Some(&best.reference)));
    let left = all().into_iter().filter(|record| record.key() != best.reference.key);
    let found = again(&snapshot(left), name, &before);
    let first = before[1].reference.to_string();
    let expected = [(first.clone(), None), (before[2].reference.to_string(), Some(first))];
    assert_eq!(twins(&found), expected);
    assert_eq!(before.len(), 3);
}

#[test]
fn whole_copies_of_what_came_since_are_found_in_every_bank() {
    let product = || with_photos("product/lumora/H7", &[features("genuine-sv-h7.jpg")]);
    let harmless = |of: PhotoFeatures| with_photos("benign/X", &[of]);
    for name in ["seller-sv-h7.webp", "seller-sv-h7-mirror.jpg"] {
        let before = matches(&snapshot([product()]), name);
        for of in [features("genuine-sv-h7.jpg"), hash_only("genuine-sv-h7.jpg")] {
            let found = again(&snapshot([product(), harmless(of)]), name, &before);
            assert_eq!(names(&found), ["product/lumora/H7#0", "benign/X#0"], "{name}");
            assert_eq!((found[1].bank, found[1].score, found[1].overlay), (Bank::Benign, None, None));
            assert_eq!((&found[0], &found[1].near_duplicate_of), (&before[0], &None), "banks are apart");
            assert_eq!(found[1].transform.to_string().contains("mirror"), name.contains("mirror"));
        }
    }
    let other = with_photos("product/veltrano/Z", &[features("genuine-sv-h7.jpg")]);
    let before = matches(&snapshot([product()]), "seller-sv-h7.webp");
    let found = again(&snapshot([product(), other]), "seller-sv-h7.webp", &before);
    assert_eq!(found[1].near_duplicate_of.as_ref(), Some(&before[0].reference));
}

#[test]
fn of_each_bank_no_more_are_named_than_the_picture_would_show_and_the_old_first() {
    let crowd = |n: u8| {
        let product = |n| with_photos(&format!("product/lumora/P{n:02}"), &[hash_only("placeholder.png")]);
        snapshot((0..n).map(product))
    };
    let before = matches(&crowd(4), "placeholder.png");
    let found = again(&crowd(40), "placeholder.png", &before);
    assert_eq!((before.len(), found.len()), (4, MAX_PHOTO_MATCHES));
    assert!(before.iter().all(|m| found.contains(m)));
    assert_eq!(again(&crowd(40), "placeholder.png", &found), found);
}

#[test]
fn a_record_is_live_while_it_and_its_brand_are_there() {
    let records = ["product/lumora/A", "product/gone/A", "fake/gone/F", "benign/X"];
    let snapshot = snapshot(records.map(|key| with_photos(key, &[features("placeholder.png")])));
    let live = |key: &str| snapshot.is_live(&CatalogKey::parse(key).unwrap());
    for key in ["brand/lumora", "product/lumora/A", "fake/gone/F", "benign/X"] {
        assert!(live(key), "{key}");
    }
    for key in ["brand/gone", "product/gone/A", "product/lumora/B", "fake/lumora/F", "benign/Y"] {
        assert!(!live(key), "{key}");
    }
}
