//! `touchstone lookup`: the nearest reference items of a text or a picture.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;
use touchstone_image_hash::{DecodeLimits, MatchSettings, photo};
use touchstone_types::{BrandId, CatalogKey, HammingDistance, ProductId};

use crate::fault::{End, OrBadInput as _, Outcome};
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
    /// The reference photos that a picture is nearest to, turned and mirrored ones included
    Image {
        /// The picture
        file: PathBuf,
        /// How many of the 256 bits may differ
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
    /// How many to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
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
    let found = touchstone_text::lookup(setup.context.snapshot().text(), text, options.top);
    let mut rows = table(&["score", "brand", "product", "title"], 4);
    for near in &found {
        let title = title(&setup, &near.brand_id, &near.product_id);
        if options.json {
            let (brand, product) = (near.brand_id.as_str(), near.product_id.as_str());
            let score = touchstone_types::round6(near.score);
            print(
                json!({"brand_id": brand, "product_id": product, "score": score, "title": title}).to_string(),
            )?;
        }
        let score = format!("{:.3}", near.score);
        rows.add_row([score.as_str(), near.brand_id.as_str(), near.product_id.as_str(), &plain(&title)]);
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
    let settings = MatchSettings { radius, score: setup.context.photo_score() };
    let mut found = setup.context.snapshot().photo_matches(0, &photo, &settings, &[]);
    found.truncate(options.top);
    let mut rows = table(&["distance", "transform", "bank", "reference", "title"], 5);
    for near in &found {
        let title = match &near.reference.key {
            CatalogKey::Product(brand, id) => title(&setup, brand, id),
            _ => String::new(),
        };
        let (distance, reference) = (near.distance.bits(), near.reference.to_string());
        if options.json {
            let (bank, transform) = (near.bank.as_str(), near.transform.to_string());
            print(
                json!({"reference": reference, "distance": distance, "transform": transform, "bank": bank})
                    .to_string(),
            )?;
        }
        let distance = distance.to_string();
        rows.add_row([
            &distance,
            &near.transform.to_string(),
            near.bank.as_str(),
            &reference,
            &plain(&title),
        ]);
    }
    if photo.features.quality < touchstone_image_hash::MIN_QUALITY {
        say(format!(
            "quality {}: too little structure to be matched by a hash",
            photo.features.quality.get()
        ));
    }
    show(&rows, found.is_empty(), options)
}

fn show(rows: &comfy_table::Table, is_empty: bool, options: &Options) -> Outcome {
    if is_empty {
        say("nothing near enough");
    } else if !options.json {
        print(rows.trim_fmt())?;
    }
    Ok(End::Done)
}

fn title(setup: &Setup, brand: &BrandId, id: &ProductId) -> String {
    setup.context.snapshot().product(brand, id).map_or_else(String::new, |product| product.title.clone())
}
