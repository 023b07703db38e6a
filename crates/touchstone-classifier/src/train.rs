//! Training with calibration on held-out rows, and the figures for the model card.

use touchstone_types::Probability;

use crate::calibrate::Platt;
use crate::classifier::{Classifier, Model, TrainedOn};
use crate::dataset::Dataset;
use crate::error::ClassifierError;
use crate::folds::folds;
use crate::kinds::ModelKind;
use crate::logistic::LogisticRegression;
use crate::math::sigmoid;
use crate::metrics::Metrics;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainSettings {
    /// Weight of the penalty on squared weights against the summed log loss (the inverse of what scikit-learn calls C); above 0, at most
    /// 10⁶. Default 1.
    pub l2: f64,
    /// In how many parts the rows are held out for calibration, 2 to 100. Default 5.
    pub n_folds: usize,
    /// The seed of the folds, and of what boosted trees draw. Default 0.
    pub seed: u64,
    /// The kinds of model to try, at least one: of those that can be fitted the one with the smallest log loss on held-out rows is kept,
    /// of equals the first. Default: a logistic regression alone.
    pub kinds: &'static [ModelKind],
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self { l2: 1.0, n_folds: 5, seed: 0, kinds: &[ModelKind::LogisticRegression] }
    }
}

impl TrainSettings {
    fn check(&self) -> Result<(), ClassifierError> {
        let bad = |setting, found, expected| Err(ClassifierError::BadSetting { setting, found, expected });
        if !(f64::MIN_POSITIVE..=1e6).contains(&self.l2) {
            return bad("l2", self.l2.to_string(), "above 0 and at most 1000000");
        }
        if !(2..=100).contains(&self.n_folds) {
            return bad("n_folds", self.n_folds.to_string(), "2 to 100");
        }
        if self.kinds.is_empty() {
            return bad("kinds", "none".to_owned(), "at least one");
        }
        Ok(())
    }
}

/// The figures of a training, for the model card.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingReport {
    /// Rows of the table.
    pub n_rows: usize,
    /// How many of them were positive.
    pub n_positive: usize,
    /// Their share, in [0, 1], as the rows' weights have it: the market for which probabilities are right.
    pub base_rate: f64,
    /// As many rows of equal weight say as much; `None` where rows have no weights.
    pub effective_rows: Option<f64>,
    /// The settings.
    pub settings: TrainSettings,
    /// The kind of model that was kept.
    pub kind: ModelKind,
    /// What each kind that was tried does on held-out rows.
    pub tried: Vec<(ModelKind, Metrics)>,
    /// Measured on rows whose group neither the model nor its calibration had seen; a little flattering where several kinds were tried,
    /// because the best was chosen on them.
    pub out_of_fold: Metrics,
    /// The calibration that was kept.
    pub calibration: Platt,
    /// One entry a feature, in feature order; none of trees, which have no weights. Of a mean with trees, what the regression adds.
    pub weights: Vec<FeatureWeight>,
    /// One entry a feature, in feature order: how many splits of the trees ask for it; none without trees.
    pub splits: Vec<usize>,
}

/// What the model learned about one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureWeight {
    /// The feature.
    pub feature: String,
    /// In how many rows of the training it was missing.
    pub n_missing: usize,
    /// Mean of the present values, in the feature's unit.
    pub mean: f64,
    /// Their standard deviation, in the feature's unit; 1 where they do not vary.
    pub scale: f64,
    /// Log-odds, before calibration, for one standard deviation above the mean.
    pub weight: f64,
    /// Log-odds, before calibration, for the value being missing.
    pub missing_weight: f64,
}

/// Trains a classifier on all rows, of the kind that does best on held-out rows, calibrated on the scores that models of the same kind gave
/// to rows of groups they had not seen. The same table and settings give the same classifier.
///
/// Where rows have weights, they count in every kind of model, in the calibration, and in all that is measured, so also in the choice.
///
/// # Errors
/// A setting out of range, too few groups of a label, no feature that varies, or an optimiser that gives up.
///
/// # Examples
/// See the [crate's page](crate).
pub fn train(
    data: &Dataset,
    settings: &TrainSettings,
) -> Result<(Classifier, TrainingReport), ClassifierError> {
    settings.check()?;
    let fold_of = folds(data, settings.n_folds, settings.seed)?;
    let mut tried = Vec::with_capacity(settings.kinds.len());
    // A kind that cannot be fitted to these rows is passed over, as long as another one can.
    let mut refused = None;
    for &kind in settings.kinds {
        let fitted = held_out_log_odds(data, kind, settings, &fold_of)
            .and_then(|log_odds| Ok((log_odds, kind.fit(data, settings)?)));
        match fitted {
            Ok((log_odds, model)) => {
                let (metrics, calibration) = calibrated(data, &log_odds, &fold_of, settings.n_folds);
                tried.push((kind, metrics, calibration, model));
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let by_loss = tried.iter().min_by(|a, b| a.1.log_loss.total_cmp(&b.1.log_loss));
    let Some((kind, out_of_fold, calibration, model)) = by_loss.cloned() else {
        return Err(refused.expect("the settings name a kind"));
    };
    let trained_on =
        TrainedOn { n_rows: data.n_rows(), n_positive: data.n_positive_weighted(), seed: settings.seed };
    let report = TrainingReport {
        n_rows: trained_on.n_rows,
        n_positive: data.n_positive(),
        base_rate: trained_on.base_rate(),
        effective_rows: data.effective_rows(),
        settings: *settings,
        kind,
        tried: tried.into_iter().map(|(kind, metrics, ..)| (kind, metrics)).collect(),
        out_of_fold,
        calibration,
        weights: match &model {
            Model::LogisticRegression(regression) => weights(data, regression, 1.0),
            Model::Mean(regression, _) => weights(data, regression, 0.5),
            Model::BoostedTrees(_) => Vec::new(),
        },
        splits: match &model {
            Model::BoostedTrees(trees) | Model::Mean(_, trees) => trees.split_counts(),
            Model::LogisticRegression(_) => Vec::new(),
        },
    };
    let classifier = Classifier::new(data.names().clone(), model, calibration, trained_on)
        .expect("the model was fitted on these very columns and rows");
    Ok((classifier, report))
}

/// The probability of each row by a classifier that was trained, calibration included, on the other folds only: what the `tables` form
/// calls `5-fold`.
///
/// # Errors
/// As [`train`], on the table and on the rest of it when a fold is held out.
pub fn cross_validate(data: &Dataset, settings: &TrainSettings) -> Result<Vec<Probability>, ClassifierError> {
    settings.check()?;
    let fold_of = folds(data, settings.n_folds, settings.seed)?;
    let found = held_out(data, settings.n_folds, &fold_of, |rest| {
        let (classifier, _) = train(rest, settings)?;
        Ok(move |row: &[Option<f64>]| classifier.probability(row).get())
    })?;
    Ok(found.into_iter().map(|p| Probability::new(p).expect("it was a probability")).collect())
}

fn held_out_log_odds(
    data: &Dataset,
    kind: ModelKind,
    settings: &TrainSettings,
    fold_of: &[usize],
) -> Result<Vec<f64>, ClassifierError> {
    held_out(data, settings.n_folds, fold_of, |rest| {
        let model = kind.fit(rest, settings)?;
        Ok(move |row: &[Option<f64>]| model.log_odds(row))
    })
}

/// What a scorer fitted on the other folds says of each row.
fn held_out<S: Fn(&[Option<f64>]) -> f64>(
    data: &Dataset,
    n_folds: usize,
    fold_of: &[usize],
    fit: impl Fn(&Dataset) -> Result<S, ClassifierError>,
) -> Result<Vec<f64>, ClassifierError> {
    let mut scores = vec![0.0; data.n_rows()];
    for fold in 0..n_folds {
        // With fewer groups than folds, some folds hold nothing out.
        if !fold_of.contains(&fold) {
            continue;
        }
        let score = fit(&data.subset(|row_idx| fold_of[row_idx] != fold))?;
        for (row_idx, row) in data.rows().enumerate().filter(|(row_idx, _)| fold_of[*row_idx] == fold) {
            scores[row_idx] = score(row);
        }
    }
    Ok(scores)
}

/// The calibration for these scores of held-out rows, and how good it is: Platt's, or none where the scores are better as they are by
/// more than one part in a hundred of the log loss. Where rows are few, or easy to tell apart, two parameters can cost more than they bring.
fn calibrated(data: &Dataset, log_odds: &[f64], fold_of: &[usize], n_folds: usize) -> (Metrics, Platt) {
    let scaled = held_out_metrics(data, log_odds, fold_of, n_folds);
    let probabilities: Vec<f64> = log_odds.iter().map(|&z| sigmoid(z)).collect();
    let bare = metrics(data, &probabilities);
    if bare.log_loss < 0.99 * scaled.log_loss {
        (bare, Platt::IDENTITY)
    } else {
        (scaled, Platt::fit_weighted(log_odds, data.labels(), &data.unit_weights()))
    }
}

/// How good these probabilities are, each row counted as its weight says.
fn metrics(data: &Dataset, probabilities: &[f64]) -> Metrics {
    let found = match data.weights() {
        None => Metrics::of(probabilities, data.labels()),
        Some(weights) => Metrics::weighted(probabilities, data.labels(), weights),
    };
    found.expect("the folds saw to it that both labels occur")
}

/// The metrics when each fold is calibrated by the scores of the others: judging a calibration on the rows it was fitted to would flatter it.
fn held_out_metrics(data: &Dataset, log_odds: &[f64], fold_of: &[usize], n_folds: usize) -> Metrics {
    let mut probabilities = vec![0.0; data.n_rows()];
    let all_weights = data.unit_weights();
    for fold in 0..n_folds {
        let others = || (0..data.n_rows()).filter(|&row_idx| fold_of[row_idx] != fold);
        let scores: Vec<f64> = others().map(|row_idx| log_odds[row_idx]).collect();
        let labels: Vec<bool> = others().map(|row_idx| data.labels()[row_idx]).collect();
        let weights: Vec<f64> = others().map(|row_idx| all_weights[row_idx]).collect();
        let calibration = Platt::fit_weighted(&scores, &labels, &weights);
        for row_idx in (0..data.n_rows()).filter(|&row_idx| fold_of[row_idx] == fold) {
            probabilities[row_idx] = sigmoid(calibration.apply(log_odds[row_idx]));
        }
    }
    metrics(data, &probabilities)
}

/// The regression's weights, of which `share` enters the log-odds.
fn weights(data: &Dataset, model: &LogisticRegression, share: f64) -> Vec<FeatureWeight> {
    let n_missing = |feature: usize| data.rows().filter(|row| row[feature].is_none()).count();
    let entry = |(feature, (name, term)): (usize, (&str, &crate::logistic::Term))| FeatureWeight {
        feature: name.to_owned(),
        n_missing: n_missing(feature),
        mean: term.mean,
        scale: term.scale,
        weight: share * term.weight,
        missing_weight: share * term.missing_weight,
    };
    data.names().iter().zip(model.terms()).enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::bundle::Bundle;
    use crate::features::FeatureNames;

    fn uniform(rng: &mut ChaCha8Rng) -> f64 {
        (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Rows in groups of four whose label is drawn with the probability that a known line gives.
    fn drawn(n_rows: usize, seed: u64) -> (Dataset, Vec<f64>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut data = Dataset::new(FeatureNames::new(["price", "age", "noise"]).unwrap());
        let mut truth = Vec::new();
        for i in 0..n_rows {
            let (price, age, noise) = (uniform(&mut rng), uniform(&mut rng) * 3000.0, uniform(&mut rng));
            let age_known = uniform(&mut rng) < 0.8;
            let log_odds = 2.0 - 5.0 * price + if age_known { 1.0 - age / 1000.0 } else { 1.5 };
            truth.push(sigmoid(log_odds));
            let label = uniform(&mut rng) < sigmoid(log_odds);
            let row = [Some(price), age_known.then_some(age), Some(noise)];
            data.push(&row, label, Some(&format!("g{}", i / 4))).unwrap();
        }
        (data, truth)
    }

    #[test]
    fn probabilities_come_near_the_truth_they_were_drawn_from() {
        let (data, truth) = drawn(4000, 1);
        let (classifier, report) = train(&data, &TrainSettings::default()).unwrap();
        let mean_error = data
            .rows()
            .zip(&truth)
            .map(|(row, p)| (classifier.probability(row).get() - p).abs())
            .sum::<f64>()
            / 4000.0;
        assert!(mean_error < 0.02, "{mean_error}");
        let best = Metrics::of(&truth, data.labels()).unwrap();
        assert!((report.out_of_fold.roc_auc - best.roc_auc).abs() < 0.01, "{report:?}");
        assert!(report.out_of_fold.log_loss < best.log_loss + 0.01, "{report:?}");
        assert!(report.out_of_fold.calibration_error < 0.03, "{report:?}");
        assert_eq!((report.n_rows, report.weights.len()), (4000, 3));
        assert_eq!(report.n_positive, data.n_positive());
        assert_eq!(report.weights[0].n_missing, 0);
        assert!((600..1000).contains(&report.weights[1].n_missing));
        assert!(report.weights[0].weight < -1.0 && report.weights[2].weight.abs() < 0.15, "{report:?}");
    }

    #[test]
    fn the_same_table_and_seed_give_the_same_file() {
        let file = |seed: u64| {
            let (data, _) = drawn(600, 2);
            let mut bundle = Bundle::new();
            bundle.set_classifier(
                &train(&data, &TrainSettings { seed, ..TrainSettings::default() }).unwrap().0,
            );
            bundle.to_bytes()
        };
        assert_eq!(file(3), file(3));
        assert_ne!(file(3), file(4));
        let (data, _) = drawn(600, 2);
        let (classifier, _) = train(&data, &TrainSettings { seed: 3, ..TrainSettings::default() }).unwrap();
        let read = Bundle::from_bytes(&file(3)).unwrap().classifier(data.names()).unwrap();
        assert_eq!(read, classifier);
        assert_eq!(read.trained_on(), TrainedOn { n_rows: 600, n_positive: data.n_positive(), seed: 3 });
    }

    #[test]
    fn cross_validation_never_looks_at_the_held_out_rows() {
        // A feature that names the group lets a model that saw the group know the label, and others know nothing.
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let names: Vec<String> = (0..40).map(|i| format!("is_group_{i}")).collect();
        let mut data = Dataset::new(FeatureNames::new(names).unwrap());
        for group in 0..40 {
            let label = group % 2 == 0;
            for _ in 0..5 {
                let mut row = vec![Some(0.0); 40];
                row[group] = Some(1.0 + uniform(&mut rng));
                data.push(&row, label, Some(&format!("g{group}"))).unwrap();
            }
        }
        let settings = TrainSettings::default();
        let found: Vec<f64> =
            cross_validate(&data, &settings).unwrap().into_iter().map(Probability::get).collect();
        let held_out = Metrics::of(&found, data.labels()).unwrap();
        assert!(held_out.roc_auc < 0.7, "{held_out:?}");
        let (_, report) = train(&data, &settings).unwrap();
        assert!(report.out_of_fold.roc_auc < 0.7, "{report:?}");
    }

    #[test]
    fn a_calibration_is_judged_on_rows_it_was_not_fitted_to() {
        // In one fold the scores are right, in the other they are wrong: calibrated by itself, each fold would look no worse than a coin.
        let mut data = Dataset::new(FeatureNames::new(["x"]).unwrap());
        let (mut log_odds, mut fold_of) = (Vec::new(), Vec::new());
        for i in 0..40 {
            let (label, fold) = (i % 2 == 0, i / 20);
            data.push(&[None], label, None).unwrap();
            log_odds.push(if label == (fold == 0) { 1.0 } else { -1.0 });
            fold_of.push(fold);
        }
        let found = held_out_metrics(&data, &log_odds, &fold_of, 2);
        assert!(found.log_loss > 1.0, "{found:?}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let (data, _) = drawn(100, 6);
        for (l2, n_folds) in [(0.0, 5), (-1.0, 5), (f64::NAN, 5), (1e7, 5), (1.0, 1), (1.0, 101)] {
            let settings = TrainSettings { l2, n_folds, ..TrainSettings::default() };
            assert!(
                matches!(train(&data, &settings), Err(ClassifierError::BadSetting { .. })),
                "{settings:?}"
            );
            assert!(cross_validate(&data, &settings).is_err());
        }
    }

    #[test]
    fn a_kind_that_cannot_be_fitted_is_passed_over() {
        // One row alone differs, so some fold has no feature that varies; trees do not mind.
        let mut data = Dataset::new(FeatureNames::new(["x"]).unwrap());
        for i in 0..60 {
            data.push(&[Some(f64::from(u8::from(i == 7)))], i % 2 == 0, None).unwrap();
        }
        assert!(train(&data, &TrainSettings::default()).is_err());
        let (_, report) =
            train(&data, &TrainSettings { kinds: ModelKind::ALL, ..TrainSettings::default() }).unwrap();
        assert!(report.tried.iter().all(|(kind, _)| *kind != ModelKind::LogisticRegression));
    }

    #[test]
    fn the_kind_that_does_best_on_held_out_rows_is_kept() {
        let kinds = ModelKind::ALL;
        let chosen = |data: &Dataset| {
            let (classifier, report) =
                train(data, &TrainSettings { kinds, ..TrainSettings::default() }).unwrap();
            let losses: Vec<f64> = report.tried.iter().map(|(_, metrics)| metrics.log_loss).collect();
            let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!((losses.len(), report.out_of_fold.log_loss), (kinds.len(), best));
            assert_eq!(report.weights.is_empty(), matches!(classifier.model(), Model::BoostedTrees(_)));
            let mut bundle = Bundle::new();
            bundle.set_classifier(&classifier);
            let read = Bundle::from_bytes(&bundle.to_bytes()).unwrap().classifier(data.names()).unwrap();
            for row in data.rows() {
                assert_eq!(read.probability(row), classifier.probability(row));
            }
            (classifier, report.kind)
        };
        let (line, _) = drawn(300, 8);
        assert!(matches!(chosen(&line).1, ModelKind::LogisticRegression | ModelKind::Mean));
        // Two features that speak only together: a weighted sum knows nothing.
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut both = Dataset::new(FeatureNames::new(["a", "b"]).unwrap());
        for _ in 0..600 {
            let (a, b) = (uniform(&mut rng) - 0.5, uniform(&mut rng) - 0.5);
            both.push(&[Some(a), Some(b)], a * b > 0.0, None).unwrap();
        }
        let (classifier, kind) = chosen(&both);
        assert!(!matches!(kind, ModelKind::LogisticRegression | ModelKind::Mean), "{kind:?}");
        assert!(classifier.probability(&[Some(0.3), Some(0.3)]).get() > 0.9);
        assert!(classifier.probability(&[Some(0.3), Some(-0.3)]).get() < 0.1);
        let none = TrainSettings { kinds: &[], ..TrainSettings::default() };
        assert!(matches!(train(&both, &none), Err(ClassifierError::BadSetting { setting: "kinds", .. })));
    }

    #[test]
    fn one_label_is_not_enough() {
        let mut data = Dataset::new(FeatureNames::new(["x"]).unwrap());
        for i in 0..10 {
            data.push(&[Some(f64::from(i))], false, None).unwrap();
        }
        let error = train(&data, &TrainSettings::default()).unwrap_err();
        assert_eq!(error, ClassifierError::TooFewGroups { label: 1, n_groups: 0, needed: 2 });
    }
}
