//! Where to draw the line.

/// The threshold at or above which rows count as found so that F1 is highest, halfway to the next lower score; among equals the highest.
/// `None` if no label is true. `scores` are finite.
///
/// ```
/// let threshold = touchstone_classifier::best_f1_threshold(&[0.9, 0.75, 0.25], &[true, true, false]);
/// assert_eq!(threshold, Some(0.5));
/// ```
pub fn best_f1_threshold(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n_positive = labels.iter().filter(|&&label| label).count();
    let (mut found, mut best) = (0_usize, None::<(f64, f64)>);
    for (idx, &(score, label)) in rows.iter().enumerate() {
        found += usize::from(label);
        let next = rows.get(idx + 1).map(|row| row.0);
        if next == Some(score) || found == 0 {
            continue;
        }
        let f1 = 2.0 * found as f64 / (n_positive + idx + 1) as f64;
        if best.is_none_or(|(highest, _)| f1 > highest) {
            best = Some((f1, next.map_or(score, |next| f64::midpoint(score, next))));
        }
    }
    best.map(|(_, threshold)| threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_falls_where_f1_is_highest() {
        let labels = [true, false, true, false, false];
        assert_eq!(best_f1_threshold(&[1.0, 0.875, 0.75, 0.25, 0.0], &labels), Some(0.5));
        assert_eq!(best_f1_threshold(&[0.5; 5], &labels), Some(0.5));
        assert_eq!(best_f1_threshold(&[0.5], &[false]), None);
        assert_eq!(best_f1_threshold(&[], &[]), None);
    }
}
