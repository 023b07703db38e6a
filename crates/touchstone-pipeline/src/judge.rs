//! One function from listing, photos and context to verdict: the stream, `scan`, replay, back-test and "explain" all use it.

use std::cmp::Reverse;

use touchstone_image_hash::{MatchSettings, Photo};
use touchstone_text::TextFindings;
use touchstone_types::{
    CatalogKey, Completeness, Decision, Evidence, Flag, KeptPhoto, Listing, ListingStatus, Missing,
    PhotoFailure, PhotoMatch, PhotoSearch, Probability, ProductMatch, Reason, Verdict, flag_id,
};

use crate::authorisation::{Authorisation, authorisation};
use crate::context::Context;
use crate::counted::Counted;
use crate::facts::{BrandFacts, ListingFacts};
use crate::features::vector;
use crate::policy::Thresholds;
use crate::product_match::text_findings;
use crate::reasons::{has_ground, reasons};
use crate::table::{Column, Outcome, first_row};

/// How many contributions a flag shows.
const N_CONTRIBUTIONS: usize = 5;

/// A photo of a listing as it enters the pipeline: complete features, or the reason why there are none.
pub type PhotoInput = Result<Photo, PhotoFailure>;

/// A verdict and the photos it stands on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict; `revision` is 1.
    pub verdict: Verdict,
    /// The photos that were judged, with what [`judge_again`](crate::judge_again) needs of them.
    pub kept: Vec<KeptPhoto>,
    /// What the classifier read, in the order of [`crate::FEATURES`]; empty for a removed listing.
    pub features: Vec<Option<f64>>,
}

impl Judgement {
    /// The flag that goes to the review topic; `None` for clear and abstain. `listing` is the one that was judged.
    pub fn flag(&self, listing: &Listing) -> Option<Flag> {
        if !self.verdict.decision.is_flag() {
            return None;
        }
        let photos = self.kept.iter().map(KeptPhoto::judged).collect();
        Flag::new(self.verdict.clone(), self.judged(listing), photos)
    }

    /// The listing that was judged, in the form in which it stands in a flag: see [`Listing::judged`].
    pub fn judged(&self, listing: &Listing) -> Listing {
        let mut sha256 = vec![None; listing.images.len()];
        for photo in &self.kept {
            sha256[photo.image_idx] = Some(photo.sha256.clone());
        }
        listing.judged(&sha256)
    }
}

/// Judges one listing. `photos` holds one entry for each image of the listing, in their order; images beyond its end, or
/// beyond the policy's `max_images`, count as [`PhotoFailure::NotFetched`].
///
/// The same arguments give the same verdict on any machine, in any order of listings; nothing is remembered.
pub fn judge(listing: &Listing, photos: &[PhotoInput], context: &Context) -> Judgement {
    judge_seen(listing, context, |text| look(listing, photos, text, context))
}

/// Judges one listing, whatever `look` says of its photos; it is given what the text says.
pub(crate) fn judge_seen(
    listing: &Listing,
    context: &Context,
    look: impl FnOnce(&TextFindings) -> Seen,
) -> Judgement {
    if listing.status == ListingStatus::Removed {
        let verdict = removed(listing, context);
        return Judgement { verdict, kept: Vec::new(), features: Vec::new() };
    }
    let text = text_findings(listing, context);
    let seen = look(&text);
    let counted = Counted::of(&text, &context.snapshot);
    let facts = ListingFacts::new(listing, &text, &counted, &seen.matches);
    let brands = BrandFacts::all(listing, &text, &counted, &seen.matches, &facts, &context.snapshot);
    let case = Case { listing, context, facts: &facts, seen: &seen };
    let nothing_found = || case.conclude(None);
    let conclusion = brands
        .iter()
        .map(|brand| case.conclude(Some(brand)))
        .min_by_key(|c| (Reverse(severity(c.decision)), c.row, c.brand.map(|b| b.brand_id.clone())))
        .unwrap_or_else(nothing_found);
    let features = conclusion.features.clone();
    let verdict = case.verdict(conclusion, &text);
    Judgement { verdict, kept: seen.photos, features }
}

/// What the photos showed.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) matches: Vec<PhotoMatch>,
    /// The photos that could be looked at.
    pub(crate) photos: Vec<KeptPhoto>,
    pub(crate) missing: Vec<Missing>,
}

/// How photos are told from the catalog's.
pub(crate) fn match_settings(context: &Context) -> MatchSettings<'_> {
    MatchSettings {
        radius: context.policy.photo_radius(),
        score: context.photo_score(),
        only_proposed: context.policy.only_proposed_photos(),
    }
}

fn look(listing: &Listing, photos: &[PhotoInput], text: &TextFindings, context: &Context) -> Seen {
    let settings = match_settings(context);
    // In a catalog too large for a second look at every reference, the products that the text is about get one.
    let of_product =
        |found: &ProductMatch| CatalogKey::Product(found.brand_id.clone(), found.product_id.clone());
    let proposed: Vec<CatalogKey> = text.matches.iter().map(of_product).collect();
    let mut seen = Seen::default();
    for image_idx in 0..listing.images.len() {
        let photo = photos.get(image_idx).filter(|_| image_idx < context.policy.max_images());
        match photo.unwrap_or(&Err(PhotoFailure::NotFetched)) {
            Ok(photo) => {
                let found = context.snapshot.photo_matches(image_idx, photo, &settings, &proposed);
                seen.matches.extend(found);
                seen.photos.push(photo.kept(image_idx));
            }
            Err(failure) => seen.missing.push(Missing::Image(image_idx, *failure)),
        }
    }
    seen
}

/// What every brand of one listing is judged with.
#[derive(Clone, Copy)]
struct Case<'a> {
    listing: &'a Listing,
    context: &'a Context,
    facts: &'a ListingFacts,
    seen: &'a Seen,
}

/// What follows for one brand, or for a listing in which none was found.
struct Conclusion<'a> {
    brand: Option<&'a BrandFacts<'a>>,
    row: u8,
    decision: Decision,
    probability: Option<Probability>,
    reasons: Vec<Reason>,
    features: Vec<Option<f64>>,
    /// What the marketplace's base rate adds to the log-odds.
    shift: f64,
}

impl<'a> Case<'a> {
    fn conclude(&self, brand: Option<&'a BrandFacts<'a>>) -> Conclusion<'a> {
        let thresholds = self.thresholds(brand);
        let features = vector(self.listing, self.seen.photos.len(), self.facts, brand);
        let model = self.context.model.as_ref().map(|model| model.classifier());
        let shift = model.zip(thresholds.base_rate).map_or(0.0, |(model, rate)| model.shift_to(rate));
        let probability = model.map(|model| model.probability_shifted(&features, shift));
        let mut reasons = reasons(brand, self.facts, &thresholds);
        let (row, outcome) = brand.map_or((9, Outcome::Clear), |b| first_row(b, self.facts, &thresholds));
        let decision = match outcome {
            Outcome::Flag => self.flag(brand, probability, &thresholds),
            Outcome::Review => Decision::Review,
            Outcome::Clear => Decision::Clear,
            Outcome::Model => by_model(probability, &thresholds, &mut reasons),
            Outcome::ModelWithGround if has_ground(&reasons) => {
                by_model(probability, &thresholds, &mut reasons)
            }
            Outcome::ModelWithGround => {
                reasons.push(Reason::NoGroundButPrice);
                Decision::Clear
            }
        };
        let decision = match decision {
            Decision::Clear if self.photo_could_matter() => Decision::Abstain,
            other => other,
        };
        if decision == Decision::Abstain {
            reasons.push(Reason::StageMissing);
        }
        reasons.sort_by_key(|r| (Reverse(r.weight()), r.as_str()));
        reasons.dedup();
        Conclusion { brand, row, decision, probability, reasons, features, shift }
    }

    fn thresholds(&self, brand: Option<&BrandFacts<'_>>) -> Thresholds {
        let Some(brand) = brand else { return self.context.policy.default_thresholds() };
        let product = brand.product_id.as_ref();
        let product = product.and_then(|id| self.context.snapshot.product(&brand.brand_id, id));
        let category = product.as_ref().and_then(|p| p.category.as_deref());
        let category = category.or(self.listing.category.as_deref());
        self.context.policy.thresholds(&brand.brand_id, category)
    }

    /// Takedown if all gates hold, else review.
    fn flag(
        &self,
        brand: Option<&BrandFacts<'_>>,
        probability: Option<Probability>,
        thresholds: &Thresholds,
    ) -> Decision {
        let gates = brand.is_some_and(|brand| {
            thresholds.automation
                && probability.is_some_and(|p| p.get() >= thresholds.takedown)
                && self.seen.missing.is_empty()
                && n_stages(brand, self.facts, thresholds) >= 2
                && Column::of(Some(brand), self.facts) != Column::Authorised
        });
        if gates { Decision::Takedown } else { Decision::Review }
    }

    /// Whether a photo that could not be looked at might have made a clear listing a flag: it might have shown a known fake
    /// (row 1), or a genuine product of any brand, whose price the offer's is far below (row 4), or which the classifier
    /// would have weighed (row 6: new, and sold by somebody whom that brand does not list).
    fn photo_could_matter(&self) -> bool {
        let (snapshot, listing) = (&self.context.snapshot, self.listing);
        let weighed = || {
            let mut brands = snapshot.photographed_brands();
            !self.facts.is_not_new()
                && brands.any(|brand| authorisation(Some(brand), listing) != Authorisation::Authorised)
        };
        let priced = || listing.price.is_some() && snapshot.photographed_brands().next().is_some();
        !self.seen.missing.is_empty() && (snapshot.has_fake_photos() || priced() || weighed())
    }

    fn verdict(&self, conclusion: Conclusion<'_>, text: &TextFindings) -> Verdict {
        let evidence = self.evidence(&conclusion, text);
        let Conclusion { brand, row, decision, probability, reasons, .. } = conclusion;
        let mut missing = self.seen.missing.clone();
        if self.context.model.is_none() {
            missing.push(Missing::Model);
        }
        let mut verdict = bare(self.listing, self.context);
        verdict.decision = decision;
        verdict.row = Some(row);
        verdict.probability = probability;
        verdict.priority = self.priority(brand, probability);
        verdict.brand_id = brand.map(|b| b.brand_id.clone());
        verdict.product_id = brand.and_then(|b| b.product_id.clone());
        verdict.reasons = reasons;
        verdict.evidence = evidence;
        verdict.completeness = if missing.is_empty() { Completeness::Full } else { Completeness::Partial };
        verdict.missing = missing;
        let snapshot = &self.context.snapshot;
        verdict.photo_search = (!self.seen.photos.is_empty()).then(|| {
            let search = snapshot.photo_search();
            match self.context.policy.only_proposed_photos() {
                true if search == PhotoSearch::All => PhotoSearch::Proposed,
                _ => search,
            }
        });
        verdict
    }

    fn evidence(&self, conclusion: &Conclusion<'_>, text: &TextFindings) -> Vec<Evidence> {
        let mut evidence: Vec<Evidence> = text.claims.iter().cloned().map(Evidence::BrandClaim).collect();
        evidence.extend(text.matches.iter().cloned().map(Evidence::ProductMatch));
        evidence.extend(text.terms.iter().cloned().map(Evidence::Term));
        evidence.extend(self.seen.matches.iter().cloned().map(Evidence::PhotoMatch));
        match conclusion.brand {
            Some(brand) => evidence.extend(brand.evidence(self.facts)),
            None => evidence.extend(self.facts.condition_contradiction.clone().map(Evidence::Contradiction)),
        }
        if let (true, Some(model)) = (conclusion.decision.is_flag(), &self.context.model) {
            let (features, shift) = (&conclusion.features, conclusion.shift);
            let contributions = model.classifier().contributions_shifted(features, N_CONTRIBUTIONS, shift);
            evidence.extend(contributions.into_iter().map(Evidence::Contribution));
        }
        evidence.sort_by(Evidence::order);
        evidence
    }

    /// Probability × reach × value: the order in which a person's time is best spent. Without a model every flag counts as
    /// certain, so that none sinks for want of a score.
    fn priority(&self, brand: Option<&BrandFacts<'_>>, probability: Option<Probability>) -> u64 {
        let signals = &self.listing.signals;
        let n_rated = || signals.rating_counts.map(|counts| counts.iter().map(|n| *n as f64).sum::<f64>());
        let reach = 1.0 + signals.sold_count.map(|n| n as f64).or_else(n_rated).unwrap_or(0.0);
        let value = brand
            .and_then(|b| b.list_price)
            .and_then(|money| money.amount().to_string().parse().ok())
            .unwrap_or(1.0_f64);
        (probability.map_or(1.0, Probability::get) * reach * value).round() as u64
    }
}

fn by_model(
    probability: Option<Probability>,
    thresholds: &Thresholds,
    reasons: &mut Vec<Reason>,
) -> Decision {
    let Some(probability) = probability else { return Decision::Abstain };
    if probability.get() >= thresholds.review {
        reasons.push(Reason::ModelAboveThreshold);
        Decision::Review
    } else {
        reasons.push(Reason::ModelBelowThreshold);
        Decision::Clear
    }
}

/// How many of text, image and facts speak against the listing.
fn n_stages(brand: &BrandFacts<'_>, facts: &ListingFacts, thresholds: &Thresholds) -> usize {
    use touchstone_types::Ground;
    let reasons = reasons(Some(brand), facts, thresholds);
    let any = |grounds: &[Ground]| reasons.iter().any(|r| grounds.contains(&r.ground()));
    let text = brand.is_sold_as() || any(&[Ground::Text]);
    [text, any(&[Ground::Image]), any(&[Ground::Fact, Ground::Price])].into_iter().filter(|x| *x).count()
}

fn severity(decision: Decision) -> u8 {
    match decision {
        Decision::Takedown => 3,
        Decision::Review => 2,
        Decision::Abstain => 1,
        Decision::Clear | Decision::Retract => 0,
    }
}

fn removed(listing: &Listing, context: &Context) -> Verdict {
    Verdict { reasons: vec![Reason::Removed], ..bare(listing, context) }
}

/// A verdict that says nothing yet but what it is about.
fn bare(listing: &Listing, context: &Context) -> Verdict {
    Verdict {
        flag_id: flag_id(&listing.marketplace, &listing.listing_id, listing.version),
        revision: 1,
        listing_id: listing.listing_id.clone(),
        listing_version: listing.version,
        marketplace: listing.marketplace.clone(),
        seller_id: listing.seller.seller_id.clone(),
        observed_at: listing.observed_at,
        decision: Decision::Clear,
        row: None,
        probability: None,
        priority: 0,
        brand_id: None,
        product_id: None,
        reasons: Vec::new(),
        evidence: Vec::new(),
        completeness: Completeness::Full,
        missing: Vec::new(),
        photo_search: None,
        versions: context.versions.clone(),
        replaced_by: None,
    }
}
