//! `touchstone export`: what reviewers ruled, as training data and as proposals of known fakes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use touchstone_eval::{Label, ListingsFolder};
use touchstone_kafka::export::{
    self, FakeCounts, FakesExport, LabelCounts, LabelsExport, RuledListing, Unreadable,
};
use touchstone_kafka::whole_file;

use crate::brokers::BrokerArgs;
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::setup::check_writable;
use crate::terminal::{plain, print, say};

/// What the labels say a seller does: nobody knows, but a person has ruled.
const BEHAVIOUR: &str = "ruled";

/// Take reviewers' rulings out of the topics: as labels to train on, or as proposals of known fakes
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write rulings as a folder of the `listings` form, for `train --listings` and `eval listings`
    ///
    /// Reads the topics of decisions, of flags and of the catalog to their end. A flag that was upheld is labelled 1, one that
    /// was dismissed 0, and of several rulings on a flag the last counts; one that was escalated has no label yet. The listing
    /// is the one that was judged, at the revision that was ruled.
    ///
    /// Reviewers look at flags of high priority first, so their rulings are no random sample. The column `selection_probability`
    /// says how often flags of the same decision and of about the same priority were ruled; `train` weighs rows by its inverse.
    /// Listings that were never flagged are not among the rows, and no weight makes up for that.
    ///
    /// Flags hold no pictures. `train` and `eval` look for `images/<listing_id>/<index>.*` in the folder; what is not there they
    /// judge as a photo that could not be fetched, and say how many. A model of rows without pictures learns nothing
    /// from photos: put the pictures there, or train on a folder with pictures as well.
    Labels {
        #[command(flatten)]
        brokers: BrokerArgs,
        /// The folder for catalog.jsonl, listings.jsonl and labels.csv; files of these names are replaced
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The counts as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Propose a known fake for each flag that was upheld while it was open; nothing is sent to Kafka
    ///
    /// Reads the topics of decisions and of the state to their end and writes one JSON object a line: the record, what it
    /// comes from, and `"approved_by":null`. Look at its photos, write your name there in the lines you approve, and give the
    /// file to `catalog submit`, which sends the approved records and leaves the others out.
    ///
    /// Counterfeiters show the brand's own photos, and a known fake with such a photo would flag every honest seller. A photo
    /// that matched anything in the catalog, genuine, benign or fake, is therefore never proposed. Where none is left the record has only
    /// the title, which nothing is compared with yet.
    Fakes {
        #[command(flatten)]
        brokers: BrokerArgs,
        /// The file, JSON Lines
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The counts as one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &ExportArgs) -> Outcome {
    match &args.action {
        Action::Labels { brokers, out, json } => labels(brokers, out, *json),
        Action::Fakes { brokers, out, json } => fakes(brokers, out, *json),
    }
}

fn labels(brokers: &BrokerArgs, out: &Path, as_json: bool) -> Outcome {
    let settings = brokers.settings()?;
    if out.exists() && !out.is_dir() {
        return Err(anyhow!("--out {} is a file; name a folder", out.display())).or_bad_input();
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    check_writable(&out.join("labels.csv"))?;
    let LabelsExport { catalog, listings, counts, unreadable } = export::labels(&settings)?;
    let labels = listings.iter().map(label).collect();
    let listings = listings.into_iter().map(|row| row.listing).collect();
    ListingsFolder { catalog, listings, labels }.write(out)?;
    say_unreadable(&unreadable);
    say_labels(&counts, &settings.topics.review, out);
    if as_json {
        print(labels_json(&counts, &unreadable).to_string())?;
    }
    Ok(End::Done)
}

fn label(row: &RuledListing) -> Label {
    Label {
        listing_id: row.listing.listing_id.clone(),
        version: row.listing.version,
        label: row.upheld,
        behaviour: BEHAVIOUR.to_owned(),
        week: row.week,
        selection_probability: Some(row.selection_probability),
    }
}

fn say_labels(counts: &LabelCounts, review: &str, out: &Path) {
    let LabelCounts { rulings, upheld, dismissed, flags, unspoken_flags, .. } = counts;
    let n = upheld + dismissed;
    say(format!(
        "{rulings} rulings read, {n} exported to {}: {upheld} upheld, {dismissed} dismissed",
        out.display()
    ));
    let reasons = [
        (counts.ruled_again, "on a flag that was ruled again".to_owned()),
        (counts.escalated, "escalated: somebody else must rule".to_owned()),
        (
            counts.gone,
            format!("on a flag that is no longer in {review} as it was ruled: its retention has passed"),
        ),
        (counts.mismatched, "that names another listing or version than its flag".to_owned()),
        (counts.twice, "on a listing of which another marketplace's namesake was ruled later".to_owned()),
    ];
    for (n, reason) in reasons.iter().filter(|(n, _)| *n > 0) {
        say(format!("not exported: {n} {reason}"));
    }
    if *unspoken_flags > 0 {
        say(format!(
            "{unspoken_flags} of the {flags} flags are of a decision and priority of which none was ruled: no row speaks for them"
        ));
    }
    say("listings that were never flagged are not among the rows");
}

fn labels_json(counts: &LabelCounts, unreadable: &[Unreadable]) -> Value {
    json!({
        "rulings": counts.rulings, "exported": counts.upheld + counts.dismissed, "upheld": counts.upheld,
        "dismissed": counts.dismissed, "ruled_again": counts.ruled_again, "escalated": counts.escalated,
        "gone": counts.gone, "mismatched": counts.mismatched, "twice": counts.twice, "flags": counts.flags,
        "unspoken_flags": counts.unspoken_flags, "unreadable": unreadable_json(unreadable),
    })
}

fn unreadable_json(unreadable: &[Unreadable]) -> Value {
    unreadable.iter().map(|u| json!({"at": u.at.to_string(), "problem": u.problem})).collect()
}

fn fakes(brokers: &BrokerArgs, out: &Path, as_json: bool) -> Outcome {
    let settings = brokers.settings()?;
    check_writable(out)?;
    let found = export::fakes(&settings)?;
    let mut lines = String::new();
    for proposal in &found.proposals {
        lines.push_str(&serde_json::to_string(proposal)?);
        lines.push('\n');
    }
    whole_file::write(out, lines.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
    say_unreadable(&found.unreadable);
    say_fakes(&found.counts, found.proposals.len(), out);
    if as_json {
        print(fakes_json(&found).to_string())?;
    }
    Ok(End::Done)
}

fn say_fakes(counts: &FakeCounts, n: usize, out: &Path) {
    let FakeCounts { rulings, upheld, closed, known, without_brand, title_only, left_out } = *counts;
    say(format!(
        "{rulings} rulings read, {upheld} flags upheld: {n} known fakes proposed in {}",
        out.display()
    ));
    let remarks = [
        (closed, "flags are not proposed: they had closed before they were upheld"),
        (known, "flags are not proposed: their known fake is in the catalog"),
        (without_brand, "flags are not proposed: they concern no brand of the catalog"),
        (left_out, "photos are left out of their proposals, which say why"),
        (title_only, "proposals have no photo left, only a title, which nothing is compared with yet"),
    ];
    for (n, remark) in remarks.iter().filter(|(n, _)| *n > 0) {
        say(format!("{n} {remark}"));
    }
    if n > 0 {
        say(format!(
            "nothing counts before a person has approved it: set approved_by to a name in the lines you approve, then `touchstone catalog submit {}` with the same --bootstrap or --config",
            out.display()
        ));
    }
}

fn fakes_json(found: &FakesExport) -> Value {
    let counts = &found.counts;
    json!({
        "rulings": counts.rulings, "upheld": counts.upheld, "proposed": found.proposals.len(), "closed": counts.closed,
        "known": counts.known, "without_brand": counts.without_brand, "title_only": counts.title_only,
        "photos_left_out": counts.left_out, "unreadable": unreadable_json(&found.unreadable),
    })
}

/// Names the records that could not be read, and counts them.
fn say_unreadable(unreadable: &[Unreadable]) {
    for Unreadable { at, problem } in unreadable {
        say(format!("{at}: {}", plain(problem)));
    }
    if !unreadable.is_empty() {
        say(format!("{} records could not be read and were passed over", unreadable.len()));
    }
}
