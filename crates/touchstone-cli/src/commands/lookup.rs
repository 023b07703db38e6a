//! `touchstone lookup`: the nearest reference items of a text or a picture.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;
use touchstone_catalog::Snapshot;
use touchstone_image_hash::{DEFAULT_RADIUS, DecodeLimits, MatchSettings, Photo, PhotoScore, photo};
use touchstone_types::{BrandId, CatalogKey, HammingDistance, PhotoMatch, PhotoSearch, ProductId, round6};

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::photo_words::{alteration_words, search_line, shown_percent};
use crate::setup::{Setup, SetupArgs, read};
use crate::terminal::{plain, print, say, table};

/// Find the reference items nearest to a text or a picture
#[derive(Debug, Args)]
pub(crate) struct LookupArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The products that a title is nearest to
    Text {
        /// The title
        text: String,
        #[command(flatten)]
        options: Options,
    },
    /// The reference photos that a picture was made of, what was done to them and which part is shown
    Image {
        /// The picture
        file: PathBuf,
        /// How many of the 256 bits may differ from a reference that has nothing but its hash
        #[arg(long, value_name = "BITS", default_value_t = 31)]
        radius: u16,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    setup: SetupArgs,
    /// How many to show; of pictures at most 10 of each bank are found
    #[arg(long, value_name = "N", default_value = "10")]
    top: NonZeroUsize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &LookupArgs) -> Outcome {
    match &args.what {
        What::Text { text, options } => text_lookup(text, options),
        What::Image { file, radius, options } => image_lookup(file, *radius, options),
    }
}

fn text_lookup(text: &str, options: &Options) -> Outcome {
    let setup = options.setup.load()?;
    let found = touchstone_text::lookup(setup.context.snapshot().text(), text, options.top.get());
    let mut rows = table(&["score", "brand", "product", "title"], 4);
    for near in &found {
        let title = title(&setup, &near.brand_id, &near.product_id);
        if options.json {
            let (brand, product) = (near.brand_id.as_str(), near.product_id.as_str());
            let score = round6(near.score);
            print(
                json!({"brand_id": brand, "product_id": product, "score": score, "title": title}).to_string(),
            )?;
        }
        let score = format!("{:.3}", near.score);
        rows.add_row([
            &score,
            &plain(near.brand_id.as_str()),
            &plain(near.product_id.as_str()),
            &plain(&title),
        ]);
    }
    show(&rows, found.is_empty(), options)
}

fn image_lookup(file: &Path, radius: u16, options: &Options) -> Outcome {
    let radius = HammingDistance::new(radius).context("--radius must be 0 to 256").or_bad_input()?;
    let setup = options.setup.load()?;
    let limits = DecodeLimits::default();
    let photo = photo(&read(file, limits.max_bytes as u64)?, &limits)
        .with_context(|| format!("cannot use {}", file.display()))
        .or_bad_input()?;
    let (snapshot, score) = (setup.context.snapshot(), setup.context.photo_score());
    let mut found =
        snapshot.photo_matches(0, &photo, &MatchSettings { radius, score, only_proposed: false }, &[]);
    found.truncate(options.top.get());
    let head = ["score", "distance", "done to it", "shown", "bank", "reference", "title"];
    let mut rows = table(&head, head.len());
    for near in &found {
        if options.json {
            print(photo_match_json(near, &setup).to_string())?;
        }
        rows.add_row(photo_match_row(near, &setup));
    }
    let search = snapshot.photo_search();
    if search != PhotoSearch::All {
        say(format!("photo search \"{search}\": {}", search_line(search)));
    }
    if found.is_empty() {
        say(nothing_near(snapshot, &photo, score));
        return Ok(End::Done);
    }
    show(&rows, false, options)
}

fn photo_match_json(near: &PhotoMatch, setup: &Setup) -> serde_json::Value {
    let shares = |thousandths: &[u16; 4]| thousandths.map(|value| f64::from(value) / 1000.0);
    let mut row = json!({
        "reference": near.reference.to_string(), "bank": near.bank.as_str(), "title": title_of(setup, near),
        "distance": near.distance.bits(), "transform": near.transform.to_string(),
    });
    if let (Some(score), Some(overlay)) = (near.score, &near.overlay) {
        row["score"] = json!(round6(score.get()));
        row["shown"] = json!(shares(&overlay.shown));
        row["shown_percent"] = json!(round6(shown_percent(overlay)));
        row["corners"] = json!(overlay.corners.map(|corner| corner.map(|value| f64::from(value) / 1000.0)));
    }
    if let Some(better) = &near.near_duplicate_of {
        row["near_duplicate_of"] = json!(better.to_string());
    }
    row
}

fn photo_match_row(near: &PhotoMatch, setup: &Setup) -> [String; 7] {
    let mut title = plain(&title_of(setup, near));
    if let Some(better) = &near.near_duplicate_of {
        title += &format!(" (nearly the same picture as {})", plain(&better.to_string()));
    }
    [
        near.score.map_or_else(|| "hash alone".to_owned(), |score| format!("{:.3}", score.get())),
        near.distance.bits().to_string(),
        alteration_words(&near.transform),
        near.overlay.as_ref().map_or_else(String::new, |o| format!("{:.0} %", shown_percent(o))),
        near.bank.to_string(),
        plain(&near.reference.to_string()),
        title,
    ]
}

/// Says loudly that nothing matches, and what came nearest: everything that was looked at closely, whatever its score.
fn nothing_near(snapshot: &Snapshot, photo: &Photo, score: &PhotoScore) -> String {
    let any_radius = HammingDistance::new(256).unwrap_or(DEFAULT_RADIUS);
    let lenient = PhotoScore::new(*score.weights(), score.intercept(), 0.0);
    let nearest = lenient.as_ref().and_then(|score| {
        let settings = MatchSettings { radius: any_radius, score, only_proposed: false };
        snapshot.photo_matches(0, photo, &settings, &[]).into_iter().next()
    });
    let Some(nearest) = nearest else { return "NOTHING MATCHES, and no reference comes near".to_owned() };
    let (reference, bits) = (plain(&nearest.reference.to_string()), nearest.distance.bits());
    match nearest.score {
        Some(found) => format!(
            "NOTHING MATCHES; nearest is {reference} with probability {:.3}, a match begins at {:.3} ({bits} of 256 bits differ)",
            found.get(),
            score.threshold()
        ),
        None => format!("NOTHING MATCHES; nearest is {reference}, of which {bits} of 256 bits differ"),
    }
}

fn show(rows: &comfy_table::Table, is_empty: bool, options: &Options) -> Outcome {
    if is_empty {
        say("nothing near enough");
    } else if !options.json {
        print(rows.trim_fmt())?;
    }
    Ok(End::Done)
}

fn title_of(setup: &Setup, near: &PhotoMatch) -> String {
    match &near.reference.key {
        CatalogKey::Product(brand, id) => title(setup, brand, id),
        _ => String::new(),
    }
}

fn title(setup: &Setup, brand: &BrandId, id: &ProductId) -> String {
    setup.context.snapshot().product(brand, id).map_or_else(String::new, |product| product.title.clone())
}
