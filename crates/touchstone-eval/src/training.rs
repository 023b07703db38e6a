//! From judged listings to the table that the classifier learns from.

use touchstone_classifier::{ClassifierError, Dataset};
use touchstone_pipeline::feature_names;

use crate::JudgedRow;

/// One row for each listing: what the pipeline's own features say of it, so that training and judging can never disagree. Rows
/// of one seller are one group, because a seller's listings resemble each other.
///
/// # Errors
/// Never for rows of the pipeline's own features.
pub fn training_table(rows: &[JudgedRow]) -> Result<Dataset, ClassifierError> {
    let mut data = Dataset::new(feature_names());
    // A removed listing has no features.
    for row in rows.iter().filter(|row| !row.features.is_empty()) {
        data.push(&row.features, row.label.label, Some(row.verdict.seller_id.as_str()))?;
    }
    Ok(data)
}
