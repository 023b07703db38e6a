//! Which references a photo matches, and how widely it was searched.

use std::slice::from_ref;

use touchstone_catalog::{Catalog, Feed, MAX_PHOTO_MATCHES, Problem, Snapshot};
use touchstone_types::{Bank, CatalogRecord, PhotoDetail, PhotoFeatures, PhotoSearch, ReferenceImage};

use crate::market::{lexicon, record};
use crate::pictures::{features, matches};

const BRANDS: [&str; 2] = [
    r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#,
    r#"{"kind":"brand","brand_id":"veltrano","name":"Veltrano"}"#,
];

/// A record under this key that shows these photos.
pub(crate) fn with_photos(key: &str, photos: &[PhotoFeatures]) -> CatalogRecord {
    let json = match key.split('/').collect::<Vec<_>>()[..] {
        ["product", brand, id] => {
            format!(r#"{{"kind":"product","brand_id":"{brand}","product_id":"{id}","title":"T"}}"#)
        }
        ["fake", brand, id] => format!(r#"{{"kind":"fake","brand_id":"{brand}","id":"{id}"}}"#),
        ["benign", id] => format!(r#"{{"kind":"benign","id":"{id}"}}"#),
        _ => panic!("{key}"),
    };
    let mut record = record(&json);
    let images = match &mut record {
        CatalogRecord::Product(product) => &mut product.images,
        CatalogRecord::Fake(fake) => &mut fake.images,
        CatalogRecord::Benign(benign) => &mut benign.images,
        CatalogRecord::Brand(_) => unreachable!("it has no photos"),
    };
    images.extend(photos.iter().map(|f| ReferenceImage { url: None, features: Some(f.clone()) }));
    record
}

pub(crate) fn snapshot(records: impl IntoIterator<Item = CatalogRecord>) -> Snapshot {
    BRANDS.map(record).into_iter().chain(records).collect::<Catalog>().snapshot(&lexicon())
}

pub(crate) fn hash_only(name: &str) -> PhotoFeatures {
    PhotoFeatures { detail: None, ..features(name) }
}

#[test]
fn an_altered_copy_is_found_with_what_was_done_and_where() {
    let snapshot = snapshot([
        with_photos("product/lumora/H7", &[features("genuine-lm-20k.jpg"), features("genuine-sv-h7.jpg")]),
        with_photos("fake/lumora/F", &[features("fake-lm-20.jpg")]),
    ]);
    assert_eq!(snapshot.photo_search(), PhotoSearch::All);
    let [found] = &matches(&snapshot, "seller-sv-h7-crop-mirror.jpg")[..] else { panic!("one match") };
    assert_eq!((found.reference.to_string(), found.bank), ("product/lumora/H7#1".to_owned(), Bank::Genuine));
    assert_eq!(found.transform.to_string(), "mirror+crop");
    // It was cut to x 24..286 and y 20..290 of 320.
    let shown = found.overlay.unwrap().shown;
    for (found, expected) in shown.into_iter().zip([75, 62, 894, 906]) {
        assert!(found.abs_diff(expected) <= 12, "{shown:?}");
    }
    let [fake] = &matches(&snapshot, "seller-fake-lm-20-framed.jpg")[..] else { panic!("one match") };
    assert_eq!((fake.bank, fake.transform.to_string()), (Bank::Fake, "border".to_owned()));
    assert_eq!(matches(&snapshot, "own-sv-desk.jpg"), []);
}

#[test]
fn one_reference_without_detail_makes_the_search_one_by_hash() {
    let detailed = || with_photos("product/lumora/A", &[features("genuine-lm-20k.jpg")]);
    let search = |other: &[PhotoFeatures]| {
        let records = [detailed(), with_photos("product/lumora/B", other)];
        snapshot(records).photo_search()
    };
    let unreadable = PhotoFeatures { detail: PhotoDetail::new([9; 40]), ..features("genuine-sv-h7.jpg") };
    let outdated = PhotoFeatures { version: 99, ..hash_only("genuine-sv-h7.jpg") };
    assert_eq!(search(&[]), PhotoSearch::All);
    assert_eq!(search(&[features("genuine-sv-h7.jpg")]), PhotoSearch::All);
    assert_eq!(search(&[hash_only("genuine-sv-h7.jpg")]), PhotoSearch::Hash);
    assert_eq!(search(&[unreadable]), PhotoSearch::Hash);
    assert_eq!(search(&[outdated]), PhotoSearch::All, "it is not searched at all");
    assert_eq!(snapshot([]).photo_search(), PhotoSearch::All);
    let fakes = snapshot([detailed(), with_photos("fake/lumora/F", &[hash_only("fake-lm-20.jpg")])]);
    assert_eq!(fakes.photo_search(), PhotoSearch::Hash, "in whichever bank");
}

#[test]
fn by_hash_alone_only_whole_pictures_are_found() {
    let snapshot = snapshot([with_photos("product/lumora/H7", &[hash_only("genuine-sv-h7.jpg")])]);
    let [found] = &matches(&snapshot, "seller-sv-h7-mirror.jpg")[..] else { panic!("one match") };
    assert_eq!((found.score, found.overlay, found.transform.to_string()), (None, None, "mirror".to_owned()));
    assert_eq!(matches(&snapshot, "seller-sv-h7-crop-mirror.jpg"), []);
}

#[test]
fn of_near_duplicates_the_worse_names_the_better() {
    let (whole, copy) = (features("genuine-sv-h7.jpg"), features("seller-sv-h7.webp"));
    let snapshot = snapshot([
        with_photos("product/lumora/A", from_ref(&copy)),
        with_photos("product/lumora/B", &[features("genuine-lm-20k.jpg"), whole.clone()]),
        with_photos("product/veltrano/C", &[copy]),
        with_photos("benign/X", &[whole]),
    ]);
    let found = matches(&snapshot, "seller-sv-h7-crop-mirror.jpg");
    let named: Vec<_> = found
        .iter()
        .map(|m| (m.reference.to_string(), m.near_duplicate_of.as_ref().map(ToString::to_string)))
        .collect();
    let genuine: Vec<_> = named.iter().filter(|(reference, _)| reference.starts_with("product")).collect();
    assert_eq!(genuine.len(), 3, "{named:?}");
    let best = &genuine[0].0;
    assert_eq!(genuine[0].1, None);
    assert!(genuine[1..].iter().all(|(_, better)| better.as_ref() == Some(best)), "{named:?}");
    let harmless = named.iter().find(|(reference, _)| reference == "benign/X#0").unwrap();
    assert_eq!(harmless.1, None, "banks are apart");
}

/// A second look goes to few references of those that are equally near, and the harmless one is the last of them by its key.
#[test]
fn a_picture_of_many_products_is_still_known_to_be_harmless() {
    let placeholder = features("placeholder.png");
    let crowd = (0..40).map(|n| with_photos(&format!("product/lumora/P{n:02}"), from_ref(&placeholder)));
    let snapshot = snapshot(crowd.chain([with_photos("benign/X", from_ref(&placeholder))]));
    for name in ["placeholder.png", "seller-placeholder-framed.jpg"] {
        let found = matches(&snapshot, name);
        assert!(found.iter().any(|m| m.bank == Bank::Benign), "{name}");
        let n_genuine = found.iter().filter(|m| m.bank == Bank::Genuine).count();
        assert!((1..=MAX_PHOTO_MATCHES).contains(&n_genuine), "{n_genuine}");
    }
}

fn check_feed(records: &[CatalogRecord], expected: &[&str]) {
    let lines: Vec<String> = BRANDS.map(record).iter().chain(records).map(CatalogRecord::to_json).collect();
    let mut feed = Feed::default();
    feed.read("f", lines.join("\n").as_bytes());
    feed.finish();
    assert_eq!(feed.problems, [], "photos are not looked at unless asked");
    feed.check_photos();
    let found: Vec<String> = feed.problems.iter().map(Problem::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn photos_that_nothing_tells_apart_are_named_line_by_line() {
    let (whole, copy) = (features("genuine-sv-h7.jpg"), features("seller-sv-h7.webp"));
    let warning = |line: u32, of: &str, so: &str| {
        format!("f:{line}: warning: images[0]: nearly the same picture as {of}: {so}")
    };
    check_feed(
        &[
            with_photos("product/lumora/A", &[whole.clone(), whole.clone()]),
            with_photos("product/lumora/B", from_ref(&whole)),
            with_photos("product/veltrano/C", from_ref(&copy)),
            with_photos("product/veltrano/D", &[features("genuine-vt-corsa1.jpg")]),
            with_photos("fake/veltrano/E", from_ref(&whole)),
            with_photos("fake/veltrano/F", &[features("fake-lm-20.jpg")]),
            with_photos("fake/veltrano/G", &[features("fake-lm-20.jpg")]),
            with_photos("benign/H", &[features("fake-lm-20.jpg")]),
        ],
        &[
            &warning(4, "product/lumora/A#0", "no photo can tell the two products apart"),
            &warning(5, "product/lumora/A#0", "no photo can tell the two brands apart"),
            &warning(
                7,
                "product/lumora/A#0",
                "whoever shows the genuine photo is taken for a seller of this fake",
            ),
            &warning(
                10,
                "fake/veltrano/F#0",
                "that photo counts for nothing, because this record is harmless",
            ),
        ],
    );
}

#[test]
fn photos_that_only_their_hash_finds_are_named() {
    let unreadable = PhotoFeatures { detail: PhotoDetail::new([9; 40]), ..features("genuine-lm-20k.jpg") };
    let why = |problem: &str| {
        format!(
            "found by hash alone: crops and borders are not, because {problem}; without features and with a url they \
             are computed anew"
        )
    };
    check_feed(
        &[
            with_photos(
                "product/lumora/A",
                &[features("genuine-vt-corsa1.jpg"), hash_only("genuine-sv-h7.jpg")],
            ),
            with_photos("product/lumora/B", &[unreadable]),
        ],
        &[
            &format!("f:3: warning: images[1]: {}", why("its features have no detail")),
            &format!(
                "f:4: warning: images[0]: {}",
                why("the detail of its features cannot be read, for it is damaged or of another version")
            ),
        ],
    );
}
