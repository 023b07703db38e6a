//! The `catalog` form.

use std::collections::BTreeMap;

use base64::Engine as _;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listing::{BASE64, Money, not_blank};
use super::text;
use crate::{
    BrandId, BrandRecord, FakeRecord, Hash256, ParseError, PhotoDetail, PhotoFeatures, ProductId,
    ProductRecord, Quality, RecordId, ReferenceImage, SellerId,
};

/// One record of the reference catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CatalogRecord {
    /// A brand: its names, marks and authorised sellers.
    Brand(Brand),
    /// A genuine product.
    Product(Product),
    /// A known fake.
    Fake(Fake),
    /// Something harmless.
    Benign(Benign),
}

/// The `kind` of a record alone.
#[derive(Deserialize)]
struct Tag {
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Brand,
    Product,
    Fake,
    Benign,
}

impl CatalogRecord {
    /// Reads a record in two passes, first its kind: in one pass, which serde would make over a copy of the record, an
    /// error could not say where it is.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ParseError> {
        Ok(match super::read::<Tag>(bytes)?.kind {
            Kind::Brand => Self::Brand(super::read(bytes)?),
            Kind::Product => Self::Product(super::read(bytes)?),
            Kind::Fake => Self::Fake(super::read(bytes)?),
            Kind::Benign => Self::Benign(super::read(bytes)?),
        })
    }
}

/// A brand: its names, marks and authorised sellers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Brand {
    /// The brand's identifier, not empty.
    pub brand_id: String,
    /// The name as its owner writes it, not empty.
    pub name: String,
    /// Other names of the same brand.
    #[serde(default, deserialize_with = "text::or_default", skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Registered marks.
    #[serde(default, deserialize_with = "text::objects", skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Who may sell the brand.
    #[serde(default, deserialize_with = "text::objects", skip_serializing_if = "Vec::is_empty")]
    pub authorised_sellers: Vec<AuthorisedSeller>,
}

/// A genuine product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// The brand it belongs to.
    pub brand_id: String,
    /// Its identifier within the brand.
    pub product_id: String,
    /// Its title, not empty.
    pub title: String,
    /// Its GTINs.
    #[serde(default, deserialize_with = "text::or_default", skip_serializing_if = "Vec::is_empty")]
    pub gtins: Vec<String>,
    /// The manufacturer's part number.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub mpn: Option<String>,
    /// The owner's category.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Further facts.
    #[serde(default, deserialize_with = "text::attributes", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The recommended price of one unit.
    #[serde(default, deserialize_with = "text::optional_object", skip_serializing_if = "Option::is_none")]
    pub list_price: Option<Money>,
    /// Below this price of one unit no genuine piece is sold.
    #[serde(default, deserialize_with = "text::optional_object", skip_serializing_if = "Option::is_none")]
    pub price_floor: Option<Money>,
    /// Reference photos.
    #[serde(default, deserialize_with = "text::objects", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<CatalogImage>,
}

/// A known fake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fake {
    /// The brand that is copied.
    pub brand_id: String,
    /// Its identifier within the brand.
    pub id: String,
    /// The title of the fake offer.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Photos of the fake.
    #[serde(default, deserialize_with = "text::objects", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<CatalogImage>,
    /// Where it was found.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Something harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Benign {
    /// Its identifier.
    pub id: String,
    /// Pictures that anybody may use.
    #[serde(default, deserialize_with = "text::objects", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<CatalogImage>,
    /// A text that anybody may use.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why it is harmless.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A registered mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// The text of the mark, not empty.
    pub text: String,
    /// The office that registered it.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// The registration number.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// Classes of the Nice classification, 1 to 45.
    #[serde(default, deserialize_with = "text::or_default", skip_serializing_if = "Vec::is_empty")]
    pub nice_classes: Vec<u8>,
}

/// A seller whom the brand allows; an absent key means any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorisedSeller {
    /// The account.
    pub seller_id: String,
    /// The only marketplace where it holds.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub marketplace: Option<String>,
    /// The countries where it holds.
    #[serde(default, deserialize_with = "text::or_default", skip_serializing_if = "Vec::is_empty")]
    pub territories: Vec<String>,
    /// The first day, `YYYY-MM-DD`.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day, `YYYY-MM-DD`.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A reference photo: `url`, `features`, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogImage {
    /// Where the picture can be read.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What `touchstone catalog submit` computed from it.
    #[serde(default, deserialize_with = "text::optional_object", skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
}

/// What is kept of a reference photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Features {
    /// The layout and method of the features.
    pub version: u32,
    /// Meta's PDQ hash, 64 hexadecimal digits.
    pub pdq: String,
    /// The quality of the hash, 0 to 100.
    pub quality: u8,
    /// What finds altered copies, base64; without it the photo is found by its hash alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl TryFrom<CatalogRecord> for crate::CatalogRecord {
    type Error = ParseError;

    fn try_from(wire: CatalogRecord) -> Result<Self, ParseError> {
        Ok(match wire {
            CatalogRecord::Brand(Brand { brand_id, name, aliases, marks, authorised_sellers }) => {
                Self::Brand(BrandRecord {
                    brand_id: brand(brand_id)?,
                    name: not_blank("name", name)?,
                    aliases: aliases.into_iter().filter(|a| !a.trim().is_empty()).collect(),
                    marks: each("marks", marks, Mark::parse)?,
                    authorised_sellers: each(
                        "authorised_sellers",
                        authorised_sellers,
                        AuthorisedSeller::parse,
                    )?,
                })
            }
            CatalogRecord::Product(Product {
                brand_id,
                product_id,
                title,
                gtins,
                mpn,
                category,
                attributes,
                list_price,
                price_floor,
                images,
            }) => Self::Product(ProductRecord {
                brand_id: brand(brand_id)?,
                product_id: ProductId::new(product_id).map_err(|e| ParseError::field("product_id", e))?,
                title: not_blank("title", title)?,
                gtins: gtins.into_iter().filter(|g| !g.trim().is_empty()).collect(),
                mpn,
                category,
                attributes,
                list_price: list_price.map(|m| m.parse("list_price")).transpose()?,
                price_floor: price_floor.map(|m| m.parse("price_floor")).transpose()?,
                images: each("images", images, CatalogImage::parse)?,
            }),
            CatalogRecord::Fake(Fake { brand_id, id, title, images, note }) => Self::Fake(FakeRecord {
                brand_id: brand(brand_id)?,
                id: record(id)?,
                title,
                images: each("images", images, CatalogImage::parse)?,
                note,
            }),
            CatalogRecord::Benign(Benign { id, images, text, note }) => Self::Benign(crate::BenignRecord {
                id: record(id)?,
                images: each("images", images, CatalogImage::parse)?,
                text,
                note,
            }),
        })
    }
}

impl From<&crate::CatalogRecord> for CatalogRecord {
    fn from(record: &crate::CatalogRecord) -> Self {
        match record {
            crate::CatalogRecord::Brand(r) => Self::Brand(Brand {
                brand_id: r.brand_id.to_string(),
                name: r.name.clone(),
                aliases: r.aliases.clone(),
                marks: r.marks.iter().map(Mark::from).collect(),
                authorised_sellers: r.authorised_sellers.iter().map(AuthorisedSeller::from).collect(),
            }),
            crate::CatalogRecord::Product(r) => Self::Product(Product {
                brand_id: r.brand_id.to_string(),
                product_id: r.product_id.to_string(),
                title: r.title.clone(),
                gtins: r.gtins.clone(),
                mpn: r.mpn.clone(),
                category: r.category.clone(),
                attributes: r.attributes.clone(),
                list_price: r.list_price.as_ref().map(Money::from),
                price_floor: r.price_floor.as_ref().map(Money::from),
                images: r.images.iter().map(CatalogImage::from).collect(),
            }),
            crate::CatalogRecord::Fake(r) => Self::Fake(Fake {
                brand_id: r.brand_id.to_string(),
                id: r.id.to_string(),
                title: r.title.clone(),
                images: r.images.iter().map(CatalogImage::from).collect(),
                note: r.note.clone(),
            }),
            crate::CatalogRecord::Benign(r) => Self::Benign(Benign {
                id: r.id.to_string(),
                images: r.images.iter().map(CatalogImage::from).collect(),
                text: r.text.clone(),
                note: r.note.clone(),
            }),
        }
    }
}

impl Mark {
    fn parse(self) -> Result<crate::Mark, ParseError> {
        if let Some(class) = self.nice_classes.iter().find(|c| !(1..=45).contains(*c)) {
            return Err(ParseError::field("nice_classes", format!("{class} is outside 1 to 45")));
        }
        Ok(crate::Mark {
            text: not_blank("text", self.text)?,
            office: self.office,
            registration: self.registration,
            nice_classes: self.nice_classes,
        })
    }
}

impl From<&crate::Mark> for Mark {
    fn from(mark: &crate::Mark) -> Self {
        Self {
            text: mark.text.clone(),
            office: mark.office.clone(),
            registration: mark.registration.clone(),
            nice_classes: mark.nice_classes.clone(),
        }
    }
}

impl AuthorisedSeller {
    fn parse(self) -> Result<crate::AuthorisedSeller, ParseError> {
        let (from, to) = (day("from", self.from)?, day("to", self.to)?);
        if let (Some(first), Some(last)) = (from, to)
            && last < first
        {
            return Err(ParseError::field("to", format!("{last} is before \"from\", {first}")));
        }
        Ok(crate::AuthorisedSeller {
            seller_id: SellerId::new(self.seller_id).map_err(|e| ParseError::field("seller_id", e))?,
            marketplace: self.marketplace,
            territories: self.territories.into_iter().filter(|t| !t.trim().is_empty()).collect(),
            from,
            to,
        })
    }
}

impl From<&crate::AuthorisedSeller> for AuthorisedSeller {
    fn from(seller: &crate::AuthorisedSeller) -> Self {
        Self {
            seller_id: seller.seller_id.to_string(),
            marketplace: seller.marketplace.clone(),
            territories: seller.territories.clone(),
            from: seller.from.map(|d| d.to_string()),
            to: seller.to.map(|d| d.to_string()),
        }
    }
}

impl CatalogImage {
    fn parse(self) -> Result<ReferenceImage, ParseError> {
        if self.url.is_none() && self.features.is_none() {
            return Err(ParseError::field("url", "missing, and there are no features either"));
        }
        let features = self
            .features
            .map(|f| PhotoFeatures::try_from(&f).map_err(|e| e.within("features")))
            .transpose()?;
        Ok(ReferenceImage { url: self.url, features })
    }
}

impl From<&ReferenceImage> for CatalogImage {
    fn from(image: &ReferenceImage) -> Self {
        let features = image.features.as_ref().map(Features::from);
        Self { url: image.url.clone(), features }
    }
}

impl From<&PhotoFeatures> for Features {
    fn from(features: &PhotoFeatures) -> Self {
        Self {
            version: features.version,
            pdq: features.pdq.to_string(),
            quality: features.quality.get(),
            detail: features.detail.as_ref().map(|detail| BASE64.encode(detail.as_bytes())),
        }
    }
}

impl TryFrom<&Features> for PhotoFeatures {
    type Error = ParseError;

    fn try_from(wire: &Features) -> Result<Self, ParseError> {
        Ok(Self {
            version: wire.version,
            pdq: Hash256::from_hex(&wire.pdq).map_err(|e| ParseError::field("pdq", e))?,
            quality: Quality::new(wire.quality).ok_or_else(|| {
                ParseError::field("quality", format!("{} is outside 0 to 100", wire.quality))
            })?,
            detail: wire.detail.as_deref().map(detail).transpose()?,
        })
    }
}

fn detail(text: &str) -> Result<PhotoDetail, ParseError> {
    let wrong = |reason: String| ParseError::field("detail", reason);
    let bytes = BASE64.decode(text).map_err(|e| wrong(format!("no base64: {e}")))?;
    let n_bytes = bytes.len();
    PhotoDetail::new(bytes)
        .ok_or_else(|| wrong(format!("{n_bytes} bytes, allowed are 1 to {}", PhotoDetail::MAX_BYTES)))
}

fn brand(id: String) -> Result<BrandId, ParseError> {
    BrandId::new(id).map_err(|e| ParseError::field("brand_id", e))
}

fn record(id: String) -> Result<RecordId, ParseError> {
    RecordId::new(id).map_err(|e| ParseError::field("id", e))
}

fn day(field: &str, text: Option<String>) -> Result<Option<Date>, ParseError> {
    text.map(|text| {
        text.parse()
            .map_err(|e| ParseError::field(field, format!("\"{text}\" is not a day such as 2026-03-02: {e}")))
    })
    .transpose()
}

fn each<W, D>(
    field: &str,
    items: Vec<W>,
    parse: fn(W) -> Result<D, ParseError>,
) -> Result<Vec<D>, ParseError> {
    let items = items.into_iter().enumerate();
    items.map(|(idx, item)| parse(item).map_err(|e| e.within(&format!("{field}[{idx}]")))).collect()
}
