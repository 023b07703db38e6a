//! The closed list of reasons, each with the weight by which a verdict orders them.

use crate::evidence::words;

words! {
    /// Why a verdict says what it says.
    Reason {
        /// A photo shows a known fake.
        PhotoOfKnownFake = "photo_of_known_fake",
        /// The text uses slang for counterfeits.
        CounterfeitSlang = "counterfeit_slang",
        /// The text imitates the brand's name.
        LookAlikeBrand = "look_alike_brand",
        /// A photo is the brand's own.
        PhotoOfGenuineProduct = "photo_of_genuine_product",
        /// The price of one unit is below the brand's floor.
        PriceBelowFloor = "price_below_floor",
        /// The price of one unit is far below the list price.
        PriceFarBelowList = "price_far_below_list",
        /// Three or more brands are claimed in one title.
        ManyBrandsInTitle = "many_brands_in_title",
        /// The brand lists its sellers, and this one is not among them.
        SellerNotAuthorised = "seller_not_authorised",
        /// Buyers say that the piece is not genuine.
        ComplaintsSayFake = "complaints_say_fake",
        /// Buyers returned the piece as not genuine.
        ReturnsSayFake = "returns_say_fake",
        /// Listings of the seller were taken down before.
        SellerHadTakedowns = "seller_had_takedowns",
        /// Many ratings are the best or the worst, few between: some pieces are genuine, some are not.
        RatingsBimodal = "ratings_bimodal",
        /// The GTIN is not a valid one.
        GtinInvalid = "gtin_invalid",
        /// The seller's account is new.
        SellerIsNew = "seller_is_new",
        /// The form presents the offer as the brand's, the title does not.
        RoleContradiction = "role_contradiction",
        /// The form says new, the text says used, refurbished or empty.
        ConditionContradiction = "condition_contradiction",
        /// The classifier's probability is at or above the review threshold.
        ModelAboveThreshold = "model_above_threshold",
        /// The offer is presented as similar to the brand's.
        InspiredByBrand = "inspired_by_brand",
        /// The offer is presented as the brand's.
        SoldAsBrand = "sold_as_brand",
        /// A stage could not run, and its result could have mattered.
        StageMissing = "stage_missing",
        /// A photo could not be fetched, however often it was tried.
        PhotoUnreachable = "photo_unreachable",
        /// The brand lists the seller.
        SellerAuthorised = "seller_authorised",
        /// The piece is second hand.
        Used = "used",
        /// The piece is repaired, refilled or remanufactured.
        Refurbished = "refurbished",
        /// The piece is sold without its contents, or to be refilled.
        Empty = "empty",
        /// The text offers something that fits the brand's products.
        CompatibleWithBrand = "compatible_with_brand",
        /// The text says that the offer is not of the brand.
        BrandNegated = "brand_negated",
        /// A photo also matches a harmless reference, so its matches do not count.
        PhotoIsBenign = "photo_is_benign",
        /// The classifier's probability is below the review threshold.
        ModelBelowThreshold = "model_below_threshold",
        /// No ground but the price, which alone is not enough.
        NoGroundButPrice = "no_ground_but_price",
        /// No brand of the catalog is claimed, and no photo matches.
        NothingFound = "nothing_found",
        /// The marketplace removed the listing.
        Removed = "removed",
        /// A reviewer dismissed the listing, and there is no evidence of a new kind.
        Dismissed = "dismissed",
        /// A later version was judged before.
        StaleVersion = "stale_version",
        /// Retracted: the listing was edited.
        Edited = "edited",
        /// Retracted: the brand withdrew what the flag stood on.
        CatalogWithdrawn = "catalog_withdrawn",
        /// Retracted: the evidence changed.
        EvidenceChanged = "evidence_changed",
        /// Retracted: a later flag takes its place.
        SupersededByFlag = "superseded_by_flag",
    }
}

/// What kind of ground a reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Text speaks for suspicion.
    Text,
    /// A photo speaks for suspicion.
    Image,
    /// A fact other than the price speaks for suspicion.
    Fact,
    /// The price speaks for suspicion.
    Price,
    /// The classifier speaks for suspicion.
    Model,
    /// It explains the decision without speaking for suspicion.
    Neutral,
}

impl Reason {
    /// The weight by which the reasons of a verdict are ordered, heaviest first: falling to 1 in the order
    /// of the list.
    pub fn weight(self) -> u32 {
        let place = Self::ALL.iter().position(|r| *r == self).unwrap_or(Self::ALL.len());
        u32::try_from(Self::ALL.len() - place).unwrap_or(0)
    }

    /// What kind of ground it is. The mere claim of a brand is neutral: honest sellers make it too.
    pub const fn ground(self) -> Ground {
        match self {
            Self::CounterfeitSlang
            | Self::LookAlikeBrand
            | Self::ManyBrandsInTitle
            | Self::ComplaintsSayFake => Ground::Text,
            Self::PhotoOfKnownFake | Self::PhotoOfGenuineProduct => Ground::Image,
            Self::SellerNotAuthorised
            | Self::ReturnsSayFake
            | Self::SellerHadTakedowns
            | Self::RatingsBimodal
            | Self::GtinInvalid
            | Self::SellerIsNew
            | Self::RoleContradiction
            | Self::ConditionContradiction => Ground::Fact,
            Self::PriceBelowFloor | Self::PriceFarBelowList => Ground::Price,
            Self::ModelAboveThreshold => Ground::Model,
            _ => Ground::Neutral,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new reason must be given its kind of ground on purpose.
    #[test]
    fn every_reason_that_outweighs_the_model_speaks_for_suspicion() {
        for reason in Reason::ALL.iter().filter(|r| r.weight() > Reason::ModelAboveThreshold.weight()) {
            assert_ne!(reason.ground(), Ground::Neutral, "{reason}");
        }
        for reason in Reason::ALL.iter().filter(|r| r.weight() < Reason::ModelAboveThreshold.weight()) {
            assert_eq!(reason.ground(), Ground::Neutral, "{reason}");
        }
    }

    #[test]
    fn weights_fall_from_first_to_last_and_words_read_back() {
        assert!(Reason::ALL.windows(2).all(|pair| pair[0].weight() > pair[1].weight()));
        assert!(Reason::ALL.iter().all(|r| Reason::parse(r.as_str()) == Some(*r)));
    }
}
