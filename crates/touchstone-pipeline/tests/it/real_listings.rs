//! Real listings, read by a person line by line: the golden file holds row numbers and codes alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use touchstone_catalog::Feed;
use touchstone_pipeline::judge;
use touchstone_types::{
    AuthorisedSeller, CatalogRecord, Decision, Evidence, Ground, Listing, Money, ProductRecord, Reason,
    Verdict,
};

use crate::support::{context, root};

/// What a person says of one listing.
struct Golden {
    pack_size: u32,
    /// Catalog rows with counts; the alternatives where nobody can tell.
    products: Vec<(usize, u32)>,
    role: String,
    state: String,
    sure: bool,
}

struct Data {
    verdicts: Vec<(Listing, Verdict)>,
    golden: Vec<Golden>,
    records: Vec<CatalogRecord>,
}

fn data() -> Option<Data> {
    let data =
        std::env::var_os("TOUCHSTONE_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folder = data.join("listings/ink-cartridges");
    let Ok(catalog) = fs::read(folder.join("catalog.jsonl")) else {
        eprintln!("SKIPPED: {} is not there, so the real listings were not judged", folder.display());
        return None;
    };
    let mut feed = Feed::default();
    feed.read("catalog.jsonl", &catalog);
    let lines: Vec<&[u8]> = catalog.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
    let records = lines.iter().map(|line| CatalogRecord::from_json(line).unwrap()).collect();
    let context = context(feed.catalog.records().cloned());
    let listings = fs::read_to_string(folder.join("listings.jsonl")).unwrap();
    let verdicts = listings.lines().map(|line| {
        let listing = Listing::from_json(line.as_bytes()).unwrap();
        let verdict = judge(&listing, &[], &context).verdict;
        (listing, verdict)
    });
    Some(Data { verdicts: verdicts.collect(), golden: golden(), records })
}

fn golden() -> Vec<Golden> {
    let text = fs::read_to_string(root().join("fixtures/golden/ink-cartridges.tsv")).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#')).skip(1).enumerate();
    rows.map(|(idx, line)| {
        let cells: Vec<&str> = line.split('\t').collect();
        assert_eq!(cells[0], idx.to_string());
        let unit = |text: &str| match text.split_once('x') {
            Some((row, count)) => (row.parse().unwrap(), count.parse().unwrap()),
            None => (text.parse().unwrap(), 1),
        };
        let products = cells[2].split(['|', ',']).filter(|text| !text.is_empty()).map(unit).collect();
        Golden {
            pack_size: cells[1].parse().unwrap(),
            products,
            role: cells[3].to_owned(),
            state: cells[4].to_owned(),
            sure: cells[5] == "y",
        }
    })
    .collect()
}

#[test]
fn every_real_listing_gets_a_verdict_with_reasons_and_none_is_flagged_on_price_alone() {
    let Some(data) = data() else { return };
    assert_eq!(data.verdicts.len(), data.golden.len());
    let mut counts: BTreeMap<(Decision, Reason), u32> = BTreeMap::new();
    for (idx, (_, verdict)) in data.verdicts.iter().enumerate() {
        assert!(!verdict.reasons.is_empty(), "row {idx}");
        let has_ground =
            verdict.reasons.iter().any(|r| matches!(r.ground(), Ground::Text | Ground::Image | Ground::Fact));
        assert!(!verdict.decision.is_flag() || has_ground, "row {idx}: {:?}", verdict.reasons);
        for reason in &verdict.reasons {
            *counts.entry((verdict.decision, *reason)).or_default() += 1;
        }
    }
    eprintln!("{counts:#?}");
}

/// Rows 6 to 9 of the decision table are clear for a seller whom the brand lists; a look-alike name (row 3) is still looked at.
#[test]
fn a_store_that_the_brand_lists_is_clear() {
    let Some(data) = data() else { return };
    let mut records = data.records.clone();
    for record in &mut records {
        let CatalogRecord::Brand(brand) = record else { continue };
        brand.authorised_sellers.extend(data.verdicts.iter().map(|(listing, _)| AuthorisedSeller {
            seller_id: listing.seller.seller_id.clone(),
            marketplace: None,
            territories: Vec::new(),
            from: None,
            to: None,
        }));
    }
    let context = context(records);
    let mut n_sold = 0;
    for (idx, (listing, before)) in data.verdicts.iter().enumerate() {
        let after = judge(listing, &[], &context).verdict;
        let expected = if after.row == Some(3) { Decision::Review } else { Decision::Clear };
        assert_eq!(after.decision, expected, "row {idx}: {:?}, was {:?}", after.reasons, before.reasons);
        if after.reasons.contains(&Reason::SoldAsBrand) {
            n_sold += 1;
            assert!(after.reasons.contains(&Reason::SellerAuthorised), "row {idx}: {:?}", after.reasons);
        }
    }
    assert!(n_sold > 150, "{n_sold} are sold as the brand's");
}

#[test]
fn what_is_compatible_remanufactured_or_empty_is_not_called_a_fake() {
    let Some(data) = data() else { return };
    let mut compatible = 0;
    for (idx, ((_, verdict), golden)) in data.verdicts.iter().zip(&data.golden).enumerate() {
        if golden.role != "sold_as" || matches!(golden.state.as_str(), "empty" | "remanufactured" | "used") {
            assert_eq!(verdict.decision, Decision::Clear, "row {idx}: {:?}", verdict.reasons);
        }
        if golden.role == "compatible_with" && verdict.reasons.contains(&Reason::CompatibleWithBrand) {
            compatible += 1;
            assert!(
                verdict.reasons.contains(&Reason::RoleContradiction),
                "row {idx}: the form says the brand"
            );
        }
    }
    // One of them misspells the word.
    assert_eq!(compatible, 5);
}

#[test]
fn the_cheapest_three_are_empty_ones_in_a_form_that_says_new() {
    let Some(data) = data() else { return };
    let mut priced: Vec<_> = data.verdicts.iter().filter_map(|(l, v)| Some((l.price?.amount(), v))).collect();
    priced.sort_by_key(|(amount, _)| *amount);
    for (_, verdict) in &priced[..3] {
        assert_eq!(verdict.decision, Decision::Clear);
        assert!(verdict.reasons.contains(&Reason::Empty), "{:?}", verdict.reasons);
        assert!(verdict.reasons.contains(&Reason::ConditionContradiction), "{:?}", verdict.reasons);
    }
}

#[test]
fn unit_prices_are_per_unit_of_the_right_product() {
    let Some(data) = data() else { return };
    let (mut n, mut right, mut wrong) = (0, 0, Vec::new());
    for (idx, ((listing, verdict), golden)) in data.verdicts.iter().zip(&data.golden).enumerate() {
        if !golden.sure || golden.products.is_empty() || listing.price.is_none() {
            continue;
        }
        let found = verdict.evidence.iter().find_map(|e| match e {
            Evidence::UnitPrice(price) => Some((price.pack_size, price.list_price.unwrap())),
            _ => None,
        });
        n += 1;
        if found == Some((golden.pack_size, mean_list_price(&data.records, &golden.products))) {
            right += 1;
        } else {
            wrong.push(idx);
        }
    }
    assert_eq!(wrong, Vec::<usize>::new(), "{right} of {n} sure rows are right");
}

fn mean_list_price(records: &[CatalogRecord], products: &[(usize, u32)]) -> Money {
    let product = |row: usize| -> &ProductRecord {
        match &records[row] {
            CatalogRecord::Product(product) => product,
            _ => panic!("row {row} is no product"),
        }
    };
    let first = product(products[0].0).list_price.unwrap();
    let (mut cents, mut n) = (0.0, 0);
    for (row, count) in products {
        cents += product(*row).list_price.unwrap().amount().to_string().parse::<f64>().unwrap()
            * f64::from(*count);
        n += count;
    }
    let mean = format!("{:.2}", (cents / f64::from(n) * 100.0).round() / 100.0);
    Money::parse(&mean, first.currency().as_str()).unwrap()
}
