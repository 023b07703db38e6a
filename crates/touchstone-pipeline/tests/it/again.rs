//! A flagged listing judged again from what the state keeps of it, and what its verdict stands on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use touchstone_image_hash::{DecodeLimits, photo};
use touchstone_pipeline::{Context, Judgement, PhotoInput, foundations, judge, judge_again};
use touchstone_types::{
    CatalogKey, CatalogRecord, Decision, Evidence, Flag, KeptPhoto, Listing, Missing, PhotoFailure,
    PhotoFeatures, Probability, Reason, ReferenceImage, Verdict,
};

use crate::support::{catalog, context, listings, root};

static RECORDS: LazyLock<Vec<CatalogRecord>> = LazyLock::new(|| catalog().records().cloned().collect());
static CONTEXT: LazyLock<Context> = LazyLock::new(|| context(RECORDS.clone()));

const BENIGN: &str = r#"{"kind":"benign","id":"known-harmless"}"#;

fn record(json: &str, photos: impl IntoIterator<Item = PhotoFeatures>) -> CatalogRecord {
    let mut record = CatalogRecord::from_json(json.as_bytes()).unwrap();
    let images = match &mut record {
        CatalogRecord::Benign(benign) => &mut benign.images,
        CatalogRecord::Product(product) => &mut product.images,
        _ => panic!("{json}"),
    };
    images.extend(photos.into_iter().map(|f| ReferenceImage { url: None, features: Some(f) }));
    record
}

fn with(records: impl IntoIterator<Item = CatalogRecord>) -> Context {
    context(RECORDS.iter().cloned().chain(records))
}

fn without(key: &CatalogKey) -> Context {
    context(RECORDS.iter().filter(|record| record.key() != *key).cloned())
}

/// The flag of a judgement and what is kept of its photos, as they are read from the state; `None` where it is no flag.
fn kept(judgement: &Judgement, listing: &Listing) -> Option<(Flag, Vec<KeptPhoto>)> {
    let flag = Flag::from_json(judgement.flag(listing)?.to_json().as_bytes()).unwrap();
    let photos = judgement.kept.iter().map(|p| KeptPhoto::from_json(p.to_json().as_bytes()).unwrap());
    Some((flag, photos.collect()))
}

/// Each flagged listing of the fixtures, with its photos.
fn flagged() -> Vec<(Listing, Vec<PhotoInput>, Judgement)> {
    let judged = listings().into_iter().map(|(listing, photos)| {
        let judgement = judge(&listing, &photos, &CONTEXT);
        (listing, photos, judgement)
    });
    judged.filter(|(.., judgement)| judgement.verdict.decision.is_flag()).collect()
}

fn again(listing: &Listing, judgement: &Judgement, context: &Context) -> Judgement {
    let (flag, photos) = kept(judgement, listing).unwrap();
    judge_again(&flag, &photos, context)
}

fn shows_photo(verdict: &Verdict) -> bool {
    verdict.evidence.iter().any(|evidence| matches!(evidence, Evidence::PhotoMatch(_)))
}

/// But for the digest of the catalog.
fn same_but_for_catalog(mut found: Verdict, expected: &Verdict) {
    found.versions.catalog.clone_from(&expected.versions.catalog);
    assert_eq!(found.to_json(), expected.to_json());
}

const PICTURES: [&str; 14] = [
    "seller-au-bois-grey.jpg",
    "seller-au-nuit-crop.jpg",
    "seller-fake-lm-20-framed.jpg",
    "seller-fake-vt-mirror.jpg",
    "seller-lm-20c-framed.jpg",
    "seller-lm-20k-small.jpg",
    "seller-placeholder-framed.jpg",
    "seller-sv-h7-crop-mirror.jpg",
    "seller-sv-h7.webp",
    "seller-vt-collage.jpg",
    "seller-vt-corsa1-turned.jpg",
    "own-sv-desk.jpg",
    "placeholder.png",
    "truncated.jpg",
];

static PHOTOS: LazyLock<BTreeMap<&str, PhotoInput>> = LazyLock::new(|| {
    let read = |name: &&'static str| {
        let bytes = std::fs::read(root().join("fixtures/images").join(name)).unwrap();
        (*name, photo(&bytes, &DecodeLimits::default()).map_err(|error| error.failure()))
    };
    PICTURES.iter().map(read).collect()
});

/// A listing that is often flagged, with some of the pictures; some could not be looked at.
fn offer() -> impl Strategy<Value = (Listing, Vec<PhotoInput>)> {
    let title =
        prop::sample::select(vec!["Lumora 20 preto 1:1", "Perfume 100 ml", "Sonavé H7 réplica", "Veltrano"]);
    let seen = (prop::sample::select(&PICTURES[..]), prop::bool::weighted(0.8));
    (title, 1..200_u32, prop::collection::vec(seen, 0..4), prop::bool::ANY).prop_map(
        |(title, amount, seen, is_foreign)| {
            let images = vec![r#"{"url":"https://a.example/x"}"#; seen.len()].join(",");
            let currency = if is_foreign { "EUR" } else { "BRL" };
            let json = format!(
                r#"{{"listing_id":"EX-1001","title":"{title}","price":{{"amount":"{amount}","currency":"{currency}"}},"images":[{images}],"seller":{{"seller_id":"S-1","prior_takedowns":9}}}}"#
            );
            let photo = |(name, is_seen): &(&str, bool)| match is_seen {
                true => PHOTOS[name].clone(),
                false => Err(PhotoFailure::Timeout),
            };
            (Listing::from_json(json.as_bytes()).unwrap(), seen.iter().map(photo).collect())
        },
    )
}

static BARE: LazyLock<Context> = LazyLock::new(|| {
    let mut records = RECORDS.clone();
    for image in records.iter_mut().flat_map(CatalogRecord::images_mut) {
        image.features = image.features.take().map(|f| PhotoFeatures { detail: None, ..f });
    }
    context(records)
});

static MORE: LazyLock<Context> = LazyLock::new(|| {
    let own = |name: &str| PHOTOS[name].clone().unwrap().features;
    with([record(BENIGN, [PhotoFeatures { pdq: own("own-sv-desk.jpg").pdq, ..unlike() }])])
});

/// Features that no photo here is near.
fn unlike() -> PhotoFeatures {
    let bytes = std::fs::read(root().join("fixtures/images/own-ov-cafe.jpg")).unwrap();
    photo(&bytes, &DecodeLimits::default()).unwrap().features
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, rng_seed: RngSeed::Fixed(37), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn offers_are_judged_again_as_they_were((listing, photos) in offer(), is_bare: bool) {
        let context = if is_bare { &BARE } else { &CONTEXT };
        let judgement = judge(&listing, &photos, context);
        if let Some((flag, kept)) = kept(&judgement, &listing) {
            let found = judge_again(&flag, &kept, context);
            prop_assert_eq!(found.verdict.to_json(), judgement.verdict.to_json());
            prop_assert_eq!((found.kept, found.features), (judgement.kept, judgement.features));
        }
    }

    /// Here the matches are sought again.
    #[test]
    fn what_has_nothing_to_do_with_an_offer_changes_nothing_of_its_flag((listing, photos) in offer()) {
        let judgement = judge(&listing, &photos, &CONTEXT);
        if let Some((flag, kept)) = kept(&judgement, &listing) {
            same_but_for_catalog(judge_again(&flag, &kept, &MORE).verdict, &judgement.verdict);
        }
    }
}

#[test]
fn flags_of_the_fixtures_are_judged_again_as_they_were() {
    let flagged = flagged();
    assert!(flagged.len() > 20 && flagged.iter().filter(|(.., j)| shows_photo(&j.verdict)).count() > 10);
    let unrelated =
        with([CatalogRecord::from_json(br#"{"kind":"brand","brand_id":"qu","name":"Quorimex"}"#).unwrap()]);
    for (listing, _, judgement) in &flagged {
        let found = again(listing, judgement, &CONTEXT);
        assert_eq!(found.verdict.to_json(), judgement.verdict.to_json());
        assert_eq!(found.kept, judgement.kept);
        assert_eq!(found.features, judgement.features);
        same_but_for_catalog(again(listing, judgement, &unrelated).verdict, &judgement.verdict);
    }
}

#[test]
fn without_its_brand_a_flag_is_what_the_listing_is_without_it() {
    for (listing, photos, judgement) in flagged() {
        let brand = CatalogKey::Brand(judgement.verdict.brand_id.clone().unwrap());
        let context = without(&brand);
        let found = again(&listing, &judgement, &context).verdict;
        assert_eq!(found.to_json(), judge(&listing, &photos, &context).verdict.to_json());
        // A known fake is one whether or not its brand still takes part.
        let named = foundations(&found);
        assert!(found.row == Some(1) || named.iter().all(|key| context.snapshot().is_live(key)), "{named:?}");
        if !shows_photo(&found) && found.missing.is_empty() {
            let unseen = Listing { images: Vec::new(), ..listing };
            assert_eq!(found.decision, judge(&unseen, &[], &context).verdict.decision);
        }
    }
}

#[test]
fn a_picture_that_is_known_to_be_harmless_now_counts_no_longer() {
    let mut n_checked = 0;
    for (listing, photos, judgement) in flagged().into_iter().filter(|(.., j)| shows_photo(&j.verdict)) {
        let harmless = photos.iter().flatten().map(|photo| photo.features.clone());
        let context = with([record(BENIGN, harmless)]);
        let found = again(&listing, &judgement, &context).verdict;
        let expected = judge(&listing, &photos, &context).verdict;
        assert_eq!((found.decision, found.row), (expected.decision, expected.row), "{}", listing.listing_id);
        assert_eq!(
            (&found.reasons, found.probability.map(Probability::get)),
            (&expected.reasons, expected.probability.map(Probability::get))
        );
        let by_photo = [Reason::PhotoOfGenuineProduct, Reason::PhotoOfKnownFake];
        assert!(!by_photo.iter().any(|reason| found.reasons.contains(reason)), "{:?}", found.reasons);
        n_checked += 1;
    }
    assert!(n_checked > 10);
}

/// Photos that were late, that nothing is known of, and that lie beyond the policy's number.
#[test]
fn photos_of_which_nothing_was_kept_are_missing_for_the_cause_that_they_were() {
    let json = br#"{"listing_id":"EX-1001","title":"Lumora 20 preto 1:1","images":[{"url":"a"},{"url":"b"},{"url":"c"}],"seller":{"seller_id":"S-1"}}"#;
    let listing = Listing::from_json(json).unwrap();
    let photos = [Err(PhotoFailure::Timeout), PHOTOS["seller-sv-h7.webp"].clone(), Err(PhotoFailure::Status)];
    let judgement = judge(&listing, &photos, &CONTEXT);
    assert_eq!(judgement.verdict.decision, Decision::Review);
    let (flag, kept) = kept(&judgement, &listing).unwrap();
    let missing = |kept: &[KeptPhoto]| judge_again(&flag, kept, &MORE).verdict.missing;
    let image = Missing::Image;
    let late = [image(0, PhotoFailure::Timeout), image(2, PhotoFailure::Status)];
    assert_eq!(missing(&kept), late);
    assert_eq!(missing(&[]), [late[0], image(1, PhotoFailure::NotFetched), late[1]]);
}

#[test]
fn foundations_are_all_records_that_the_evidence_names() {
    let json = br#"{"listing_id":"EX-1001","title":"Cartucho Lumora 20 Preto 1:1","images":[{"url":"a"},{"url":"b"}],"seller":{"seller_id":"S-1"}}"#;
    let listing = Listing::from_json(json).unwrap();
    let photos = ["seller-fake-lm-20-framed.jpg", "placeholder.png"].map(|name| PHOTOS[name].clone());
    let verdict = judge(&listing, &photos, &CONTEXT).verdict;
    let keys: Vec<String> = foundations(&verdict).iter().map(ToString::to_string).collect();
    assert_eq!(
        keys,
        [
            "brand/lumora",
            "product/lumora/LM-20K",
            "product/lumora/LM-45Y",
            "fake/lumora/F-2025-03",
            "benign/no-photo-yet"
        ]
    );
    let bare = Verdict { evidence: Vec::new(), ..verdict };
    assert_eq!(foundations(&bare).len(), 1, "the brand that it is about");
    assert_eq!(foundations(&Verdict { brand_id: None, ..bare }), []);
}
