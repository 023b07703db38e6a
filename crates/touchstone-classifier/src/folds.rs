//! Seeded folds that never split a group.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::dataset::Dataset;
use crate::error::ClassifierError;

/// For each row the fold, 0 to `n_folds` − 1, in which it is held out.
///
/// All rows of a group share a fold; a row without a group is a group of its own. Groups with positive rows are spread first, each to the
/// fold with the fewest positive rows, the others to the fold with the fewest negative rows, so folds resemble each other. The same table and seed
/// give the same folds.
///
/// # Errors
/// [`ClassifierError::BadSetting`] for fewer than two folds; [`ClassifierError::TooFewGroups`] if fewer than two groups hold rows of some
/// label, or if large groups leave some label in one fold only: whoever holds that fold out has nothing left to learn the label from.
pub fn folds(data: &Dataset, n_folds: usize, seed: u64) -> Result<Vec<usize>, ClassifierError> {
    if n_folds < 2 {
        return Err(ClassifierError::BadSetting {
            setting: "n_folds",
            found: n_folds.to_string(),
            expected: "at least 2",
        });
    }
    let mut groups = groups_of(data);
    check_both_labels(&groups, data)?;
    shuffle(&mut groups, seed);
    let fold_of = deal(&groups, data, n_folds);
    check_both_labels_stay(&fold_of, n_folds, &groups, data)?;
    Ok(fold_of)
}

/// The row indices of each group, groups in the order of their names, then the single rows.
fn groups_of(data: &Dataset) -> Vec<Vec<usize>> {
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut single = Vec::new();
    for (row_idx, group) in data.groups().iter().enumerate() {
        match group {
            Some(name) => named.entry(name).or_default().push(row_idx),
            None => single.push(vec![row_idx]),
        }
    }
    named.into_values().chain(single).collect()
}

fn n_groups_with(label: bool, groups: &[Vec<usize>], data: &Dataset) -> usize {
    groups.iter().filter(|rows| rows.iter().any(|&row_idx| data.labels()[row_idx] == label)).count()
}

fn check_both_labels(groups: &[Vec<usize>], data: &Dataset) -> Result<(), ClassifierError> {
    for label in [false, true] {
        let n_groups = n_groups_with(label, groups, data);
        if n_groups < 2 {
            return Err(ClassifierError::TooFewGroups { label: u8::from(label), n_groups, needed: 2 });
        }
    }
    Ok(())
}

fn check_both_labels_stay(
    fold_of: &[usize],
    n_folds: usize,
    groups: &[Vec<usize>],
    data: &Dataset,
) -> Result<(), ClassifierError> {
    for label in [false, true] {
        let mut folds_with = vec![false; n_folds];
        for (&fold, &found) in fold_of.iter().zip(data.labels()) {
            folds_with[fold] |= found == label;
        }
        if folds_with.into_iter().filter(|&with| with).count() < 2 {
            let n_groups = n_groups_with(label, groups, data);
            return Err(ClassifierError::TooFewGroups {
                label: u8::from(label),
                n_groups,
                needed: n_groups + 1,
            });
        }
    }
    Ok(())
}

/// Fisher and Yates' shuffle over ChaCha8, spelt out so that no release of a random number crate changes a trained model.
fn shuffle(groups: &mut [Vec<usize>], seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for last in (1..groups.len()).rev() {
        let wide = u128::from(rng.next_u64()) * (last as u128 + 1);
        groups.swap(last, (wide >> 64) as usize);
    }
}

fn deal(groups: &[Vec<usize>], data: &Dataset, n_folds: usize) -> Vec<usize> {
    let mut fold_of = vec![0; data.n_rows()];
    let mut n_positive = vec![0; n_folds];
    let mut n_negative = vec![0; n_folds];
    let positive_in = |rows: &[usize]| rows.iter().filter(|&&row_idx| data.labels()[row_idx]).count();
    let (with_positive, without): (Vec<_>, Vec<_>) =
        groups.iter().partition(|rows: &&Vec<usize>| positive_in(rows) > 0);
    for rows in with_positive.into_iter().chain(without) {
        let found = positive_in(rows);
        let load = if found > 0 { &n_positive } else { &n_negative };
        let fold = (0..n_folds).min_by_key(|&fold| load[fold]).expect("there are at least two folds");
        n_positive[fold] += found;
        n_negative[fold] += rows.len() - found;
        for &row_idx in rows {
            fold_of[row_idx] = fold;
        }
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::features::FeatureNames;

    fn table(rows: &[(bool, Option<u8>)]) -> Dataset {
        let mut data = Dataset::new(FeatureNames::new(["x"]).unwrap());
        for &(label, group) in rows {
            data.push(&[None], label, group.map(|g| format!("g{g}")).as_deref()).unwrap();
        }
        data
    }

    #[test]
    fn single_rows_are_spread_evenly() {
        let rows: Vec<_> = (0..100).map(|i| (i % 5 == 0, None)).collect();
        let data = table(&rows);
        let found = folds(&data, 5, 7).unwrap();
        for fold in 0..5 {
            let held_out = data.subset(|row_idx| found[row_idx] == fold);
            assert_eq!((held_out.n_rows(), held_out.n_positive()), (20, 4));
        }
        assert_eq!(found, folds(&data, 5, 7).unwrap());
        assert_ne!(found, folds(&data, 5, 8).unwrap());
    }

    #[test]
    fn too_few_groups_is_said() {
        let one_positive_group = table(&[(true, Some(1)), (true, Some(1)), (false, None), (false, None)]);
        let error = folds(&one_positive_group, 5, 0).unwrap_err();
        assert_eq!(error, ClassifierError::TooFewGroups { label: 1, n_groups: 1, needed: 2 });
        assert!(matches!(folds(&one_positive_group, 1, 0), Err(ClassifierError::BadSetting { .. })));
    }

    #[test]
    fn a_label_that_falls_into_one_fold_is_said() {
        // Positive rows are balanced first: the group of a hundred fills one fold, so both groups with negative rows go to the other.
        let mut rows = vec![(true, Some(0)); 100];
        rows.extend([(true, Some(1)), (false, Some(1)), (true, Some(2)), (false, Some(2))]);
        let errors: Vec<_> = (0..20).filter_map(|seed| folds(&table(&rows), 2, seed).err()).collect();
        assert!(errors.contains(&ClassifierError::TooFewGroups { label: 0, n_groups: 2, needed: 3 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(11), failure_persistence: None, cases: 200, ..Default::default()
        })]

        #[test]
        fn no_group_is_split_and_both_labels_stay(
            rows in prop::collection::vec((any::<bool>(), prop::option::of(0u8..12)), 2..80),
            n_folds in 2usize..6,
            seed in any::<u64>(),
        ) {
            let data = table(&rows);
            let Ok(found) = folds(&data, n_folds, seed) else { return Ok(()) };
            for fold in 0..n_folds {
                let others = data.subset(|row_idx| found[row_idx] != fold);
                prop_assert!((1..others.n_rows()).contains(&others.n_positive()));
            }
            for (i, (_, group)) in rows.iter().enumerate() {
                prop_assert!(found[i] < n_folds);
                for (j, (_, other)) in rows.iter().enumerate() {
                    prop_assert!(group.is_none() || group != other || found[i] == found[j]);
                }
            }
        }
    }
}
