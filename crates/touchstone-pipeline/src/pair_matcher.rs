//! Is this offer about that product? The learned matcher: features of the text crate, boosted trees of the classifier crate.
//!
//! ```text
//! PairRecord ──▶ Prepared ─┐
//!                          ├─▶ pair_features ──▶ boosters ──▶ log-odds ──▶ Platt ──▶ probability, threshold
//! PairRecord ──▶ Prepared ─┘        ▲
//!                                 Rarity
//! ```
//!
//! What is learned: the trees, from labelled pairs; how rare words are, from the records of these pairs without their labels; the
//! calibration and the threshold, from pairs that the trees had not seen. What is not: no record's identity, price level or position is a
//! feature, and a matcher never says that an offer is counterfeit, only that it is about a product.

use serde::{Deserialize, Serialize};
use touchstone_classifier::{
    BoostSettings, BoostTable, Booster, BoosterPart, Bundle, ClassifierError, Dataset, FeatureNames, Metrics,
    Platt, best_f1_threshold, folds, metrics::counts_at,
};
use touchstone_text::{
    N_PAIR_FEATURES, PairRecord, Prepared, Rarity, RarityCounter, pair_feature_names, pair_features,
};
use touchstone_types::Probability;

const PART: &str = "pair_matcher";
const N_FOLDS: usize = 5;
/// Boosters of one matcher: their log-odds are averaged.
const N_BOOSTERS: u64 = 1;

/// A pair that a person has ruled on.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledPair {
    /// The offer.
    pub left: PairRecord,
    /// The product.
    pub right: PairRecord,
    /// Whether the offer is about the product.
    pub is_match: bool,
}

/// What a training showed, for the model card.
#[derive(Debug, Clone, PartialEq)]
pub struct PairTraining {
    /// Labelled pairs.
    pub n_pairs: usize,
    /// How many of them matched.
    pub n_matches: usize,
    /// The seed of folds and draws.
    pub seed: u64,
    /// On pairs that neither trees nor calibration had seen.
    pub out_of_fold: Metrics,
    /// The highest F1 on held-out pairs, at the threshold that was kept; a little flattering, because it was chosen on them.
    pub f1: f64,
    /// Features by the number of splits that ask for them, most first.
    pub splits: Vec<(String, usize)>,
}

/// A trained matcher.
#[derive(Debug, Clone, PartialEq)]
pub struct PairMatcher {
    boosters: Vec<Booster>,
    calibration: Platt,
    threshold: Probability,
    rarity: Rarity,
}

/// The form of the part in a model file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    features: Vec<String>,
    calibration: [f64; 2],
    threshold: f64,
    n_records: u32,
    /// Steps between the hashes of words, and how many records held each, by turns.
    words: Vec<u32>,
    boosters: Vec<BoosterPart>,
}

/// How rare words are in the records of these pairs, each record counted once however many pairs it is in.
pub fn rarity_of<'a>(pairs: impl IntoIterator<Item = &'a LabelledPair>) -> Rarity {
    let mut seen = std::collections::BTreeSet::new();
    let mut counter = RarityCounter::default();
    for pair in pairs {
        for record in [&pair.left, &pair.right] {
            if seen.insert(key(record)) {
                counter.add(&Prepared::new(record));
            }
        }
    }
    counter.finish()
}

fn key(record: &PairRecord) -> String {
    format!("{record:?}")
}

/// The fold of each pair: pairs of equal records are never parted.
///
/// # Errors
/// Too few pairs of a label.
pub fn pair_folds(pairs: &[LabelledPair], seed: u64) -> Result<Vec<usize>, ClassifierError> {
    let mut data = Dataset::new(FeatureNames::new(["none"])?);
    for pair in pairs {
        let group = format!("{}\n{}", key(&pair.left), key(&pair.right));
        data.push(&[None], pair.is_match, Some(&group))?;
    }
    folds(&data, N_FOLDS, seed)
}

/// The log-odds, before calibration, that trees fitted on the other folds give to each pair. How rare words are is learned from all
/// records, without labels.
///
/// # Errors
/// Pairs of one label only in the rest of some fold.
pub fn out_of_fold(
    pairs: &[LabelledPair],
    fold_of: &[usize],
    seed: u64,
) -> Result<Vec<f64>, ClassifierError> {
    held_out(&table(pairs, &rarity_of(pairs)), fold_of, seed)
}

fn held_out(table: &BoostTable, fold_of: &[usize], seed: u64) -> Result<Vec<f64>, ClassifierError> {
    let mut log_odds = vec![0.0; table.n_rows()];
    for fold in 0..N_FOLDS {
        if !fold_of.contains(&fold) {
            continue;
        }
        let boosters = boosters(&table.subset(|row| fold_of[row] != fold), seed)?;
        let mut room = Vec::new();
        for row in (0..table.n_rows()).filter(|&row| fold_of[row] == fold) {
            log_odds[row] = mean_log_odds(&boosters, table.row(row), &mut room);
        }
    }
    Ok(log_odds)
}

fn names() -> FeatureNames {
    FeatureNames::new(pair_feature_names().iter().cloned()).expect("the names are distinct and not empty")
}

fn table(pairs: &[LabelledPair], rarity: &Rarity) -> BoostTable {
    let mut table = BoostTable::new(names());
    for pair in pairs {
        let row = pair_features(&Prepared::new(&pair.left), &Prepared::new(&pair.right), rarity);
        table.push(&row, pair.is_match).expect("a row has one value for each name");
    }
    table
}

fn boosters(table: &BoostTable, seed: u64) -> Result<Vec<Booster>, ClassifierError> {
    let settings = |bag| BoostSettings {
        seed: seed.wrapping_mul(N_BOOSTERS).wrapping_add(bag),
        ..BoostSettings::default()
    };
    (0..N_BOOSTERS).map(|bag| Booster::fit(table, &settings(bag))).collect()
}

fn mean_log_odds(boosters: &[Booster], row: &[f32], room: &mut Vec<f32>) -> f64 {
    boosters.iter().map(|booster| booster.log_odds_in(row, room)).sum::<f64>() / boosters.len() as f64
}

impl PairMatcher {
    /// Trains on labelled pairs. The same pairs and seed give the same matcher.
    ///
    /// # Errors
    /// Too few pairs of a label.
    pub fn train(pairs: &[LabelledPair], seed: u64) -> Result<(Self, PairTraining), ClassifierError> {
        let fold_of = pair_folds(pairs, seed)?;
        let rarity = rarity_of(pairs);
        let table = table(pairs, &rarity);
        let log_odds = held_out(&table, &fold_of, seed)?;
        let calibration = Platt::fit(&log_odds, table.labels());
        let calibrated: Vec<f64> = log_odds.iter().map(|&z| probability(calibration, z).get()).collect();
        let threshold = best_f1_threshold(&calibrated, table.labels()).expect("the folds saw both labels");
        let threshold = Probability::new(threshold).expect("it lies between probabilities");
        let boosters = boosters(&table, seed)?;
        let mut splits = vec![0; N_PAIR_FEATURES];
        for booster in &boosters {
            splits.iter_mut().zip(booster.split_counts()).for_each(|(sum, n)| *sum += n);
        }
        let mut splits: Vec<(String, usize)> = pair_feature_names().iter().cloned().zip(splits).collect();
        splits.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let report = PairTraining {
            n_pairs: pairs.len(),
            n_matches: table.labels().iter().filter(|&&label| label).count(),
            seed,
            out_of_fold: Metrics::of(&calibrated, table.labels()).expect("the folds saw both labels"),
            f1: counts_at(&calibrated, table.labels(), threshold.get()).f1().unwrap_or(0.0),
            splits,
        };
        Ok((Self { boosters, calibration, threshold, rarity }, report))
    }

    /// The same matcher with another threshold.
    pub fn with_threshold(self, threshold: Probability) -> Self {
        Self { threshold, ..self }
    }

    /// At or above this probability a pair counts as a match.
    pub fn threshold(&self) -> Probability {
        self.threshold
    }

    /// How rare words are.
    pub fn rarity(&self) -> &Rarity {
        &self.rarity
    }

    /// The calibrated probability that an offer is about a product.
    pub fn probability(&self, offer: &Prepared, product: &Prepared) -> Probability {
        self.probability_in(offer, product, &mut Vec::new())
    }

    /// The probabilities of pairs of records, tokenising included.
    pub fn probabilities<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a PairRecord, &'a PairRecord)>,
    ) -> Vec<Probability> {
        let mut room = Vec::new();
        let one = |(a, b)| self.probability_in(&Prepared::new(a), &Prepared::new(b), &mut room);
        pairs.into_iter().map(one).collect()
    }

    fn probability_in(&self, offer: &Prepared, product: &Prepared, room: &mut Vec<f32>) -> Probability {
        let row = pair_features(offer, product, &self.rarity);
        probability(self.calibration, mean_log_odds(&self.boosters, &row, room))
    }

    /// Reads the part `pair_matcher` of a model file; `None` if it has none.
    ///
    /// # Errors
    /// [`ClassifierError::BadPart`] for numbers out of range or trees that do not add up; [`ClassifierError::FeaturesDiffer`] if it was
    /// trained on other features than this build's.
    pub fn from_bundle(bundle: &Bundle) -> Result<Option<Self>, ClassifierError> {
        if bundle.part(PART).is_none() {
            return Ok(None);
        }
        let part: Part = bundle.read_part(PART)?;
        let bad = |problem: String| ClassifierError::BadPart { part: PART.to_owned(), problem };
        let stated = FeatureNames::new(part.features.clone()).map_err(|error| bad(error.to_string()))?;
        if let Some(difference) = stated.difference(&names()) {
            return Err(ClassifierError::FeaturesDiffer { difference });
        }
        part.matcher(&names()).map(Some).map_err(bad)
    }

    /// Sets the part `pair_matcher`; the others stay.
    pub fn write(&self, bundle: &mut Bundle) {
        let mut words = Vec::with_capacity(2 * self.rarity.counts().len());
        let mut before = 0;
        for &(hash, n) in self.rarity.counts() {
            words.extend([hash - before, n]);
            before = hash;
        }
        let part = Part {
            features: pair_feature_names().to_vec(),
            calibration: [self.calibration.slope(), self.calibration.offset()],
            threshold: self.threshold.get(),
            n_records: self.rarity.n_records(),
            words,
            boosters: self.boosters.iter().map(BoosterPart::from).collect(),
        };
        bundle.write_part(PART, &part).expect("numbers, texts and lists are always JSON");
    }
}

impl Part {
    fn matcher(&self, names: &FeatureNames) -> Result<PairMatcher, String> {
        let [slope, offset] = self.calibration;
        let calibration = Platt::new(slope, offset).ok_or("its calibration is out of range")?;
        let threshold = Probability::new(self.threshold).ok_or("its threshold is no probability")?;
        let (pairs, rest) = self.words.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("its rarity table is cut off".to_owned());
        }
        let mut hash = 0_u32;
        let mut counts = Vec::with_capacity(pairs.len());
        for &[step, n] in pairs {
            hash = hash.checked_add(step).ok_or("the words of its rarity table run over")?;
            counts.push((hash, n));
        }
        let rarity = Rarity::from_counts(self.n_records, counts)?;
        if !(1..=16).contains(&self.boosters.len()) {
            return Err(format!("it has {} boosters, not 1 to 16", self.boosters.len()));
        }
        let boosters = self.boosters.iter().map(|part| part.booster(names)).collect::<Result<Vec<_>, _>>()?;
        Ok(PairMatcher { boosters, calibration, threshold, rarity })
    }
}

fn probability(calibration: Platt, log_odds: f64) -> Probability {
    let p = 1.0 / (1.0 + libm::exp(-calibration.apply(log_odds)));
    Probability::new(p).expect("the logistic function of a finite number lies in [0, 1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers of invented products, each with its own product and with a neighbour whose model code is one further.
    fn invented() -> Vec<LabelledPair> {
        let colours = ["black", "red", "blue"];
        let product = |i: usize| {
            let (title, code) = (
                format!("Lumora ink cartridge LM-{}K {}", 100 + i, colours[i % 3]),
                format!("LM-{}K", 100 + i),
            );
            PairRecord::from_fields([("title", title.as_str()), ("mpn", code.as_str())])
        };
        let offer = |i: usize| {
            let title = format!("cartridge for printers lumora lm{}k {} new", 100 + i, colours[i % 3]);
            PairRecord::from_fields([("title", title.as_str())])
        };
        let pair = |i: usize, other: usize| LabelledPair {
            left: offer(i),
            right: product(other),
            is_match: i == other,
        };
        (0..60).flat_map(|i| [pair(i, i), pair(i, (i + 1) % 60), pair(i, (i + 3) % 60)]).collect()
    }

    #[test]
    fn a_matcher_learns_and_reads_back_as_it_was() {
        let pairs = invented();
        let (matcher, report) = PairMatcher::train(&pairs, 1).unwrap();
        assert!(report.f1 > 0.95, "{report:?}");
        assert_eq!((report.n_pairs, report.n_matches), (180, 60));
        let mut bundle = Bundle::new();
        bundle.set_part("other", "[1]").unwrap();
        matcher.write(&mut bundle);
        assert_eq!(bundle.part_names().collect::<Vec<_>>(), ["other", PART]);
        let read =
            PairMatcher::from_bundle(&Bundle::from_bytes(&bundle.to_bytes()).unwrap()).unwrap().unwrap();
        let both = |pair: &LabelledPair| {
            let (a, b) = (Prepared::new(&pair.left), Prepared::new(&pair.right));
            (matcher.probability(&a, &b), read.probability(&a, &b))
        };
        assert!(pairs.iter().map(both).all(|(own, read)| own == read));
        assert_eq!(read.threshold(), matcher.threshold());
        let mut again = Bundle::new();
        again.set_part("other", "[1]").unwrap();
        PairMatcher::train(&pairs, 1).unwrap().0.write(&mut again);
        assert_eq!(again, bundle, "the same pairs and seed give the same bytes");
    }

    #[test]
    fn parts_that_cannot_be_are_refused() {
        assert_eq!(PairMatcher::from_bundle(&Bundle::new()).unwrap(), None);
        let (matcher, _) = PairMatcher::train(&invented(), 1).unwrap();
        let mut bundle = Bundle::new();
        matcher.write(&mut bundle);
        let text = bundle.part(PART).unwrap().to_owned();
        for (from, to) in [
            ("\"threshold\":", "\"threshold\":7"),
            ("\"calibration\":[", "\"calibration\":[-"),
            ("\"head.n_shared\"", "\"another\""),
            ("\"n_records\":", "\"n_records\":0,\"x\":"),
            ("\"words\":[", "\"words\":[1,"),
        ] {
            assert!(text.contains(from));
            bundle.set_part(PART, &text.replacen(from, to, 1)).unwrap();
            assert!(PairMatcher::from_bundle(&bundle).is_err(), "{from} as {to}");
        }
    }

    #[test]
    fn equal_pairs_share_a_fold() {
        let mut pairs = invented();
        pairs.extend(invented());
        let fold_of = pair_folds(&pairs, 3).unwrap();
        assert_eq!(fold_of[..180], fold_of[180..]);
    }
}
