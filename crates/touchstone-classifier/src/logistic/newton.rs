//! Newton's method for rows that have weights, which linfa's logistic regression does not take.
//!
//! The same penalised loss, so the same optimum: Σ weight · log loss + ½·`l2`·‖w‖², the intercept free. With the few columns there
//! are, solving for a step costs little beside going over the rows. Sums run in row order.

use crate::math::sigmoid;

/// Steps at most; a dozen are usual.
const MAX_STEPS: usize = 200;
/// Added to the curvature alone, so that columns that say the same leave it invertible; the optimum stays where it is.
const RIDGE: f64 = 1e-9;
/// A step shorter than this part of Newton's is none.
const MIN_STEP: f64 = 1e-10;

/// What is fitted to.
pub(super) struct Rows<'a> {
    /// Row after row, `n_columns` values each.
    pub values: &'a [f64],
    pub n_columns: usize,
    pub labels: &'a [bool],
    /// One a row, of mean 1.
    pub weights: &'a [f64],
}

/// The weight of each column, then the intercept.
///
/// # Errors
/// In words, if the gradient is not shorter than `tolerance` after all steps.
pub(super) fn fit(rows: &Rows<'_>, l2: f64, tolerance: f64) -> Result<Vec<f64>, String> {
    let mut at = vec![0.0; rows.n_columns + 1];
    let mut loss = rows.loss(&at, l2);
    for _ in 0..MAX_STEPS {
        let (gradient, curvature) = rows.slopes(&at, l2);
        let length = gradient.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        if length <= tolerance {
            return Ok(at);
        }
        let step = solve(curvature, &gradient).ok_or("the curvature cannot be inverted")?;
        let descent: f64 = step.iter().zip(&gradient).map(|(step, slope)| step * slope).sum();
        let mut share = 1.0;
        loop {
            let next: Vec<f64> = at.iter().zip(&step).map(|(at, step)| at - share * step).collect();
            let next_loss = rows.loss(&next, l2);
            if next_loss <= loss - 1e-4 * share * descent {
                (at, loss) = (next, next_loss);
                break;
            }
            share /= 2.0;
            // NaN also ends here. Where no step gains, the loss is as small as its last digits can tell.
            if share < MIN_STEP {
                return Ok(at);
            }
        }
    }
    Err(format!("{MAX_STEPS} steps were not enough"))
}

impl Rows<'_> {
    /// Row, label and weight of each.
    fn each(&self) -> impl Iterator<Item = (&[f64], bool, f64)> {
        let labels = self.labels.iter().zip(self.weights);
        self.values
            .chunks_exact(self.n_columns)
            .zip(labels)
            .map(|(row, (&label, &weight))| (row, label, weight))
    }

    fn loss(&self, at: &[f64], l2: f64) -> f64 {
        let data: f64 = self
            .each()
            .map(|(row, label, weight)| {
                let z = log_odds(row, at);
                let soft = libm::log1p(libm::exp(-z.abs()));
                // The form that does not overflow.
                weight * (soft + if label { (-z).max(0.0) } else { z.max(0.0) })
            })
            .sum();
        data + 0.5 * l2 * at[..self.n_columns].iter().map(|w| w * w).sum::<f64>()
    }

    /// The gradient, and the lower triangle of the matrix of curvatures, row after row.
    fn slopes(&self, at: &[f64], l2: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = self.n_columns + 1;
        let mut gradient = vec![0.0; n];
        let mut curvature: Vec<Vec<f64>> = (0..n).map(|i| vec![0.0; i + 1]).collect();
        let mut full = vec![1.0; n];
        for (row, label, weight) in self.each() {
            full[..self.n_columns].copy_from_slice(row);
            let p = sigmoid(log_odds(row, at));
            let (error, bend) = (weight * (p - f64::from(u8::from(label))), weight * (p * (1.0 - p)));
            for (i, &x) in full.iter().enumerate().filter(|(_, x)| **x != 0.0) {
                gradient[i] += error * x;
                let along = bend * x;
                for (sum, &y) in curvature[i].iter_mut().zip(&full) {
                    *sum += along * y;
                }
            }
        }
        for i in 0..n {
            let penalty = if i < self.n_columns { l2 } else { 0.0 };
            gradient[i] += penalty * at[i];
            curvature[i][i] += penalty + RIDGE;
        }
        (gradient, curvature)
    }
}

fn log_odds(row: &[f64], at: &[f64]) -> f64 {
    row.iter().zip(at).fold(at[row.len()], |sum, (x, w)| sum + x * w)
}

/// Solves `matrix` · x = `right` by Cholesky's decomposition, where `matrix` is the lower triangle of a symmetric one; `None` unless it is
/// positive definite.
fn solve(mut matrix: Vec<Vec<f64>>, right: &[f64]) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum();
            let rest = matrix[i][j] - inner;
            matrix[i][j] = if i == j { Some(rest).filter(|r| *r > 0.0)?.sqrt() } else { rest / matrix[j][j] };
        }
    }
    let mut x = right.to_vec();
    for i in 0..n {
        let inner: f64 = (0..i).map(|k| matrix[i][k] * x[k]).sum();
        x[i] = (x[i] - inner) / matrix[i][i];
    }
    for i in (0..n).rev() {
        let inner: f64 = (i + 1..n).map(|k| matrix[k][i] * x[k]).sum();
        x[i] = (x[i] - inner) / matrix[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let matrix = vec![vec![4.0], vec![2.0, 5.0], vec![-2.0, 1.0, 6.0]];
        let x = solve(matrix, &[2.0, 13.0, 24.0]).unwrap();
        let full = [[4.0, 2.0, -2.0], [2.0, 5.0, 1.0], [-2.0, 1.0, 6.0]];
        for (row, right) in full.iter().zip([2.0, 13.0, 24.0]) {
            let found: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            assert!((found - right).abs() < 1e-12, "{found} is not {right}");
        }
        assert_eq!(solve(vec![vec![1.0], vec![2.0, 1.0]], &[1.0, 1.0]), None);
    }
}
