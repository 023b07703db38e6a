//! How the fields of a listing stand beside the product that it seems to be about.

use strsim::osa_distance;
use touchstone_catalog::Snapshot;
use touchstone_text::TextFindings;
use touchstone_types::{BrandId, Listing, ProductId, ProductRecord};

/// What the fields say; `None` where there is nothing to compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ProductFacts {
    /// The listing's category is not the product's.
    pub(crate) category_differs: Option<bool>,
    /// The description holds the product's title as the catalog has it.
    pub(crate) description_copied: Option<bool>,
    /// The part number is the product's but for one character.
    pub(crate) mpn_near_miss: Option<bool>,
    /// The GTIN is that of another brand's product.
    pub(crate) gtin_of_another_brand: Option<bool>,
}

impl ProductFacts {
    pub(crate) fn new(
        listing: &Listing,
        text: &TextFindings,
        brand: &BrandId,
        product: Option<&ProductId>,
        snapshot: &Snapshot,
    ) -> Self {
        let gtin_of_another_brand = gtin_of_another_brand(text, brand);
        let Some(product) = product.and_then(|id| snapshot.product(brand, id)) else {
            return Self { gtin_of_another_brand, ..Self::default() };
        };
        Self {
            category_differs: category_differs(listing, &product),
            description_copied: description_copied(listing, &product),
            mpn_near_miss: mpn_near_miss(listing, &product),
            gtin_of_another_brand,
        }
    }
}

fn category_differs(listing: &Listing, product: &ProductRecord) -> Option<bool> {
    Some(folded(listing.category.as_deref()?) != folded(product.category.as_deref()?))
}

fn description_copied(listing: &Listing, product: &ProductRecord) -> Option<bool> {
    Some(folded(listing.description.as_deref()?).contains(&folded(&product.title)))
}

fn mpn_near_miss(listing: &Listing, product: &ProductRecord) -> Option<bool> {
    let (given, own) = (folded(listing.mpn.as_deref()?), folded(product.mpn.as_deref()?));
    // The distance takes the product of both lengths, and a listing's field may be long.
    let near_length = given.len().abs_diff(own.len()) <= 4;
    Some(near_length && osa_distance(&given, &own) == 1)
}

/// Known only where the GTIN is one of the catalog's.
fn gtin_of_another_brand(text: &TextFindings, brand: &BrandId) -> Option<bool> {
    let mut by_gtin = text.matches.iter().filter(|m| m.agree.iter().any(|fact| fact == "gtin")).peekable();
    by_gtin.peek()?;
    Some(by_gtin.all(|m| m.brand_id != *brand))
}

/// Case and the width of white space do not count.
fn folded(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(fields: &str) -> Listing {
        let json = format!(r#"{{"listing_id":"L","title":"x","seller":{{"seller_id":"S"}}{fields}}}"#);
        Listing::from_json(json.as_bytes()).unwrap()
    }

    fn product(fields: &str) -> ProductRecord {
        let json = format!(
            r#"{{"kind":"product","brand_id":"lumora","product_id":"P","title":"Cartucho Lumora 20"{fields}}}"#
        );
        match touchstone_types::CatalogRecord::from_json(json.as_bytes()).unwrap() {
            touchstone_types::CatalogRecord::Product(product) => product,
            _ => unreachable!(),
        }
    }

    #[test]
    fn fields_are_compared_without_case_and_only_where_both_say_something() {
        let own = product(r#","category":"Ink  Cartridges","mpn":"LM-20K""#);
        let same = listing(
            r#","category":"ink cartridges","mpn":"lm-20k","description":"Novo: CARTUCHO lumora  20, lacrado""#,
        );
        assert_eq!(category_differs(&same, &own), Some(false));
        assert_eq!(mpn_near_miss(&same, &own), Some(false));
        assert_eq!(description_copied(&same, &own), Some(true));
        let other = listing(r#","category":"toys","mpn":"LM-2OK","description":"tinta""#);
        assert_eq!(category_differs(&other, &own), Some(true));
        assert_eq!(mpn_near_miss(&other, &own), Some(true));
        assert_eq!(description_copied(&other, &own), Some(false));
        assert_eq!(mpn_near_miss(&listing(r#","mpn":"LM-99""#), &own), Some(false));
        let silent = listing("");
        assert_eq!((category_differs(&silent, &own), mpn_near_miss(&same, &product(""))), (None, None));
        assert_eq!(description_copied(&silent, &own), None);
    }
}
