//! `touchstone explain`: one verdict as a person would want to read it.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use touchstone_image_hash::{DecodeLimits, photo};
use touchstone_kafka::photo_inputs;
use touchstone_pipeline::judge;
use touchstone_types::{Decision, Evidence, Listing, PhotoSearch, Verdict};

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::lines::BYTE_ORDER_MARK;
use crate::photo_words::{photo_match_line, search_line};
use crate::pictures::Pictures;
use crate::setup::{MAX_TEXT_BYTES, SetupArgs, read};
use crate::terminal::{FAINT, HEADING, decision_style, plain, print, styled};

/// Judge one listing and say why
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A file with one listing; pictures are read relative to it
    #[arg(value_name = "LISTING.json")]
    listing: PathBuf,
    #[command(flatten)]
    setup: SetupArgs,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let bytes = read(&args.listing, MAX_TEXT_BYTES)?;
    let listing = Listing::from_json(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes))
        .with_context(|| format!("{} is no listing", args.listing.display()))
        .or_bad_input()?;
    let setup = args.setup.load()?;
    let verdict = judge_with_pictures(&listing, &Pictures::beside(&args.listing), &setup.context);
    if args.json {
        print(verdict.to_json())?;
        return Ok(End::Done);
    }
    for line in explanation(&listing, &verdict) {
        print(line)?;
    }
    Ok(End::Done)
}

fn judge_with_pictures(
    listing: &Listing,
    pictures: &Pictures,
    context: &touchstone_pipeline::Context,
) -> Verdict {
    let limits = DecodeLimits::default();
    let read = |url: &str| {
        pictures.read(url, limits.max_bytes).and_then(|bytes| photo(&bytes, &limits).map_err(|e| e.failure()))
    };
    let found: Vec<_> = listing
        .images
        .iter()
        .enumerate()
        .filter_map(|(idx, image)| Some((idx, read(image.url.as_deref()?))))
        .collect();
    let inputs = photo_inputs(listing, &found, &limits, context.policy().max_images());
    judge(listing, &inputs, context).verdict
}

/// The verdict in words, line by line.
pub(crate) fn explanation(listing: &Listing, verdict: &Verdict) -> Vec<String> {
    let mut lines = vec![
        styled(HEADING, plain(&listing.title)),
        plain(&format!(
            "{}, version {}{}, seller {}",
            verdict.listing_id,
            verdict.listing_version,
            if verdict.marketplace.is_empty() {
                String::new()
            } else {
                format!(" on {}", verdict.marketplace)
            },
            verdict.seller_id
        )),
        String::new(),
        conclusion(verdict),
    ];
    lines.push(String::new());
    lines.push(styled(HEADING, "Why"));
    for reason in &verdict.reasons {
        lines.push(format!("  {:<28} {}", reason.as_str(), styled(FAINT, reason.describe())));
    }
    if !verdict.evidence.is_empty() {
        lines.push(String::new());
        lines.push(styled(HEADING, "Evidence"));
        lines.extend(
            verdict.evidence.iter().map(|e| format!("  {:<11} {}", e.stage().1, plain(&evidence_line(e)))),
        );
    }
    if !verdict.missing.is_empty() {
        lines.push(String::new());
        lines.push(styled(HEADING, "Not looked at"));
        lines.extend(verdict.missing.iter().map(|m| format!("  {m}")));
    }
    if let Some(search) = verdict.photo_search.filter(|search| *search != PhotoSearch::All) {
        lines.push(String::new());
        lines.push(styled(HEADING, "Photos"));
        lines.push(format!("  {}", search_line(search)));
    }
    let versions = &verdict.versions;
    let model = versions.model.as_deref().unwrap_or("none");
    lines.push(String::new());
    lines.push(styled(
        FAINT,
        format!(
            "engine {}, catalog {}, model {model}, policy {}",
            versions.engine, versions.catalog, versions.policy
        ),
    ));
    lines
}

fn conclusion(verdict: &Verdict) -> String {
    let word = verdict.decision.as_str().to_uppercase();
    let meaning = match verdict.decision {
        Decision::Takedown => "suspected counterfeit, all gates of automatic takedown hold",
        Decision::Review => "suspected, a person should look",
        Decision::Clear => "nothing suspicious",
        Decision::Abstain => "not everything could be looked at",
        Decision::Retract => "an earlier flag is taken back",
    };
    let mut line = format!("{} {meaning}", styled(decision_style(verdict.decision), word));
    if let Some(p) = verdict.probability {
        line += &format!("; probability {:.3}", p.get());
    }
    if let Some(brand) = &verdict.brand_id {
        line += &format!("; brand {}", plain(brand.as_str()));
    }
    if let Some(product) = &verdict.product_id {
        line += &format!(", product {}", plain(product.as_str()));
    }
    if let Some(row) = verdict.row {
        line += &format!("; row {row} of the decision table");
    }
    line
}

/// One piece of evidence in words.
fn evidence_line(evidence: &Evidence) -> String {
    match evidence {
        Evidence::BrandClaim(e) => format!(
            "{}[{}..{}] \"{}\" names {} ({}), {}",
            e.field,
            e.span.start(),
            e.span.end(),
            e.observed,
            e.brand_id,
            e.how,
            e.role
        ),
        Evidence::ProductMatch(e) => {
            let list =
                |words: &[String]| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
            format!(
                "about {} {} with probability {:.2}: {} agree, {} differ",
                e.brand_id,
                e.product_id,
                e.probability.get(),
                list(&e.agree),
                list(&e.differ)
            )
        }
        Evidence::Term(e) => {
            format!("{}[{}..{}] \"{}\" means {}", e.field, e.span.start(), e.span.end(), e.term, e.meaning)
        }
        Evidence::PhotoMatch(e) => photo_match_line(e),
        Evidence::UnitPrice(e) => {
            let mut line = format!("{} a unit in a pack of {}", e.listed, e.pack_size);
            if let Some(list) = &e.list_price {
                line += &format!(", list price {list}");
            }
            if let Some(ratio) = e.ratio {
                line += &format!(", {:.0} % of it", ratio * 100.0);
            }
            if let Some(floor) = &e.price_floor {
                line += &format!(", floor {floor}");
            }
            line
        }
        Evidence::SellerAuthorisation(e) if e.authorised => format!("{} lists the seller", e.brand_id),
        Evidence::SellerAuthorisation(e) => format!("{} does not list the seller", e.brand_id),
        Evidence::Contradiction(e) => {
            format!("{} says \"{}\", but {} says {}", e.field, e.says, e.against, e.but)
        }
        Evidence::Edit(e) => {
            let said = |text: &Option<String>| text.as_ref().map_or("nothing".into(), |t| format!("\"{t}\""));
            format!("an edit changed {} from {} to {}", e.field, said(&e.before), said(&e.after))
        }
        Evidence::PhotoUnreachable(e) => {
            format!("photo {} could not be fetched in any try: {}", e.image_idx, e.failure)
        }
        Evidence::Contribution(e) => {
            format!("{} = {:.3} moved the probability by {:+.3}", e.feature, e.value, e.delta)
        }
    }
}
