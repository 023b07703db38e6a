//! The `verdicts` and `review` forms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::listing::{Listing, timestamp, word};
use super::text;
use crate::{
    BrandId, Completeness, Decision, Hash256, JudgedPhoto, ListingId, Missing, ParseError, PhotoSearch,
    Probability, ProductId, Quality, Reason, SellerId, round6,
};

/// The pipeline's conclusion about one version of one listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// A UUID (version 5) that depends only on marketplace, listing and version.
    #[schemars(extend("format" = "uuid"))]
    pub flag_id: String,
    /// Counts the revisions of this flag; the highest counts.
    pub revision: u64,
    /// The listing.
    pub listing_id: String,
    /// Its version.
    pub listing_version: u64,
    /// Where it is offered.
    #[serde(default)]
    pub marketplace: String,
    /// The account behind it.
    pub seller_id: String,
    /// RFC 3339; when the marketplace saw the listing in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub observed_at: Option<String>,
    /// `takedown`, `review`, `clear`, `abstain` or `retract`.
    pub decision: String,
    /// The row of the decision table that decided, 1 to 9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u8>,
    /// The calibrated probability of counterfeit; absent without a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The order in which reviewers should look, highest first.
    pub priority: u64,
    /// The brand concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand_id: Option<String>,
    /// The genuine product concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// Why, heaviest first, from the list of `touchstone schema reasons`.
    pub reasons: Vec<String>,
    /// What was found.
    #[serde(deserialize_with = "text::objects")]
    pub evidence: Vec<Evidence>,
    /// `full` or `partial`.
    pub completeness: String,
    /// What could not be looked at.
    #[serde(default)]
    pub missing: Vec<String>,
    /// `all`, `proposed` or `hash`; absent when no photo was searched.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub photo_search: Option<String>,
    /// What the verdict was made with.
    #[serde(deserialize_with = "text::object")]
    pub versions: Versions,
    /// Of a retracted flag: the `flag_id` whose verdict took its place.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub replaced_by: Option<String>,
}

/// What a verdict was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    /// The version of the program.
    pub engine: String,
    /// A digest of the live catalog records.
    pub catalog: String,
    /// The content hash of the model; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The content hash of the policy.
    pub policy: String,
}

/// A verdict with the listing and photos as judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flag {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The listing as judged, inline picture bytes replaced by their hash.
    #[serde(deserialize_with = "text::object")]
    pub listing: Listing,
    /// The photos that were judged.
    #[serde(default, deserialize_with = "text::objects")]
    pub photos: Vec<Photo>,
}

/// A photo as it was judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Photo {
    /// The place of the photo in the listing, from 0.
    pub image: usize,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Meta's PDQ hash, 64 hexadecimal digits.
    pub pdq: String,
    /// The quality of that hash, 0 to 100.
    pub quality: u8,
}

impl From<&crate::Verdict> for Verdict {
    fn from(verdict: &crate::Verdict) -> Self {
        Self {
            flag_id: verdict.flag_id.to_string(),
            revision: verdict.revision,
            listing_id: verdict.listing_id.to_string(),
            listing_version: verdict.listing_version,
            marketplace: verdict.marketplace.clone(),
            seller_id: verdict.seller_id.to_string(),
            observed_at: verdict.observed_at.map(|t| t.to_string()),
            decision: verdict.decision.to_string(),
            row: verdict.row,
            probability: verdict.probability.map(|p| round6(p.get())),
            priority: verdict.priority,
            brand_id: verdict.brand_id.as_ref().map(BrandId::to_string),
            product_id: verdict.product_id.as_ref().map(ProductId::to_string),
            reasons: verdict.reasons.iter().map(Reason::to_string).collect(),
            evidence: verdict.evidence.iter().map(Evidence::from).collect(),
            completeness: verdict.completeness.to_string(),
            missing: verdict.missing.iter().map(Missing::to_string).collect(),
            photo_search: verdict.photo_search.map(|s| s.to_string()),
            versions: Versions {
                engine: verdict.versions.engine.clone(),
                catalog: verdict.versions.catalog.clone(),
                model: verdict.versions.model.clone(),
                policy: verdict.versions.policy.clone(),
            },
            replaced_by: verdict.replaced_by.map(|id| id.to_string()),
        }
    }
}

impl TryFrom<Verdict> for crate::Verdict {
    type Error = ParseError;

    fn try_from(wire: Verdict) -> Result<Self, ParseError> {
        let evidence = wire.evidence.into_iter().enumerate();
        Ok(Self {
            flag_id: uuid(&wire.flag_id)?,
            revision: wire.revision,
            listing_id: ListingId::new(wire.listing_id).map_err(|e| ParseError::field("listing_id", e))?,
            listing_version: wire.listing_version,
            marketplace: wire.marketplace,
            seller_id: SellerId::new(wire.seller_id).map_err(|e| ParseError::field("seller_id", e))?,
            observed_at: timestamp("observed_at", wire.observed_at)?,
            decision: word("decision", &wire.decision, Decision::parse, Decision::ALL)?,
            row: wire.row,
            probability: wire.probability.map(probability).transpose()?,
            priority: wire.priority,
            brand_id: wire
                .brand_id
                .map(|id| BrandId::new(id).map_err(|e| ParseError::field("brand_id", e)))
                .transpose()?,
            product_id: wire
                .product_id
                .map(|id| ProductId::new(id).map_err(|e| ParseError::field("product_id", e)))
                .transpose()?,
            reasons: wire
                .reasons
                .iter()
                .map(|text| word("reasons", text, Reason::parse, Reason::ALL))
                .collect::<Result<_, _>>()?,
            evidence: evidence
                .map(|(idx, e)| e.try_into().map_err(|e: ParseError| e.within(&format!("evidence[{idx}]"))))
                .collect::<Result<_, _>>()?,
            completeness: word("completeness", &wire.completeness, Completeness::parse, Completeness::ALL)?,
            missing: wire
                .missing
                .iter()
                .map(|text| {
                    Missing::parse(text)
                        .ok_or_else(|| ParseError::field("missing", format!("\"{text}\" is not known")))
                })
                .collect::<Result<_, _>>()?,
            photo_search: wire
                .photo_search
                .map(|text| word("photo_search", &text, PhotoSearch::parse, PhotoSearch::ALL))
                .transpose()?,
            versions: crate::Versions {
                engine: wire.versions.engine,
                catalog: wire.versions.catalog,
                model: wire.versions.model,
                policy: wire.versions.policy,
            },
            replaced_by: wire.replaced_by.map(|id| uuid_in("replaced_by", &id)).transpose()?,
        })
    }
}

impl From<&crate::Flag> for Flag {
    fn from(flag: &crate::Flag) -> Self {
        Self {
            verdict: Verdict::from(flag.verdict()),
            listing: Listing::from(flag.listing()),
            photos: flag.photos().iter().map(Photo::from).collect(),
        }
    }
}

impl TryFrom<Flag> for crate::Flag {
    type Error = ParseError;

    fn try_from(wire: Flag) -> Result<Self, ParseError> {
        let listing = crate::Listing::try_from(wire.listing).map_err(|e| e.within("listing"))?;
        let photos = wire.photos.into_iter().enumerate();
        let photos = photos.map(|(idx, p)| p.parse().map_err(|e| e.within(&format!("photos[{idx}]"))));
        Self::new(wire.verdict.try_into()?, listing, photos.collect::<Result<_, _>>()?)
            .ok_or_else(|| ParseError::field("decision", "no flag: clear and abstain do not go to reviewers"))
    }
}

impl From<&JudgedPhoto> for Photo {
    fn from(photo: &JudgedPhoto) -> Self {
        Self {
            image: photo.image_idx,
            sha256: photo.sha256.clone(),
            pdq: photo.pdq.to_string(),
            quality: photo.quality.get(),
        }
    }
}

impl Photo {
    fn parse(self) -> Result<JudgedPhoto, ParseError> {
        Ok(JudgedPhoto {
            image_idx: self.image,
            sha256: self.sha256,
            pdq: Hash256::from_hex(&self.pdq).map_err(|e| ParseError::field("pdq", e))?,
            quality: Quality::new(self.quality).ok_or_else(|| {
                ParseError::field("quality", format!("{} is outside 0 to 100", self.quality))
            })?,
        })
    }
}

pub(super) fn uuid(text: &str) -> Result<uuid::Uuid, ParseError> {
    uuid_in("flag_id", text)
}

fn uuid_in(field: &'static str, text: &str) -> Result<uuid::Uuid, ParseError> {
    uuid::Uuid::parse_str(text)
        .map_err(|e| ParseError::field(field, format!("\"{text}\" is not a UUID: {e}")))
}

fn probability(p: f64) -> Result<Probability, ParseError> {
    Probability::new(p).ok_or_else(|| ParseError::field("probability", format!("{p} is outside 0 to 1")))
}
