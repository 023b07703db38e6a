//! A flagged listing judged in another state of the catalog, when its pictures are gone.

use touchstone_types::{Evidence, Flag, KeptPhoto, Missing, PhotoFailure, PhotoMatch};

use crate::context::Context;
use crate::judge::{Judgement, Seen, judge_seen, match_settings};

/// Judges the listing of a flag again, from the flag and from what was kept of its photos ([`Judgement::kept`]).
///
/// In the state of the catalog in which it was flagged it is judged exactly as it was. In another one only its photos are looked
/// at differently: what they showed they show while the references are what they were, and of other references whole copies are
/// found; see [`Snapshot::kept_photo_matches`](touchstone_catalog::Snapshot::kept_photo_matches). A photo of which nothing was kept
/// is missing for the cause that the flag names. `revision` is 1, as of any judgement.
pub fn judge_again(flag: &Flag, kept: &[KeptPhoto], context: &Context) -> Judgement {
    judge_seen(flag.listing(), context, |_| recall(flag, kept, context))
}

/// What the photos of a flag show now.
fn recall(flag: &Flag, kept: &[KeptPhoto], context: &Context) -> Seen {
    let verdict = flag.verdict();
    let before: Vec<PhotoMatch> = verdict.evidence.iter().filter_map(photo_match).cloned().collect();
    let failure = |image_idx: usize| {
        let mut named = verdict.missing.iter().filter_map(|missing| match missing {
            Missing::Image(idx, failure) if *idx == image_idx => Some(*failure),
            _ => None,
        });
        named.next().unwrap_or(PhotoFailure::NotFetched)
    };
    let mut seen = Seen::default();
    for image_idx in 0..flag.listing().images.len() {
        let photo = kept.iter().find(|photo| photo.image_idx == image_idx);
        let Some(photo) = photo.filter(|_| image_idx < context.policy.max_images()) else {
            seen.missing.push(Missing::Image(image_idx, failure(image_idx)));
            continue;
        };
        if verdict.versions.catalog == context.versions.catalog {
            // No reference came or went, so none of the others has become a match.
            seen.matches.extend(before.iter().filter(|m| m.image_idx == image_idx).cloned());
        } else {
            let settings = match_settings(context);
            seen.matches.extend(context.snapshot.kept_photo_matches(photo, &before, &settings));
        }
        seen.photos.push(photo.clone());
    }
    seen
}

fn photo_match(evidence: &Evidence) -> Option<&PhotoMatch> {
    match evidence {
        Evidence::PhotoMatch(found) => Some(found),
        _ => None,
    }
}
