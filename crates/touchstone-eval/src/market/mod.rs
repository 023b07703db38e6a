//! A small market with honest sellers and counterfeiters, made from a catalog and a seed.
//!
//! What the numbers stand on: fakes are 30 to 90 % cheaper, but many are priced like the real thing; they carry the genuine
//! photo and title, hide the unit price in bundles, and have two-humped ratings because some pieces shipped are genuine. Nearly
//! every fact of an honest seller occurs among counterfeiters and the other way round.

mod draw;
mod goods;
mod offer;
mod retouch;
mod sellers;
mod words;

use std::collections::BTreeSet;

use jiff::Timestamp;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use touchstone_types::{CatalogRecord, Listing, ListingId, ListingImage, ReferenceImage};

use crate::{EvalError, Label};
use draw::Draw;
use goods::{Goods, choose, completed, goods};
use offer::{Offer, edited, pack_size, switched, uploaded_again};
use sellers::Sellers;

pub use retouch::Retouch;
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
    /// The catalog it was made around, in the order of the keys, completed: a product without a list price has one drawn
    /// around a level drawn for its category, and most brands that listed no sellers list some.
    pub catalog: Vec<CatalogRecord>,
    /// Every version of every listing, in the order in which they were observed.
    pub listings: Vec<Listing>,
    /// What each of them is, in the same order; see [`MarketSettings::wrong_label_share`]. The behaviour is never wrong.
    pub labels: Vec<Label>,
}

/// Gives the photo that a listing shows when its seller copies a reference photo and does this to it: the bytes, or a `url`
/// that the reader of the market can resolve; `None` where there is no such photo.
pub type PhotoSource<'a> = &'a dyn Fn(&ReferenceImage, Retouch) -> Option<ListingImage>;

/// Makes a market in which the products of `catalog` are sold, by their brands' sellers and by others.
///
/// Without `photos` no listing has a picture. The order of the records does not matter; of records with one key the last
/// counts.
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
    let catalog = completed(catalog, &mut draw);
    let goods = goods(&catalog);
    if goods.is_empty() {
        return Err(EvalError::NoProducts);
    }
    let mut rows = rows(&goods, settings, photos, &mut draw);
    rows.sort_by(|a, b| a.order().cmp(&b.order()));
    let labels = rows.iter().map(|row| Label {
        listing_id: row.listing.listing_id.clone(),
        version: row.listing.version,
        label: row.is_counterfeit != draw.chance(settings.wrong_label_share),
        behaviour: row.behaviour.as_str().to_owned(),
        week: row.week,
        selection_probability: None,
    });
    let labels = labels.collect();
    let listings = rows.into_iter().map(|row| row.listing).collect();
    Ok(Market { catalog, listings, labels })
}

/// One version of a listing, and the truth about it.
struct Row {
    listing: Listing,
    behaviour: Behaviour,
    /// Whether this version offers a counterfeit: a seller who baits has a first version that does not.
    is_counterfeit: bool,
    week: u32,
    /// The true number of units, whether or not the listing says so.
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
    let brands: BTreeSet<&str> = goods.iter().map(|goods| goods.brand.name.as_str()).collect();
    let brands: Vec<&str> = brands.into_iter().collect();
    let mut sellers = Sellers::default();
    let mut rows: Vec<Row> = Vec::new();
    for idx in 0..settings.n_listings {
        let id = format!("M{}-{idx:06}", settings.seed);
        let week = 1 + draw.below(settings.weeks as usize) as u32;
        let observed = START + i64::from(week - 1) * 7 * DAY + draw.below(6 * DAY as usize) as i64;
        let counterfeit = draw.chance(settings.counterfeit_share);
        let mut behaviour = Behaviour::draw(counterfeit, week, draw);
        let chosen = choose(goods, counterfeit, draw);
        if behaviour == Behaviour::Authorised && chosen.brand.authorised_sellers.is_empty() {
            behaviour = Behaviour::Reseller;
        }
        if behaviour == Behaviour::Reupload {
            let refused: Vec<&Row> = rows.iter().rev().filter(|row| row.is_counterfeit).take(50).collect();
            if !refused.is_empty() {
                let before = *draw.pick::<&Row>(&refused);
                let account = sellers.account(behaviour, chosen.brand, observed, draw);
                let listing = uploaded_again(&before.listing, &id, &account, observed, draw);
                rows.push(Row {
                    listing,
                    behaviour,
                    is_counterfeit: true,
                    week,
                    pack_size: before.pack_size,
                });
                continue;
            }
        }
        let pack_size = pack_size(behaviour, draw);
        let offer = Offer {
            id,
            goods: chosen,
            other: *draw.pick(goods),
            behaviour,
            week,
            observed,
            pack_size,
            rivals: (0..2 + draw.below(3)).map(|_| *draw.pick(&brands)).collect(),
        };
        let listing = offer.listing(&mut sellers, photos, draw);
        let baits = behaviour == Behaviour::BaitAndSwitch;
        if baits {
            let listing = switched(&listing, draw);
            rows.push(Row { listing, behaviour, is_counterfeit: true, week, pack_size });
        } else if draw.chance(0.06) {
            let listing = edited(&listing, draw);
            rows.push(Row { listing, behaviour, is_counterfeit: counterfeit, week, pack_size });
        }
        rows.push(Row { listing, behaviour, is_counterfeit: counterfeit && !baits, week, pack_size });
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

#[cfg(test)]
mod tests;
