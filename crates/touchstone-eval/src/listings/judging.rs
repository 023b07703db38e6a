//! Judging a labelled folder: what every figure of the `listings` form is counted from.

use std::collections::BTreeMap;
use std::thread;

use touchstone_pipeline::{Context, PhotoInput, judge};
use touchstone_types::{Evidence, How, Listing, Role, Verdict};

use crate::Label;

/// One version of a listing, judged, beside what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedRow {
    /// What is known.
    pub label: Label,
    /// The verdict, its evidence left out: there are many rows.
    pub verdict: Verdict,
    /// What the classifier read, in the order of [`touchstone_pipeline::FEATURES`]; empty for a removed listing.
    pub features: Vec<Option<f64>>,
    /// A sold_as claim writes a brand's name exactly.
    pub names_brand_exactly: bool,
}

/// Gives the photos of a listing, one entry for each of its images.
pub type Photos<'a> = &'a (dyn Fn(&Listing) -> Vec<PhotoInput> + Sync);

/// A stage to do without, to see what it is worth. The classifier is left out by a context without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Listings are judged as if they had no text.
    Text,
    /// Listings are judged as if they had no pictures.
    Image,
}

impl Stage {
    fn take_from(self, listing: &mut Listing) {
        match self {
            Self::Image => listing.images.clear(),
            Self::Text => {
                // A title there must be; this one says nothing.
                "-".clone_into(&mut listing.title);
                listing.description = None;
                listing.brand = None;
                listing.gtin = None;
                listing.mpn = None;
                listing.attributes.clear();
                listing.seller.name = None;
                listing.signals.complaints.clear();
            }
        }
    }
}

/// Judges every listing that has a label which `wanted` takes, on `n_threads` threads, in the order of the listings. `context`
/// needs no model.
pub fn judge_listings(
    listings: &[Listing],
    labels: &[Label],
    wanted: impl Fn(&Label) -> bool,
    without: Option<Stage>,
    photos: Photos<'_>,
    context: &Context,
    n_threads: usize,
) -> Vec<JudgedRow> {
    let labels: BTreeMap<(&str, u64), &Label> =
        labels.iter().map(|l| ((l.listing_id.as_str(), l.version), l)).collect();
    let cases: Vec<(&Listing, &Label)> = listings
        .iter()
        .filter_map(|l| Some((l, *labels.get(&(l.listing_id.as_str(), l.version))?)))
        .filter(|(_, label)| wanted(label))
        .collect();
    let row = |&(listing, label): &(&Listing, &Label)| row(listing, label, without, photos, context);
    let part = cases.len().div_ceil(n_threads.max(1)).max(1);
    thread::scope(|scope| {
        let row = &row;
        let parts: Vec<_> = cases
            .chunks(part)
            .map(|cases| scope.spawn(move || cases.iter().map(row).collect::<Vec<_>>()))
            .collect();
        let joined = parts.into_iter().map(|part| part.join());
        joined.flat_map(|rows| rows.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn row(
    listing: &Listing,
    label: &Label,
    without: Option<Stage>,
    photos: Photos<'_>,
    context: &Context,
) -> JudgedRow {
    let judgement = match without {
        None => judge(listing, &photos(listing), context),
        Some(stage) => {
            let mut listing = listing.clone();
            stage.take_from(&mut listing);
            judge(&listing, &photos(&listing), context)
        }
    };
    let mut verdict = judgement.verdict;
    let evidence = std::mem::take(&mut verdict.evidence);
    let names_brand_exactly = evidence.iter().any(|piece| {
        matches!(piece, Evidence::BrandClaim(claim) if claim.role == Role::SoldAs && claim.how == How::Exact)
    });
    JudgedRow { label: label.clone(), verdict, features: judgement.features, names_brand_exactly }
}
