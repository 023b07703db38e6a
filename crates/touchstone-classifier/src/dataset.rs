//! Labelled rows to train on or to measure with.

use crate::error::ClassifierError;
use crate::features::FeatureNames;

/// A table of rows, each with one optional value for each feature, a label and perhaps a group.
///
/// A missing value is `None`; a value that is not finite is missing too, because no fact is infinite. Rows of one group (a seller, a host)
/// resemble each other, so they are never split between what is trained on and what is held out.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    names: FeatureNames,
    /// Row after row, `names.len()` values each.
    values: Vec<Option<f64>>,
    labels: Vec<bool>,
    groups: Vec<Option<String>>,
}

impl Dataset {
    /// An empty table with these columns.
    pub fn new(names: FeatureNames) -> Self {
        Self { names, values: Vec::new(), labels: Vec::new(), groups: Vec::new() }
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
        }
        kept
    }
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
