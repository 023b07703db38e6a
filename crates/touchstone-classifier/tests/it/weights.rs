//! A market in which reviewers rule on what has a high priority: rows weighed by the inverse of how often such flags are ruled teach what
//! all flags would have taught.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use touchstone_classifier::metrics::{calibration_error, log_loss};
use touchstone_classifier::{Dataset, FeatureNames, ModelKind, TrainSettings, train};

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A flag: what the classifier sees of it, what it does not, and the truth.
struct Flag {
    row: [Option<f64>; 2],
    priority: f64,
    is_counterfeit: bool,
}

/// What sells much has a high priority and is more often a counterfeit, and how much is sold is no feature.
fn market(n: usize, seed: u64) -> Vec<Flag> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let flag = |_| {
        let (price, age, sold) = (uniform(&mut rng), uniform(&mut rng), uniform(&mut rng));
        let age_known = uniform(&mut rng) < 0.8;
        let log_odds = 0.5 - 3.0 * price + 4.0 * (sold - 0.5);
        let is_counterfeit = uniform(&mut rng) < 1.0 / (1.0 + (-log_odds).exp());
        Flag { row: [Some(price), age_known.then_some(age)], priority: sold * (1.2 - price), is_counterfeit }
    };
    (0..n).map(flag).collect()
}

/// The flags that were ruled, with the share that was ruled in their tenth of the priorities.
fn ruled(mut flags: Vec<Flag>, seed: u64) -> Vec<(Flag, f64)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    flags.sort_by(|a, b| a.priority.total_cmp(&b.priority));
    let tenth = flags.len() / 10;
    let mut found = Vec::new();
    let mut flags = flags.into_iter();
    for chance in [0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.1, 0.3, 0.7, 0.95] {
        let cell: Vec<Flag> = flags.by_ref().take(tenth).filter(|_| uniform(&mut rng) < chance).collect();
        let share = cell.len() as f64 / tenth as f64;
        found.extend(cell.into_iter().map(|flag| (flag, share)));
    }
    found
}

fn table(rows: &[(Flag, f64)], weighted: bool) -> Dataset {
    let mut data = Dataset::new(FeatureNames::new(["price", "age"]).unwrap());
    for (flag, share) in rows {
        let weight = if weighted { (1.0 / share).min(20.0) } else { 1.0 };
        match weighted {
            true => data.push_weighted(&flag.row, flag.is_counterfeit, None, weight).unwrap(),
            false => data.push(&flag.row, flag.is_counterfeit, None).unwrap(),
        }
    }
    data
}

#[test]
fn weighted_rulings_are_nearer_to_the_truth_in_every_kind_of_model() {
    let rows = ruled(market(8_000, 1), 2);
    let unseen = market(8_000, 3);
    let labels: Vec<bool> = unseen.iter().map(|flag| flag.is_counterfeit).collect();
    let truth = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    for kinds in ModelKind::ALL.chunks(1) {
        let errors = |weighted: bool| {
            let settings = TrainSettings { kinds, ..TrainSettings::default() };
            let (classifier, report) = train(&table(&rows, weighted), &settings).unwrap();
            let p: Vec<f64> = unseen.iter().map(|flag| classifier.probability(&flag.row).get()).collect();
            let metrics = (log_loss(&p, &labels).unwrap(), calibration_error(&p, &labels).unwrap());
            (metrics, report.base_rate, report.out_of_fold.log_loss)
        };
        let ((loss, gap), base_rate, held_out) = errors(true);
        let ((plain_loss, plain_gap), plain_rate, plain_held_out) = errors(false);
        let kind = kinds[0].as_str();
        assert!(loss + 0.05 < plain_loss, "{kind}: log loss {loss}, unweighted {plain_loss}");
        assert!(gap < plain_gap / 3.0, "{kind}: calibration error {gap}, unweighted {plain_gap}");
        assert!((base_rate - truth).abs() < 0.05, "{kind}: {base_rate} is not {truth}");
        assert!(plain_rate - truth > 0.15, "{kind}: {plain_rate} is not far from {truth}");
        // What is said of held-out rows is as true as what was learned.
        assert!(
            (held_out - loss).abs() < (plain_held_out - plain_loss).abs(),
            "{kind}: {held_out}, {plain_held_out}"
        );
    }
}

#[test]
fn rows_that_all_weigh_the_same_teach_what_they_teach_without_weights() {
    let rows: Vec<(Flag, f64)> = market(800, 4).into_iter().map(|flag| (flag, 0.25)).collect();
    for kinds in ModelKind::ALL.chunks(1) {
        let settings = TrainSettings { kinds, ..TrainSettings::default() };
        let (weighted, report) = train(&table(&rows, true), &settings).unwrap();
        let (plain, plain_report) = train(&table(&rows, false), &settings).unwrap();
        assert_eq!((report.effective_rows, plain_report.effective_rows), (Some(800.0), None));
        assert_eq!(weighted.trained_on(), plain.trained_on());
        for (flag, _) in &rows {
            let [one, other] = [&weighted, &plain].map(|model| model.probability(&flag.row).get());
            assert!((one - other).abs() < 1e-4, "{}: {one} {other}", kinds[0].as_str());
        }
    }
}
