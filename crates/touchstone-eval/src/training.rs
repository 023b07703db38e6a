//! From labelled listings to the table that the classifier learns from.

use std::collections::BTreeMap;

use touchstone_classifier::{ClassifierError, Dataset};
use touchstone_pipeline::{Context, PhotoInput, feature_names, judge};
use touchstone_types::Listing;

use crate::forms::Label;

/// One row for each listing that has a label, and a week of at most `to_week`: what the pipeline's own features say of it,
/// so that training and judging can never disagree. Rows of one seller are one group, because a seller's listings resemble
/// each other.
///
/// `context` needs no model. `photos` gives one entry for each image of a listing.
///
/// # Errors
/// Never for rows of the pipeline's own features.
pub fn training_table(
    listings: &[Listing],
    labels: &[Label],
    to_week: Option<u32>,
    photos: &dyn Fn(&Listing) -> Vec<PhotoInput>,
    context: &Context,
) -> Result<Dataset, ClassifierError> {
    let labels: BTreeMap<(&str, u64), &Label> =
        labels.iter().map(|l| ((l.listing_id.as_str(), l.version), l)).collect();
    let mut data = Dataset::new(feature_names());
    for listing in listings {
        let Some(label) = labels.get(&(listing.listing_id.as_str(), listing.version)) else { continue };
        if to_week.is_some_and(|last| label.week > last) {
            continue;
        }
        let judgement = judge(listing, &photos(listing), context);
        // A removed listing has no features.
        if !judgement.features.is_empty() {
            data.push(&judgement.features, label.label, Some(listing.seller.seller_id.as_str()))?;
        }
    }
    Ok(data)
}
