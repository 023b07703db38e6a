//! The `listings` form.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::text;
use crate::{Condition, ListingId, ListingStatus, ParseError, Rating, SellerId};

/// Standard base64 with or without padding in, with padding out.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One offer on a marketplace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listing {
    /// The marketplace's own identifier, not empty.
    pub listing_id: String,
    /// Rises with each edit.
    #[serde(default = "one", deserialize_with = "version")]
    pub version: u64,
    /// `active` or `removed`.
    #[serde(default = "active", deserialize_with = "status")]
    #[schemars(extend("enum" = ["active", "removed"]))]
    pub status: String,
    /// The marketplace; empty where there is only one.
    #[serde(default, deserialize_with = "text::or_default")]
    pub marketplace: String,
    /// Where a person can see the offer.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// RFC 3339; when the marketplace saw the listing in this state.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub observed_at: Option<String>,
    /// The title, not empty.
    pub title: String,
    /// The long text.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The brand field of the form.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// The marketplace's category.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The GTIN field, as written.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    /// The part number field, as written.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub mpn: Option<String>,
    /// `new`, `used`, `refurbished` or `unknown`.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["new", "used", "refurbished", "unknown", null]))]
    pub condition: Option<String>,
    /// How many units the form says are sold together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack_size: Option<NonZeroU32>,
    /// The price of the whole offer.
    #[serde(default, deserialize_with = "price", skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Further form fields.
    #[serde(default, deserialize_with = "text::attributes", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The photos, in the order shown.
    #[serde(default, deserialize_with = "text::objects", skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The account behind the offer.
    #[serde(deserialize_with = "text::object")]
    pub seller: Seller,
    /// What buyers said and did.
    #[serde(default, deserialize_with = "signals", skip_serializing_if = "Signals::is_empty")]
    pub signals: Signals,
}

/// An amount of money: a decimal string or a number in, a string out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// The amount, zero or more.
    #[serde(deserialize_with = "text::amount")]
    #[schemars(extend("type" = ["string", "number"]))]
    pub amount: String,
    /// ISO 4217, three letters.
    pub currency: String,
}

/// One photo: at least one of `url`, `data` and `sha256`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// Where the picture can be fetched.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The picture's bytes in base64.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The media type of `data`; never trusted.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The SHA-256 of the bytes that were judged.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The account behind an offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seller {
    /// The marketplace's identifier of the account, not empty.
    pub seller_id: String,
    /// The name shown to buyers.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2 country.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// RFC 3339; when the account was opened.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub created_at: Option<String>,
    /// Mean rating, 1 to 5; outside of that it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<f64>,
    /// How many ratings the mean stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating_count: Option<u64>,
    /// Sales so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sales_count: Option<u64>,
    /// How many brands the seller offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_brands: Option<u64>,
    /// The marketplace's own reputation word.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub reputation: Option<String>,
    /// The marketplace says that this is the brand's own store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_official_store: Option<bool>,
    /// Listings of this seller taken down before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_takedowns: Option<u64>,
}

/// What buyers said and did about one offer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signals {
    /// Mean rating, 1 to 5; outside of that it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<f64>,
    /// How many ratings of one, two, three, four and five stars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating_counts: Option<[u64; 5]>,
    /// Units sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_count: Option<u64>,
    /// Texts of complaints.
    #[serde(default, deserialize_with = "text::texts", skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<String>,
    /// Returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_count: Option<u64>,
    /// Returns whose stated reason was that the piece is not genuine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fake_return_count: Option<u64>,
}

impl Signals {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn signals<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signals, D::Error> {
    Ok(text::optional_object(deserializer)?.unwrap_or_default())
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(one))
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text::optional(deserializer)?.unwrap_or_else(active))
}

/// A price without its amount or its currency is a missing fact.
fn price<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    #[derive(Deserialize)]
    struct Loose {
        #[serde(deserialize_with = "text::optional_amount")]
        amount: Option<String>,
        #[serde(deserialize_with = "text::optional")]
        currency: Option<String>,
    }
    let loose: Option<Loose> = text::optional_object(deserializer)?;
    Ok(loose.and_then(|m| Some(Money { amount: m.amount?, currency: m.currency? })))
}

fn one() -> u64 {
    1
}

fn active() -> String {
    ListingStatus::Active.as_str().to_owned()
}

impl TryFrom<Listing> for crate::Listing {
    type Error = ParseError;

    fn try_from(wire: Listing) -> Result<Self, ParseError> {
        Ok(Self {
            listing_id: ListingId::new(wire.listing_id).map_err(|e| ParseError::field("listing_id", e))?,
            version: wire.version,
            status: word("status", &wire.status, ListingStatus::parse, ListingStatus::ALL)?,
            marketplace: wire.marketplace,
            url: wire.url,
            observed_at: timestamp("observed_at", wire.observed_at)?,
            title: not_blank("title", wire.title)?,
            description: wire.description,
            brand: wire.brand,
            category: wire.category,
            gtin: wire.gtin,
            mpn: wire.mpn,
            condition: wire
                .condition
                .map(|text| word("condition", &text, Condition::parse, Condition::ALL))
                .transpose()?,
            pack_size: wire.pack_size,
            price: wire.price.map(|m| m.parse("price")).transpose()?,
            attributes: wire.attributes,
            images: wire
                .images
                .into_iter()
                .enumerate()
                .map(|(idx, image)| image.parse().map_err(|e| e.within(&format!("images[{idx}]"))))
                .collect::<Result<_, _>>()?,
            seller: wire.seller.parse().map_err(|e| e.within("seller"))?,
            signals: wire.signals.into(),
        })
    }
}

impl From<&crate::Listing> for Listing {
    fn from(listing: &crate::Listing) -> Self {
        Self {
            listing_id: listing.listing_id.to_string(),
            version: listing.version,
            status: listing.status.to_string(),
            marketplace: listing.marketplace.clone(),
            url: listing.url.clone(),
            observed_at: listing.observed_at.map(|t| t.to_string()),
            title: listing.title.clone(),
            description: listing.description.clone(),
            brand: listing.brand.clone(),
            category: listing.category.clone(),
            gtin: listing.gtin.clone(),
            mpn: listing.mpn.clone(),
            condition: listing.condition.map(|c| c.to_string()),
            pack_size: listing.pack_size,
            price: listing.price.as_ref().map(Money::from),
            attributes: listing.attributes.clone(),
            images: listing.images.iter().map(Image::from).collect(),
            seller: Seller::from(&listing.seller),
            signals: Signals::from(&listing.signals),
        }
    }
}

impl Money {
    pub(super) fn parse(&self, field: &str) -> Result<crate::Money, ParseError> {
        crate::Money::parse(&self.amount, &self.currency).map_err(|e| ParseError::field(field, e))
    }
}

impl From<&crate::Money> for Money {
    fn from(money: &crate::Money) -> Self {
        Self { amount: money.amount().to_string(), currency: money.currency().as_str().to_owned() }
    }
}

impl Image {
    fn parse(self) -> Result<crate::ListingImage, ParseError> {
        if self.url.is_none() && self.data.is_none() && self.sha256.is_none() {
            return Err(ParseError::field("url", "missing, and there is no data either"));
        }
        let data = self
            .data
            .map(|text| {
                BASE64.decode(text).map_err(|e| {
                    let why = e.to_string();
                    ParseError::field("data", format!("not base64: {}", why.trim_end_matches('.')))
                })
            })
            .transpose()?;
        Ok(crate::ListingImage { url: self.url, data, media_type: self.media_type, sha256: self.sha256 })
    }
}

impl From<&crate::ListingImage> for Image {
    fn from(image: &crate::ListingImage) -> Self {
        Self {
            url: image.url.clone(),
            data: image.data.as_ref().map(|bytes| BASE64.encode(bytes)),
            media_type: image.media_type.clone(),
            sha256: image.sha256.clone(),
        }
    }
}

impl Seller {
    fn parse(self) -> Result<crate::Seller, ParseError> {
        Ok(crate::Seller {
            seller_id: SellerId::new(self.seller_id).map_err(|e| ParseError::field("seller_id", e))?,
            name: self.name,
            country: self.country,
            created_at: timestamp("created_at", self.created_at)?,
            rating: self.rating.and_then(Rating::new),
            rating_count: self.rating_count,
            sales_count: self.sales_count,
            n_brands: self.n_brands,
            reputation: self.reputation,
            is_official_store: self.is_official_store,
            prior_takedowns: self.prior_takedowns,
        })
    }
}

impl From<&crate::Seller> for Seller {
    fn from(seller: &crate::Seller) -> Self {
        Self {
            seller_id: seller.seller_id.to_string(),
            name: seller.name.clone(),
            country: seller.country.clone(),
            created_at: seller.created_at.map(|t| t.to_string()),
            rating: seller.rating.map(Rating::get),
            rating_count: seller.rating_count,
            sales_count: seller.sales_count,
            n_brands: seller.n_brands,
            reputation: seller.reputation.clone(),
            is_official_store: seller.is_official_store,
            prior_takedowns: seller.prior_takedowns,
        }
    }
}

impl From<Signals> for crate::Signals {
    fn from(wire: Signals) -> Self {
        Self {
            rating: wire.rating.and_then(Rating::new),
            rating_counts: wire.rating_counts,
            sold_count: wire.sold_count,
            complaints: wire.complaints,
            return_count: wire.return_count,
            fake_return_count: wire.fake_return_count,
        }
    }
}

impl From<&crate::Signals> for Signals {
    fn from(signals: &crate::Signals) -> Self {
        Self {
            rating: signals.rating.map(Rating::get),
            rating_counts: signals.rating_counts,
            sold_count: signals.sold_count,
            complaints: signals.complaints.clone(),
            return_count: signals.return_count,
            fake_return_count: signals.fake_return_count,
        }
    }
}

pub(super) fn not_blank(field: &str, text: String) -> Result<String, ParseError> {
    if text.trim().is_empty() {
        return Err(ParseError::field(field, "missing (an empty text counts as missing)"));
    }
    Ok(text)
}

pub(super) fn timestamp(field: &str, text: Option<String>) -> Result<Option<jiff::Timestamp>, ParseError> {
    text.map(|text| {
        text.parse().map_err(|e| {
            let start: String = text.chars().take(40).collect();
            ParseError::field(
                field,
                format!("\"{start}\" is not an RFC 3339 time such as 2026-03-02T10:15:00Z: {e}"),
            )
        })
    })
    .transpose()
}

/// Reads a word of a closed list, or says which words the list has.
pub(super) fn word<T: Copy + std::fmt::Display>(
    field: &str,
    text: &str,
    parse: fn(&str) -> Option<T>,
    all: &[T],
) -> Result<T, ParseError> {
    parse(text).ok_or_else(|| {
        let known: Vec<String> = all.iter().map(T::to_string).collect();
        let start: String = text.chars().take(40).collect();
        ParseError::field(field, format!("\"{start}\" is none of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn empty_and_null_values_are_missing_facts() {
        let read = |fields: &str| {
            let json = format!(r#"{{"listing_id":"EX-1","title":"x","seller":{{"seller_id":"S"}}{fields}}}"#);
            crate::Listing::from_json(json.as_bytes()).unwrap()
        };
        let bare = read("");
        for fields in [
            r#","status":"""#,
            r#","status":null,"version":null"#,
            r#","price":{"amount":"","currency":"BRL"}"#,
            r#","price":{"amount":null,"currency":"BRL"}"#,
            r#","price":{"amount":"1.50","currency":""}"#,
            r#","price":{"amount":1.5,"currency":null}"#,
            r#","signals":{"complaints":[null,""," "]}"#,
        ] {
            assert_eq!(read(fields), bare, "{fields}");
        }
        assert_eq!(read(r#","signals":{"complaints":[null,"used"]}"#).signals.complaints, ["used"]);
    }
}
