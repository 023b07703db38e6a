//! The card of a model: what it was made of, how good it is, and what it must not be used for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use touchstone_classifier::{Bundle, TrainingReport};
use touchstone_image_hash::{MEASURES, PhotoScore};
use touchstone_pipeline::{FEATURES, MIN_PHOTO_THRESHOLD, PairTraining, PhotoTraining};

/// What was trained this time, each with where its data came from.
#[derive(Default)]
pub(super) struct Trained {
    pub classifier: Option<(TrainingReport, Vec<String>)>,
    pub matcher: Option<(PairTraining, Vec<String>)>,
    pub photo_score: Option<(PhotoScore, PhotoTraining, Vec<String>)>,
}

const CLASSIFIER: &str = "classifier";
const MATCHER: &str = "pair_matcher";
const PHOTO_SCORE: &str = "photo_score";
/// The parts that have a section of their own, in the order of the card, with its heading.
const SECTIONS: [(&str, &str); 3] =
    [(CLASSIFIER, "# The classifier"), (MATCHER, "# The pair matcher"), (PHOTO_SCORE, "# The photo score")];

/// The sections of an older card by their parts; none if the card is not that of the bundle.
pub(super) fn sections(bundle: &Bundle, card: &str) -> BTreeMap<&'static str, String> {
    let mut found: BTreeMap<&'static str, String> = BTreeMap::new();
    if card.lines().next() != Some(title(bundle).as_str()) {
        return found;
    }
    let mut part = None;
    for line in card.lines() {
        if line.starts_with("# ") {
            part = SECTIONS.iter().find(|(_, heading)| line == *heading).map(|(part, _)| *part);
        }
        if let Some(part) = part {
            let section = found.entry(part).or_default();
            section.push_str(line);
            section.push('\n');
        }
    }
    found
}

fn title(bundle: &Bundle) -> String {
    format!("# Model {}", bundle.id())
}

/// The card, as Markdown. `old` holds sections of an older card: those of parts that were kept stand in the new one as they were.
pub(super) fn card(bundle: &Bundle, trained: &Trained, old: &BTreeMap<&'static str, String>) -> String {
    let mut new: BTreeMap<&str, String> = BTreeMap::new();
    if let Some((report, sources)) = &trained.classifier {
        new.insert(CLASSIFIER, classifier(report, sources));
    }
    if let Some((report, sources)) = &trained.matcher {
        new.insert(MATCHER, matcher(report, sources));
    }
    if let Some((score, report, sources)) = &trained.photo_score {
        new.insert(PHOTO_SCORE, photo_score(score, report, sources));
    }
    let mut text = format!("{}\n", title(bundle));
    let kept = |part: &str| old.get(part).filter(|_| bundle.part(part).is_some());
    for section in SECTIONS.iter().filter_map(|(part, _)| new.get(part).or_else(|| kept(part))) {
        text.push('\n');
        text.push_str(section.trim_end());
        text.push('\n');
    }
    let without: Vec<&str> =
        bundle.part_names().filter(|part| !new.contains_key(part) && !old.contains_key(part)).collect();
    if !without.is_empty() {
        let _ = writeln!(
            text,
            "\n# Kept\n\nParts kept as they were, whose cards still hold: {}.",
            without.join(", ")
        );
    }
    text
}

fn matcher(report: &PairTraining, sources: &[String]) -> String {
    let metrics = &report.out_of_fold;
    let mut text = format!(
        "# The pair matcher\n\n\
         Boosted trees that turn what the texts of an offer and of a product have in common into the probability that the offer \
         is about the product. It says nothing about whether the offer is genuine.\n\n\
         ## Data\n\n\
         Trained on {sources}: {n} pairs, {matches} of them matches, seed {seed}. Pairs of equal records stay together in \
         cross-validation; a record may stand in several folds with different partners, as offers and products do.\n\n\
         ## How good it is\n\n\
         On pairs that the trees had not seen; calibration and threshold were chosen on these very pairs.\n\n\
         | F1 | ROC-AUC | PR-AUC | log loss | calibration error |\n|---|---|---|---|---|\n\
         | {f1:.4} | {roc:.4} | {pr:.4} | {loss:.4} | {error:.4} |\n\n\
         Probabilities are right where about {rate:.2} of the candidates are matches. Other markets and languages need pairs of \
         their own.\n\n\
         ## Features asked most\n\n| feature | splits |\n|---|---|\n",
        sources = sources.join(", "),
        n = report.n_pairs,
        matches = report.n_matches,
        seed = report.seed,
        f1 = report.f1,
        roc = metrics.roc_auc,
        pr = metrics.pr_auc,
        loss = metrics.log_loss,
        error = metrics.calibration_error,
        rate = report.n_matches as f64 / report.n_pairs as f64,
    );
    for (feature, splits) in report.splits.iter().take(20) {
        let _ = writeln!(text, "| `{feature}` | {splits} |");
    }
    text
}

fn photo_score(score: &PhotoScore, report: &PhotoTraining, sources: &[String]) -> String {
    let metrics = &report.out_of_fold;
    let ((n_found, n_named), (n_matched, n_nothing)) = (report.n_found(), report.n_matched());
    let mut text = format!(
        "# The photo score\n\n\
         A logistic regression that turns what the second look measures of a reference laid over a photo into the probability that the \
         photo is a copy of it. It says nothing about who may use the photo.\n\n\
         ## Data\n\n\
         Trained on {sources}: {n} references laid over photos, {copies} of them copies, seed {seed}. Photos of one reference stay \
         together in five folds; each reference was laid over the others as well. References that are nearly the same picture as the one \
         named, and those beside it in a collage, were left out.\n\n\
         ## How good it is\n\n\
         On photos that the regression had not seen; the threshold, {threshold:.3}, was chosen on these very photos: the smallest, not \
         below {MIN_PHOTO_THRESHOLD}, at which the rate of false matches is at most 0.3 % with 95 % confidence (Clopper and Pearson).\n\n\
         - **False matches**: {n_matched} of {n_nothing} photos that must match nothing; with 95 % confidence at most {bound:.2} % of \
         such photos do.\n\
         - **Found**: {n_found} of {n_named} photos with a reference.\n\n\
         | ROC-AUC | PR-AUC | log loss | calibration error |\n|---|---|---|---|\n\
         | {roc:.4} | {pr:.4} | {loss:.4} | {error:.4} |\n\n\
         | transform | found | of |\n|---|---|---|\n",
        sources = sources.join(", "),
        n = report.n_candidates,
        copies = report.n_copies,
        seed = report.seed,
        threshold = score.threshold(),
        bound = 100.0 * report.false_match_bound,
        roc = metrics.roc_auc,
        pr = metrics.pr_auc,
        loss = metrics.log_loss,
        error = metrics.calibration_error,
    );
    for (transform, (found, of)) in &report.found {
        let _ = writeln!(text, "| {transform} | {found} | {of} |");
    }
    let _ = writeln!(text, "\n| must match nothing | matched | of |\n|---|---|---|");
    for (transform, (matched, of)) in &report.matched {
        let _ = writeln!(text, "| {transform} | {matched} | {of} |");
    }
    let _ = writeln!(
        text,
        "\n## Limits\n\nProbabilities are right where the references laid over photos are copies as often as here, {rate:.2} of the \
         time. Alterations and kinds of photo that the data does not have may be found less often or match more often; \
         `docs/results.md` shows where it fails.\n\n## Weights\n\nLog-odds for one unit of each measure; intercept {intercept:.3}.\n\n\
         | measure | weight |\n|---|---|",
        rate = report.n_copies as f64 / report.n_candidates as f64,
        intercept = score.intercept(),
    );
    for (measure, weight) in MEASURES.iter().zip(score.weights()) {
        let _ = writeln!(text, "| `{measure}` | {weight:+.3} |");
    }
    text
}

/// What is said of rows that have weights.
fn weights(effective_rows: f64) -> String {
    format!(
        " The labels are no random sample: rows weigh the inverse of the probability that they were labelled, in the fit, the \
         calibration and all figures below, and say as much as {effective_rows:.0} rows of equal weight."
    )
}

fn classifier(report: &TrainingReport, sources: &[String]) -> String {
    let mut text = format!(
        "# The classifier\n\nIt turns what the stages found about one listing into the probability that it is a counterfeit. Its kind: \
         {kind}. The file names its features and carries its own checksum; a build with other features refuses it.\n\n\
         ## Data\n\n\
         Trained on {sources}: {n} rows, {positive} of them labelled counterfeit. Rows of one seller stay together in \
         cross-validation.{weights}\n\n\
         - **Base rate**: {base:.4}. Probabilities are right for a market with this share of counterfeits; for another one state its \
         share as `base_rate` in the policy.\n\
         - **Seed** {seed}, **L2** {l2}, {folds} folds.\n\n\
         ## How good it is\n\n\
         On rows that neither the model nor its calibration had seen, of each kind that was tried; the one with the smallest log loss was \
         kept, which flatters it a little:\n\n\
         | kind | ROC-AUC | PR-AUC | log loss | calibration error |\n|---|---|---|---|---|\n",
        kind = report.kind.as_str(),
        sources = sources.join(", "),
        n = report.n_rows,
        positive = report.n_positive,
        weights = report.effective_rows.map_or_else(String::new, weights),
        base = report.base_rate,
        seed = report.settings.seed,
        l2 = report.settings.l2,
        folds = report.settings.n_folds,
    );
    for (kind, tried) in &report.tried {
        let bold = if *kind == report.kind { "**" } else { "" };
        let _ = writeln!(
            text,
            "| {bold}{}{bold} | {:.4} | {:.4} | {:.4} | {:.4} |",
            kind.as_str(),
            tried.roc_auc,
            tried.pr_auc,
            tried.log_loss,
            tried.calibration_error
        );
    }
    let _ = writeln!(
        text,
        "\n## Limits\n\n\
         An invented market is easier than a real one: these figures say that the model learned what the market was made \
         of, not that it knows your marketplace. Train it on your own reviewers' decisions before any automation. It knows \
         nothing but the features below, and it judges listings, not sellers. Nothing is counterfeit until a person has \
         ruled.\n\n\
         ## Features\n\n\
         Weights are log-odds for one standard deviation above the mean, and for the value being missing, before \
         calibration, of a regression; splits are how often trees ask for the feature.\n\n\
         | feature | meaning | weight | missing weight | splits |\n|---|---|---|---|---|",
    );
    for (idx, feature) in FEATURES.iter().enumerate() {
        let weight = report.weights.get(idx);
        let signed = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:+.3}"));
        let splits = report.splits.get(idx).map_or_else(String::new, usize::to_string);
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {splits} |",
            feature.name,
            feature.meaning,
            signed(weight.map(|w| w.weight)),
            signed(weight.map(|w| w.missing_weight)),
        );
    }
    text
}
