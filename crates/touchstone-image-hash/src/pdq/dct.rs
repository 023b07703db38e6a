//! The 16x16 low frequencies of the 64x64 samples.

use std::sync::LazyLock;

use super::jarosz::{SIDE, Samples};

/// Frequencies kept in each direction: 1 to 16, without the mean (frequency 0).
pub(super) const FREQUENCIES: usize = 16;

/// DCT coefficients: `[i][j]` belongs to vertical frequency `i + 1` and horizontal frequency `j + 1`.
pub(super) type Coefficients = [[f32; FREQUENCIES]; FREQUENCIES];

/// `BASIS[k][f]` is the DCT-II basis function of frequency `f + 1` at sample `k`.
///
/// The cosine is `libm`'s and not the platform's, so that the table is the same on every machine.
static BASIS: LazyLock<[[f32; FREQUENCIES]; SIDE]> = LazyLock::new(|| {
    let scale = f64::from((2.0 / SIDE as f64).sqrt() as f32);
    let angle = std::f64::consts::PI / 2.0 / SIDE as f64;
    std::array::from_fn(|sample| {
        std::array::from_fn(|f| (scale * libm::cos(angle * (f + 1) as f64 * (2 * sample + 1) as f64)) as f32)
    })
});

/// The two-dimensional DCT-II, low frequencies alone: basis times samples times basis transposed.
///
/// Each sum runs over the samples in order, in single precision; that order is part of the hash.
pub(super) fn transform(samples: &Samples) -> Coefficients {
    let basis = &*BASIS;
    let mut vertical = [[0.0; SIDE]; FREQUENCIES];
    for (row, weights) in samples.iter().zip(basis) {
        for (sums, weight) in vertical.iter_mut().zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
    let mut coefficients = [[0.0; FREQUENCIES]; FREQUENCIES];
    for (sums, values) in coefficients.iter_mut().zip(&vertical) {
        for (value, weights) in values.iter().zip(basis) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
    coefficients
}
