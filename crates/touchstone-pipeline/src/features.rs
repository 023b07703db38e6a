//! The features of the classifier: one documented table, from which the vector is computed.

use touchstone_classifier::FeatureNames;
use touchstone_types::{Alteration, Listing, Role};

use crate::authorisation::Authorisation;
use crate::facts::{BrandFacts, ListingFacts};
use crate::unit_price::is_below_floor;

/// One feature of the classifier.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Its name in model files and contributions.
    pub name: &'static str,
    /// What it means, its range, and when it is missing.
    pub meaning: &'static str,
    value: fn(&Inputs<'_>) -> Option<f64>,
}

struct Inputs<'a> {
    listing: &'a Listing,
    facts: &'a ListingFacts,
    brand: Option<&'a BrandFacts<'a>>,
    /// How many photos could be looked at.
    n_photos: usize,
}

/// Every feature, in the order of the vector. Changing a name, a meaning or the order makes earlier model files unusable,
/// and they are refused by name.
pub const FEATURES: &[Feature] = &[
    Feature {
        name: "unit_price_ratio",
        meaning: "unit price / list price, 0 to 10 (more counts as 10); missing without price, product, list price, or in another currency",
        value: |i| i.brand?.unit_price.as_ref()?.ratio.map(|r| r.min(10.0)),
    },
    Feature {
        name: "below_price_floor",
        meaning: "1 where the unit price is under the brand's floor, else 0; missing as the ratio, and without a floor",
        value: |i| is_below_floor(i.brand?.unit_price.as_ref()?).map(flag),
    },
    Feature {
        name: "pack_size",
        meaning: "ln(units in the offer), 0 to 14; missing where the unit price is not known",
        value: |i| Some(libm::log(f64::from(i.brand?.unit_price.as_ref()?.pack_size))),
    },
    Feature {
        name: "sold_as",
        meaning: "1 where the offer is presented as the brand's, else 0",
        value: |i| Some(flag(i.brand.is_some_and(BrandFacts::is_sold_as))),
    },
    Feature {
        name: "look_alike_brand",
        meaning: "1 where a sold_as claim imitates the brand's name, else 0",
        value: |i| Some(flag(i.brand.is_some_and(|b| b.look_alike))),
    },
    Feature {
        name: "brand_misspelt",
        meaning: "1 where every such claim is a typo or words run together, which happens in good faith, else 0",
        value: |i| Some(flag(i.brand.is_some_and(|b| b.misspelt))),
    },
    Feature {
        name: "look_alike_spelt_out",
        meaning: "1 where the listing writes the brand's name as it is beside an imitation of it, 0 where it only imitates it; missing without an imitation",
        value: |i| i.brand.filter(|b| b.look_alike).map(|b| flag(b.spelt_out)),
    },
    Feature {
        name: "inspired_by",
        meaning: "1 where the offer is presented as similar to the brand's, else 0",
        value: |i| Some(flag(has_role(i, Role::InspiredBy))),
    },
    Feature {
        name: "compatible_or_negated",
        meaning: "1 where the brand is named as what the offer fits, or as what it is not, else 0",
        value: |i| Some(flag(has_role(i, Role::CompatibleWith) || has_role(i, Role::Negated))),
    },
    Feature {
        name: "n_brands_in_title",
        meaning: "brands claimed sold_as or stuffed in the title, 0 to 10",
        value: |i| Some((i.facts.brands_in_title.len() as f64).min(10.0)),
    },
    Feature {
        name: "counterfeit_slang",
        meaning: "1 where the offer's text uses slang for counterfeits, else 0",
        value: |i| Some(flag(i.facts.slang)),
    },
    Feature {
        name: "fake_complaints",
        meaning: "ln(1 + complaints that say the piece is not genuine); missing without complaints",
        value: |i| {
            (!i.listing.signals.complaints.is_empty()).then(|| log1p(i.facts.n_fake_complaints as f64))
        },
    },
    Feature {
        name: "fake_return_share",
        meaning: "returns as not genuine / returns, 0 to 1; missing without returns",
        value: |i| {
            let returns = i.listing.signals.return_count.filter(|n| *n > 0)? as f64;
            i.listing.signals.fake_return_count.map(|n| (n as f64 / returns).min(1.0))
        },
    },
    Feature {
        name: "photo_of_genuine_product",
        meaning: "1 where a photo is the brand's own, else 0; missing where no photo could be looked at",
        value: |i| photo(i, |b| !b.genuine_photos.is_empty()),
    },
    Feature {
        name: "photo_altered",
        meaning: "1 where a photo is the brand's own, but turned, mirrored, cropped, framed, covered or put beside others, else 0; missing where no photo could be looked at",
        value: |i| photo(i, |b| b.genuine_photos.iter().any(|m| m.transform != Alteration::NONE)),
    },
    Feature {
        name: "photo_of_known_fake",
        meaning: "1 where a photo shows a known fake, else 0; missing where no photo could be looked at",
        value: |i| photo(i, |b| !b.fake_photos.is_empty()),
    },
    Feature {
        name: "seller_authorised",
        meaning: "1 where the brand lists the seller, 0 where it lists others; missing where it lists none",
        value: |i| match i.brand?.authorisation {
            Authorisation::Authorised => Some(1.0),
            Authorisation::NotListed => Some(0.0),
            Authorisation::Unknown => None,
        },
    },
    Feature {
        name: "official_store",
        meaning: "1 where the marketplace says so, 0 where it says not; missing where it says nothing",
        value: |i| i.listing.seller.is_official_store.map(flag),
    },
    Feature {
        name: "seller_age",
        meaning: "ln(1 + days since the account was opened); missing without either date",
        value: |i| i.facts.seller_age_days.map(log1p),
    },
    Feature {
        name: "seller_sales",
        meaning: "ln(1 + sales of the seller); missing where not sent",
        value: |i| i.listing.seller.sales_count.map(|n| log1p(n as f64)),
    },
    Feature {
        name: "seller_rating",
        meaning: "mean rating of the seller, 1 to 5; missing where not sent",
        value: |i| i.listing.seller.rating.map(|r| r.get()),
    },
    Feature {
        name: "seller_ratings",
        meaning: "ln(1 + ratings of the seller); missing where not sent",
        value: |i| i.listing.seller.rating_count.map(|n| log1p(n as f64)),
    },
    Feature {
        name: "seller_brands",
        meaning: "ln(1 + brands that the seller offers); missing where not sent",
        value: |i| i.listing.seller.n_brands.map(|n| log1p(n as f64)),
    },
    Feature {
        name: "seller_reputation",
        meaning: "the digit that the marketplace's word for the seller's standing begins with, 0 to 9; missing without one",
        value: |i| i.listing.seller.reputation.as_deref()?.chars().next()?.to_digit(10).map(f64::from),
    },
    Feature {
        name: "seller_takedowns",
        meaning: "ln(1 + earlier takedowns of the seller); missing where not sent",
        value: |i| i.listing.seller.prior_takedowns.map(|n| log1p(n as f64)),
    },
    Feature {
        name: "listing_rating",
        meaning: "mean rating of the offer, 1 to 5; missing where not sent",
        value: |i| i.listing.signals.rating.map(|r| r.get()),
    },
    Feature {
        name: "worst_rating_share",
        meaning: "share of one-star ratings, 0 to 1; missing below ten ratings",
        value: |i| i.facts.rating_extremes.map(|(worst, _)| worst),
    },
    Feature {
        name: "rating_bimodality",
        meaning: "product of the shares of one and five stars × 4, 0 to 1; missing below ten ratings",
        value: |i| i.facts.rating_extremes.map(|(worst, best)| 4.0 * worst * best),
    },
    Feature {
        name: "sold_count",
        meaning: "ln(1 + units sold); missing where not sent",
        value: |i| i.listing.signals.sold_count.map(|n| log1p(n as f64)),
    },
    Feature {
        name: "not_new",
        meaning: "1 where text or form say used, refurbished or empty, else 0",
        value: |i| Some(flag(i.facts.is_not_new())),
    },
    Feature {
        name: "condition_contradiction",
        meaning: "1 where the form says new and the text does not, else 0",
        value: |i| Some(flag(i.facts.condition_contradiction.is_some())),
    },
    Feature {
        name: "role_contradiction",
        meaning: "1 where the brand field says the brand and the title does not, else 0",
        value: |i| Some(flag(i.brand.is_some_and(|b| b.role_contradiction.is_some()))),
    },
    Feature {
        name: "product_match",
        meaning: "probability that the listing is about the matched product, 0.5 to 1; missing without one",
        value: |i| i.brand?.product_match.map(|m| m.probability.get()),
    },
    Feature {
        name: "gtin_valid",
        meaning: "1 where the GTIN field holds a valid GTIN, 0 where not; missing where empty",
        value: |i| i.facts.gtin_valid.map(flag),
    },
    Feature {
        name: "gtin_of_another_brand",
        meaning: "1 where the GTIN is another brand's product, 0 where the brand's; missing where the catalog does not know it",
        value: |i| i.brand?.product.gtin_of_another_brand.map(flag),
    },
    Feature {
        name: "mpn_near_miss",
        meaning: "1 where the part number is the product's but for one character, else 0; a weak sign; missing without both",
        value: |i| i.brand?.product.mpn_near_miss.map(flag),
    },
    Feature {
        name: "category_differs",
        meaning: "1 where the listing's category is not the product's, else 0; missing without both",
        value: |i| i.brand?.product.category_differs.map(flag),
    },
    Feature {
        name: "description_copied",
        meaning: "1 where the description holds the product's title as the catalog has it, else 0; missing without both",
        value: |i| i.brand?.product.description_copied.map(flag),
    },
];

/// The names of [`FEATURES`], by which model files are checked.
pub fn feature_names() -> FeatureNames {
    FeatureNames::new(FEATURES.iter().map(|f| f.name)).expect("the names of the table differ, a test says so")
}

/// The vector for one brand of a listing, or for a listing in which none was found.
pub(crate) fn vector(
    listing: &Listing,
    n_photos: usize,
    facts: &ListingFacts,
    brand: Option<&BrandFacts<'_>>,
) -> Vec<Option<f64>> {
    let inputs = Inputs { listing, facts, brand, n_photos };
    FEATURES.iter().map(|feature| (feature.value)(&inputs)).collect()
}

fn has_role(inputs: &Inputs<'_>, role: Role) -> bool {
    inputs.brand.is_some_and(|b| b.roles.contains(&role))
}

fn photo(inputs: &Inputs<'_>, found: fn(&BrandFacts<'_>) -> bool) -> Option<f64> {
    (inputs.n_photos > 0).then(|| flag(inputs.brand.is_some_and(found)))
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn log1p(value: f64) -> f64 {
    libm::log1p(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_every_feature_is_documented() {
        assert_eq!(feature_names().len(), FEATURES.len());
        assert!(FEATURES.iter().all(|f| f.meaning.len() > 20));
    }
}
