//! Real brand names in disguise: recall by disguise, false claims, roles.

use std::collections::BTreeMap;
use std::time::Instant;

use touchstone_text::analyse;
use touchstone_types::{How, Listing};

use crate::data;

#[test]
fn disguised_brands_are_seen() {
    let (Some(catalog), Some(cases)) = (data::read("brands/catalog.jsonl"), data::read("brands/cases.jsonl"))
    else {
        return;
    };
    let index = data::index(&catalog);
    let cases: Vec<(serde_json::Value, Listing)> = cases
        .lines()
        .map(|line| {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let listing = data::titled(case["text"].as_str().unwrap());
            (case, listing)
        })
        .collect();
    let verbose = std::env::var_os("TOUCHSTONE_VERBOSE").is_some();
    let mut recall: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut roles, mut false_claims) = ((0, 0), (0, 0));
    let start = Instant::now();
    for (case, listing) in &cases {
        let found = analyse(&index, listing);
        let Some(brand) = case["brand_id"].as_str() else {
            false_claims.1 += 1;
            false_claims.0 += usize::from(!found.claims.is_empty());
            if verbose && !found.claims.is_empty() {
                eprintln!(
                    "FALSE {:?}: {:?}",
                    listing.title,
                    found.claims.iter().map(|c| (&c.brand_id, &c.observed, c.how)).collect::<Vec<_>>()
                );
            }
            continue;
        };
        let how = case["how"].as_str().unwrap();
        let claims: Vec<_> = found.claims.iter().filter(|c| c.brand_id.as_str() == brand).collect();
        let entry = recall.entry(how.to_owned()).or_default();
        entry.0 += usize::from(!claims.is_empty());
        entry.1 += 1;
        if verbose && claims.is_empty() {
            eprintln!(
                "MISS {how} {:?} is {brand}: {:?}",
                listing.title,
                found.claims.iter().map(|c| (&c.brand_id, &c.observed, c.how)).collect::<Vec<_>>()
            );
        }
        if !claims.is_empty() && case["role"].is_string() {
            roles.1 += 1;
            let right = claims.iter().any(|c| Some(c.role.as_str()) == case["role"].as_str());
            roles.0 += usize::from(right);
            if verbose && !right {
                eprintln!("ROLE {:?} {:?}: {:?}", listing.title, case["role"], claims[0].role);
            }
        }
    }
    let per_second = cases.len() as f64 / start.elapsed().as_secs_f64();
    let rate = |(right, of): (usize, usize)| right as f64 / of.max(1) as f64;
    for (how, least) in [
        ("exact", 0.995),
        ("hidden", 0.985),
        ("styled", 0.985),
        ("confusable", 0.985),
        ("leet", 0.98),
        ("spaced", 0.96),
        ("typo", 0.94),
        ("masked", 0.95),
    ] {
        assert!(rate(recall[how]) >= least, "recall.{how} {:?}", recall[how]);
    }
    assert!(rate(roles) >= 0.95 && rate(false_claims) <= 0.02, "{roles:?} {false_claims:?}");
    for (how, counts) in &recall {
        eprintln!("brands: recall.{how} {:.3} of {}", rate(*counts), counts.1);
    }
    eprintln!(
        "brands: role_accuracy {:.3}, false_claim_rate {:.3} {false_claims:?}, {per_second:.0} texts/s",
        rate(roles),
        rate(false_claims)
    );
}

#[test]
fn a_large_catalog_is_read_fast() {
    let (Some(brands), Some(fashion), Some(ink), Some(queries)) = (
        data::read("brands/catalog.jsonl"),
        data::read("search/fashion/catalog.jsonl"),
        data::read("listings/ink-cartridges/listings.jsonl"),
        data::read("search/fashion/queries.jsonl"),
    ) else {
        return;
    };
    let start = Instant::now();
    let index = data::index(&format!("{}\n{}", brands.trim_end(), fashion.trim_end()));
    eprintln!("large catalog: built (with parsing) in {:.2} s", start.elapsed().as_secs_f64());
    let ink: Vec<Listing> = ink.lines().map(|line| Listing::from_json(line.as_bytes()).unwrap()).collect();
    let queries: Vec<serde_json::Value> = queries.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let titled: Vec<Listing> = queries.iter().map(|q| data::titled(q["title"].as_str().unwrap())).collect();
    for (name, listings) in [("real listings with descriptions", &ink), ("titles", &titled)] {
        let start = Instant::now();
        for listing in listings {
            std::hint::black_box(analyse(&index, listing));
        }
        eprintln!(
            "large catalog: {name}: {:.0} listings/s",
            listings.len() as f64 / start.elapsed().as_secs_f64()
        );
    }
    let start = Instant::now();
    let mut at = [0; 3];
    for query in &queries {
        let found = touchstone_text::lookup(&index, query["title"].as_str().unwrap(), 50);
        let place = found.iter().position(|c| Some(c.product_id.as_str()) == query["product_id"].as_str());
        for (k, n) in [1, 10, 50].iter().zip(&mut at) {
            *n += usize::from(place.is_some_and(|p| p < *k));
        }
    }
    let n = queries.len() as f64;
    eprintln!(
        "large catalog: lookup {:.3} ms a query, recall at 1, 10, 50: {:.3} {:.3} {:.3}",
        start.elapsed().as_secs_f64() * 1000.0 / n,
        at[0] as f64 / n,
        at[1] as f64 / n,
        at[2] as f64 / n
    );
}

/// Titles and descriptions of real offers of one trade, read with the brands of another: what is claimed is an accident.
#[test]
fn ordinary_text_imitates_nobody() {
    let (Some(brands), Some(ink), Some(weak)) = (
        data::read("brands/catalog.jsonl"),
        data::read("listings/ink-cartridges/listings.jsonl"),
        data::read("listings/mercadolivre-weak/listings.jsonl"),
    ) else {
        return;
    };
    let index = data::index(&brands);
    let mut accidents: BTreeMap<(String, String, How), usize> = BTreeMap::new();
    let (mut n, mut imitating) = (0, 0);
    for line in ink.lines().chain(weak.lines()) {
        let found = analyse(&index, &Listing::from_json(line.as_bytes()).unwrap());
        n += 1;
        imitating += usize::from(found.claims.iter().any(|c| c.how.is_look_alike()));
        for claim in found.claims {
            *accidents.entry((claim.field.to_string(), claim.observed, claim.how)).or_default() += 1;
        }
    }
    if std::env::var_os("TOUCHSTONE_VERBOSE").is_some() {
        eprintln!("accidents: {accidents:?}");
    }
    eprintln!("brands: {imitating} of {n} ordinary listings seem to imitate a brand");
}

/// Every name of a long list finds itself and no other.
#[test]
fn names_of_a_marketplace_do_not_flag_each_other() {
    let Some(names) = data::read("brands/ebay_uk_brands.txt") else { return };
    let names: Vec<&str> = names.lines().map(str::trim).filter(|n| !n.is_empty()).collect();
    let catalog: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            serde_json::json!({"kind": "brand", "brand_id": format!("b{i}"), "name": name}).to_string()
        })
        .collect();
    let start = Instant::now();
    let index = data::index(&catalog.join("\n"));
    eprintln!("brands: {} names compiled in {:.2} s", names.len(), start.elapsed().as_secs_f64());
    let fold =
        |text: &str| -> String { text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let (mut itself, mut others) = (0_u32, 0_u32);
    let verbose = std::env::var_os("TOUCHSTONE_VERBOSE").is_some();
    let start = Instant::now();
    for (i, name) in names.iter().enumerate() {
        let found = analyse(&index, &data::titled(name));
        let own = format!("b{i}");
        let id = |c: &touchstone_types::BrandClaim| c.brand_id.as_str()[1..].parse::<usize>().unwrap();
        let me = found.claims.iter().find(|c| c.brand_id.as_str() == own || fold(names[id(c)]) == fold(name));
        itself += u32::from(me.is_some());
        let other = found
            .claims
            .iter()
            .find(|c| fold(names[id(c)]) != fold(name) && me.is_none_or(|me| !me.span.overlaps(c.span)));
        others += u32::from(other.is_some());
        if verbose && (me.is_none() || other.is_some()) {
            eprintln!(
                "NAME {name:?}: {:?}",
                found.claims.iter().map(|c| (names[id(c)], &c.observed, c.how)).collect::<Vec<_>>()
            );
        }
    }
    let n = names.len() as f64;
    eprintln!(
        "brands: of {n} names {:.4} find themselves, {:.4} another; {:.0} texts/s",
        f64::from(itself) / n,
        f64::from(others) / n,
        n / start.elapsed().as_secs_f64()
    );
}
