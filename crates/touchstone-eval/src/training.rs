//! From judged listings to the table that the classifier learns from.

use touchstone_classifier::{ClassifierError, Dataset};
use touchstone_pipeline::feature_names;
use touchstone_types::Probability;

use crate::JudgedRow;

/// The most that a row weighs. A flag that was all but never ruled would otherwise speak for so many others that its label decides.
const MAX_WEIGHT: f64 = 20.0;

/// One row for each listing: what the pipeline's own features say of it, so that training and judging can never disagree. Rows
/// of one seller are one group, because a seller's listings resemble each other.
///
/// Where labels say how probable it was that there is one, a row weighs the inverse of that (Horvitz and Thompson), at most 20.
///
/// # Errors
/// Never for rows of the pipeline's own features.
pub fn training_table(rows: &[JudgedRow]) -> Result<Dataset, ClassifierError> {
    let mut data = Dataset::new(feature_names());
    // A removed listing has no features.
    for row in rows.iter().filter(|row| !row.features.is_empty()) {
        let (label, group) = (row.label.label, Some(row.verdict.seller_id.as_str()));
        match row.label.selection_probability {
            None => data.push(&row.features, label, group)?,
            Some(p) => data.push_weighted(&row.features, label, group, weight(p))?,
        }
    }
    Ok(data)
}

fn weight(selection: Probability) -> f64 {
    // Division by zero is infinite, and so the most.
    (1.0 / selection.get()).min(MAX_WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::tests::row;

    #[test]
    fn rows_weigh_the_inverse_of_the_probability_that_they_were_labelled() {
        let judged = |id: usize, selection: Option<f64>| {
            let mut row = row(id, "review", None, id.is_multiple_of(2), "ruled");
            row.features = vec![None; feature_names().len()];
            row.label.selection_probability = selection.and_then(Probability::new);
            row
        };
        let rows = [(1, Some(0.5)), (2, Some(0.001)), (3, None), (4, Some(0.0))];
        let table = training_table(&rows.map(|(id, p)| judged(id, p))).unwrap();
        assert_eq!(table.weights(), Some(&[2.0, 20.0, 1.0, 20.0][..]));
        let table = training_table(&[judged(1, None), judged(2, None)]).unwrap();
        assert_eq!(table.weights(), None);
    }
}
