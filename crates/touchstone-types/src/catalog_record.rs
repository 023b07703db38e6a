//! What brand owners say is genuine: the records of the compacted catalog topic.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;

use crate::ids::{decode_id, encode_id};
use crate::{BrandId, Money, ParseError, PhotoFeatures, ProductId, RecordId, SellerId, wire};

/// One record of the reference catalog.
#[derive(Debug, Clone, PartialEq)]
pub enum CatalogRecord {
    /// A brand: its names, marks and authorised sellers.
    Brand(BrandRecord),
    /// A genuine product of a brand.
    Product(ProductRecord),
    /// A known fake of a brand's product.
    Fake(FakeRecord),
    /// Something harmless that looks like a match, for example a marketplace's placeholder picture.
    Benign(BenignRecord),
}

/// A brand and who may sell it.
#[derive(Debug, Clone, PartialEq)]
pub struct BrandRecord {
    /// The brand's identifier.
    pub brand_id: BrandId,
    /// The name as its owner writes it, not empty.
    pub name: String,
    /// Other names of the same brand, in any script.
    pub aliases: Vec<String>,
    /// Registered marks.
    pub marks: Vec<Mark>,
    /// Who may sell the brand, where and when.
    pub authorised_sellers: Vec<AuthorisedSeller>,
}

/// A registered mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The text of the mark, not empty.
    pub text: String,
    /// The office that registered it.
    pub office: Option<String>,
    /// The registration number.
    pub registration: Option<String>,
    /// Classes of the Nice classification, 1 to 45.
    pub nice_classes: Vec<u8>,
}

/// A seller whom the brand allows; an absent key means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorisedSeller {
    /// The account.
    pub seller_id: SellerId,
    /// The only marketplace where it holds.
    pub marketplace: Option<String>,
    /// The countries where it holds, ISO 3166-1 alpha-2; empty means any.
    pub territories: Vec<String>,
    /// The first day on which it holds.
    pub from: Option<Date>,
    /// The last day on which it holds.
    pub to: Option<Date>,
}

/// A genuine product.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductRecord {
    /// The brand it belongs to.
    pub brand_id: BrandId,
    /// Its identifier within the brand.
    pub product_id: ProductId,
    /// Its title, not empty.
    pub title: String,
    /// Its GTINs, as written.
    pub gtins: Vec<String>,
    /// The manufacturer's part number.
    pub mpn: Option<String>,
    /// The owner's category.
    pub category: Option<String>,
    /// Further facts, for example the colour.
    pub attributes: BTreeMap<String, String>,
    /// The recommended price of one unit.
    pub list_price: Option<Money>,
    /// Below this price of one unit no genuine piece is sold.
    pub price_floor: Option<Money>,
    /// Reference photos.
    pub images: Vec<ReferenceImage>,
}

/// A known fake.
#[derive(Debug, Clone, PartialEq)]
pub struct FakeRecord {
    /// The brand that is copied.
    pub brand_id: BrandId,
    /// Its identifier within the brand.
    pub id: RecordId,
    /// The title of the fake offer.
    pub title: Option<String>,
    /// Photos of the fake.
    pub images: Vec<ReferenceImage>,
    /// Where it was found.
    pub note: Option<String>,
}

/// Something that must never count as a match.
#[derive(Debug, Clone, PartialEq)]
pub struct BenignRecord {
    /// Its identifier.
    pub id: RecordId,
    /// Pictures that anybody may use.
    pub images: Vec<ReferenceImage>,
    /// A text that anybody may use.
    pub text: Option<String>,
    /// Why it is harmless.
    pub note: Option<String>,
}

/// A reference photo: an address, features computed where it was submitted, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceImage {
    /// Where the picture can be read.
    pub url: Option<String>,
    /// What was computed from it.
    pub features: Option<PhotoFeatures>,
}

impl ReferenceImage {
    /// Whether features of this build's version are missing, and there is an address to compute them from.
    pub fn wants_features(&self) -> bool {
        let current =
            self.features.as_ref().is_some_and(|features| features.version == PhotoFeatures::VERSION);
        self.url.is_some() && !current
    }
}

/// The key of a catalog record: `brand/<brand_id>`, `product/<brand_id>/<product_id>`, `fake/<brand_id>/<id>`,
/// `benign/<id>`, with `%`, `/` and `#` inside ids percent-encoded. Ordered by kind, then by ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CatalogKey {
    /// A brand's key.
    Brand(BrandId),
    /// A product's key.
    Product(BrandId, ProductId),
    /// A fake's key.
    Fake(BrandId, RecordId),
    /// A benign record's key.
    Benign(RecordId),
}

impl CatalogKey {
    /// Reads a key; `None` where the text is not of one of the four forms.
    pub fn parse(key: &str) -> Option<Self> {
        let mut parts = key.split('/');
        let kind = parts.next()?;
        let ids: Vec<String> = parts.map(decode_id).collect::<Option<_>>()?;
        match (kind, ids.as_slice()) {
            ("brand", [brand]) => Some(Self::Brand(BrandId::new(brand).ok()?)),
            ("product", [brand, id]) => {
                Some(Self::Product(BrandId::new(brand).ok()?, ProductId::new(id).ok()?))
            }
            ("fake", [brand, id]) => Some(Self::Fake(BrandId::new(brand).ok()?, RecordId::new(id).ok()?)),
            ("benign", [id]) => Some(Self::Benign(RecordId::new(id).ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for CatalogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brand(brand) => write!(f, "brand/{}", encode_id(brand.as_str())),
            Self::Product(brand, id) => {
                write!(f, "product/{}/{}", encode_id(brand.as_str()), encode_id(id.as_str()))
            }
            Self::Fake(brand, id) => {
                write!(f, "fake/{}/{}", encode_id(brand.as_str()), encode_id(id.as_str()))
            }
            Self::Benign(id) => write!(f, "benign/{}", encode_id(id.as_str())),
        }
    }
}

impl CatalogRecord {
    /// Reads one JSON object in the `catalog` form.
    ///
    /// # Errors
    /// As [`crate::Listing::from_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        wire::CatalogRecord::read(bytes)?.try_into()
    }

    /// The record in its wire form, as one line of JSON.
    pub fn to_json(&self) -> String {
        wire::write(&wire::CatalogRecord::from(self))
    }

    /// The key under which the record stands in the catalog topic.
    pub fn key(&self) -> CatalogKey {
        match self {
            Self::Brand(r) => CatalogKey::Brand(r.brand_id.clone()),
            Self::Product(r) => CatalogKey::Product(r.brand_id.clone(), r.product_id.clone()),
            Self::Fake(r) => CatalogKey::Fake(r.brand_id.clone(), r.id.clone()),
            Self::Benign(r) => CatalogKey::Benign(r.id.clone()),
        }
    }

    /// The reference photos of the record; a brand has none.
    pub fn images(&self) -> &[ReferenceImage] {
        match self {
            Self::Brand(_) => &[],
            Self::Product(r) => &r.images,
            Self::Fake(r) => &r.images,
            Self::Benign(r) => &r.images,
        }
    }

    /// The reference photos of the record, to be completed with features; a brand has none.
    pub fn images_mut(&mut self) -> &mut [ReferenceImage] {
        match self {
            Self::Brand(_) => &mut [],
            Self::Product(r) => &mut r.images,
            Self::Fake(r) => &mut r.images,
            Self::Benign(r) => &mut r.images,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_whatever_their_ids_hold() {
        let brand = || BrandId::new("a/b#%").unwrap();
        for key in [
            CatalogKey::Brand(brand()),
            CatalogKey::Product(brand(), ProductId::new("x/1").unwrap()),
            CatalogKey::Fake(brand(), RecordId::new("%2F").unwrap()),
            CatalogKey::Benign(RecordId::new("placeholder").unwrap()),
        ] {
            assert_eq!(CatalogKey::parse(&key.to_string()), Some(key));
        }
        for bad in ["", "brand", "brand/", "brand/a/b", "product/a", "other/a", "benign/%zz"] {
            assert_eq!(CatalogKey::parse(bad), None, "{bad}");
        }
    }
}
