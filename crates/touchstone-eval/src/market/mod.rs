//! A small market with honest sellers and counterfeiters, made from a catalog and a seed.
//!
//! What the numbers stand on: fakes are 30 to 90 % cheaper, but many are priced like the real thing; they carry the genuine
//! photo and title, hide the unit price in bundles, and have two-humped ratings because some pieces shipped are genuine. Nearly
//! every fact of an honest seller occurs among counterfeiters and the other way round.

mod draw;
mod sellers;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use jiff::Timestamp;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use touchstone_types::{
    BrandRecord, CatalogRecord, Condition, Currency, Listing, ListingId, ListingImage, ListingStatus, Money,
    ProductRecord, ReferenceImage,
};

use crate::{EvalError, Label};
use draw::Draw;
use sellers::Sellers;

pub use sellers::Behaviour;

/// Monday 2026-01-05, 00:00 UTC: the start of week 1.
const START: i64 = 1_767_571_200;
const DAY: i64 = 86_400;

/// How large a market is, and how hard.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketSettings {
    /// The same seed gives the same market, byte for byte.
    pub seed: u64,
    /// Over how many weeks the listings appear, 1 to 520; from week to week more counterfeiters price near the list price.
    pub weeks: u32,
    /// How many listings there are, at least 1; some appear in two versions, so there are more messages.
    pub n_listings: usize,
    /// The share of listings by counterfeiters, 0 to 1.
    pub counterfeit_share: f64,
    /// The share of labels that say the opposite of the truth, 0 to 1.
    pub wrong_label_share: f64,
}

impl Default for MarketSettings {
    fn default() -> Self {
        Self { seed: 1, weeks: 8, n_listings: 10_000, counterfeit_share: 0.03, wrong_label_share: 0.02 }
    }
}

/// A simulated market.
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    /// Every version of every listing, in the order in which they were observed.
    pub listings: Vec<Listing>,
    /// What each of them is, in the same order; see [`MarketSettings::wrong_label_share`]. The behaviour is never wrong.
    pub labels: Vec<Label>,
}

/// Gives the photo that a listing shows when its seller copies a reference photo: the bytes, or a `url` that the reader of
/// the market can resolve; `None` where there is no such photo.
pub type PhotoSource<'a> = &'a dyn Fn(&ReferenceImage) -> Option<ListingImage>;

/// Makes a market in which the products of `catalog` are sold, by their brands' sellers and by others.
///
/// A product without a list price gets one drawn around a level drawn for its category. Without `photos` no listing has a
/// picture. The order of the records does not matter; of records with one key the last counts.
///
/// # Errors
/// [`EvalError::NoProducts`]; [`EvalError::Setting`] for a setting outside its range.
pub fn simulate(
    catalog: &[CatalogRecord],
    settings: &MarketSettings,
    photos: Option<PhotoSource<'_>>,
) -> Result<Market, EvalError> {
    check(settings)?;
    let mut draw = Draw::new(ChaCha8Rng::seed_from_u64(settings.seed));
    let goods = goods(catalog, &mut draw);
    if goods.is_empty() {
        return Err(EvalError::NoProducts);
    }
    let mut rows = rows(&goods, settings, photos, &mut draw);
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    let labels = rows.iter().map(|row| Label {
        listing_id: row.listing.listing_id.clone(),
        version: row.listing.version,
        label: row.behaviour.is_counterfeit() != draw.chance(settings.wrong_label_share),
        behaviour: row.behaviour.as_str().to_owned(),
        week: row.week,
    });
    let labels = labels.collect();
    Ok(Market { listings: rows.into_iter().map(|row| row.listing).collect(), labels })
}

/// One version of a listing, and the truth about it.
struct Row {
    listing: Listing,
    behaviour: Behaviour,
    week: u32,
    /// The true number of units, whether or not the listing says so.
    #[cfg_attr(not(test), expect(dead_code, reason = "the truth that the tests hold prices against"))]
    pack_size: u32,
}

impl Row {
    fn order(&self) -> (Option<Timestamp>, &ListingId, u64) {
        (self.listing.observed_at, &self.listing.listing_id, self.listing.version)
    }
}

fn rows(
    goods: &[Goods<'_>],
    settings: &MarketSettings,
    photos: Option<PhotoSource<'_>>,
    draw: &mut Draw,
) -> Vec<Row> {
    let mut sellers = Sellers::default();
    let mut rows = Vec::new();
    for idx in 0..settings.n_listings {
        let week = 1 + draw.below(settings.weeks as usize) as u32;
        let counterfeit = draw.chance(settings.counterfeit_share);
        let mut behaviour = Behaviour::draw(counterfeit, week, draw);
        let goods = choose(goods, counterfeit, draw);
        if behaviour == Behaviour::Authorised && goods.brand.authorised_sellers.is_empty() {
            behaviour = Behaviour::Reseller;
        }
        let observed = START + i64::from(week - 1) * 7 * DAY + draw.below(6 * DAY as usize) as i64;
        let pack_size = pack_size(behaviour, draw);
        let offer =
            Offer { id: format!("M{}-{idx:06}", settings.seed), goods, behaviour, observed, pack_size };
        let listing = offer.listing(&mut sellers, photos, draw);
        if draw.chance(0.06) {
            rows.push(Row { listing: edited(&listing, draw), behaviour, week, pack_size });
        }
        rows.push(Row { listing, behaviour, week, pack_size });
    }
    rows
}

fn check(settings: &MarketSettings) -> Result<(), EvalError> {
    let wrong = |name, value: String, allowed| Err(EvalError::Setting { name, value, allowed });
    if !(1..=520).contains(&settings.weeks) {
        return wrong("weeks", settings.weeks.to_string(), "1 to 520");
    }
    if settings.n_listings == 0 {
        return wrong("n_listings", "0".to_owned(), "at least 1");
    }
    for (name, share) in
        [("counterfeit_share", settings.counterfeit_share), ("wrong_label_share", settings.wrong_label_share)]
    {
        if !(0.0..=1.0).contains(&share) {
            return wrong(name, share.to_string(), "0 to 1");
        }
    }
    Ok(())
}

/// A product as it is sold: with its brand and a list price, given or drawn.
#[derive(Clone, Copy)]
struct Goods<'a> {
    brand: &'a BrandRecord,
    product: &'a ProductRecord,
    list_price: f64,
    currency: Currency,
}

fn goods<'a>(catalog: &'a [CatalogRecord], draw: &mut Draw) -> Vec<Goods<'a>> {
    let by_key: BTreeMap<_, _> = catalog.iter().map(|record| (record.key(), record)).collect();
    let mut brands = BTreeMap::new();
    let mut products = Vec::new();
    for record in by_key.into_values() {
        match record {
            CatalogRecord::Brand(brand) => _ = brands.insert(&brand.brand_id, brand),
            CatalogRecord::Product(product) => products.push(product),
            CatalogRecord::Fake(_) | CatalogRecord::Benign(_) => {}
        }
    }
    let categories: BTreeSet<_> = products.iter().map(|product| &product.category).collect();
    let levels: BTreeMap<_, f64> =
        categories.into_iter().map(|category| (category, libm::exp(draw.normal(4.3, 0.8)))).collect();
    let usd = Currency::new("USD").expect("three letters");
    let goods = products.into_iter().filter_map(|product| {
        let drawn = levels[&product.category] * libm::exp(draw.normal(0.0, 0.3));
        let (list_price, currency) = match &product.list_price {
            Some(price) if !price.amount().is_zero() => {
                // A decimal prints as a number that every float parser reads.
                (price.amount().to_string().parse().unwrap_or(drawn), price.currency())
            }
            _ => (drawn, usd),
        };
        Some(Goods { brand: brands.get(&product.brand_id)?, product, list_price, currency })
    });
    goods.collect()
}

/// Counterfeiters prefer the dearer of two products.
fn choose<'a>(goods: &[Goods<'a>], counterfeit: bool, draw: &mut Draw) -> Goods<'a> {
    let (one, other) = (*draw.pick(goods), *draw.pick(goods));
    if counterfeit && other.list_price > one.list_price { other } else { one }
}

/// One listing to be written.
struct Offer<'a> {
    id: String,
    goods: Goods<'a>,
    behaviour: Behaviour,
    observed: i64,
    pack_size: u32,
}

impl Offer<'_> {
    fn listing(&self, sellers: &mut Sellers, photos: Option<PhotoSource<'_>>, draw: &mut Draw) -> Listing {
        let Goods { brand, product, .. } = self.goods;
        let account = sellers.account(self.behaviour, brand, self.observed, draw);
        let counterfeit = self.behaviour.is_counterfeit();
        let text = words::text(self.behaviour, brand, product, account.language, self.pack_size, draw);
        let price = self.price(draw);
        Listing {
            listing_id: ListingId::new(self.id.as_str()).expect("short and not empty"),
            version: 1,
            status: ListingStatus::Active,
            marketplace: account.marketplace.clone(),
            url: None,
            observed_at: timestamp(self.observed),
            title: text.title,
            description: text.description,
            brand: text.brand_field,
            category: product.category.clone(),
            gtin: product.gtins.first().filter(|_| draw.chance(if counterfeit { 0.4 } else { 0.6 })).cloned(),
            mpn: product.mpn.clone().filter(|_| draw.chance(0.5)),
            condition: condition(self.behaviour, draw),
            pack_size: Some(self.pack_size).filter(|n| *n > 1 && draw.chance(0.5)).and_then(NonZeroU32::new),
            price,
            attributes: if draw.chance(0.5) { product.attributes.clone() } else { BTreeMap::new() },
            images: self.photo(photos, draw).into_iter().collect(),
            seller: account.seller.clone(),
            signals: sellers::signals(self.behaviour, account.language, draw),
        }
    }

    /// The price of the whole offer; a few offers have none.
    fn price(&self, draw: &mut Draw) -> Option<Money> {
        let ratio = price_ratio(self.behaviour, draw);
        let amount = self.goods.list_price * ratio * f64::from(self.pack_size);
        // Most prices end in .90, as prices do.
        let amount = if draw.chance(0.6) && amount > 5.0 { amount.floor() - 0.1 } else { amount };
        let cents = (amount.clamp(0.05, 1e12) * 100.0).round() as i64;
        Money::new(Decimal::new(cents, 2), self.goods.currency).ok().filter(|_| !draw.chance(0.01))
    }

    fn photo(&self, photos: Option<PhotoSource<'_>>, draw: &mut Draw) -> Option<ListingImage> {
        let copied = match self.behaviour {
            Behaviour::GenuinePhoto => 1.0,
            Behaviour::Authorised | Behaviour::OfficialStore => 0.8,
            Behaviour::SecondHand => 0.2,
            Behaviour::Compatible | Behaviour::PrivateLabel => 0.03,
            honest if !honest.is_counterfeit() => 0.5,
            _ => 0.6,
        };
        // The draw comes first, so that a market with photos and one without differ in nothing else.
        let copied = draw.chance(copied);
        photos
            .zip(self.goods.product.images.first())
            .filter(|_| copied)
            .and_then(|(photos, image)| photos(image))
    }
}

/// The second version of a listing, one to five days later: another price.
fn edited(listing: &Listing, draw: &mut Draw) -> Listing {
    let mut later = listing.clone();
    later.version = 2;
    later.observed_at = listing
        .observed_at
        .and_then(|t| timestamp(t.as_second() + draw.between(DAY as f64, 5.0 * DAY as f64) as i64));
    later.price = listing.price.and_then(|price| {
        let factor = Decimal::new(draw.between(85.0, 115.0) as i64, 2);
        Money::new((price.amount() * factor).round_dp(2), price.currency()).ok()
    });
    later
}

fn timestamp(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

fn pack_size(behaviour: Behaviour, draw: &mut Draw) -> u32 {
    match behaviour {
        Behaviour::HonestBundle | Behaviour::Bundle => *draw.pick(&[2, 2, 2, 3, 3, 4, 5, 10]),
        _ if draw.chance(0.03) => 2,
        _ => 1,
    }
}

/// The price of one unit over the list price.
fn price_ratio(behaviour: Behaviour, draw: &mut Draw) -> f64 {
    let usual = |mean: f64, sd: f64, draw: &mut Draw| draw.normal(mean, sd).clamp(0.2, 1.8);
    let ratio = match behaviour {
        Behaviour::Authorised => usual(1.0, 0.05, draw),
        Behaviour::OfficialStore => usual(1.02, 0.06, draw),
        Behaviour::Reseller => usual(0.93, 0.11, draw),
        Behaviour::GreyImporter => usual(0.76, 0.10, draw),
        Behaviour::SloppyText => usual(0.88, 0.12, draw),
        Behaviour::HonestBundle => usual(0.86, 0.10, draw),
        Behaviour::SecondHand => usual(0.55, 0.15, draw),
        Behaviour::Compatible => usual(0.32, 0.10, draw),
        Behaviour::PrivateLabel => usual(0.40, 0.12, draw),
        Behaviour::Liquidation => draw.between(0.3, 0.65),
        Behaviour::DeepDiscount => draw.between(0.1, 0.55),
        Behaviour::NearPrice => usual(0.91, 0.05, draw),
        _ if draw.chance(0.35) => draw.between(0.82, 1.0),
        _ => draw.between(0.1, 0.7),
    };
    // Anybody may have to clear a shelf.
    let clears = !behaviour.is_counterfeit() && draw.chance(0.02);
    if clears { ratio.min(draw.between(0.35, 0.5)) } else { ratio }
}

fn condition(behaviour: Behaviour, draw: &mut Draw) -> Option<Condition> {
    match behaviour {
        // Some forms say new unless somebody changes it.
        Behaviour::SecondHand if draw.chance(0.8) => Some(Condition::Used),
        _ if draw.chance(0.1) => None,
        _ => Some(Condition::New),
    }
}

#[cfg(test)]
mod tests;
