//! Who sells: behaviours, accounts and what buyers said. The facts of honest sellers and counterfeiters overlap on purpose.

use std::collections::BTreeMap;

use jiff::Timestamp;
use touchstone_types::{AuthorisedSeller, BrandRecord, Rating, Seller, SellerId, Signals};

use super::DAY;
use super::draw::Draw;
use super::words::{self, Language};

macro_rules! behaviours {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $counterfeit:literal, $weight:literal;)+) => {
        /// What a seller does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Behaviour { $($(#[$doc])* $variant),+ }

        impl Behaviour {
            /// Every behaviour.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in `labels.csv`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Whether it is a counterfeiter's.
            pub const fn is_counterfeit(self) -> bool {
                match self { $(Self::$variant => $counterfeit),+ }
            }

            /// How often it occurs, among the honest or among the counterfeiters.
            const fn weight(self) -> u32 {
                match self { $(Self::$variant => $weight),+ }
            }
        }
    };
}

behaviours! {
    /// A seller whom the brand lists.
    Authorised = "authorised", false, 16;
    /// A store that the marketplace calls official, whether or not the brand lists it.
    OfficialStore = "official_store", false, 6;
    /// A shop that buys from wholesalers.
    Reseller = "reseller", false, 30;
    /// Genuine goods from another country, cheaper.
    GreyImporter = "grey_importer", false, 8;
    /// Used pieces.
    SecondHand = "second_hand", false, 12;
    /// Parts and supplies that fit the brand's product.
    Compatible = "compatible", false, 10;
    /// A seller's own label that looks similar.
    PrivateLabel = "private_label", false, 4;
    /// Genuine goods, badly described.
    SloppyText = "sloppy_text", false, 5;
    /// Genuine goods, several together.
    HonestBundle = "honest_bundle", false, 5;
    /// A closing shop.
    Liquidation = "liquidation", false, 4;
    /// An accessory that fits the products of several brands and names them.
    MultiFit = "multi_fit", false, 3;
    /// A fake at a fraction of the price.
    DeepDiscount = "deep_discount", true, 18;
    /// A fake priced like the real thing.
    NearPrice = "near_price", true, 20;
    /// A brand's name imitated.
    LookAlike = "look_alike", true, 14;
    /// Words that buyers of fakes know.
    Slang = "slang", true, 10;
    /// A bundle whose unit price nobody checks.
    Bundle = "bundle", true, 12;
    /// An account some days old.
    NewSeller = "new_seller", true, 10;
    /// Buyers complain.
    Complaints = "complaints", true, 10;
    /// Nothing but the brand's own photo gives it away.
    GenuinePhoto = "genuine_photo", true, 6;
    /// A title stuffed with the names of other brands, to be found by whoever looks for those.
    KeywordStuffing = "keyword_stuffing", true, 8;
    /// A listing like a reseller's that turns into an offer of fakes once it stands; its first version is honest.
    BaitAndSwitch = "bait_and_switch", true, 6;
    /// A page about nothing in particular; the fake is sold elsewhere.
    HiddenLink = "hidden_link", true, 3;
    /// A counterfeit offer put up again, under another number and account.
    Reupload = "reupload", true, 6;
}

impl Behaviour {
    /// A behaviour as it occurs in `week`: the later, the more counterfeiters price near the list price.
    pub(super) fn draw(counterfeit: bool, week: u32, draw: &mut Draw) -> Self {
        let weights: Vec<(Self, u32)> = Self::ALL
            .iter()
            .filter(|b| b.is_counterfeit() == counterfeit)
            .map(|&b| (b, b.weight() + if b == Self::NearPrice { 2 * (week - 1) } else { 0 }))
            .collect();
        draw.weighted(&weights)
    }
}

/// An account, and where it sells.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) seller: Seller,
    pub(super) marketplace: String,
    pub(super) language: Language,
}

/// The accounts opened so far. The same one comes back with many listings.
#[derive(Default)]
pub(super) struct Sellers {
    accounts: BTreeMap<Behaviour, Vec<Account>>,
    authorised: BTreeMap<String, Account>,
    n_opened: usize,
}

impl Sellers {
    /// The account behind a listing observed at `now` (seconds since 1970): an old one or a new one.
    pub(super) fn account(
        &mut self,
        behaviour: Behaviour,
        brand: &BrandRecord,
        now: i64,
        draw: &mut Draw,
    ) -> Account {
        if behaviour == Behaviour::Authorised && !brand.authorised_sellers.is_empty() {
            let listed = draw.pick(&brand.authorised_sellers).clone();
            return self.authorised_account(&listed, now, draw);
        }
        let returns = match behaviour {
            Behaviour::Reupload => 0.0,
            _ if behaviour.is_counterfeit() => 0.6,
            _ => 0.75,
        };
        // An account is younger than its first listing only; a market is short beside the age of most accounts.
        if let Some(known) = self.accounts.get(&behaviour).filter(|_| draw.chance(returns)) {
            let account = draw.pick(known);
            if account.seller.created_at.is_none_or(|t| t.as_second() < now) {
                return account.clone();
            }
        }
        self.n_opened += 1;
        // The number says nothing about the behaviour: accounts of all kinds are counted together.
        let account = open(&format!("A-{:05}", self.n_opened), behaviour, now, draw);
        self.accounts.entry(behaviour).or_default().push(account.clone());
        account
    }

    fn authorised_account(&mut self, listed: &AuthorisedSeller, now: i64, draw: &mut Draw) -> Account {
        let opened = self.authorised.entry(listed.seller_id.as_str().to_owned());
        let mut account = opened
            .or_insert_with(|| open(listed.seller_id.as_str(), Behaviour::Authorised, now, draw))
            .clone();
        if let Some(marketplace) = &listed.marketplace {
            account.marketplace.clone_from(marketplace);
        }
        if let Some(country) = listed.territories.first() {
            account.seller.country = Some(country.clone());
            account.language = Language::of_country(country);
        }
        account
    }
}

fn open(id: &str, behaviour: Behaviour, now: i64, draw: &mut Draw) -> Account {
    let counterfeit = behaviour.is_counterfeit();
    let age_days = match behaviour {
        Behaviour::NewSeller | Behaviour::Reupload => draw.between(1.0, 40.0) as u64,
        // Listed before the market opened.
        Behaviour::Authorised => draw.count(1_300.0, 0.9).max(100),
        _ if counterfeit => draw.count(560.0, 1.2),
        // Every honest shop was new once.
        _ if draw.chance(0.08) => draw.between(1.0, 90.0) as u64,
        _ => draw.count(1_300.0, 0.9),
    };
    let age_days = age_days.clamp(1, 9_000);
    let sales = draw.count(age_days as f64 * if counterfeit { 0.9 } else { 1.2 }, 1.2);
    let rating = if counterfeit { draw.normal(4.2, 0.5) } else { draw.normal(4.55, 0.3) }.clamp(1.0, 5.0);
    let rated = sales > 0 && draw.chance(0.9);
    let country = *draw.pick(words::COUNTRIES);
    let official = behaviour == Behaviour::OfficialStore;
    Account {
        seller: Seller {
            seller_id: SellerId::new(id).expect("an identifier of the catalog, or short and not empty"),
            name: Some(words::shop_name(draw)),
            country: Some(country.to_owned()),
            created_at: Timestamp::from_second(now - age_days as i64 * DAY).ok(),
            rating: Rating::new((rating * 10.0).round() / 10.0).filter(|_| rated),
            rating_count: Some(sales / 4).filter(|_| rated),
            sales_count: Some(sales),
            n_brands: Some(draw.count(if counterfeit { 12.0 } else { 14.0 }, 0.8).max(1)),
            reputation: None,
            is_official_store: Some(official || draw.chance(if counterfeit { 0.01 } else { 0.03 })),
            prior_takedowns: Some(if draw.chance(if counterfeit { 0.3 } else { 0.04 }) {
                1 + draw.below(3) as u64
            } else {
                0
            }),
        },
        marketplace: "market".to_owned(),
        language: Language::of_country(country),
    }
}

/// What buyers said and did about one listing.
pub(super) fn signals(behaviour: Behaviour, language: Language, draw: &mut Draw) -> Signals {
    let counterfeit = behaviour.is_counterfeit();
    let sold = draw.count(if counterfeit { 25.0 } else { 30.0 }, 1.4);
    if sold == 0 || draw.chance(0.2) {
        return Signals { sold_count: Some(sold), ..Signals::default() };
    }
    // Two humps, because some of the pieces shipped are genuine; but one honest listing in twenty has them too.
    let two_humps = draw.chance(match behaviour {
        Behaviour::Complaints => 0.9,
        _ if counterfeit => 0.5,
        _ => 0.05,
    });
    let weights = if two_humps { [30, 6, 4, 10, 50] } else { [4, 2, 5, 18, 71] };
    let stars: Vec<(usize, u32)> = weights.into_iter().enumerate().collect();
    let mut counts = [0_u64; 5];
    for _ in 0..(sold / 3).min(400) {
        counts[draw.weighted(&stars)] += 1;
    }
    let n_ratings: u64 = counts.iter().sum();
    let mean =
        (1..=5).zip(counts).map(|(stars, n)| stars as f64 * n as f64).sum::<f64>() / n_ratings.max(1) as f64;
    let says_fake = match behaviour {
        Behaviour::Complaints => 0.8,
        _ if counterfeit => 0.15,
        _ => 0.01,
    };
    let mut complaints = Vec::new();
    if draw.chance(says_fake) {
        complaints.push(draw.pick(words::complaints_of_fakes(language)).to_string());
    }
    if draw.chance(0.12) {
        complaints.push(draw.pick(words::other_complaints(language)).to_string());
    }
    let returned = draw.count(sold as f64 * if counterfeit { 0.06 } else { 0.03 }, 0.6).min(sold);
    let fake_share = if complaints.is_empty() || !counterfeit { 0.01 } else { 0.4 };
    Signals {
        rating: Rating::new((mean * 10.0).round() / 10.0).filter(|_| n_ratings > 0),
        rating_counts: (n_ratings > 0).then_some(counts),
        sold_count: Some(sold),
        complaints,
        return_count: Some(returned),
        fake_return_count: Some((returned as f64 * fake_share) as u64),
    }
}
