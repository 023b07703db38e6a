//! Labelled rows to train on or to measure with.

use crate::error::ClassifierError;
use crate::features::FeatureNames;

/// A table of rows, each with one optional value for each feature, a label and perhaps a group.
///
/// A missing value is `None`; a value that is not finite is missing too, because no fact is infinite. Rows of one group (a seller, a host)
/// resemble each other, so they are never split between what is trained on and what is held out.
///
/// Rows may have weights: a row of weight 2 counts like two rows that are alike. Where no row has one, nothing is weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    names: FeatureNames,
    /// Row after row, `names.len()` values each.
    values: Vec<Option<f64>>,
    labels: Vec<bool>,
    groups: Vec<Option<String>>,
    /// As given, one a row.
    weights: Option<Vec<f64>>,
}

impl Dataset {
    /// An empty table with these columns.
    pub fn new(names: FeatureNames) -> Self {
        Self { names, values: Vec::new(), labels: Vec::new(), groups: Vec::new(), weights: None }
    }

    /// Adds a row. `label` is true for what is to be found; an empty group is no group.
    ///
    /// # Errors
    /// [`ClassifierError::WrongRowLength`] unless the row has one entry for each feature.
    pub fn push(
        &mut self,
        row: &[Option<f64>],
        label: bool,
        group: Option<&str>,
    ) -> Result<(), ClassifierError> {
        if row.len() != self.names.len() {
            return Err(ClassifierError::WrongRowLength {
                row: self.n_rows(),
                found: row.len(),
                expected: self.names.len(),
            });
        }
        self.values.extend(row.iter().map(|value| value.filter(|x| x.is_finite())));
        self.labels.push(label);
        self.groups.push(group.filter(|name| !name.is_empty()).map(str::to_owned));
        if let Some(weights) = &mut self.weights {
            weights.push(1.0);
        }
        Ok(())
    }

    /// Adds a row with a weight, above 0; rows without one have weight 1.
    ///
    /// # Errors
    /// As [`Dataset::push`]; [`ClassifierError::BadWeight`].
    pub fn push_weighted(
        &mut self,
        row: &[Option<f64>],
        label: bool,
        group: Option<&str>,
        weight: f64,
    ) -> Result<(), ClassifierError> {
        if !(f64::MIN_POSITIVE..=MAX_WEIGHT).contains(&weight) {
            return Err(ClassifierError::BadWeight { row: self.n_rows(), found: weight });
        }
        self.push(row, label, group)?;
        let n_rows = self.n_rows();
        let weights = self.weights.get_or_insert_with(|| vec![1.0; n_rows]);
        weights[n_rows - 1] = weight;
        Ok(())
    }

    /// The weights as they were given, one a row; `None` where no row has one.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// The weights, scaled to a mean of 1; all 1 where no row has one.
    pub(crate) fn unit_weights(&self) -> Vec<f64> {
        self.weights.as_deref().map_or_else(|| vec![1.0; self.n_rows()], unit_mean)
    }

    /// What the weights of the positive rows sum up to when their mean is 1, rounded, and never none or all: without weights their number.
    pub(crate) fn n_positive_weighted(&self) -> usize {
        let Some(weights) = &self.weights else { return self.n_positive() };
        let positive = unit_mean(weights).into_iter().zip(&self.labels).filter(|(_, label)| **label);
        let sum: f64 = positive.map(|(weight, _)| weight).sum();
        (sum.round() as usize).clamp(1, (self.n_rows() - 1).max(1))
    }

    /// As many rows of equal weight say as much as these: (Σ w)² / Σ w² (L. Kish, "Survey Sampling", 1965). `None` without weights.
    pub fn effective_rows(&self) -> Option<f64> {
        let weights = self.weights.as_deref()?;
        let sum: f64 = weights.iter().sum();
        Some(sum * sum / weights.iter().map(|weight| weight * weight).sum::<f64>())
    }

    /// The columns.
    pub fn names(&self) -> &FeatureNames {
        &self.names
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.labels.len()
    }

    /// How many rows have a true label.
    pub fn n_positive(&self) -> usize {
        self.labels.iter().filter(|&&label| label).count()
    }

    /// The labels, one a row.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The groups, one a row.
    pub fn groups(&self) -> &[Option<String>] {
        &self.groups
    }

    /// The values of row `row_idx`, counted from 0.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row_idx: usize) -> &[Option<f64>] {
        let start = row_idx * self.names.len();
        &self.values[start..start + self.names.len()]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Option<f64>]> {
        self.values.chunks_exact(self.names.len())
    }

    /// The rows for whose index `keep` is true, in order.
    pub fn subset(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut kept = Self::new(self.names.clone());
        for row_idx in (0..self.n_rows()).filter(|&row_idx| keep(row_idx)) {
            kept.values.extend_from_slice(self.row(row_idx));
            kept.labels.push(self.labels[row_idx]);
            kept.groups.push(self.groups[row_idx].clone());
            if let Some(weights) = &self.weights {
                kept.weights.get_or_insert_default().push(weights[row_idx]);
            }
        }
        kept
    }
}

/// The largest weight: far above any that says something, and sums of squares stay finite.
const MAX_WEIGHT: f64 = 1e9;

/// The weights, scaled to a mean of 1.
pub(crate) fn unit_mean(weights: &[f64]) -> Vec<f64> {
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter().map(|weight| weight / mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_length_is_refused() {
        let mut data = Dataset::new(FeatureNames::new(["a", "b"]).unwrap());
        data.push(&[Some(1.0), None], true, None).unwrap();
        let error = data.push(&[Some(1.0)], true, None).unwrap_err();
        assert_eq!(error, ClassifierError::WrongRowLength { row: 1, found: 1, expected: 2 });
        assert_eq!(data.n_rows(), 1);
    }

    #[test]
    fn what_is_not_finite_is_missing() {
        let mut data = Dataset::new(FeatureNames::new(["a", "b", "c"]).unwrap());
        data.push(&[Some(f64::NAN), Some(f64::INFINITY), Some(0.0)], false, Some("")).unwrap();
        assert_eq!(data.row(0), [None, None, Some(0.0)]);
        assert_eq!(data.groups(), [None]);
    }

    #[test]
    fn weights_have_a_mean_of_one_and_rows_without_one_count_once() {
        let mut data = Dataset::new(FeatureNames::new(["a"]).unwrap());
        data.push(&[None], false, None).unwrap();
        assert_eq!((data.weights(), data.unit_weights(), data.effective_rows()), (None, vec![1.0], None));
        data.push_weighted(&[None], true, None, 6.0).unwrap();
        data.push(&[None], false, None).unwrap();
        data.push_weighted(&[None], true, None, 4.0).unwrap();
        assert_eq!(data.weights(), Some(&[1.0, 6.0, 1.0, 4.0][..]));
        assert_eq!(data.unit_weights(), [1.0 / 3.0, 2.0, 1.0 / 3.0, 4.0 / 3.0]);
        assert_eq!((data.n_positive(), data.n_positive_weighted()), (2, 3));
        assert_eq!(data.effective_rows(), Some(144.0 / 54.0));
        assert_eq!(data.subset(|idx| idx >= 2).weights(), Some(&[1.0, 4.0][..]));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                data.push_weighted(&[None], true, None, bad),
                Err(ClassifierError::BadWeight { row: 4, .. })
            ));
        }
        assert_eq!(data.n_rows(), 4);
    }

    #[test]
    fn a_subset_keeps_rows_whole() {
        let mut data = Dataset::new(FeatureNames::new(["a"]).unwrap());
        for i in 0..6 {
            data.push(&[Some(f64::from(i))], i % 3 == 0, Some(&format!("g{i}"))).unwrap();
        }
        let odd = data.subset(|row_idx| row_idx % 2 == 1);
        assert_eq!(odd.rows().map(|row| row[0].unwrap()).collect::<Vec<_>>(), [1.0, 3.0, 5.0]);
        assert_eq!(odd.labels(), [false, true, false]);
        assert_eq!(odd.groups()[2].as_deref(), Some("g5"));
    }
}
