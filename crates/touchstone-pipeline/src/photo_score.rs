//! The photo score as a part of the model file, and how it is learned.
//!
//! ```text
//! LabelledPhoto ──▶ candidates' measures ──▶ logistic regression ──▶ weights ────────┐
//!                        │                                                           ├──▶ PhotoScore, PhotoTraining
//!                        └──▶ five folds ──▶ held-out probabilities ──▶ threshold ───┘
//! ```
//!
//! The threshold is what makes it a score with a calibrated false-match rate: the smallest, but not below a half, at which so few held-out
//! photos that must match nothing match something that their true rate is at most 0.3 % with 95 % confidence. Where there are too
//! few such photos to prove that (fewer than 998), none may match, and [`PhotoTraining::false_match_bound`] says what is proven.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use touchstone_classifier::{
    Bundle, ClassifierError, Dataset, FeatureNames, LogisticRegression, Metrics, folds, upper_bound,
};
use touchstone_image_hash::{MEASURES, Measures, PhotoScore};

const PART: &str = "photo_score";
const N_FOLDS: usize = 5;
/// The penalty of the regression's weights, over standardised measures.
const L2: f64 = 1.0;
/// No threshold is lower: what is rather no copy than one is never reported.
pub const MIN_PHOTO_THRESHOLD: f64 = 0.5;
const MAX_FALSE_MATCH_RATE: f64 = 0.003;
const CONFIDENCE: f64 = 0.95;

/// A photo of which it is known what it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledPhoto {
    /// Photos of one group resemble each other and are never parted: the reference that they were made of.
    pub group: String,
    /// What was done to the reference, or what kind of other photo it is.
    pub transform: String,
    /// What it shows.
    pub shows: Shows,
    /// What the second look measured of references laid over it, and whether the photo is a copy of that reference.
    pub candidates: Vec<(Measures, bool)>,
}

/// What a photo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// A reference that should be found.
    Reference,
    /// None of the references: nothing may be found.
    Nothing,
    /// Something that teaches, but is not counted: a reference among the others.
    Uncounted,
}

/// What a training showed, for the model card. All of it on photos that the model had not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoTraining {
    /// Labelled photos.
    pub n_photos: usize,
    /// References laid over them: the rows that were learned from.
    pub n_candidates: usize,
    /// How many of these were copies.
    pub n_copies: usize,
    /// The seed of the folds.
    pub seed: u64,
    /// How well the rows' probabilities tell copies from the rest.
    pub out_of_fold: Metrics,
    /// By transform, the photos whose reference is found at the threshold, and all.
    pub found: BTreeMap<String, (usize, usize)>,
    /// By transform, the photos that match something but must not, and all.
    pub matched: BTreeMap<String, (usize, usize)>,
    /// At most so large, with 95 % confidence, is the rate of false matches among photos like those that must match nothing.
    pub false_match_bound: f64,
}

impl PhotoTraining {
    /// The sums of [`found`](Self::found).
    pub fn n_found(&self) -> (usize, usize) {
        total(&self.found)
    }

    /// The sums of [`matched`](Self::matched).
    pub fn n_matched(&self) -> (usize, usize) {
        total(&self.matched)
    }
}

fn total(counts: &BTreeMap<String, (usize, usize)>) -> (usize, usize) {
    counts.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
}

/// The form of the part in a model file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    measures: Vec<String>,
    weights: Vec<f64>,
    intercept: f64,
    threshold: f64,
    figures: Figures,
}

/// What the training showed, on held-out photos: for whoever reads the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Figures {
    found: [usize; 2],
    matched: [usize; 2],
    false_match_bound: f64,
    calibration_error: f64,
}

/// Learns a score from labelled photos. The same photos and seed give the same score.
///
/// # Errors
/// Too few groups with copies, or with candidates that are none.
pub fn train_photo_score(
    photos: &[LabelledPhoto],
    seed: u64,
) -> Result<(PhotoScore, PhotoTraining), ClassifierError> {
    let data = table(photos)?;
    let fold_of = folds(&data, N_FOLDS, seed)?;
    let held_out = held_out(photos, &data, &fold_of)?;
    let best = |row: usize, photo: &LabelledPhoto, is_copy: bool| {
        let rows = photo.candidates.iter().zip(&held_out[row..]);
        let scores = rows.filter(|((_, label), _)| *label == is_copy).map(|(_, &p)| p);
        scores.fold(0.0, f64::max)
    };
    let mut rows = Vec::with_capacity(photos.len());
    let mut next = 0;
    for photo in photos {
        rows.push(next);
        next += photo.candidates.len();
    }
    let nothing = || photos.iter().zip(&rows).filter(|(photo, _)| photo.shows == Shows::Nothing);
    let threshold = threshold(nothing().map(|(photo, &row)| best(row, photo, false)).collect());
    let (mut found, mut matched) = (BTreeMap::new(), BTreeMap::new());
    let count = |counts: &mut BTreeMap<String, (usize, usize)>, photo: &LabelledPhoto, score: f64| {
        let entry = counts.entry(photo.transform.clone()).or_default();
        *entry = (entry.0 + usize::from(score >= threshold), entry.1 + 1);
    };
    for (photo, &row) in photos.iter().zip(&rows) {
        match photo.shows {
            Shows::Reference => count(&mut found, photo, best(row, photo, true)),
            Shows::Nothing => count(&mut matched, photo, best(row, photo, false)),
            Shows::Uncounted => {}
        }
    }
    let (n_matched, n_nothing) = total(&matched);
    let report = PhotoTraining {
        n_photos: photos.len(),
        n_candidates: data.n_rows(),
        n_copies: data.n_positive(),
        seed,
        out_of_fold: Metrics::of(&held_out, data.labels()).expect("the folds saw both labels"),
        found,
        matched,
        false_match_bound: upper_bound(n_matched, n_nothing, CONFIDENCE),
    };
    Ok((fitted(&data, threshold)?, report))
}

fn table(photos: &[LabelledPhoto]) -> Result<Dataset, ClassifierError> {
    let mut data = Dataset::new(names());
    for photo in photos {
        for (measures, is_copy) in &photo.candidates {
            let row: Vec<Option<f64>> = measures.iter().map(|&measure| Some(f64::from(measure))).collect();
            data.push(&row, *is_copy, Some(&photo.group))?;
        }
    }
    Ok(data)
}

/// The probability of each candidate, from the photos of the other folds.
fn held_out(
    photos: &[LabelledPhoto],
    data: &Dataset,
    fold_of: &[usize],
) -> Result<Vec<f64>, ClassifierError> {
    let mut probabilities = vec![0.0; data.n_rows()];
    let measures: Vec<&Measures> =
        photos.iter().flat_map(|photo| photo.candidates.iter().map(|(measures, _)| measures)).collect();
    for fold in 0..N_FOLDS {
        if !fold_of.contains(&fold) {
            continue;
        }
        let score = fitted(&data.subset(|row| fold_of[row] != fold), MIN_PHOTO_THRESHOLD)?;
        for row in (0..data.n_rows()).filter(|&row| fold_of[row] == fold) {
            probabilities[row] = score.probability(measures[row]);
        }
    }
    Ok(probabilities)
}

/// The regression of all rows, its weights per unit of each measure.
fn fitted(data: &Dataset, threshold: f64) -> Result<PhotoScore, ClassifierError> {
    let regression = LogisticRegression::fit(data, L2)?;
    let weights: Vec<f64> = regression.terms().iter().map(|term| term.weight / term.scale).collect();
    let terms = regression.terms().iter().zip(&weights);
    let intercept = terms.fold(regression.intercept(), |sum, (term, weight)| sum - weight * term.mean);
    let weights = weights.try_into().expect("a term for each measure");
    PhotoScore::new(weights, intercept, threshold)
        .ok_or_else(|| ClassifierError::NotConverged { problem: "a weight is not finite".to_owned() })
}

/// The smallest threshold, in thousandths, that keeps false matches rare; `scores` are those of photos that must match nothing.
fn threshold(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(|a, b| b.total_cmp(a));
    let is_rare =
        |n_matched: &usize| upper_bound(*n_matched, scores.len(), CONFIDENCE) <= MAX_FALSE_MATCH_RATE;
    let n_allowed = (0..scores.len()).take_while(is_rare).last().unwrap_or(0);
    // The next one must stay below.
    let next = scores.get(n_allowed).copied().unwrap_or(0.0);
    let above = ((next * 1000.0).floor() + 1.0) / 1000.0;
    above.clamp(MIN_PHOTO_THRESHOLD, 1.0)
}

fn names() -> FeatureNames {
    FeatureNames::new(MEASURES).expect("the names are distinct and not empty")
}

/// Reads the part `photo_score` of a model file; `None` if it has none.
///
/// # Errors
/// [`ClassifierError::BadPart`] for numbers out of range, or if it was trained on other measures than this build's.
pub fn read_photo_score(bundle: &Bundle) -> Result<Option<PhotoScore>, ClassifierError> {
    if bundle.part(PART).is_none() {
        return Ok(None);
    }
    let part: Part = bundle.read_part(PART)?;
    let bad = |problem: String| ClassifierError::BadPart { part: PART.to_owned(), problem };
    let stated = FeatureNames::new(part.measures).map_err(|error| bad(error.to_string()))?;
    if let Some(difference) = stated.difference(&names()) {
        return Err(bad(format!("its measures are not this build's: {difference}")));
    }
    let n = part.weights.len();
    let weights = part
        .weights
        .try_into()
        .map_err(|_| bad(format!("it has {n} weights for {} measures", MEASURES.len())))?;
    let score = PhotoScore::new(weights, part.intercept, part.threshold);
    score
        .map(Some)
        .ok_or_else(|| bad("its threshold is no probability, or a weight is not finite".to_owned()))
}

/// Sets the part `photo_score`; the others stay.
pub fn write_photo_score(score: &PhotoScore, report: &PhotoTraining, bundle: &mut Bundle) {
    let pair = |(n, of): (usize, usize)| [n, of];
    let part = Part {
        measures: MEASURES.map(str::to_owned).to_vec(),
        weights: score.weights().to_vec(),
        intercept: score.intercept(),
        threshold: score.threshold(),
        figures: Figures {
            found: pair(report.n_found()),
            matched: pair(report.n_matched()),
            false_match_bound: report.false_match_bound,
            calibration_error: report.out_of_fold.calibration_error,
        },
    };
    bundle.write_part(PART, &part).expect("numbers, texts and lists are always JSON");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Photos whose copies agree well (`agreeing`, the fourth measure) and whose other candidates do not.
    fn invented(n_nothing: usize) -> Vec<LabelledPhoto> {
        let measures = |agreeing: f32, other: usize| -> Measures {
            std::array::from_fn(|k| if k == 3 { agreeing } else { ((other * 7 + k * 3) % 11) as f32 / 11.0 })
        };
        let copy = |i: usize| LabelledPhoto {
            group: format!("r{}", i / 2),
            transform: "crop".to_owned(),
            shows: Shows::Reference,
            candidates: vec![(measures(0.8 + (i % 5) as f32 / 50.0, i), true), (measures(0.3, i + 1), false)],
        };
        let other = |i: usize| LabelledPhoto {
            group: format!("n{i}"),
            transform: "other".to_owned(),
            shows: Shows::Nothing,
            candidates: vec![(measures(0.2 + (i % 9) as f32 / 50.0, i), false)],
        };
        (0..60).map(copy).chain((0..n_nothing).map(other)).collect()
    }

    #[test]
    fn a_score_learns_and_reads_back_as_it_was() {
        let photos = invented(1000);
        let (score, report) = train_photo_score(&photos, 1).unwrap();
        assert_eq!((report.n_found(), report.n_matched()), ((60, 60), (0, 1000)));
        assert_eq!((report.n_photos, report.n_candidates, report.n_copies), (1060, 1120, 60));
        assert!(report.false_match_bound <= 0.003 && score.threshold() >= MIN_PHOTO_THRESHOLD, "{report:?}");
        let mut bundle = Bundle::new();
        bundle.set_part("other", "[1]").unwrap();
        write_photo_score(&score, &report, &mut bundle);
        let read = Bundle::from_bytes(&bundle.to_bytes()).unwrap();
        assert_eq!(read_photo_score(&read).unwrap(), Some(score.clone()));
        assert_eq!(read.part("other"), Some("[1]"));
        assert_eq!(train_photo_score(&photos, 1).unwrap(), (score, report));
    }

    #[test]
    fn parts_that_cannot_be_are_refused() {
        assert_eq!(read_photo_score(&Bundle::new()).unwrap(), None);
        let (score, report) = train_photo_score(&invented(50), 1).unwrap();
        let mut bundle = Bundle::new();
        write_photo_score(&score, &report, &mut bundle);
        let text = bundle.part(PART).unwrap().to_owned();
        for (from, to, expected) in [
            ("\"fine\"", "\"coarse\"", "measures are not this build's: only in the model: coarse"),
            ("\"threshold\":", "\"threshold\":7", "threshold is no probability"),
            ("\"weights\":[", "\"weights\":[1.0,", "it has 21 weights for 20 measures"),
            ("\"intercept\":", "\"x\":1,\"intercept\":", "unknown field"),
        ] {
            assert!(text.contains(from));
            bundle.set_part(PART, &text.replacen(from, to, 1)).unwrap();
            let error = read_photo_score(&bundle).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("retrain with `touchstone train`"), "{error}");
        }
    }

    #[test]
    fn the_threshold_keeps_false_matches_rare() {
        // One of 1,771 may match (bound 0.27 %), two may not.
        let mut scores = vec![0.0; 1771];
        assert_eq!(threshold(scores.clone()), MIN_PHOTO_THRESHOLD);
        (scores[5], scores[6]) = (0.9, 0.5);
        assert_eq!(threshold(scores.clone()), 0.501);
        // Too few to prove anything: none may match.
        scores.truncate(900);
        assert_eq!(threshold(scores), 0.901);
        assert_eq!(threshold(Vec::new()), MIN_PHOTO_THRESHOLD);
    }

    #[test]
    fn what_the_bound_is_not_proven_for_says_so() {
        let (_, report) = train_photo_score(&invented(50), 1).unwrap();
        assert!(report.n_matched() == (0, 50) && report.false_match_bound > 0.05, "{report:?}");
    }
}
