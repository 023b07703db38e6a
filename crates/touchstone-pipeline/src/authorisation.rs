//! Whether a brand allows a seller.

use jiff::tz::Offset;
use touchstone_types::{AuthorisedSeller, BrandRecord, Listing};

/// What a brand's list says of a seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authorisation {
    /// The seller is listed for this marketplace, territory and date.
    Authorised,
    /// The brand lists its sellers, and this one is not among them.
    NotListed,
    /// The brand lists no sellers.
    Unknown,
}

/// Looks the listing's seller up in the brand's list.
pub(crate) fn authorisation(brand: Option<&BrandRecord>, listing: &Listing) -> Authorisation {
    let Some(brand) = brand.filter(|b| !b.authorised_sellers.is_empty()) else {
        return Authorisation::Unknown;
    };
    if brand.authorised_sellers.iter().any(|entry| covers(entry, listing)) {
        Authorisation::Authorised
    } else {
        Authorisation::NotListed
    }
}

/// A key absent from the entry means any; a fact absent from the listing meets only "any", except the date: without
/// `observed_at` dated entries hold.
fn covers(entry: &AuthorisedSeller, listing: &Listing) -> bool {
    let marketplace = entry.marketplace.as_ref().is_none_or(|m| *m == listing.marketplace);
    let territory = entry.territories.is_empty()
        || listing.seller.country.as_ref().is_some_and(|country| {
            entry.territories.iter().any(|territory| territory.eq_ignore_ascii_case(country))
        });
    let date = listing.observed_at.is_none_or(|at| {
        let day = Offset::UTC.to_datetime(at).date();
        entry.from.is_none_or(|from| from <= day) && entry.to.is_none_or(|to| day <= to)
    });
    entry.seller_id == listing.seller.seller_id && marketplace && territory && date
}

#[cfg(test)]
mod tests {
    use touchstone_types::CatalogRecord;

    use super::*;

    fn check(entry: &str, listing: &str, expected: Authorisation) {
        let brand = format!(r#"{{"kind":"brand","brand_id":"b","name":"B","authorised_sellers":[{entry}]}}"#);
        let Ok(CatalogRecord::Brand(brand)) = CatalogRecord::from_json(brand.as_bytes()) else {
            panic!("{entry}")
        };
        let listing = format!(r#"{{"listing_id":"L","title":"B","seller":{{"seller_id":"S-1"{listing}}}"#);
        let listing = Listing::from_json(listing.as_bytes()).unwrap();
        assert_eq!(authorisation(Some(&brand), &listing), expected, "{entry}");
    }

    #[test]
    fn every_key_of_an_entry_must_be_met() {
        use Authorisation::{Authorised, NotListed, Unknown};
        check(r#"{"seller_id":"S-1"}"#, "}", Authorised);
        check(r#"{"seller_id":"S-2"}"#, "}", NotListed);
        check("", "}", Unknown);
        check(r#"{"seller_id":"S-1","marketplace":"m"}"#, "}", NotListed);
        check(r#"{"seller_id":"S-1","marketplace":"m"}"#, r#"},"marketplace":"m""#, Authorised);
        check(r#"{"seller_id":"S-1","territories":["BR"]}"#, "}", NotListed);
        check(r#"{"seller_id":"S-1","territories":["BR"]}"#, r#","country":"br"}"#, Authorised);
    }

    #[test]
    fn both_days_of_a_dated_entry_count_and_without_a_date_it_holds() {
        let entry = r#"{"seller_id":"S-1","from":"2026-01-02","to":"2026-01-03"}"#;
        for (at, expected) in [
            ("2026-01-01T23:59:59Z", Authorisation::NotListed),
            ("2026-01-02T00:00:00Z", Authorisation::Authorised),
            ("2026-01-03T23:59:59Z", Authorisation::Authorised),
            ("2026-01-04T00:00:00Z", Authorisation::NotListed),
        ] {
            check(entry, &format!(r#"}},"observed_at":"{at}""#), expected);
        }
        check(entry, "}", Authorisation::Authorised);
    }
}
