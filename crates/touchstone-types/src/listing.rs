//! One offer on a marketplace, as the pipeline judges it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::evidence::words;
use crate::{ListingId, Money, ParseError, Rating, SellerId, wire};

/// One offer: title, text, price, images, seller. A missing fact is `None`, never zero or empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The marketplace's own identifier.
    pub listing_id: ListingId,
    /// Rises with each edit; 1 where the marketplace does not count.
    pub version: u64,
    /// Whether the offer is up.
    pub status: ListingStatus,
    /// The marketplace; empty where there is only one.
    pub marketplace: String,
    /// Where a person can see the offer.
    pub url: Option<String>,
    /// When the marketplace saw the listing in this state: the only "now" of the pipeline.
    pub observed_at: Option<Timestamp>,
    /// The title, not empty.
    pub title: String,
    /// The long text.
    pub description: Option<String>,
    /// The brand field of the marketplace's form.
    pub brand: Option<String>,
    /// The marketplace's category.
    pub category: Option<String>,
    /// The GTIN field, as written.
    pub gtin: Option<String>,
    /// The manufacturer's part number field, as written.
    pub mpn: Option<String>,
    /// The condition field of the form.
    pub condition: Option<Condition>,
    /// How many units the form says are sold together.
    pub pack_size: Option<NonZeroU32>,
    /// The price of the whole offer.
    pub price: Option<Money>,
    /// Further form fields.
    pub attributes: BTreeMap<String, String>,
    /// The photos, in the order shown.
    pub images: Vec<ListingImage>,
    /// The account behind the offer.
    pub seller: Seller,
    /// What buyers said and did.
    pub signals: Signals,
}

words! {
    /// Whether an offer is up.
    ListingStatus {
        /// It can be bought.
        Active = "active",
        /// The marketplace or the seller took it down.
        Removed = "removed",
    }
}

words! {
    /// The condition field of a marketplace form.
    Condition {
        /// Never used.
        New = "new",
        /// Second hand.
        Used = "used",
        /// Repaired or refilled.
        Refurbished = "refurbished",
        /// The seller did not say.
        Unknown = "unknown",
    }
}

/// One photo of a listing: at least one of its facts is present.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ListingImage {
    /// Where the picture can be fetched.
    pub url: Option<String>,
    /// The picture's bytes, sent along.
    pub data: Option<Vec<u8>>,
    /// The IANA media type that the sender states; never trusted.
    pub media_type: Option<String>,
    /// The SHA-256 of the bytes that were judged: stands in a flag in place of inline bytes.
    pub sha256: Option<String>,
}

impl std::fmt::Debug for ListingImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListingImage")
            .field("url", &self.url)
            .field("data_bytes", &self.data.as_ref().map(Vec::len))
            .field("media_type", &self.media_type)
            .field("sha256", &self.sha256)
            .finish()
    }
}

/// The account behind a listing; facts come from the message, nothing is counted across listings.
#[derive(Clone, PartialEq)]
pub struct Seller {
    /// The marketplace's identifier of the account.
    pub seller_id: SellerId,
    /// The name shown to buyers.
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2 country, as sent.
    pub country: Option<String>,
    /// When the account was opened.
    pub created_at: Option<Timestamp>,
    /// Mean rating of the seller.
    pub rating: Option<Rating>,
    /// How many ratings the mean stands on.
    pub rating_count: Option<u64>,
    /// Sales so far.
    pub sales_count: Option<u64>,
    /// How many brands the seller offers.
    pub n_brands: Option<u64>,
    /// The marketplace's own reputation word.
    pub reputation: Option<String>,
    /// The marketplace says that this is the brand's own store. Only a fact: it authorises nobody.
    pub is_official_store: Option<bool>,
    /// Listings of this seller taken down before.
    pub prior_takedowns: Option<u64>,
}

impl std::fmt::Debug for Seller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seller(redacted)")
    }
}

/// What buyers said and did about one listing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signals {
    /// Mean rating of the offer.
    pub rating: Option<Rating>,
    /// How many ratings of one, two, three, four and five stars.
    pub rating_counts: Option<[u64; 5]>,
    /// Units sold.
    pub sold_count: Option<u64>,
    /// Texts of complaints.
    pub complaints: Vec<String>,
    /// Returns.
    pub return_count: Option<u64>,
    /// Returns whose stated reason was that the piece is not genuine.
    pub fake_return_count: Option<u64>,
}

impl Listing {
    /// Reads one JSON object in the `listings` form.
    ///
    /// # Errors
    /// Bytes that are not UTF-8 or not JSON, nesting deeper than [`wire::MAX_DEPTH`], a missing or mistyped field, a value
    /// out of range: the error names the field and the value.
    ///
    /// ```
    /// use touchstone_types::Listing;
    /// let json = br#"{"listing_id":"EX-1","title":"Lumora 20","seller":{"seller_id":"S-1"}}"#;
    /// assert_eq!(Listing::from_json(json).unwrap().version, 1);
    /// let error = Listing::from_json(br#"{"listing_id":"EX-1","title":7}"#).unwrap_err();
    /// assert!(error.to_string().starts_with("title: "));
    /// ```
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        wire::read::<wire::Listing>(bytes)?.try_into()
    }

    /// The listing in its wire form, as one line of JSON.
    pub fn to_json(&self) -> String {
        wire::write(&wire::Listing::from(self))
    }

    /// A copy in which inline picture bytes are replaced by `sha256`, one entry for each image (`None` where none was looked at):
    /// the form in which a listing stands in a flag. Of bytes that nobody looked at it has the hash all the same, because an
    /// image without any name is none.
    pub fn judged(&self, sha256: &[Option<String>]) -> Self {
        let mut listing = self.clone();
        for (idx, image) in listing.images.iter_mut().enumerate() {
            let seen = sha256.get(idx).cloned().flatten().or_else(|| image.sha256.take());
            image.sha256 = seen.or_else(|| image.data.as_deref().map(sha256_of));
            image.data = None;
        }
        listing
    }
}

fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
