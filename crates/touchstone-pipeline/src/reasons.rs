//! The reasons of a verdict about one brand.

use touchstone_text::State;
use touchstone_types::{Condition, Ground, Reason, Role};

use crate::authorisation::Authorisation;
use crate::facts::{BrandFacts, ListingFacts};
use crate::policy::Thresholds;
use crate::table::{Column, price_reasons};

/// Everything that speaks for or explains a decision about a brand, the classifier and missing stages aside.
pub(crate) fn reasons(
    brand: Option<&BrandFacts<'_>>,
    facts: &ListingFacts,
    thresholds: &Thresholds,
) -> Vec<Reason> {
    let mut found = Vec::new();
    let mut add = |holds: bool, reason: Reason| {
        if holds {
            found.push(reason);
        }
    };
    listing_reasons(facts, &mut add);
    match brand {
        Some(brand) => brand_reasons(brand, facts, thresholds, &mut add),
        None => add(true, Reason::NothingFound),
    }
    found
}

/// Whether one of the reasons speaks for suspicion and is not about the price or the classifier.
pub(crate) fn has_ground(reasons: &[Reason]) -> bool {
    reasons.iter().any(|r| matches!(r.ground(), Ground::Text | Ground::Image | Ground::Fact))
}

fn listing_reasons(facts: &ListingFacts, add: &mut impl FnMut(bool, Reason)) {
    add(facts.slang, Reason::CounterfeitSlang);
    add(facts.n_fake_complaints > 0, Reason::ComplaintsSayFake);
    add(facts.returns_say_fake, Reason::ReturnsSayFake);
    add(facts.seller_had_takedowns, Reason::SellerHadTakedowns);
    add(facts.ratings_bimodal(), Reason::RatingsBimodal);
    add(facts.gtin_valid == Some(false), Reason::GtinInvalid);
    add(facts.seller_is_new(), Reason::SellerIsNew);
    add(facts.condition_contradiction.is_some(), Reason::ConditionContradiction);
    match facts.state {
        State::New => {}
        State::Used { .. } => add(true, Reason::Used),
        State::Refurbished { .. } => add(true, Reason::Refurbished),
        State::Empty { .. } | State::ForRefilling { .. } => add(true, Reason::Empty),
    }
    if facts.state.is_new() {
        add(facts.form_not_new == Some(Condition::Used), Reason::Used);
        add(facts.form_not_new == Some(Condition::Refurbished), Reason::Refurbished);
    }
}

fn brand_reasons(
    brand: &BrandFacts<'_>,
    facts: &ListingFacts,
    thresholds: &Thresholds,
    add: &mut impl FnMut(bool, Reason),
) {
    let genuine_photo = !brand.genuine_photos.is_empty();
    add(!brand.fake_photos.is_empty(), Reason::PhotoOfKnownFake);
    add(genuine_photo, Reason::PhotoOfGenuineProduct);
    add(brand.silenced_photos, Reason::PhotoIsBenign);
    add(brand.look_alike, Reason::LookAlikeBrand);
    // The list price is that of a new piece from anyone: a used, empty or compatible one may well cost less.
    let comparable = brand.is_sold_as() && Column::of(Some(brand), facts) == Column::AnyoneElse;
    for reason in price_reasons(brand, thresholds) {
        add(comparable || genuine_photo, reason);
    }
    add(facts.is_in_heap(&brand.brand_id), Reason::ManyBrandsInTitle);
    add(brand.authorisation == Authorisation::NotListed && brand.is_sold_as(), Reason::SellerNotAuthorised);
    add(brand.authorisation == Authorisation::Authorised, Reason::SellerAuthorised);
    add(brand.role_contradiction.is_some(), Reason::RoleContradiction);
    add(brand.is_sold_as(), Reason::SoldAsBrand);
    for (role, reason) in [
        (Role::InspiredBy, Reason::InspiredByBrand),
        (Role::CompatibleWith, Reason::CompatibleWithBrand),
        (Role::Negated, Reason::BrandNegated),
    ] {
        add(brand.roles.contains(&role), reason);
    }
    let shown = genuine_photo || !brand.fake_photos.is_empty();
    add(brand.roles.is_empty() && !shown && !facts.is_in_title(&brand.brand_id), Reason::NothingFound);
}
