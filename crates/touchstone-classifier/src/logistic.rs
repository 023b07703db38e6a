//! Logistic regression: fitted by linfa, scored here.
//!
//! Scoring is ours because a verdict must be the same bit for bit on every machine: terms are added in feature order, and nothing depends
//! on the vector width of the CPU. Fitting may take any road to the optimum; what it finds is rounded before it is kept. linfa takes no weights, so
//! rows that have some are fitted by Newton's method, to the optimum of the same loss.

mod newton;

use linfa::traits::Fit;
use linfa_logistic::LogisticRegression as LinfaLogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder};

use crate::dataset::Dataset;
use crate::error::ClassifierError;
use crate::math::round9;

/// What one feature adds to the log-odds.
///
/// A present value `x` adds `weight` × (min(max(x, `low`), `high`) − `mean`) / `scale`, a missing one adds `missing_weight`: a missing value is
/// thought average, and its absence is a fact of its own. Values beyond those of the training count like the nearest one seen there,
/// because a line says nothing about where it has not been.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Mean of the present values in training, in the feature's unit.
    pub mean: f64,
    /// Standard deviation of the present values in training (1 where they do not vary), in the feature's unit, above 0.
    pub scale: f64,
    /// The least value seen in training.
    pub low: f64,
    /// The greatest value seen in training.
    pub high: f64,
    /// Log-odds for one standard deviation above the mean; 0 where the feature never varied.
    pub weight: f64,
    /// Log-odds for the value being missing; 0 where it never was, or always.
    pub missing_weight: f64,
}

/// A fitted logistic regression: an intercept and one term a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    intercept: f64,
    terms: Vec<Term>,
}

/// Steps of the optimiser at most; some dozens are usual.
const MAX_ITERATIONS: u64 = 1000;

/// The optimiser stops when the gradient's length, divided by the number of rows, is below this.
const GRADIENT_TOLERANCE: f64 = 1e-8;

/// The bound on what the intercept or one term may add: nothing that training finds comes near, and sums stay finite.
const MAX_LOG_ODDS: f64 = 1e9;

impl Term {
    /// What this feature adds to the log-odds when it has, or lacks, this value. A value that is not finite is missing.
    fn log_odds(&self, value: Option<f64>) -> f64 {
        match value {
            Some(x) if x.is_finite() => {
                self.weight * ((x.clamp(self.low, self.high) - self.mean) / self.scale)
            }
            _ => self.missing_weight,
        }
    }

    /// What is wrong with the numbers, if anything. Written so that NaN fails every check.
    fn problem(&self) -> Option<&'static str> {
        let finite = |x: f64| x.is_finite();
        let bounded = |x: f64| (-MAX_LOG_ODDS..=MAX_LOG_ODDS).contains(&x);
        if !(finite(self.mean) && finite(self.low) && finite(self.high)) {
            return Some("mean, low or high is not a finite number");
        }
        if !(self.scale > 0.0 && finite(self.scale)) {
            return Some("scale is not a positive number");
        }
        if self.low > self.high {
            return Some("low is above high");
        }
        if !(bounded(self.weight) && bounded(self.missing_weight)) {
            return Some("a weight is not a number within ±1e9");
        }
        if !(bounded(self.log_odds(Some(self.low))) && bounded(self.log_odds(Some(self.high)))) {
            return Some("a value between low and high adds more than 1e9 to the log-odds");
        }
        None
    }
}

impl LogisticRegression {
    /// A regression of these numbers.
    ///
    /// # Errors
    /// Which number is not finite or out of range, in words.
    pub fn new(intercept: f64, terms: Vec<Term>) -> Result<Self, String> {
        if !(-MAX_LOG_ODDS..=MAX_LOG_ODDS).contains(&intercept) {
            return Err(format!("the intercept {intercept} is not a number within ±1e9"));
        }
        for (idx, term) in terms.iter().enumerate() {
            if let Some(problem) = term.problem() {
                return Err(format!("feature {idx}: {problem}"));
            }
        }
        Ok(Self { intercept, terms })
    }

    /// The log-odds of a row all of whose features are average and present.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// One term a feature, in the order of the features.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The log-odds of a row, before calibration: the intercept, then the terms added in feature order. Always finite.
    ///
    /// # Panics
    /// If the row has not one value for each term.
    pub fn log_odds(&self, row: &[Option<f64>]) -> f64 {
        assert_eq!(row.len(), self.terms.len(), "one value for each feature of the model");
        self.terms.iter().zip(row).fold(self.intercept, |sum, (term, &value)| sum + term.log_odds(value))
    }

    /// Fits to a table. `l2` is the weight of the penalty ½·`l2`·‖w‖² against the summed log loss, over standardised values and plain 0/1
    /// columns for "missing"; the intercept is free.
    ///
    /// # Errors
    /// [`ClassifierError::NothingVaries`], [`ClassifierError::NotConverged`].
    pub fn fit(data: &Dataset, l2: f64) -> Result<Self, ClassifierError> {
        let row_weights = data.unit_weights();
        let mut terms: Vec<Term> =
            (0..data.names().len()).map(|feature| standardise(data, &row_weights, feature)).collect();
        let columns = columns(data, &terms);
        if columns.is_empty() {
            return Err(ClassifierError::NothingVaries { n_rows: data.n_rows() });
        }
        let (weights, intercept) = match data.weights() {
            None => optimise(data, &terms, &columns, l2)?,
            Some(_) => optimise_weighted(data, &row_weights, &terms, &columns, l2)?,
        };
        for (column, weight) in columns.iter().zip(weights) {
            match column.kind {
                ColumnKind::Value => terms[column.feature].weight = round9(weight),
                ColumnKind::Missing => terms[column.feature].missing_weight = round9(weight),
            }
        }
        Self::new(round9(intercept), terms).map_err(|problem| ClassifierError::NotConverged { problem })
    }
}

/// The term of a feature before its weights are known. `weights` has one entry a row, all 1 where rows weigh the same.
fn standardise(data: &Dataset, weights: &[f64], feature: usize) -> Term {
    let present = || data.rows().zip(weights).filter_map(move |(row, weight)| Some((row[feature]?, *weight)));
    let (mut term, mut n_present) =
        (Term { mean: 0.0, scale: 1.0, low: 0.0, high: 0.0, weight: 0.0, missing_weight: 0.0 }, 0.0);
    for (x, weight) in present() {
        (term.low, term.high) = if n_present == 0.0 { (x, x) } else { (term.low.min(x), term.high.max(x)) };
        n_present += weight;
    }
    if term.low == term.high {
        term.mean = term.low;
        return term;
    }
    // Measured in the largest magnitude, the squares of very large or very small values stay finite and above zero.
    let unit = term.low.abs().max(term.high.abs());
    let mean = present().map(|(x, weight)| weight * (x / unit)).sum::<f64>() / n_present;
    let variance = present().map(|(x, weight)| weight * ((x / unit - mean) * (x / unit - mean))).sum::<f64>()
        / n_present;
    term.mean = round9(mean * unit);
    let scale = round9(variance.sqrt() * unit);
    if scale > 0.0 {
        term.scale = scale;
    }
    term
}

/// One column of the matrix that is fitted: the standardised values of a feature, or whether it is missing.
#[derive(Debug, Clone, Copy)]
struct Column {
    feature: usize,
    kind: ColumnKind,
}

#[derive(Debug, Clone, Copy)]
enum ColumnKind {
    Value,
    Missing,
}

impl Column {
    /// The cell of a row.
    fn of(self, row: &[Option<f64>], terms: &[Term]) -> f64 {
        let term = terms[self.feature];
        match (self.kind, row[self.feature]) {
            (ColumnKind::Value, Some(x)) => (x - term.mean) / term.scale,
            (ColumnKind::Value, None) | (ColumnKind::Missing, Some(_)) => 0.0,
            (ColumnKind::Missing, None) => 1.0,
        }
    }
}

/// The columns that vary; the others could learn nothing, and their weights stay 0.
fn columns(data: &Dataset, terms: &[Term]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (feature, term) in terms.iter().enumerate() {
        if term.low < term.high {
            columns.push(Column { feature, kind: ColumnKind::Value });
        }
        let n_missing = data.rows().filter(|row| row[feature].is_none()).count();
        if (1..data.n_rows()).contains(&n_missing) {
            columns.push(Column { feature, kind: ColumnKind::Missing });
        }
    }
    columns
}

/// The weight of each column, and the intercept.
fn optimise(
    data: &Dataset,
    terms: &[Term],
    columns: &[Column],
    l2: f64,
) -> Result<(Vec<f64>, f64), ClassifierError> {
    // Column after column: the gradient then reads memory in order, which is most of the work.
    let mut x = Array2::zeros((data.n_rows(), columns.len()).f());
    for (mut cells, column) in x.columns_mut().into_iter().zip(columns) {
        for (cell, row) in cells.iter_mut().zip(data.rows()) {
            *cell = column.of(row, terms);
        }
    }
    let fitted = LinfaLogisticRegression::default()
        .alpha(l2)
        .max_iterations(MAX_ITERATIONS)
        .gradient_tolerance(GRADIENT_TOLERANCE * data.n_rows() as f64)
        .fit(&linfa::Dataset::new(x, Array1::from_vec(data.labels().to_vec())))
        .map_err(|problem| ClassifierError::NotConverged { problem: problem.to_string() })?;
    // linfa gives the sign +1 to whichever label is more frequent, so which one that was must be asked.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    Ok((fitted.params().iter().map(|weight| sign * weight).collect(), sign * fitted.intercept()))
}

/// The same where rows have weights, of mean 1.
fn optimise_weighted(
    data: &Dataset,
    weights: &[f64],
    terms: &[Term],
    columns: &[Column],
    l2: f64,
) -> Result<(Vec<f64>, f64), ClassifierError> {
    let values: Vec<f64> =
        data.rows().flat_map(|row| columns.iter().map(|column| column.of(row, terms))).collect();
    let rows = newton::Rows { values: &values, n_columns: columns.len(), labels: data.labels(), weights };
    let mut fitted = newton::fit(&rows, l2, GRADIENT_TOLERANCE * data.n_rows() as f64)
        .map_err(|problem| ClassifierError::NotConverged { problem })?;
    let intercept = fitted.pop().unwrap_or_default();
    Ok((fitted, intercept))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::FeatureNames;
    use crate::math::sigmoid;

    fn table(names: &[&str], rows: &[(&[Option<f64>], bool)]) -> Dataset {
        let mut data = Dataset::new(FeatureNames::new(names.iter().copied()).unwrap());
        for &(row, label) in rows {
            data.push(row, label, None).unwrap();
        }
        data
    }

    /// The gradient of the penalised loss, written out from its definition: zero at the optimum.
    fn gradient(data: &Dataset, model: &LogisticRegression, l2: f64) -> Vec<f64> {
        let errors: Vec<f64> = data
            .rows()
            .zip(data.labels())
            .map(|(row, &label)| sigmoid(model.log_odds(row)) - f64::from(u8::from(label)))
            .collect();
        let mut gradient = vec![errors.iter().sum()];
        for (feature, term) in model.terms().iter().enumerate() {
            let along = |column: &dyn Fn(Option<f64>) -> f64| -> f64 {
                data.rows().zip(&errors).map(|(row, error)| error * column(row[feature])).sum()
            };
            gradient.push(along(&|x| x.map_or(0.0, |x| (x - term.mean) / term.scale)) + l2 * term.weight);
            gradient.push(along(&|x| f64::from(u8::from(x.is_none()))) + l2 * term.missing_weight);
        }
        gradient
    }

    #[test]
    fn the_fit_is_the_optimum_whichever_label_is_rarer_or_first() {
        for (rare, first) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut rows: Vec<([Option<f64>; 2], bool)> = (0..60)
                .map(|i| {
                    let label = if i % 4 == 0 { rare } else { !rare };
                    let x = f64::from(i * 7 % 13) + if label { 4.0 } else { 0.0 };
                    let y = (i % 5 != usize::from(label) as i32).then(|| f64::from(i * 3 % 11) * 100.0);
                    ([Some(x), y], label)
                })
                .collect();
            rows.sort_by_key(|&(_, label)| label != first);
            let rows: Vec<(&[Option<f64>], bool)> =
                rows.iter().map(|(row, label)| (&row[..], *label)).collect();
            let data = table(&["x", "y"], &rows);
            let model = LogisticRegression::fit(&data, 1.0).unwrap();
            assert!(model.terms()[0].weight > 0.5, "a larger x is more often positive");
            for (idx, slope) in gradient(&data, &model, 1.0).into_iter().enumerate() {
                assert!(slope.abs() < 1e-4, "gradient {idx} is {slope}");
            }
        }
    }

    #[test]
    fn a_weight_counts_like_so_many_rows() {
        let (mut weighted, mut repeated) = (table(&["x", "y"], &[]), table(&["x", "y"], &[]));
        for i in 0..80_i32 {
            let x = f64::from(i * 7 % 13) + if i % 3 == 0 { 4.0 } else { 0.0 };
            let row = [Some(x), (i % 5 != 0).then(|| f64::from(i * 3 % 11))];
            let times = 1 + i % 4;
            weighted.push_weighted(&row, i % 3 == 0, None, 2.0 * f64::from(times)).unwrap();
            for _ in 0..times {
                repeated.push(&row, i % 3 == 0, None).unwrap();
            }
        }
        let found = LogisticRegression::fit(&weighted, 1.0).unwrap();
        // The penalty is measured against as many rows as there are.
        let share = repeated.n_rows() as f64 / weighted.n_rows() as f64;
        let expected = LogisticRegression::fit(&repeated, share).unwrap();
        for row in weighted.rows() {
            assert!((found.log_odds(row) - expected.log_odds(row)).abs() < 1e-5, "{found:?} {expected:?}");
        }
        assert!((found.terms()[0].mean - expected.terms()[0].mean).abs() < 1e-8);
    }

    #[test]
    fn missing_is_not_zero() {
        // Zero is common among the negative; only the positive lack the value.
        let mut rows: Vec<(&[Option<f64>], bool)> = Vec::new();
        for _ in 0..20 {
            rows.extend([
                (&[Some(0.0)][..], false),
                (&[Some(2.0)], false),
                (&[Some(1.0)], true),
                (&[None], true),
            ]);
        }
        let model = LogisticRegression::fit(&table(&["x"], &rows), 1.0).unwrap();
        let [zero, average, missing] =
            [Some(0.0), Some(1.0), None].map(|value| sigmoid(model.log_odds(&[value])));
        assert!(
            missing > 0.8 && zero < 0.5 && average < 0.5,
            "missing {missing}, zero {zero}, average {average}"
        );
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(sigmoid(model.log_odds(&[Some(broken)])), missing);
        }
    }

    #[test]
    fn a_value_never_missing_in_training_counts_as_average_when_missing() {
        let rows: Vec<(&[Option<f64>], bool)> = [(&[Some(1.0)][..], false), (&[Some(3.0)], true)].repeat(10);
        let model = LogisticRegression::fit(&table(&["x"], &rows), 1.0).unwrap();
        assert_eq!(model.terms()[0].missing_weight, 0.0);
        assert_eq!(model.log_odds(&[None]), model.log_odds(&[Some(2.0)]));
    }

    #[test]
    fn values_beyond_the_training_count_like_its_edge() {
        let rows: Vec<(&[Option<f64>], bool)> = [(&[Some(1.0)][..], false), (&[Some(3.0)], true)].repeat(10);
        let model = LogisticRegression::fit(&table(&["x"], &rows), 1.0).unwrap();
        assert_eq!(model.log_odds(&[Some(1e300)]), model.log_odds(&[Some(3.0)]));
        assert_eq!(model.log_odds(&[Some(-5.0)]), model.log_odds(&[Some(1.0)]));
    }

    #[test]
    fn columns_without_news_weigh_nothing() {
        let rows: Vec<(&[Option<f64>], bool)> =
            [(&[Some(7.0), None, Some(0.0)][..], false), (&[Some(7.0), None, Some(1.0)], true)].repeat(10);
        let data = table(&["constant", "never", "x"], &rows);
        let model = LogisticRegression::fit(&data, 1.0).unwrap();
        for term in &model.terms()[..2] {
            assert_eq!((term.weight, term.missing_weight, term.scale), (0.0, 0.0, 1.0));
        }
        let dull = data.names().clone();
        let mut data = Dataset::new(dull);
        data.push(&[Some(7.0), None, Some(1.0)], true, None).unwrap();
        data.push(&[Some(7.0), None, Some(1.0)], false, None).unwrap();
        assert_eq!(LogisticRegression::fit(&data, 1.0), Err(ClassifierError::NothingVaries { n_rows: 2 }));
    }

    #[test]
    fn extreme_scales_do_not_matter() {
        for unit in [1e-150, 1e-12, 1.0, 1e12, 1e150] {
            let rows: Vec<([Option<f64>; 1], bool)> =
                (0..40).map(|i| ([Some(unit * f64::from(i % 7 + i % 2))], i % 2 == 0)).collect();
            let rows: Vec<(&[Option<f64>], bool)> =
                rows.iter().map(|(row, label)| (&row[..], *label)).collect();
            let data = table(&["x"], &rows);
            let model = LogisticRegression::fit(&data, 1.0).unwrap();
            assert!(gradient(&data, &model, 1.0)[1].abs() < 1e-4, "unit {unit}");
        }
    }

    #[test]
    fn numbers_that_must_not_be_scored_with_are_refused() {
        let good = Term { mean: 1.0, scale: 2.0, low: 0.0, high: 4.0, weight: 0.5, missing_weight: 0.1 };
        assert!(LogisticRegression::new(0.0, vec![good]).is_ok());
        let bad = [
            Term { mean: f64::NAN, ..good },
            Term { scale: 0.0, ..good },
            Term { scale: f64::NAN, ..good },
            Term { low: 5.0, ..good },
            Term { high: f64::INFINITY, ..good },
            Term { weight: f64::NAN, ..good },
            Term { missing_weight: f64::INFINITY, ..good },
            Term { scale: 1e-300, ..good },
        ];
        for term in bad {
            assert!(LogisticRegression::new(0.0, vec![good, term]).is_err(), "{term:?}");
        }
        assert!(LogisticRegression::new(f64::NAN, vec![]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(15), failure_persistence: None, cases: 150, ..Default::default()
        })]

        #[test]
        fn any_table_is_fitted_to_its_optimum(
            rows in prop::collection::vec((prop::collection::vec(prop::option::weighted(0.7, 0.0..6.0f64), 3), any::<bool>()), 4..80),
            l2 in 0.01..10.0f64,
            unit in -9i32..9,
        ) {
            // The second feature is heavy-tailed, the third of any unit, and both labels occur.
            let mut data = Dataset::new(FeatureNames::new(["plain", "heavy", "unit"]).unwrap());
            for (idx, (row, label)) in rows.iter().enumerate() {
                let row = [row[0], row[1].map(|x| libm::exp(3.0 * x)), row[2].map(|x| x * libm::pow(10.0, f64::from(unit)))];
                data.push(&row, if idx < 2 { idx == 0 } else { *label }, None).unwrap();
            }
            let model = LogisticRegression::fit(&data, l2).unwrap();
            let gradient = gradient(&data, &model, l2);
            for (feature, term) in model.terms().iter().enumerate() {
                // A column that never varies is not fitted.
                let n_missing = data.rows().filter(|row| row[feature].is_none()).count();
                if term.low < term.high {
                    prop_assert!(gradient[1 + 2 * feature].abs() < 1e-5, "{gradient:?}");
                }
                if (1..data.n_rows()).contains(&n_missing) {
                    prop_assert!(gradient[2 + 2 * feature].abs() < 1e-5, "{gradient:?}");
                }
            }
            prop_assert!(gradient[0].abs() < 1e-5, "{gradient:?}");
        }
    }
}
