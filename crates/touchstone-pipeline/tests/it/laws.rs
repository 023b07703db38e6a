//! What holds for every catalog and every listing: order and threads decide nothing, and broken input breaks nothing.

use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use touchstone_image_hash::DecodeLimits;
use touchstone_pipeline::{Context, judge};
use touchstone_types::{
    CatalogRecord, Completeness, Decision, Evidence, Listing, ListingStatus, PhotoFailure, Verdict,
};

use crate::support::{catalog, context, listings, root};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..Config::default()
    })
}

fn verdicts(context: &Context) -> Vec<String> {
    listings().iter().map(|(listing, photos)| judge(listing, photos, context).verdict.to_json()).collect()
}

#[test]
fn the_order_of_catalog_and_listings_decides_nothing() {
    let records: Vec<CatalogRecord> = catalog().records().cloned().collect();
    let expected = verdicts(&context(records.clone()));
    let cases = listings();
    runner(8)
        .run(
            &(Just(records).prop_shuffle(), Just((0..cases.len()).collect::<Vec<_>>()).prop_shuffle()),
            |(records, order)| {
                let context = context(records);
                for idx in order {
                    let (listing, photos) = &cases[idx];
                    prop_assert_eq!(&judge(listing, photos, &context).verdict.to_json(), &expected[idx]);
                }
                Ok(())
            },
        )
        .unwrap();
}

#[test]
fn two_threads_say_what_one_says() {
    let context = context(catalog().records().cloned());
    let expected = verdicts(&context);
    thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| verdicts(&context))).collect();
        for run in runs {
            assert_eq!(run.join().unwrap(), expected);
        }
    });
}

#[test]
fn every_verdict_has_reasons_ordered_evidence_and_reads_back() {
    let context = context(catalog().records().cloned());
    for (listing, photos) in listings() {
        let judgement = judge(&listing, &photos, &context);
        let verdict = &judgement.verdict;
        assert!(!verdict.reasons.is_empty(), "{}", verdict.listing_id);
        assert!(verdict.reasons.windows(2).all(|pair| pair[0].weight() > pair[1].weight()));
        assert!(verdict.evidence.is_sorted_by(|a, b| a.order(b).is_le()), "{}", verdict.listing_id);
        assert_eq!(&Verdict::from_json(verdict.to_json().as_bytes()).unwrap().to_json(), &verdict.to_json());
        assert_eq!(judgement.flag(&listing).is_some(), verdict.decision.is_flag());
        if let Some(flag) = judgement.flag(&listing) {
            assert!(flag.listing().images.iter().all(|image| image.data.is_none()));
        }
    }
}

#[test]
fn spans_hold_the_observed_text() {
    let context = context(catalog().records().cloned());
    for (listing, photos) in listings() {
        for evidence in judge(&listing, &photos, &context).verdict.evidence {
            let Evidence::BrandClaim(claim) = evidence else { continue };
            let field = match claim.field {
                touchstone_types::Field::Title => listing.title.clone(),
                touchstone_types::Field::Description => listing.description.clone().unwrap(),
                touchstone_types::Field::Brand => listing.brand.clone().unwrap(),
                _ => continue,
            };
            let n = (claim.span.end() - claim.span.start()) as usize;
            let found: String = field.chars().skip(claim.span.start() as usize).take(n).collect();
            assert_eq!(found, claim.observed, "{}", listing.listing_id);
        }
    }
}

#[test]
fn a_removed_listing_is_clear_and_no_stage_runs() {
    let context = context(catalog().records().cloned());
    for (mut listing, photos) in listings() {
        listing.status = ListingStatus::Removed;
        let judgement = judge(&listing, &photos, &context);
        assert_eq!(judgement.verdict.decision, Decision::Clear);
        assert_eq!((judgement.verdict.evidence.len(), judgement.kept.len()), (0, 0));
    }
}

#[test]
fn a_photo_that_could_not_be_seen_is_never_a_clear_verdict_where_the_catalog_has_photos() {
    let context = context(catalog().records().cloned());
    for (listing, photos) in
        listings().into_iter().filter(|(l, p)| l.status == ListingStatus::Active && !p.is_empty())
    {
        let blind = vec![Err(PhotoFailure::Timeout); photos.len()];
        let verdict = judge(&listing, &blind, &context).verdict;
        assert_ne!(verdict.decision, Decision::Clear, "{}", listing.listing_id);
        assert_ne!(verdict.decision, Decision::Takedown);
        assert_eq!(verdict.completeness, Completeness::Partial);
        assert_eq!(verdict.missing.len(), photos.len());
    }
}

#[test]
fn hostile_text_is_judged_without_a_panic() {
    let context = context(catalog().records().cloned());
    let text = prop_oneof![
        "\\PC{0,200}",
        "[a-z0-9 Lumoraéо\u{200b}\u{202e}⭐*.@$-]{0,120}",
        Just("a".repeat(100_000)),
        Just("\u{200b}".repeat(10_000)),
        Just("Lumora ".repeat(5_000)),
    ];
    runner(200)
        .run(&(text.clone(), text, any::<bool>()), |(title, description, removed)| {
            let json = r#"{"listing_id":"EX","title":"x","seller":{"seller_id":"S"}}"#;
            let mut listing = Listing::from_json(json.as_bytes()).unwrap();
            listing.title = title;
            listing.description = Some(description);
            if removed {
                listing.brand = Some("Lumora".into());
            }
            let verdict = judge(&listing, &[], &context).verdict;
            prop_assert!(!verdict.reasons.is_empty());
            Ok(())
        })
        .unwrap();
}

/// Two brands with photos; one lists the seller, the other does not.
#[test]
fn a_missing_photo_matters_if_it_could_show_another_brand() {
    let hash = "0f".repeat(32);
    let records = ["a", "b"].map(|brand| {
        let seller = if brand == "a" { "S-1" } else { "S-2" };
        [
            format!(r#"{{"kind":"brand","brand_id":"{brand}","name":"Brand{brand}","authorised_sellers":[{{"seller_id":"{seller}"}}]}}"#),
            format!(r#"{{"kind":"product","brand_id":"{brand}","product_id":"P","title":"Thing","images":[{{"features":{{"version":1,"pdq":"{hash}","quality":90}}}}]}}"#),
        ]
    });
    let records: Vec<CatalogRecord> =
        records.iter().flatten().map(|json| CatalogRecord::from_json(json.as_bytes()).unwrap()).collect();
    let decide = |records: &[CatalogRecord], condition: &str| {
        let json = format!(
            r#"{{"listing_id":"EX","title":"Branda thing","condition":"{condition}","images":[{{"url":"x"}}],"seller":{{"seller_id":"S-1"}}}}"#
        );
        let listing = Listing::from_json(json.as_bytes()).unwrap();
        judge(&listing, &[Err(PhotoFailure::Timeout)], &context(records.iter().cloned())).verdict.decision
    };
    assert_eq!(decide(&records, "new"), Decision::Abstain);
    assert_eq!(decide(&records, "used"), Decision::Clear, "without a price no photo could flag a used piece");
    assert_eq!(decide(&records[..2], "new"), Decision::Clear, "the only brand with photos lists the seller");
}

#[test]
fn one_photo_of_many_products_names_only_the_nearest() {
    let bytes = std::fs::read(root().join("fixtures/images/genuine-ov-siena.jpg")).unwrap();
    let photo = touchstone_image_hash::photo(&bytes, &DecodeLimits::default()).unwrap();
    let pdq = photo.features.pdq;
    let record = |id: u32| {
        let image = format!(r#"{{"features":{{"version":1,"pdq":"{pdq}","quality":90}}}}"#);
        let json = format!(
            r#"{{"kind":"product","brand_id":"a","product_id":"P{id:04}","title":"Thing","images":[{image}]}}"#
        );
        CatalogRecord::from_json(json.as_bytes()).unwrap()
    };
    let brand = CatalogRecord::from_json(br#"{"kind":"brand","brand_id":"a","name":"Branda"}"#).unwrap();
    let context = context(std::iter::once(brand).chain((0..500).map(record)));
    let json = br#"{"listing_id":"EX","title":"Thing","images":[{"url":"x"}],"seller":{"seller_id":"S-1"}}"#;
    let verdict = judge(&Listing::from_json(json).unwrap(), &[Ok(photo)], &context).verdict;
    let n = verdict.evidence.iter().filter(|e| matches!(e, Evidence::PhotoMatch(_))).count();
    assert_eq!(n, touchstone_catalog::MAX_PHOTO_MATCHES);
}

#[test]
fn priority_counts_the_list_price_even_where_the_offer_has_no_price() {
    let context = context(catalog().records().cloned());
    let priority = |price: &str| {
        let json = format!(
            r#"{{"listing_id":"EX","title":"Cartucho Lumora 20 Preto primeira linha"{price},"seller":{{"seller_id":"S-1"}},"signals":{{"sold_count":999}}}}"#
        );
        let verdict = judge(&Listing::from_json(json.as_bytes()).unwrap(), &[], &context).verdict;
        (verdict.priority, (verdict.probability.unwrap().get() * 1000.0 * 64.0).round() as u64)
    };
    let (found, expected) = priority("");
    assert_eq!(found, expected);
    let (found, expected) = priority(r#","price":{"amount":"60","currency":"BRL"}"#);
    assert_eq!(found, expected);
}

#[test]
fn returns_and_takedowns_are_grounds_beside_the_price() {
    let context = context(catalog().records().cloned());
    let json = br#"{"listing_id":"EX","title":"Bolsa Orvalto Siena couro","seller":{"seller_id":"S-1","prior_takedowns":9},
        "signals":{"return_count":60,"fake_return_count":60,"rating_counts":[50,1,1,1,50]}}"#;
    let verdict = judge(&Listing::from_json(json).unwrap(), &[], &context).verdict;
    assert_eq!((verdict.decision, verdict.row), (Decision::Review, Some(7)), "{:?}", verdict.reasons);
}
