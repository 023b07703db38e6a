//! Quantile bins: each column as bytes, so that a histogram of it is one pass of additions.

use super::table::BoostTable;

/// The bin of a missing value. Present values have bins below the number of their column's cuts plus one, which is at most this.
pub(crate) const MISSING: u8 = u8::MAX;

/// A table whose values are replaced by the number of the bin that holds them.
#[derive(Debug)]
pub(crate) struct Binned {
    /// One column a feature.
    pub columns: Vec<BinnedColumn>,
}

/// One feature of all rows.
#[derive(Debug)]
pub(crate) struct BinnedColumn {
    /// Increasing thresholds: bin `b` holds values above `cuts[b - 1]` and at most `cuts[b]`.
    pub cuts: Vec<f32>,
    /// For each row its bin, or [`MISSING`].
    pub bins: Vec<u8>,
}

impl Binned {
    /// Cuts every column into at most `max_bins` bins of about equally many rows.
    pub(crate) fn new(table: &BoostTable, max_bins: usize) -> Self {
        let column = |feature: usize| {
            let values: Vec<f32> = table.rows().map(|row| row[feature]).collect();
            let cuts = cuts(&values, max_bins);
            let bins = values.iter().map(|&x| bin_of(&cuts, x)).collect::<Vec<u8>>();
            BinnedColumn { cuts, bins }
        };
        Self { columns: (0..table.names().len()).map(column).collect() }
    }
}

/// The bin of a value; NaN is missing.
pub(crate) fn bin_of(cuts: &[f32], x: f32) -> u8 {
    if x.is_nan() {
        return MISSING;
    }
    u8::try_from(cuts.partition_point(|&cut| cut < x)).expect("at most 254 cuts")
}

/// Thresholds halfway between neighbouring values, such that the bins hold about equally many rows; a value is never split.
fn cuts(values: &[f32], max_bins: usize) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_by(f32::total_cmp);
    let runs: Vec<&[f32]> = sorted.chunk_by(|a, b| a == b).collect();
    let mut cuts = Vec::new();
    let mut left = sorted.len();
    let mut held = 0;
    for pair in runs.windows(2) {
        held += pair[0].len();
        let share = left.div_ceil(max_bins - cuts.len());
        // A bin closes when it is full, or when the next value alone would overfill it by more than half.
        let closes = runs.len() <= max_bins || held >= share || held + pair[1].len() / 2 > share;
        if closes && cuts.len() + 1 < max_bins {
            cuts.push(between(pair[0][0], pair[1][0]));
            left -= held;
            held = 0;
        }
    }
    cuts
}

/// A number at least `low` and below `high`.
fn between(low: f32, high: f32) -> f32 {
    let middle = low / 2.0 + high / 2.0;
    if (low..high).contains(&middle) { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_get_a_bin_each() {
        let cut = cuts(&[3.0, 1.0, f32::NAN, 1.0, 2.0], 8);
        assert_eq!(cut, [1.5, 2.5]);
        assert_eq!([0.0, 1.5, 1.6, 9.0, f32::NAN].map(|x| bin_of(&cut, x)), [0, 0, 1, 2, MISSING]);
        assert_eq!(cuts(&[7.0; 5], 8), [] as [f32; 0]);
        assert_eq!(cuts(&[f32::NAN; 5], 8), [] as [f32; 0]);
    }

    #[test]
    fn many_values_are_shared_out_evenly() {
        let values: Vec<f32> = (0..1000_u16).map(f32::from).collect();
        let cut = cuts(&values, 10);
        assert_eq!(cut.len(), 9);
        let mut counts = [0; 10];
        for &x in &values {
            counts[usize::from(bin_of(&cut, x))] += 1;
        }
        assert!(counts.iter().all(|n| (90..=110).contains(n)), "{counts:?}");
    }

    #[test]
    fn a_cut_never_falls_on_the_wrong_side() {
        let next = f32::from_bits(1.0_f32.to_bits() + 1);
        assert!((1.0..next).contains(&between(1.0, next)));
        assert!((f32::MIN..f32::MAX).contains(&between(f32::MIN, f32::MAX)));
    }
}
