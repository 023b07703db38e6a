//! Rows of single-precision numbers, labelled: what boosters learn from.

use crate::dataset::{Dataset, unit_mean};
use crate::error::ClassifierError;
use crate::features::FeatureNames;

/// A table of rows, each with one number for each feature and a label; a missing value is NaN.
///
/// Half a [`Dataset`] in memory: boosters compare values with thresholds and never compute with them, so single precision serves. An
/// infinite value is missing too.
#[derive(Debug, Clone)]
pub struct BoostTable {
    names: FeatureNames,
    values: Vec<f32>,
    labels: Vec<bool>,
    /// One a row, as the data set has them; none where no row has one.
    weights: Option<Vec<f64>>,
}

impl BoostTable {
    /// An empty table with these columns.
    pub fn new(names: FeatureNames) -> Self {
        Self { names, values: Vec::new(), labels: Vec::new(), weights: None }
    }

    /// Adds a row. `label` is true for what is to be found.
    ///
    /// # Errors
    /// [`ClassifierError::WrongRowLength`] unless the row has one entry for each feature.
    pub fn push(&mut self, row: &[f32], label: bool) -> Result<(), ClassifierError> {
        if row.len() != self.names.len() {
            return Err(ClassifierError::WrongRowLength {
                row: self.n_rows(),
                found: row.len(),
                expected: self.names.len(),
            });
        }
        self.values.extend(row.iter().map(|&x| if x.is_finite() { x } else { f32::NAN }));
        self.labels.push(label);
        if let Some(weights) = &mut self.weights {
            weights.push(1.0);
        }
        Ok(())
    }

    /// The columns.
    pub fn names(&self) -> &FeatureNames {
        &self.names
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.labels.len()
    }

    /// The labels, one a row.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The weights, one a row, scaled to a mean of 1; all 1 where no row has one.
    pub(crate) fn unit_weights(&self) -> Vec<f64> {
        self.weights.as_deref().map_or_else(|| vec![1.0; self.n_rows()], unit_mean)
    }

    /// The values of row `row_idx`, counted from 0.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row_idx: usize) -> &[f32] {
        &self.values[row_idx * self.names.len()..(row_idx + 1) * self.names.len()]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.names.len())
    }

    /// The rows for whose index `keep` is true, in order.
    pub fn subset(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut kept = Self::new(self.names.clone());
        for row_idx in (0..self.n_rows()).filter(|&row_idx| keep(row_idx)) {
            kept.values.extend_from_slice(self.row(row_idx));
            kept.labels.push(self.labels[row_idx]);
            if let Some(weights) = &self.weights {
                kept.weights.get_or_insert_default().push(weights[row_idx]);
            }
        }
        kept
    }
}

impl From<&Dataset> for BoostTable {
    fn from(data: &Dataset) -> Self {
        Self {
            names: data.names().clone(),
            values: data.rows().flatten().map(single).collect(),
            labels: data.labels().to_vec(),
            weights: data.weights().map(<[f64]>::to_vec),
        }
    }
}

/// A value as boosters read it: what is missing or beyond single precision is NaN.
pub(crate) fn single(value: &Option<f64>) -> f32 {
    value.map(|x| x as f32).filter(|x| x.is_finite()).unwrap_or(f32::NAN)
}
