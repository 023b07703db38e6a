//! The curves of a report: how probabilities stand to what is true, and what a stricter or laxer reading of them would bring.

use super::JudgedRow;

/// How many bins and points a curve has at most.
const N_BINS: usize = 10;
const N_POINTS: usize = 200;

/// Rows of nearly the same probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// How many rows.
    pub n: usize,
    /// Their mean probability.
    pub probability: f64,
    /// The share of them with label 1.
    pub frequency: f64,
}

/// A point of a curve: both 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Recall, or coverage.
    pub x: f64,
    /// Precision, or the share of errors.
    pub y: f64,
}

/// The reliability diagram: rows in ten bins of equal width by their probability; empty bins are left out.
pub(super) fn reliability(rows: &[JudgedRow]) -> Vec<Bin> {
    let mut sums = [(0_usize, 0.0, 0_usize); N_BINS];
    for (probability, label) in scored(rows) {
        let bin = ((probability * N_BINS as f64) as usize).min(N_BINS - 1);
        let (n, sum, n_positive) = &mut sums[bin];
        *n += 1;
        *sum += probability;
        *n_positive += usize::from(label);
    }
    let bins = sums.into_iter().filter(|(n, ..)| *n > 0);
    bins.map(|(n, sum, n_positive)| Bin {
        n,
        probability: sum / n as f64,
        frequency: n_positive as f64 / n as f64,
    })
    .collect()
}

/// Recall and precision as the threshold of the probability falls.
pub(super) fn precision_recall(rows: &[JudgedRow]) -> Vec<Point> {
    let mut scored: Vec<(f64, bool)> = scored(rows).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n_positive = scored.iter().filter(|row| row.1).count();
    let (mut called, mut found) = (0, 0);
    let steps = scored.chunk_by(|a, b| a.0 == b.0).map(|tied| {
        called += tied.len();
        found += tied.iter().filter(|row| row.1).count();
        Point { x: found as f64 / n_positive.max(1) as f64, y: found as f64 / called as f64 }
    });
    thinned(steps.collect())
}

/// The abstention curve: if only the surest share of the listings (by the distance of the probability from one half) were decided
/// at one half and the rest left to people, which share of these decisions would be wrong. One point for each probability.
pub(super) fn abstention(rows: &[JudgedRow]) -> Vec<Point> {
    let mut scored: Vec<(f64, bool)> = scored(rows).collect();
    scored.sort_by(|a, b| (b.0 - 0.5).abs().total_cmp(&(a.0 - 0.5).abs()));
    let (n, mut decided, mut wrong) = (scored.len(), 0, 0);
    let steps = scored.chunk_by(|a, b| (a.0 - 0.5).abs() == (b.0 - 0.5).abs()).map(|tied| {
        decided += tied.len();
        wrong += tied.iter().filter(|(probability, label)| (*probability >= 0.5) != *label).count();
        Point { x: decided as f64 / n as f64, y: wrong as f64 / decided as f64 }
    });
    steps.collect()
}

/// The share of errors where at least `coverage` of the listings are decided; `None` without rows.
pub(super) fn error_at(curve: &[Point], coverage: f64) -> Option<f64> {
    curve.iter().find(|point| point.x >= coverage).or(curve.last()).map(|point| point.y)
}

fn scored(rows: &[JudgedRow]) -> impl Iterator<Item = (f64, bool)> {
    rows.iter().filter_map(|row| Some((row.verdict.probability?.get(), row.label.label)))
}

/// At most [`N_POINTS`] of the points, evenly by their x, the last among them.
pub(super) fn thinned(points: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::with_capacity(N_POINTS + 1);
    let last = points.last().copied();
    for point in points {
        if kept.last().is_none_or(|before| point.x - before.x >= 1.0 / N_POINTS as f64) {
            kept.push(point);
        }
    }
    if let Some(last) = last.filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::tests::row;

    fn rows(scored: &[(f64, bool)]) -> Vec<JudgedRow> {
        scored.iter().enumerate().map(|(i, &(p, label))| row(i, "review", Some(p), label, "x")).collect()
    }

    #[test]
    fn curves_of_a_worked_example() {
        let rows = rows(&[(0.95, true), (0.9, false), (0.4, true), (0.05, false)]);
        let bins = reliability(&rows);
        assert_eq!(bins.len(), 3);
        assert_eq!((bins[2].n, bins[2].frequency), (2, 0.5));
        assert!((bins[2].probability - 0.925).abs() < 1e-12);
        let curve = precision_recall(&rows);
        assert_eq!(curve[0], Point { x: 0.5, y: 1.0 });
        assert_eq!(curve.last(), Some(&Point { x: 1.0, y: 0.5 }));
        // The surest two are 0.95 and 0.05, both right; then 0.9, wrong; then 0.4, wrong.
        let curve = abstention(&rows);
        assert_eq!((error_at(&curve, 0.5), error_at(&curve, 0.75)), (Some(0.0), Some(1.0 / 3.0)));
        assert_eq!(error_at(&curve, 1.0), Some(0.5));
    }

    #[test]
    fn nothing_to_draw_gives_no_points() {
        let none = [row(1, "clear", None, true, "x")];
        assert!(reliability(&none).is_empty() && precision_recall(&none).is_empty());
        assert_eq!(error_at(&abstention(&none), 0.5), None);
    }

    #[test]
    fn long_curves_are_thinned_and_end_where_they_end() {
        let many: Vec<(f64, bool)> = (0..5000).map(|i| (f64::from(i) / 5000.0, i % 3 == 0)).collect();
        let curve = precision_recall(&rows(&many));
        assert!(curve.len() <= N_POINTS + 1 && curve.last().unwrap().x == 1.0, "{}", curve.len());
    }
}
