//! The decision table: for one brand, the first true row and what it asks for.

use touchstone_types::{Reason, Role};

use crate::authorisation::Authorisation;
use crate::facts::{BrandFacts, ListingFacts};
use crate::policy::{InspiredBy, Thresholds};
use crate::unit_price::is_below_floor;

/// The columns of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// The brand lists the seller.
    Authorised,
    /// The piece is used, refurbished or empty.
    NotNew,
    /// Neither.
    AnyoneElse,
}

/// What a row asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Takedown if all gates hold, else review.
    Flag,
    /// Review.
    Review,
    /// Nothing.
    Clear,
    /// Review at or above the threshold, else nothing.
    Model,
    /// As [`Outcome::Model`], and only with a reason that is not about the price.
    ModelWithGround,
}

impl Column {
    pub(crate) fn of(brand: Option<&BrandFacts<'_>>, facts: &ListingFacts) -> Self {
        if brand.is_some_and(|b| b.authorisation == Authorisation::Authorised) {
            Self::Authorised
        } else if facts.is_not_new() {
            Self::NotNew
        } else {
            Self::AnyoneElse
        }
    }
}

/// The first true row for a brand, 1 to 9, and what it asks for in its column.
pub(crate) fn first_row(
    brand: &BrandFacts<'_>,
    facts: &ListingFacts,
    thresholds: &Thresholds,
) -> (u8, Outcome) {
    use Outcome::{Clear, Flag, Model, ModelWithGround, Review};
    let inspired = match thresholds.inspired_by {
        InspiredBy::Clear => Clear,
        InspiredBy::Review => Review,
    };
    let genuine_photo = !brand.genuine_photos.is_empty();
    let in_heap = facts.is_in_heap(&brand.brand_id);
    let rows = [
        (!brand.fake_photos.is_empty(), [Review, Flag, Flag]),
        (facts.slang && brand.is_sold_as(), [Review, Review, Flag]),
        (brand.look_alike, [Review, Flag, Flag]),
        (genuine_photo && !price_reasons(brand, thresholds).is_empty(), [Review, Review, Flag]),
        (in_heap, [Review, Review, Review]),
        (genuine_photo, [Clear, Clear, Model]),
        (brand.is_sold_as(), [Clear, Clear, ModelWithGround]),
        (brand.roles.contains(&Role::InspiredBy), [Clear, Clear, inspired]),
    ];
    let column = Column::of(Some(brand), facts) as usize;
    let found = (1..).zip(rows).find(|(_, (holds, _))| *holds);
    found.map_or((9, Clear), |(row, (_, outcomes))| (row, outcomes[column]))
}

/// Why the unit price is suspicious, if it is: under the floor, far below the list price, or both.
pub(crate) fn price_reasons(brand: &BrandFacts<'_>, thresholds: &Thresholds) -> Vec<Reason> {
    let Some(price) = &brand.unit_price else { return Vec::new() };
    let below_floor = is_below_floor(price) == Some(true);
    let far_below = price.ratio.is_some_and(|ratio| ratio < thresholds.far_below);
    let found = [(below_floor, Reason::PriceBelowFloor), (far_below, Reason::PriceFarBelowList)];
    found.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use touchstone_text::State;
    use touchstone_types::{
        Alteration, Bank, BrandId, HammingDistance, Money, PhotoMatch, Quality, Reference, UnitPrice,
    };

    use super::*;
    use crate::policy::Policy;
    use crate::product_facts::ProductFacts;

    /// A listing of brand `b` as new from anyone, in which nothing was found.
    fn nothing() -> (BrandFacts<'static>, ListingFacts) {
        let brand = BrandFacts {
            brand_id: BrandId::new("b").unwrap(),
            roles: BTreeSet::new(),
            look_alike: false,
            misspelt: false,
            spelt_out: false,
            authorisation: Authorisation::Unknown,
            product_match: None,
            product_id: None,
            list_price: None,
            unit_price: None,
            product: ProductFacts::default(),
            genuine_photos: Vec::new(),
            fake_photos: Vec::new(),
            silenced_photos: false,
            role_contradiction: None,
        };
        let facts = ListingFacts {
            brands_in_title: Vec::new(),
            slang: false,
            n_fake_complaints: 0,
            state: State::New,
            form_not_new: None,
            condition_contradiction: None,
            benign_photos: BTreeSet::new(),
            seller_age_days: None,
            rating_extremes: None,
            gtin_valid: None,
            returns_say_fake: false,
            seller_had_takedowns: false,
        };
        (brand, facts)
    }

    fn photo() -> &'static PhotoMatch {
        Box::leak(Box::new(PhotoMatch {
            image_idx: 0,
            reference: Reference::parse("product/b/P#0").unwrap(),
            bank: Bank::Genuine,
            distance: HammingDistance::new(0).unwrap(),
            transform: Alteration::NONE,
            quality: Quality::new(100).unwrap(),
            score: None,
            overlay: None,
            near_duplicate_of: None,
        }))
    }

    fn price(listed: &str, floor: Option<&str>) -> UnitPrice {
        let money = |amount: &str| Money::parse(amount, "BRL").unwrap();
        let (listed, list) = (money(listed), money("100"));
        UnitPrice {
            listed,
            list_price: Some(list),
            price_floor: floor.map(money),
            ratio: listed.ratio(&list),
            pack_size: 1,
        }
    }

    /// The row and the outcomes in the three columns, for a listing changed by `change`.
    fn check(row: u8, outcomes: [Outcome; 3], change: impl Fn(&mut BrandFacts<'static>, &mut ListingFacts)) {
        let thresholds = Policy::builtin().default_thresholds();
        for (column, expected) in outcomes.into_iter().enumerate() {
            let (mut brand, mut facts) = nothing();
            change(&mut brand, &mut facts);
            match column {
                0 => brand.authorisation = Authorisation::Authorised,
                1 => facts.state = State::Used { term_idx: 0 },
                _ => {}
            }
            assert_eq!(first_row(&brand, &facts, &thresholds), (row, expected), "column {column}");
        }
    }

    #[test]
    fn every_row_asks_in_every_column_for_what_the_table_says() {
        use Outcome::{Clear, Flag, Model, ModelWithGround, Review};
        check(1, [Review, Flag, Flag], |b, _| b.fake_photos.push(photo()));
        check(2, [Review, Review, Flag], |b, f| {
            f.slang = true;
            b.roles.insert(Role::SoldAs);
        });
        check(3, [Review, Flag, Flag], |b, _| b.look_alike = true);
        check(4, [Review, Review, Flag], |b, _| {
            b.genuine_photos.push(photo());
            b.unit_price = Some(price("49.99", None));
        });
        check(4, [Review, Review, Flag], |b, _| {
            b.genuine_photos.push(photo());
            b.unit_price = Some(price("89.99", Some("90")));
        });
        check(5, [Review, Review, Review], |_, f| {
            f.brands_in_title = ["a", "b", "c"].map(|id| [BrandId::new(id).unwrap()].into()).into();
        });
        check(6, [Clear, Clear, Model], |b, _| {
            b.genuine_photos.push(photo());
            b.unit_price = Some(price("50", Some("50")));
        });
        check(7, [Clear, Clear, ModelWithGround], |b, _| {
            b.roles.insert(Role::SoldAs);
            b.unit_price = Some(price("1", None));
        });
        check(8, [Clear, Clear, Clear], |b, _| {
            b.roles.insert(Role::InspiredBy);
        });
        check(9, [Clear, Clear, Clear], |b, _| {
            b.roles.insert(Role::CompatibleWith);
        });
        check(9, [Clear, Clear, Clear], |_, f| f.slang = true);
    }

    #[test]
    fn the_first_true_row_decides() {
        check(1, [Outcome::Review, Outcome::Flag, Outcome::Flag], |b, f| {
            b.fake_photos.push(photo());
            b.genuine_photos.push(photo());
            b.look_alike = true;
            b.roles.insert(Role::SoldAs);
            f.slang = true;
        });
    }

    #[test]
    fn a_heap_of_brands_concerns_only_the_brands_in_it() {
        check(9, [Outcome::Clear; 3], |_, f| {
            f.brands_in_title = ["a", "c", "d"].map(|id| [BrandId::new(id).unwrap()].into()).into();
        });
    }

    #[test]
    fn inspired_by_follows_the_policy() {
        let policy = Policy::parse("test", "[default]\ninspired_by = \"review\"").unwrap();
        let (mut brand, facts) = nothing();
        brand.roles.insert(Role::InspiredBy);
        assert_eq!(first_row(&brand, &facts, &policy.default_thresholds()), (8, Outcome::Review));
    }
}
