//! What is sold: the catalog, completed where it says too little, and its products with their prices.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use touchstone_types::{
    AuthorisedSeller, BrandId, BrandRecord, CatalogRecord, Currency, Money, ProductRecord, SellerId,
};

use super::draw::Draw;
use super::words;

/// How many distributors share out the brands that list nobody.
const N_DISTRIBUTORS: usize = 60;

/// The catalog in the order of its keys, with what a market needs and the records lack: a product without a list price gets
/// one drawn around a level drawn for its category, and four in five brands that list no sellers get one to three.
pub(super) fn completed(catalog: &[CatalogRecord], draw: &mut Draw) -> Vec<CatalogRecord> {
    let by_key: BTreeMap<_, _> = catalog.iter().map(|record| (record.key(), record)).collect();
    let products = by_key.values().filter_map(|record| match record {
        CatalogRecord::Product(product) => Some(product),
        _ => None,
    });
    let categories: BTreeSet<_> = products.map(|product| product.category.clone()).collect();
    let levels: BTreeMap<_, f64> =
        categories.into_iter().map(|category| (category, libm::exp(draw.normal(4.3, 0.8)))).collect();
    let mut records: Vec<CatalogRecord> = by_key.into_values().cloned().collect();
    for record in &mut records {
        match record {
            CatalogRecord::Brand(brand) if brand.authorised_sellers.is_empty() => {
                brand.authorised_sellers = distributors(draw);
            }
            CatalogRecord::Product(product) if product.list_price.is_none() => {
                let drawn = levels[&product.category] * libm::exp(draw.normal(0.0, 0.3));
                product.list_price = price(drawn);
            }
            _ => {}
        }
    }
    records
}

fn distributors(draw: &mut Draw) -> Vec<AuthorisedSeller> {
    if !draw.chance(0.8) {
        return Vec::new();
    }
    let chosen: BTreeSet<usize> = (0..=draw.below(3)).map(|_| draw.below(N_DISTRIBUTORS)).collect();
    let listed = chosen.into_iter().map(|number| AuthorisedSeller {
        seller_id: SellerId::new(format!("D-{number:02}")).expect("short and not empty"),
        marketplace: None,
        territories: if draw.chance(0.5) {
            vec![(*draw.pick(words::COUNTRIES)).to_owned()]
        } else {
            Vec::new()
        },
        from: None,
        to: None,
    });
    listed.collect()
}

fn price(amount: f64) -> Option<Money> {
    Money::new(Decimal::new((amount * 100.0).round() as i64, 2), Currency::new("USD").ok()?).ok()
}

/// A product as it is sold.
#[derive(Clone, Copy)]
pub(super) struct Goods<'a> {
    pub(super) brand: &'a BrandRecord,
    pub(super) product: &'a ProductRecord,
    pub(super) list_price: f64,
    pub(super) currency: Currency,
}

/// The products of a completed catalog that have a brand and cost something.
pub(super) fn goods(catalog: &[CatalogRecord]) -> Vec<Goods<'_>> {
    let brands: BTreeMap<&BrandId, &BrandRecord> = catalog
        .iter()
        .filter_map(|record| match record {
            CatalogRecord::Brand(brand) => Some((&brand.brand_id, brand)),
            _ => None,
        })
        .collect();
    let sold = catalog.iter().filter_map(|record| {
        let CatalogRecord::Product(product) = record else { return None };
        let price = product.list_price.filter(|price| !price.amount().is_zero())?;
        Some(Goods {
            brand: brands.get(&product.brand_id)?,
            product,
            // A decimal prints as a number that every float parser reads.
            list_price: price.amount().to_string().parse().ok()?,
            currency: price.currency(),
        })
    });
    sold.collect()
}

/// Counterfeiters prefer the dearer of two products.
pub(super) fn choose<'a>(goods: &[Goods<'a>], counterfeit: bool, draw: &mut Draw) -> Goods<'a> {
    let (one, other) = (*draw.pick(goods), *draw.pick(goods));
    if counterfeit && other.list_price > one.list_price { other } else { one }
}
