//! Sums of gradients by bin, in whole numbers: their order cannot matter, and a sibling is an exact difference.

use super::bins::{Binned, MISSING};

/// Gradients are counted in units of 2⁻²⁴.
const GRADIENT_UNIT: f64 = 16_777_216.0;
/// Curvatures are counted in units of 2⁻²⁰.
const CURVATURE_UNIT: f64 = 1_048_576.0;
/// The number of rows stands above this bit of [`Sum::rows_and_curvature`].
const COUNT_SHIFT: u32 = 41;
/// A curvature is at most ¼, which is 2¹⁸ units, times a weight; the mean of the weights is 1, so the sum over this many rows stays below
/// [`COUNT_SHIFT`].
pub(crate) const MAX_ROWS: usize = 1 << 22;

/// Sums over some rows. One row, too, is such a sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    gradient: i64,
    /// The number of rows and the sum of curvatures in one number, so that adding a row is two additions.
    rows_and_curvature: u64,
}

impl Sum {
    /// One row with a gradient in [−1, 1] and a curvature in [0, ¼], both times the row's weight.
    pub(crate) fn row(gradient: f64, curvature: f64) -> Self {
        Self {
            gradient: (gradient * GRADIENT_UNIT).round() as i64,
            rows_and_curvature: (1 << COUNT_SHIFT) + (curvature * CURVATURE_UNIT).round() as u64,
        }
    }

    pub(crate) fn n_rows(self) -> u64 {
        self.rows_and_curvature >> COUNT_SHIFT
    }

    pub(crate) fn gradient(self) -> f64 {
        self.gradient as f64 / GRADIENT_UNIT
    }

    pub(crate) fn curvature(self) -> f64 {
        (self.rows_and_curvature & ((1 << COUNT_SHIFT) - 1)) as f64 / CURVATURE_UNIT
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            rows_and_curvature: self.rows_and_curvature + other.rows_and_curvature,
        }
    }

    /// The rest, where `other` sums some of the same rows.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            rows_and_curvature: self.rows_and_curvature - other.rows_and_curvature,
        }
    }
}

/// Where the bins of each chosen column lie in a histogram.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The column and its first place; its bins follow, then one place for missing values.
    pub columns: Vec<(usize, usize)>,
    n_places: usize,
}

impl Layout {
    pub(crate) fn new(binned: &Binned, chosen: &[usize]) -> Self {
        let mut n_places = 0;
        let mut columns = Vec::with_capacity(chosen.len());
        for &column in chosen {
            columns.push((column, n_places));
            n_places += binned.columns[column].cuts.len() + 2;
        }
        Self { columns, n_places }
    }
}

/// For each bin of each chosen column the sum over the rows of one node.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    pub sums: Vec<Sum>,
}

impl Histogram {
    /// Counts these rows; `row_sums` has one entry a row of the table.
    pub(crate) fn count(layout: &Layout, binned: &Binned, rows: &[u32], row_sums: &[Sum]) -> Self {
        let mut sums = vec![Sum::default(); layout.n_places];
        let gathered: Vec<Sum> = rows.iter().map(|&row| row_sums[row as usize]).collect();
        for &(column, place) in &layout.columns {
            let column = &binned.columns[column];
            let n_bins = column.cuts.len() + 1;
            let places = &mut sums[place..=place + n_bins];
            for (&row, &sum) in rows.iter().zip(&gathered) {
                let bin = column.bins[row as usize];
                let at = if bin == MISSING { n_bins } else { usize::from(bin) };
                places[at] = places[at].plus(sum);
            }
        }
        Self { sums }
    }

    /// Takes another histogram, of some of the same rows, away.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (sum, &other) in self.sums.iter_mut().zip(&other.sums) {
            *sum = sum.minus(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_whatever_their_order() {
        let rows: Vec<Sum> =
            (0..999_i32).map(|i| Sum::row(f64::from(i % 199 - 99) / 99.0, f64::from(i % 7) / 28.0)).collect();
        let forth = rows.iter().fold(Sum::default(), |sum, &row| sum.plus(row));
        let back = rows.iter().rev().fold(Sum::default(), |sum, &row| sum.plus(row));
        assert_eq!(forth, back);
        assert_eq!(forth.n_rows(), 999);
        let rest = rows[500..].iter().fold(forth, |sum, &row| sum.minus(row));
        assert_eq!(rest, rows[..500].iter().fold(Sum::default(), |sum, &row| sum.plus(row)));
    }

    #[test]
    fn the_largest_sum_does_not_overflow() {
        let row = Sum::row(-1.0, 0.25);
        let all = Sum {
            gradient: row.gradient * MAX_ROWS as i64,
            rows_and_curvature: row.rows_and_curvature.checked_mul(MAX_ROWS as u64).unwrap(),
        };
        assert_eq!(all.n_rows(), MAX_ROWS as u64);
        assert_eq!(all.curvature(), MAX_ROWS as f64 / 4.0);
        assert_eq!(all.gradient(), -(MAX_ROWS as f64));
    }
}
