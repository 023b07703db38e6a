use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use touchstone_eval::{read_catalog, read_listings};
use touchstone_image_hash::{
    DEFAULT_RADIUS, DecodeLimits, MatchSettings, Photo, PhotoIndex, PhotoScore, decode, photo,
};
use touchstone_types::{CatalogRecord, Decision, Listing, Reason};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn photos() -> BTreeMap<String, Photo> {
    let names = fs::read_dir(folder().join("images")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap()).filter(|name| name != "truncated.jpg");
    names.map(|name| (name.clone(), photo(&bytes(&name), &DecodeLimits::default()).unwrap())).collect()
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join("images").join(name)).unwrap()
}

/// What each of the sellers' pictures was made from, and how.
const COPIES: [(&str, &str, &str); 20] = [
    ("seller-lm-20k-small.jpg", "genuine-lm-20k.jpg", "none"),
    ("seller-lm-20k-mirror.jpg", "genuine-lm-20k.jpg", "mirror"),
    ("seller-lm-20xlk-large.jpg", "genuine-lm-20xlk.jpg", "none"),
    ("seller-lm-45k.jpg", "genuine-lm-45k.jpg", "none"),
    ("seller-vt-corsa1-turned.jpg", "genuine-vt-corsa1.jpg", "rotate270"),
    ("seller-vt-corsa1.jpg", "genuine-vt-corsa1.jpg", "none"),
    ("seller-vt-corsa2.jpg", "genuine-vt-corsa2.jpg", "none"),
    ("seller-au-nuit.jpg", "genuine-au-nuit.jpg", "none"),
    ("seller-au-bois-grey.jpg", "genuine-au-bois.jpg", "none"),
    ("seller-sv-h7.webp", "genuine-sv-h7.jpg", "none"),
    ("seller-sv-h7-mirror.jpg", "genuine-sv-h7.jpg", "mirror"),
    ("seller-ov-siena.jpg", "genuine-ov-siena.jpg", "none"),
    ("seller-fake-lm-20.jpg", "fake-lm-20.jpg", "none"),
    ("seller-fake-vt-mirror.jpg", "fake-vt-corsa1.jpg", "mirror"),
    ("seller-au-nuit-crop.jpg", "genuine-au-nuit.jpg", "crop"),
    ("seller-sv-h7-crop-mirror.jpg", "genuine-sv-h7.jpg", "mirror+crop"),
    ("seller-lm-20c-framed.jpg", "genuine-lm-20c.jpg", "border"),
    // The other picture has few edges, so it passes for a border.
    ("seller-vt-collage.jpg", "genuine-vt-corsa1.jpg", "border"),
    ("seller-fake-lm-20-framed.jpg", "fake-lm-20.jpg", "border"),
    ("seller-placeholder-framed.jpg", "placeholder.png", "border"),
];

#[test]
fn every_picture_has_enough_structure_to_hash() {
    for (name, photo) in photos() {
        let quality = photo.features.quality.get();
        assert!(quality >= 60, "{name}: quality {quality}");
    }
}

#[test]
fn copies_match_what_they_were_made_from_and_nothing_else_matches() {
    let photos = photos();
    let is_reference = |name: &str| !name.starts_with("seller-") && !name.starts_with("own-");
    let references: Vec<&String> = photos.keys().filter(|name| is_reference(name)).collect();
    let index = PhotoIndex::new(references.iter().map(|name| photos[*name].features.clone()));
    let settings =
        MatchSettings { radius: DEFAULT_RADIUS, score: &PhotoScore::default(), only_proposed: false };
    for (name, photo) in &photos {
        let matches = index.matches(photo, &settings, &[]).into_iter();
        let found: Vec<(&str, String)> =
            matches.map(|m| (references[m.reference].as_str(), m.alteration.to_string())).collect();
        let copied = COPIES.iter().find(|copy| copy.0 == name).map(|&(_, from, how)| (from, how));
        let itself = is_reference(name).then_some((name.as_str(), "none"));
        let expected: Vec<_> =
            copied.or(itself).map(|(from, how)| (from, how.to_owned())).into_iter().collect();
        assert_eq!(found, expected, "{name}");
    }
    assert!(COPIES.iter().all(|copy| photos.contains_key(copy.0)));
}

#[test]
fn the_catalog_reads_back_and_names_pictures_that_exist() {
    let catalog = read_catalog(&folder().join("catalog.jsonl")).unwrap();
    let keys: BTreeSet<_> = catalog.iter().map(CatalogRecord::key).collect();
    assert_eq!(keys.len(), catalog.len(), "a key stands twice");
    let photos = photos();
    let mut gtins = BTreeSet::new();
    for record in &catalog {
        for image in record.images() {
            assert!(
                image.url.is_none() || photos.contains_key(&image.url.as_ref().unwrap()["images/".len()..])
            );
        }
        if let CatalogRecord::Product(product) = record {
            assert!(product.gtins.iter().all(|gtin| has_check_digit(gtin) && gtins.insert(gtin.clone())));
        }
    }
    let luce = catalog.iter().find(|r| r.key().to_string() == "product/orvalto/OV-LUCE").unwrap();
    assert_eq!(luce.images()[0].features, Some(photos["genuine-ov-luce.jpg"].features.clone()));
    assert_eq!(luce.images()[0].url, None);
}

/// The check digit of GS1: weights 3 and 1 from the right, the sum a multiple of ten.
fn has_check_digit(gtin: &str) -> bool {
    let digits = gtin.bytes().rev().map(|digit| u32::from(digit - b'0'));
    digits.zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum::<u32>() % 10 == 0
}

#[test]
fn every_listing_has_an_expectation_that_can_be_met() {
    let listings = read_listings(&folder().join("listings.jsonl")).unwrap();
    let expected = fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = expected.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let ids: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(ids, listings.iter().map(|l| l.listing_id.as_str()).collect::<Vec<_>>());
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(row[1].split('|').all(|word| Decision::parse(word).is_some()), "{row:?}");
        let is_row = |text: &str| text.parse::<u8>().is_ok_and(|r| (1..=9).contains(&r));
        assert!(row[2] == "-" || row[2].split('|').all(is_row), "{row:?}");
        assert!(row[3].split('|').all(|word| Reason::parse(word).is_some()), "{row:?}");
    }
    let decided_by: BTreeSet<&str> = rows.iter().flat_map(|row| row[2].split('|')).collect();
    assert_eq!(decided_by.len(), 10, "every row of the table decides some listing");
}

#[test]
fn pictures_of_listings_are_files_here_or_their_bytes() {
    let files: BTreeSet<Vec<u8>> = photos().keys().map(|name| bytes(name)).collect();
    let (mut n_inline, mut absent) = (0, Vec::new());
    for listing in read_listings(&folder().join("listings.jsonl")).unwrap() {
        for image in listing.images {
            match (image.data, image.url) {
                (Some(data), _) => {
                    assert!(files.contains(&data), "{}", listing.listing_id);
                    n_inline += 1;
                }
                (None, Some(url)) if folder().join(&url).exists() => {}
                (None, url) => absent.push(url.unwrap()),
            }
        }
    }
    assert_eq!(n_inline, 3);
    absent.sort();
    assert_eq!(absent, ["https://cdn.example.invalid/a.jpg", "images/not-there.jpg"]);
}

#[test]
fn poison_does_what_its_list_says() {
    let expected = fs::read_to_string(folder().join("poison/expected.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = expected.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let n_files = fs::read_dir(folder().join("poison")).unwrap().count();
    assert_eq!(n_files, rows.len() + 1, "one row a file");
    for row in rows {
        let message = fs::read(folder().join("poison").join(row[0])).unwrap();
        match (Listing::from_json(&message), row[1]) {
            (Err(error), "dead_letter") => assert_eq!(error.word(), row[2], "{}: {error}", row[0]),
            (Ok(listing), "verdict") => {
                let picture = listing.images[0].data.as_ref().unwrap();
                let error = decode(picture, &DecodeLimits::default()).unwrap_err();
                assert_eq!(format!("image 0: {}", error.failure()), row[2], "{}: {error}", row[0]);
            }
            (result, _) => panic!("{}: {result:?}", row[0]),
        }
    }
}
