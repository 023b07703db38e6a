//! Drift: how far the features of later weeks have moved from those of earlier ones.
//!
//! The population stability index: Σ (q − p) ln(q / p) over bins, p the share of the earlier rows in a bin and q that of the later
//! ones. Ten bins of equal size of the earlier values, and one for missing. By the rule of thumb of credit scoring (N. Siddiqi,
//! "Credit Risk Scorecards", 2006) less than 0.1 is stable, 0.1 to 0.25 deserves a look, and more has moved.

use touchstone_pipeline::FEATURES;

use super::JudgedRow;

/// How many bins of values.
const N_BINS: usize = 10;

/// The least share a bin counts with, so that an empty one does not make the index infinite.
const LEAST: f64 = 1e-4;

/// The index of every feature, and of the probability under the name `probability`; largest first. Empty without rows on a side.
pub(super) fn drift(earlier: &[JudgedRow], later: &[JudgedRow]) -> Vec<(&'static str, f64)> {
    if earlier.is_empty() || later.is_empty() {
        return Vec::new();
    }
    type Value<'a> = Box<dyn Fn(&JudgedRow) -> Option<f64> + 'a>;
    let features = FEATURES.iter().enumerate().map(|(idx, feature)| {
        let value: Value<'_> = Box::new(move |row| *row.features.get(idx)?);
        (feature.name, value)
    });
    let probability: Value<'_> = Box::new(|row| Some(row.verdict.probability?.get()));
    let mut found: Vec<(&str, f64)> = features
        .chain([("probability", probability)])
        .map(|(name, value)| {
            let values = |rows: &[JudgedRow]| rows.iter().map(&value).collect::<Vec<_>>();
            (name, stability_index(&values(earlier), &values(later)))
        })
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    found
}

fn stability_index(earlier: &[Option<f64>], later: &[Option<f64>]) -> f64 {
    let edges = edges(earlier);
    let shares = |values: &[Option<f64>]| {
        let mut counts = vec![0_usize; edges.len() + 2];
        for value in values {
            let bin = value.map_or(0, |value| 1 + edges.partition_point(|edge| *edge <= value));
            counts[bin] += 1;
        }
        counts.into_iter().map(|n| (n as f64 / values.len() as f64).max(LEAST)).collect::<Vec<f64>>()
    };
    let (p, q) = (shares(earlier), shares(later));
    p.iter().zip(&q).map(|(p, q)| (q - p) * libm::log(q / p)).sum()
}

/// Where bins begin: each value of its own where there are few; else ten of equal size, what lies above a value that fills several of
/// them set apart. What lies below or above everything seen has a bin of its own.
fn edges(values: &[Option<f64>]) -> Vec<f64> {
    let mut present: Vec<f64> = values.iter().flatten().copied().collect();
    present.sort_by(f64::total_cmp);
    let mut distinct = present.clone();
    distinct.dedup();
    let mut edges = distinct.clone();
    if distinct.len() > N_BINS {
        let cuts: Vec<f64> = (0..N_BINS).map(|i| present[i * present.len() / N_BINS]).collect();
        let above = |value: f64| distinct.get(distinct.partition_point(|other| *other <= value)).copied();
        let crowded = cuts.windows(2).filter(|pair| pair[0] == pair[1]).filter_map(|pair| above(pair[0]));
        edges = cuts.iter().copied().chain(crowded).collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
    }
    edges.extend(present.last().map(|last| last.next_up()));
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moved_is_zero_and_a_shift_is_large() {
        let values: Vec<Option<f64>> = (0..1000).map(|i| Some(f64::from(i))).collect();
        assert_eq!(stability_index(&values, &values), 0.0);
        let moved: Vec<Option<f64>> = (0..1000).map(|i| Some(f64::from(i) + 500.0)).collect();
        assert!(stability_index(&values, &moved) > 1.0);
        let gone: Vec<Option<f64>> = vec![None; 1000];
        assert!(stability_index(&values, &gone) > 1.0);
        assert_eq!(stability_index(&gone, &gone), 0.0);
    }

    #[test]
    fn rare_flags_and_values_never_seen_are_not_lost() {
        let flags = |percent: usize| {
            (0..1000).map(|i| Some(f64::from(u8::from(i % 100 < percent)))).collect::<Vec<_>>()
        };
        for (before, after) in [(3, 30), (0, 100), (9, 60), (100, 0)] {
            assert!(stability_index(&flags(before), &flags(after)) > 0.5, "{before} to {after}");
        }
        assert!(stability_index(&flags(3), &flags(4)) < 0.1);
        // Mostly zero, else one of many counts.
        let counts = |every: usize| {
            (0..1000)
                .map(|i| Some(if i % every == 0 { (1 + i % 37) as f64 } else { 0.0 }))
                .collect::<Vec<_>>()
        };
        assert!(stability_index(&counts(25), &counts(3)) > 0.5);
    }

    #[test]
    fn the_index_of_two_bins_is_that_of_the_formula() {
        // A flag that was set on a tenth of the rows and is on a fifth.
        let flags = |n: usize| (0..100).map(|i| Some(f64::from(u8::from(i < n)))).collect::<Vec<_>>();
        let expected = 0.1 * (0.2_f64 / 0.1).ln() - 0.1 * (0.8_f64 / 0.9).ln();
        assert!((stability_index(&flags(10), &flags(20)) - expected).abs() < 1e-12);
    }
}
