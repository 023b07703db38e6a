//! Laws of the booster.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::bundle::Bundle;
use crate::dataset::Dataset;

fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Rows whose label is an exclusive or of two thresholds, which no weighted sum can tell; a third feature is noise, one value in five of
/// the second is missing and then means true.
fn drawn(n_rows: usize, seed: u64) -> BoostTable {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut table = BoostTable::new(FeatureNames::new(["a", "b", "noise"]).unwrap());
    for _ in 0..n_rows {
        let (a, b, noise) = (uniform(&mut rng), uniform(&mut rng), uniform(&mut rng));
        let missing = uniform(&mut rng) < 0.2;
        let label = (a > 0.5) ^ (b > 0.5) || missing;
        table.push(&[a, if missing { f32::NAN } else { b }, noise], label).unwrap();
    }
    table
}

fn quick() -> BoostSettings {
    BoostSettings { n_trees: 30, learning_rate: 0.2, column_share: 0.7, ..BoostSettings::default() }
}

fn json(booster: &Booster) -> String {
    serde_json::to_string(&BoosterPart::from(booster)).unwrap()
}

fn read(json: &str) -> Result<Booster, String> {
    let part: BoosterPart = serde_json::from_str(json).map_err(|e| e.to_string())?;
    part.booster(drawn(1, 0).names())
}

#[test]
fn it_learns_what_no_weighted_sum_can() {
    let booster = Booster::fit(&drawn(2000, 1), &quick()).unwrap();
    let test = drawn(500, 2);
    let right =
        test.rows().zip(test.labels()).filter(|(row, label)| (booster.log_odds(row) > 0.0) == **label);
    assert!(right.count() > 475);
    assert!(booster.log_odds(&[0.2, f32::NAN, 0.5]) > 1.0, "missing has a side of its own");
    let splits = booster.split_counts();
    assert!(splits[2] < splits[1], "what decides is asked more often than noise: {splits:?}");
}

#[test]
fn a_weight_counts_like_so_many_rows() {
    // Few values, so that both tables have the same bins; all rows and columns for each tree.
    let names = FeatureNames::new(["a", "b"]).unwrap();
    let (mut weighted, mut repeated) = (Dataset::new(names.clone()), Dataset::new(names));
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..400 {
        let value = |rng: &mut ChaCha8Rng| (uniform(rng) * 6.0).floor();
        let (a, b) = (value(&mut rng), value(&mut rng));
        let label = uniform(&mut rng) < if (a > 2.0) ^ (b > 2.0) { 0.7 } else { 0.3 };
        // What is positive weighs more, so that weights that count for nothing are noticed.
        let times = if label { 1 + (a as usize) } else { 1 };
        let row = [Some(f64::from(a)), (b > 0.0).then_some(f64::from(b))];
        weighted.push_weighted(&row, label, None, 3.0 * times as f64).unwrap();
        (0..times).for_each(|_| repeated.push(&row, label, None).unwrap());
    }
    // What is added to a leaf's curvature is measured against as many rows as there are, and so is the least it may be.
    let share = repeated.n_rows() as f64 / weighted.n_rows() as f64;
    let settings = BoostSettings {
        row_share: 1.0,
        column_share: 1.0,
        min_leaf_rows: 1,
        min_leaf_weight: 0.0,
        ..quick()
    };
    let fit = |data: &Dataset, l2: f64| {
        Booster::fit(&BoostTable::from(data), &BoostSettings { l2, ..settings }).unwrap()
    };
    let (one, other) = (fit(&weighted, 1.0), fit(&repeated, share));
    for row in BoostTable::from(&weighted).rows() {
        let (found, expected) = (one.log_odds(row), other.log_odds(row));
        assert!((found - expected).abs() < 0.01, "{row:?}: {found}, repeated {expected}");
    }
}

#[test]
fn the_same_table_and_seed_give_the_same_bytes() {
    let table = drawn(600, 3);
    let file = |seed| json(&Booster::fit(&table, &BoostSettings { seed, ..quick() }).unwrap());
    assert_eq!(file(1), file(1));
    assert_ne!(file(1), file(2));
}

#[test]
fn without_draws_the_order_of_rows_does_not_matter() {
    let table = drawn(500, 4);
    let mut turned = BoostTable::new(table.names().clone());
    for row in (0..table.n_rows()).rev() {
        turned.push(table.row(row), table.labels()[row]).unwrap();
    }
    let settings = BoostSettings { row_share: 1.0, column_share: 1.0, ..quick() };
    assert_eq!(Booster::fit(&table, &settings).unwrap(), Booster::fit(&turned, &settings).unwrap());
}

#[test]
fn a_booster_reads_back_and_scores_alike() {
    let table = drawn(600, 5);
    let booster = Booster::fit(&table, &quick()).unwrap();
    let again = read(&json(&booster)).unwrap();
    assert!(table.rows().all(|row| booster.log_odds(row) == again.log_odds(row)));
    assert_eq!(json(&again), json(&booster));
    let mut bundle = Bundle::new();
    bundle.write_part("x", &BoosterPart::from(&booster)).unwrap();
    let part: BoosterPart = Bundle::from_bytes(&bundle.to_bytes()).unwrap().read_part("x").unwrap();
    assert_eq!(part.booster(table.names()).unwrap(), again);
}

#[test]
fn parts_that_do_not_add_up_are_refused() {
    let part = |trees: &str| format!(r#"{{"base":0.5,"cuts":[[1.0,2.0],[],[]],"trees":[{trees}]}}"#);
    assert_eq!(
        read(&part("[0,3,-1,5,-1,7]")).unwrap().log_odds(&[f32::NAN, 0.0, 0.0]),
        0.5 + 5.0 * VALUE_UNIT
    );
    for (trees, problem) in [
        ("[]", "cannot be its nodes"),
        ("[0,3,-1]", "cannot be its nodes"),
        ("[0,3,-1,5]", "its splits need 3"),
        ("[-1,1,-1,5]", "nobody's child"),
        ("[0,4,-1,5,-1,7]", "does not exist"),
        ("[1,0,-1,5,-1,7]", "does not exist"),
        ("[9,0,-1,5,-1,7]", "does not exist"),
        ("[0,-1,-1,5,-1,7]", "does not exist"),
        ("[-2,0]", "is no leaf"),
        ("[-1,100000001]", "is no leaf"),
    ] {
        let found = read(&part(trees)).unwrap_err();
        assert!(found.contains(problem), "{trees}: {found}");
    }
    assert!(read(r#"{"base":1e9,"cuts":[[],[],[]],"trees":[]}"#).unwrap_err().contains("the base"));
    assert!(read(r#"{"base":0.0,"cuts":[[]],"trees":[]}"#).unwrap_err().contains("features are named"));
    assert!(read(r#"{"base":0.0,"cuts":[[2.0,1.0],[],[]],"trees":[]}"#).unwrap_err().contains("increasing"));
}

#[test]
fn settings_out_of_range_are_refused() {
    let table = drawn(20, 6);
    let refused = |settings: BoostSettings| {
        assert!(
            matches!(Booster::fit(&table, &settings), Err(ClassifierError::BadSetting { .. })),
            "{settings:?}"
        );
    };
    refused(BoostSettings { n_trees: 0, ..quick() });
    refused(BoostSettings { learning_rate: f64::NAN, ..quick() });
    refused(BoostSettings { row_share: 1.1, ..quick() });
    refused(BoostSettings { l2: 0.0, min_leaf_weight: 0.0, ..quick() });
    refused(BoostSettings { max_bins: 256, ..quick() });
    let one_label = table.subset(|row| table.labels()[row]);
    assert!(matches!(Booster::fit(&one_label, &quick()), Err(ClassifierError::TooFewGroups { .. })));
}

#[test]
fn a_draw_has_the_size_asked_for() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for (n, share, expected) in [(10, 0.4, 4), (10, 1.0, 10), (10, 0.001, 1), (0, 0.5, 0)] {
        let drawn = draw(&mut rng, n, share);
        assert_eq!(drawn.len(), expected);
        assert!(drawn.is_sorted_by(|a, b| a < b) && drawn.iter().all(|&at| (at as usize) < n));
    }
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -2.0_f32..2.0, 1 => Just(f32::NAN), 1 => Just(0.5_f32)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(15), failure_persistence: None, cases: 40, ..Default::default()
    })]

    #[test]
    fn the_flat_walk_says_what_the_trees_say(seed in any::<u64>(), rows in prop::collection::vec(prop::array::uniform3(value()), 1..20)) {
        let settings = BoostSettings { n_trees: 11, seed, ..quick() };
        let booster = Booster::fit(&drawn(120, seed), &settings).unwrap();
        for row in &rows {
            let plain: i64 = booster.trees.iter().map(|tree| i64::from(tree.value(row))).sum();
            prop_assert_eq!(booster.log_odds(row), booster.base + plain as f64 * VALUE_UNIT);
        }
    }

    #[test]
    fn scaling_a_feature_changes_nothing(seed in any::<u64>()) {
        let table = drawn(150, seed);
        let mut scaled = BoostTable::new(table.names().clone());
        for (row, &label) in table.rows().zip(table.labels()) {
            scaled.push(&[row[0] * 4.0, row[1], row[2]], label).unwrap();
        }
        let (one, other) = (Booster::fit(&table, &quick()).unwrap(), Booster::fit(&scaled, &quick()).unwrap());
        for (row, stretched) in table.rows().zip(scaled.rows()) {
            prop_assert_eq!(one.log_odds(row), other.log_odds(stretched));
        }
    }
}

/// Once every row is all but certain, no curvature is left and a Newton step would go anywhere.
#[test]
fn a_table_that_is_easy_to_separate_stays_separated() {
    for n_positive in [3, 1401] {
        let mut table = BoostTable::new(FeatureNames::new(["a"]).unwrap());
        for i in 0..2801 {
            let label = i < n_positive;
            table.push(&[f32::from(u8::from(label)) + (i % 7) as f32 / 100.0], label).unwrap();
        }
        let settings = BoostSettings {
            n_trees: 400,
            learning_rate: 0.1,
            min_leaf_rows: 1,
            row_share: 1.0,
            column_share: 1.0,
            l2: 0.0,
            ..BoostSettings::default()
        };
        let booster = Booster::fit(&table, &settings).unwrap();
        let (yes, no) = (booster.log_odds(&[1.03]), booster.log_odds(&[0.03]));
        assert!((5.0..40.0).contains(&yes) && (-40.0..-5.0).contains(&no), "{n_positive}: {yes}, {no}");
    }
}
