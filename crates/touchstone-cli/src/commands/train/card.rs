//! The card of a model: what it was made of, how good it is, and what it must not be used for.

use std::fmt::Write as _;

use touchstone_classifier::{Bundle, TrainingReport};
use touchstone_pipeline::FEATURES;

/// The card, as Markdown.
pub(super) fn card(bundle: &Bundle, report: &TrainingReport, sources: &[String]) -> String {
    let metrics = &report.out_of_fold;
    let mut text = format!(
        "# Model {id}\n\n\
         A logistic regression that turns what the stages found about one listing into the probability that it is a \
         counterfeit. The file names its features and carries its own checksum; a build with other features refuses it.\n\n\
         ## Data\n\n\
         Trained on {sources}: {n} rows, {positive} of them labelled counterfeit. Rows of one seller stay together in \
         cross-validation.\n\n\
         - **Base rate**: {base:.4}. Probabilities are right for a market with this share of counterfeits and for no other.\n\
         - **Seed** {seed}, **L2** {l2}, {folds} folds.\n\n\
         ## How good it is\n\n\
         On rows that neither the model nor its calibration had seen:\n\n\
         | ROC-AUC | PR-AUC | log loss | calibration error |\n|---|---|---|---|\n\
         | {roc:.4} | {pr:.4} | {loss:.4} | {error:.4} |\n\n\
         ## Limits\n\n\
         An invented market is easier than a real one: these figures say that the model learned what the market was made \
         of, not that it knows your marketplace. Train it on your own reviewers' decisions before any automation. It knows \
         nothing but the features below, and it judges listings, not sellers. Nothing is counterfeit until a person has \
         ruled.\n\n\
         ## Features\n\n\
         Weights are log-odds for one standard deviation above the mean, and for the value being missing, before \
         calibration.\n\n\
         | feature | meaning | mean | scale | weight | missing in | missing weight |\n|---|---|---|---|---|---|---|\n",
        id = bundle.id(),
        sources = sources.join(", "),
        n = report.n_rows,
        positive = report.n_positive,
        base = report.base_rate,
        seed = report.settings.seed,
        l2 = report.settings.l2,
        folds = report.settings.n_folds,
        roc = metrics.roc_auc,
        pr = metrics.pr_auc,
        loss = metrics.log_loss,
        error = metrics.calibration_error,
    );
    for (feature, weight) in FEATURES.iter().zip(&report.weights) {
        let _ = writeln!(
            text,
            "| `{}` | {} | {:.3} | {:.3} | {:+.3} | {} | {:+.3} |",
            feature.name,
            feature.meaning,
            weight.mean,
            weight.scale,
            weight.weight,
            weight.n_missing,
            weight.missing_weight
        );
    }
    text
}
