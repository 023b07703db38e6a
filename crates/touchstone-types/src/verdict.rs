//! The pipeline's conclusion about one listing, and the flag that carries it to reviewers.

use jiff::Timestamp;
use uuid::Uuid;

use crate::evidence::words;
use crate::{
    BrandId, Evidence, Hash256, Listing, ListingId, ParseError, PhotoFailure, Probability, ProductId,
    Quality, Reason, SellerId, wire,
};

words! {
    /// What should happen to a listing.
    Decision {
        /// Remove it: a proposal to an automated job.
        Takedown = "takedown",
        /// A person should look.
        Review = "review",
        /// Nothing suspicious.
        Clear = "clear",
        /// A stage could not run, and its result could have mattered.
        Abstain = "abstain",
        /// An earlier flag is taken back.
        Retract = "retract",
    }
}

impl Decision {
    /// Whether such a verdict goes to the review topic.
    pub const fn is_flag(self) -> bool {
        matches!(self, Self::Takedown | Self::Review | Self::Retract)
    }
}

words! {
    /// Whether every stage ran on everything it should.
    Completeness {
        /// Every stage ran.
        Full = "full",
        /// Something is named in `missing`.
        Partial = "partial",
    }
}

words! {
    /// How widely photos were searched.
    PhotoSearch {
        /// All tiers over all references.
        All = "all",
        /// The second tier only over proposed references.
        Proposed = "proposed",
        /// Whole-picture hashes only.
        Hash = "hash",
    }
}

/// What could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// The photo at this place of the listing, and why.
    Image(usize, PhotoFailure),
    /// No model was given, or it could not score.
    Model,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image(idx, failure) => write!(f, "image {idx}: {}", failure.as_str()),
            Self::Model => f.write_str("model: missing"),
        }
    }
}

impl Missing {
    /// Reads the form that `Display` writes; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "model: missing" {
            return Some(Self::Model);
        }
        let (idx, failure) = text.strip_prefix("image ")?.split_once(": ")?;
        Some(Self::Image(idx.parse().ok()?, PhotoFailure::parse(failure)?))
    }
}

/// What a verdict was made with; enough to make it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// The version of this program.
    pub engine: String,
    /// A digest of the live catalog records.
    pub catalog: String,
    /// The content hash of the model; absent without a model.
    pub model: Option<String>,
    /// The content hash of the policy.
    pub policy: String,
}

/// The pipeline's conclusion about one version of one listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// See [`flag_id`].
    pub flag_id: Uuid,
    /// 1 from the pipeline; the stream counts on.
    pub revision: u64,
    /// The listing.
    pub listing_id: ListingId,
    /// Its version.
    pub listing_version: u64,
    /// Where it is offered.
    pub marketplace: String,
    /// The account behind it.
    pub seller_id: SellerId,
    /// When the marketplace saw the listing in this state.
    pub observed_at: Option<Timestamp>,
    /// What should happen.
    pub decision: Decision,
    /// The row of the decision table that decided, 1 to 9; absent for a removed listing.
    pub row: Option<u8>,
    /// The calibrated probability of counterfeit; absent without a model.
    pub probability: Option<Probability>,
    /// The order in which reviewers should look, highest first.
    pub priority: u64,
    /// The brand concerned.
    pub brand_id: Option<BrandId>,
    /// The genuine product concerned.
    pub product_id: Option<ProductId>,
    /// Why, heaviest first.
    pub reasons: Vec<Reason>,
    /// What was found, in the order of [`Evidence::order`].
    pub evidence: Vec<Evidence>,
    /// Whether every stage ran.
    pub completeness: Completeness,
    /// What could not be looked at.
    pub missing: Vec<Missing>,
    /// How widely photos were searched; absent when none was.
    pub photo_search: Option<PhotoSearch>,
    /// What the verdict was made with.
    pub versions: Versions,
    /// Of a retracted flag: the flag whose verdict took its place.
    pub replaced_by: Option<Uuid>,
}

/// A photo as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedPhoto {
    /// The place of the photo in the listing's `images`, from 0.
    pub image_idx: usize,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its perceptual hash.
    pub pdq: Hash256,
    /// The quality of that hash.
    pub quality: Quality,
}

/// A proposal to reviewers and takedown jobs: a verdict with the listing and photos as judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    verdict: Verdict,
    listing: Listing,
    photos: Vec<JudgedPhoto>,
}

impl Flag {
    /// The flag of a verdict; `None` where the decision is clear or abstain, which no reviewer need see.
    /// `listing` is the listing as judged (see [`Listing::judged`]).
    pub fn new(verdict: Verdict, listing: Listing, photos: Vec<JudgedPhoto>) -> Option<Self> {
        verdict.decision.is_flag().then_some(Self { verdict, listing, photos })
    }

    /// The same flag with another verdict, for example taken back; `None` where that verdict is clear or abstain.
    pub fn with_verdict(self, verdict: Verdict) -> Option<Self> {
        Self::new(verdict, self.listing, self.photos)
    }

    /// The verdict.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The listing as judged, without inline picture bytes.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The photos that were judged.
    pub fn photos(&self) -> &[JudgedPhoto] {
        &self.photos
    }

    /// Reads one JSON object in the `review` form.
    ///
    /// # Errors
    /// As [`Listing::from_json`]; also a decision that is no flag.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        wire::read::<wire::Flag>(bytes)?.try_into()
    }

    /// The flag in its wire form, as one line of JSON.
    pub fn to_json(&self) -> String {
        wire::write(&wire::Flag::from(self))
    }
}

impl Verdict {
    /// Reads one JSON object in the `verdicts` form.
    ///
    /// # Errors
    /// As [`Listing::from_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        wire::read::<wire::Verdict>(bytes)?.try_into()
    }

    /// The verdict in its wire form, as one line of JSON.
    pub fn to_json(&self) -> String {
        wire::write(&wire::Verdict::from(self))
    }
}

/// The identifier of the flag of one version of a listing: UUID version 5 (RFC 9562) in the URL namespace of
/// `touchstone:flag:` + marketplace + `\n` + listing id + `\n` + version. The same listing always gets the same one, so
/// a takedown job can act once.
pub fn flag_id(marketplace: &str, listing_id: &ListingId, version: u64) -> Uuid {
    let name = format!("touchstone:flag:{marketplace}\n{listing_id}\n{version}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_ids_differ_by_marketplace_listing_and_version() {
        let id = |m: &str, l: &str, v| flag_id(m, &ListingId::new(l).unwrap(), v);
        // Checked with Python: uuid.uuid5(uuid.NAMESPACE_URL, "touchstone:flag:example\nEX-1001\n3")
        assert_eq!(id("example", "EX-1001", 3).to_string(), "fd882c52-e08f-507a-af6d-94aa635ff493");
        assert_ne!(id("example", "EX-1001", 3), id("example", "EX-1001", 4));
        assert_ne!(id("", "EX-1001", 3), id("example", "EX-1001", 3));
    }

    #[test]
    fn missing_reads_back_as_it_was_written() {
        for missing in [Missing::Model, Missing::Image(1, PhotoFailure::Timeout)] {
            assert_eq!(Missing::parse(&missing.to_string()), Some(missing));
        }
        assert_eq!(Missing::parse("image one: timeout"), None);
    }
}
