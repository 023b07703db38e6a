//! One offer: from a behaviour and a product to a listing, and what its seller makes of it later.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::Timestamp;
use rust_decimal::Decimal;
use touchstone_types::{Condition, Listing, ListingId, ListingImage, ListingStatus, Money};

use super::draw::Draw;
use super::goods::Goods;
use super::sellers::{self, Account, Sellers};
use super::words::Occasion;
use super::{Behaviour, DAY, PhotoSource, Retouch, words};

/// One listing to be written.
pub(super) struct Offer<'a> {
    pub(super) id: String,
    pub(super) goods: Goods<'a>,
    /// A product that is named or copied by mistake or on purpose.
    pub(super) other: Goods<'a>,
    pub(super) behaviour: Behaviour,
    pub(super) week: u32,
    pub(super) observed: i64,
    pub(super) pack_size: u32,
    pub(super) rivals: Vec<&'a str>,
}

impl Offer<'_> {
    pub(super) fn listing(
        &self,
        sellers: &mut Sellers,
        photos: Option<PhotoSource<'_>>,
        draw: &mut Draw,
    ) -> Listing {
        let Goods { brand, product, .. } = self.goods;
        let account = sellers.account(self.behaviour, brand, self.observed, draw);
        let text = self.text(&account, draw);
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
            category: self.category(draw),
            gtin: self.gtin(draw),
            mpn: self.mpn(draw),
            condition: condition(self.behaviour, draw),
            pack_size: Some(self.pack_size).filter(|n| *n > 1 && draw.chance(0.5)).and_then(NonZeroU32::new),
            price: self.price(draw),
            attributes: if draw.chance(0.5) { product.attributes.clone() } else { BTreeMap::new() },
            images: self.photo(photos, draw).into_iter().collect(),
            seller: account.seller.clone(),
            signals: sellers::signals(self.behaviour, account.language, draw),
        }
    }

    fn text(&self, account: &Account, draw: &mut Draw) -> words::Text {
        let Goods { brand, product, .. } = self.goods;
        let occasion = Occasion {
            behaviour: self.behaviour,
            language: account.language,
            pack_size: self.pack_size,
            is_late: self.week > 4,
            rivals: &self.rivals,
        };
        words::text(brand, product, &occasion, draw)
    }

    /// The owner's category, or now and then another one.
    fn category(&self, draw: &mut Draw) -> Option<String> {
        let astray = match self.behaviour {
            Behaviour::SloppyText => 0.1,
            fake if fake.is_counterfeit() => 0.06,
            _ => 0.01,
        };
        let goods = if draw.chance(astray) { self.other } else { self.goods };
        goods.product.category.clone()
    }

    /// The product's number, another product's, or one with a wrong check digit.
    fn gtin(&self, draw: &mut Draw) -> Option<String> {
        let counterfeit = self.behaviour.is_counterfeit();
        let (given, anothers, wrong) = if counterfeit { (0.4, 0.15, 0.05) } else { (0.6, 0.01, 0.005) };
        let goods = if draw.chance(anothers) { self.other } else { self.goods };
        let is_wrong = draw.chance(wrong);
        let gtin = goods.product.gtins.first().filter(|_| draw.chance(given))?;
        if !is_wrong {
            return Some(gtin.clone());
        }
        let mut digits = gtin.clone();
        let last = digits.pop()?.to_digit(10)?;
        digits.push(char::from_digit((last + 1 + draw.below(8) as u32) % 10, 10)?);
        Some(digits)
    }

    /// The product's part number; one that was made up to look like it differs in a character.
    fn mpn(&self, draw: &mut Draw) -> Option<String> {
        let near_miss = draw.chance(if self.behaviour.is_counterfeit() { 0.08 } else { 0.005 });
        let mpn = self.goods.product.mpn.as_ref().filter(|_| draw.chance(0.5))?;
        if !near_miss {
            return Some(mpn.clone());
        }
        let mut letters: Vec<char> = mpn.chars().collect();
        let at = draw.below(letters.len());
        letters[at] = if letters[at] == '0' { '9' } else { '0' };
        Some(letters.into_iter().collect())
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
            Behaviour::Compatible | Behaviour::PrivateLabel | Behaviour::MultiFit => 0.03,
            honest if !honest.is_counterfeit() => 0.5,
            _ => 0.6,
        };
        // The draws come first, so that a market with photos and one without differ in nothing else.
        let (copied, retouch) = (draw.chance(copied), Retouch::draw(self.behaviour.is_counterfeit(), draw));
        photos
            .zip(self.goods.product.images.first())
            .filter(|_| copied)
            .and_then(|(photos, image)| photos(image, retouch))
    }
}

/// The second version of a listing, one to five days later: another price.
pub(super) fn edited(listing: &Listing, draw: &mut Draw) -> Listing {
    let mut later = listing.clone();
    later.version = 2;
    later.observed_at = listing
        .observed_at
        .and_then(|t| timestamp(t.as_second() + draw.between(DAY as f64, 5.0 * DAY as f64) as i64));
    later.price = times(listing.price, draw.between(85.0, 115.0));
    later
}

/// The second version of a listing that was let pass: the price falls, and half the sellers now say what it is.
pub(super) fn switched(listing: &Listing, draw: &mut Draw) -> Listing {
    let mut later = edited(listing, draw);
    later.price = times(listing.price, draw.between(15.0, 55.0));
    if draw.chance(0.5) {
        later.title = format!("{} {}", listing.title, words::any_slang(draw));
    }
    later
}

/// The same offer under a new number, from another account and for nearly the same price.
pub(super) fn uploaded_again(
    listing: &Listing,
    id: &str,
    account: &Account,
    now: i64,
    draw: &mut Draw,
) -> Listing {
    Listing {
        listing_id: ListingId::new(id).expect("short and not empty"),
        version: 1,
        observed_at: timestamp(now),
        price: times(listing.price, draw.between(95.0, 103.0)),
        seller: account.seller.clone(),
        signals: sellers::signals(Behaviour::Reupload, account.language, draw),
        ..listing.clone()
    }
}

fn times(price: Option<Money>, percent: f64) -> Option<Money> {
    let price = price?;
    let factor = Decimal::new(percent as i64, 2);
    Money::new((price.amount() * factor).round_dp(2), price.currency()).ok()
}

fn timestamp(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

pub(super) fn pack_size(behaviour: Behaviour, draw: &mut Draw) -> u32 {
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
        Behaviour::Compatible | Behaviour::MultiFit => usual(0.32, 0.10, draw),
        Behaviour::PrivateLabel => usual(0.40, 0.12, draw),
        Behaviour::Liquidation => draw.between(0.3, 0.65),
        Behaviour::DeepDiscount => draw.between(0.1, 0.55),
        Behaviour::HiddenLink => draw.between(0.05, 0.4),
        Behaviour::NearPrice => usual(0.91, 0.05, draw),
        Behaviour::BaitAndSwitch => usual(0.90, 0.08, draw),
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
