//! What altered copies of catalog photos do to a verdict.

use touchstone_image_hash::{DecodeLimits, features, photo};
use touchstone_pipeline::{PhotoInput, judge};
use touchstone_types::{
    CatalogRecord, Decision, Evidence, Listing, PhotoFeatures, PhotoMatch, PhotoSearch, Reason,
    ReferenceImage, Verdict,
};

use crate::support::{catalog, context, root};

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(root().join("fixtures/images").join(name)).unwrap()
}

fn seen(name: &str) -> PhotoInput {
    Ok(photo(&bytes(name), &DecodeLimits::default()).unwrap())
}

fn image(name: &str) -> ReferenceImage {
    ReferenceImage { url: None, features: Some(features(&bytes(name), &DecodeLimits::default()).unwrap()) }
}

fn records() -> Vec<CatalogRecord> {
    catalog().records().cloned().collect()
}

/// The same records, all photos with nothing but their hash.
fn by_hash_alone(mut records: Vec<CatalogRecord>) -> Vec<CatalogRecord> {
    for image in records.iter_mut().flat_map(CatalogRecord::images_mut) {
        image.features = image.features.take().map(|f| PhotoFeatures { detail: None, ..f });
    }
    records
}

fn record(json: &str, name: &str) -> CatalogRecord {
    let mut record = CatalogRecord::from_json(json.as_bytes()).unwrap();
    match &mut record {
        CatalogRecord::Product(product) => product.images.push(image(name)),
        CatalogRecord::Benign(benign) => benign.images.push(image(name)),
        _ => panic!("{json}"),
    }
    record
}

/// A new seller's offer with this title and price, if any, that shows this picture.
fn offer(title: &str, price: Option<(&str, &str)>, picture: &str, records: Vec<CatalogRecord>) -> Verdict {
    let price = price.map_or_else(String::new, |(amount, currency)| {
        format!(r#","price":{{"amount":"{amount}","currency":"{currency}"}}"#)
    });
    let json = format!(
        r#"{{"listing_id":"EX","title":"{title}"{price},"images":[{{"url":"x"}}],"seller":{{"seller_id":"S-0"}}}}"#
    );
    let listing = Listing::from_json(json.as_bytes()).unwrap();
    judge(&listing, &[seen(picture)], &context(records)).verdict
}

fn photo_matches(verdict: &Verdict) -> Vec<&PhotoMatch> {
    let found = verdict.evidence.iter().filter_map(|evidence| match evidence {
        Evidence::PhotoMatch(found) => Some(found),
        _ => None,
    });
    found.collect()
}

#[test]
fn an_altered_copy_at_a_low_price_is_row_4_and_at_a_plausible_one_row_6() {
    for (price, row) in [(Some(("30", "EUR")), 4), (Some(("140", "EUR")), 6), (None, 6)] {
        let verdict = offer("Perfume 100 ml", price, "seller-au-nuit-crop.jpg", records());
        assert_eq!(verdict.row, Some(row), "{price:?} {:?}", verdict.reasons);
        assert_eq!(verdict.photo_search, Some(PhotoSearch::All));
        assert_eq!(verdict.product_id.as_ref().unwrap().as_str(), "AU-NC-100");
        assert_eq!(photo_matches(&verdict)[0].transform.to_string(), "crop");
        assert_eq!(verdict.decision == Decision::Review, row == 4);
    }
}

#[test]
fn an_altered_photo_of_a_known_fake_is_row_1() {
    let verdict = offer("Ink black", None, "seller-fake-lm-20-framed.jpg", records());
    assert_eq!((verdict.decision, verdict.row), (Decision::Review, Some(1)));
}

#[test]
fn a_catalog_of_hashes_says_so_and_finds_whole_pictures_alone() {
    let hashes = || by_hash_alone(records());
    let verdict = offer("Perfume 100 ml", Some(("30", "EUR")), "seller-au-nuit-crop.jpg", hashes());
    assert_eq!((verdict.decision, verdict.row), (Decision::Clear, Some(9)));
    assert_eq!(verdict.photo_search, Some(PhotoSearch::Hash));
    let verdict = offer("Perfume 100 ml", Some(("30", "EUR")), "seller-au-nuit.jpg", hashes());
    assert_eq!((verdict.decision, verdict.row), (Decision::Review, Some(4)));
    assert_eq!(photo_matches(&verdict)[0].score, None);
}

#[test]
fn a_harmless_picture_silences_its_altered_copies_however_many_products_show_it() {
    let harmless = record(r#"{"kind":"benign","id":"stock"}"#, "genuine-au-nuit.jpg");
    let product = |n: u32| {
        let json = format!(
            r#"{{"kind":"product","brand_id":"aurelline","product_id":"X{n}","title":"Scent {n}","list_price":{{"amount":"99","currency":"EUR"}}}}"#
        );
        record(&json, "genuine-au-nuit.jpg")
    };
    let without: Vec<_> = records().into_iter().chain((0..30).map(product)).collect();
    let with: Vec<_> = without.iter().cloned().chain([harmless]).collect();
    let decide = |records| offer("Perfume", Some(("9", "EUR")), "seller-au-nuit-crop.jpg", records);
    assert_eq!(decide(without).row, Some(4));
    let silenced = decide(with);
    assert_eq!((silenced.decision, silenced.row), (Decision::Clear, Some(9)), "{:?}", silenced.reasons);
    assert!(silenced.reasons.contains(&Reason::PhotoIsBenign));
}

/// Two brands send nearly the same picture, the second a copy of lesser quality.
#[test]
fn a_picture_of_two_brands_counts_for_the_one_it_matches_best_unless_the_other_is_named() {
    let brand = |id: &str| {
        CatalogRecord::from_json(
            format!(r#"{{"kind":"brand","brand_id":"{id}","name":"Quorim{id}"}}"#).as_bytes(),
        )
        .unwrap()
    };
    let product = |brand: &str, name: &str| {
        let json =
            format!(r#"{{"kind":"product","brand_id":"{brand}","product_id":"P-{brand}","title":"Gadget"}}"#);
        record(&json, name)
    };
    let records =
        || vec![brand("a"), brand("b"), product("a", "seller-sv-h7.webp"), product("b", "genuine-sv-h7.jpg")];
    for (title, brands) in
        [("Thing", vec!["a", "b"]), ("Quorima thing", vec!["a"]), ("Quorimb thing", vec!["b"])]
    {
        let verdict = offer(title, None, "seller-sv-h7-crop-mirror.jpg", records());
        let matches = photo_matches(&verdict);
        assert_eq!(matches.len(), 2, "both are evidence");
        let twins: Vec<_> = matches.iter().filter(|m| m.near_duplicate_of.is_some()).collect();
        assert_eq!(twins.len(), 1);
        let brand = verdict.brand_id.as_ref().unwrap().as_str();
        assert!(brands.contains(&brand), "{title}: {brand}");
        assert_eq!(verdict.product_id.as_ref().unwrap().as_str(), format!("P-{brand}"));
        assert!(verdict.reasons.contains(&Reason::PhotoOfGenuineProduct), "{title}");
        if brands.len() == 2 {
            let best = matches.iter().find(|m| m.near_duplicate_of.is_none()).unwrap();
            assert!(best.reference.to_string().starts_with(&format!("product/{brand}/")));
        }
    }
}

/// The same picture is in both catalogs, at the first brand for ten times the price.
#[test]
fn a_picture_of_two_brands_is_nothing_against_the_offer_of_the_one_that_is_named() {
    let brand = |id: &str| {
        let json = format!(r#"{{"kind":"brand","brand_id":"{id}","name":"Quorim{id}"}}"#);
        CatalogRecord::from_json(json.as_bytes()).unwrap()
    };
    let product = |brand: &str, amount: u32| {
        let json = format!(
            r#"{{"kind":"product","brand_id":"{brand}","product_id":"P-{brand}","title":"Gadget","list_price":{{"amount":"{amount}","currency":"EUR"}}}}"#
        );
        record(&json, "genuine-sv-h7.jpg")
    };
    let records = || vec![brand("a"), brand("b"), product("a", 900), product("b", 90)];
    let row = |title: &str| {
        offer(title, Some(("88", "EUR")), "seller-sv-h7-crop-mirror.jpg", records()).row.unwrap()
    };
    assert_eq!(row("Thing"), 4, "nobody is named, and the first brand's is far too cheap");
    assert_eq!(row("Quorima thing"), 4);
    assert_eq!(row("Quorimb thing"), 6, "what it costs at the brand that is named is plausible");
}
