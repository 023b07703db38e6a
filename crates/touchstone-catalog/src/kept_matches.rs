//! Which references a photo shows when all that is left of it is what was kept: those that it showed before and that are still the
//! same, and others of which it is a whole copy.

use std::cmp::Reverse;

use touchstone_image_hash::{PhotoIndex, ReferenceMatch, surety};
use touchstone_types::{Bank, HammingDistance, KeptPhoto, PhotoFeatures, PhotoMatch, Probability, Reference};

use crate::photos::MAX_PHOTO_MATCHES;

/// One bank, asked about one photo.
pub(crate) struct KeptSearch<'a> {
    pub(crate) bank: Bank,
    pub(crate) index: &'a PhotoIndex<Reference>,
    pub(crate) photo: &'a KeptPhoto,
    /// Whether a reference lives whose features are still to be computed.
    pub(crate) is_awaited: &'a dyn Fn(&Reference) -> bool,
}

/// A match with the slot of its reference, if it can be searched.
struct Placed {
    slot: Option<usize>,
    found: PhotoMatch,
}

impl KeptSearch<'_> {
    /// See [`Snapshot::kept_photo_matches`](crate::Snapshot::kept_photo_matches). The surest first, then the nearest by hash.
    pub(crate) fn matches(&self, before: &[PhotoMatch], radius: HammingDistance) -> Vec<PhotoMatch> {
        let mut placed = self.still_shown(before);
        let slots: Vec<usize> = placed.iter().filter_map(|shown| shown.slot).collect();
        let n_free = MAX_PHOTO_MATCHES.saturating_sub(placed.len());
        for copy in self.index.whole_copies(self.photo, radius, &slots).into_iter().take(n_free) {
            let twin = self.twin(&placed, Some(copy.reference));
            placed.push(Placed { slot: Some(copy.reference), found: self.told(&copy, twin) });
        }
        sort(&mut placed);
        placed.into_iter().map(|shown| shown.found).collect()
    }

    /// Matches of this bank whose reference is what it was. One that was nearly a copy of a reference that is gone may be so of
    /// another.
    fn still_shown(&self, before: &[PhotoMatch]) -> Vec<Placed> {
        let of_bank = |m: &&PhotoMatch| m.bank == self.bank && m.image_idx == self.photo.image_idx;
        let placed = before.iter().filter(of_bank).map(|m| {
            let slot = self.index.slots(|reference| reference.cmp(&m.reference)).first().copied();
            Placed { slot, found: m.clone() }
        });
        let mut placed: Vec<Placed> = placed.filter(|shown| self.is_same(shown)).collect();
        sort(&mut placed);
        for place in 0..placed.len() {
            let named = placed[place].found.near_duplicate_of.as_ref();
            let is_gone = named.is_some_and(|named| placed.iter().all(|m| m.found.reference != *named));
            if is_gone {
                placed[place].found.near_duplicate_of = self.twin(&placed[..place], placed[place].slot);
            }
        }
        placed
    }

    /// Whether the reference lives and nothing says that it is another picture than the one that was matched.
    fn is_same(&self, shown: &Placed) -> bool {
        let Placed { slot, found } = shown;
        let distance = slot.map(|slot| self.index.distance(&self.photo.turned, slot));
        match distance {
            // Hashes of another version have no distance to these.
            Some(_) if self.photo.features.version != PhotoFeatures::VERSION => true,
            Some(Some(distance)) => distance == found.distance,
            Some(None) | None => (self.is_awaited)(&found.reference),
        }
    }

    /// The first of these of which the reference in a slot is nearly a copy. Only one that is no copy itself is named, so that
    /// there is always a best one.
    fn twin(&self, better: &[Placed], slot: Option<usize>) -> Option<Reference> {
        let slot = slot?;
        let is_twin = |m: &&Placed| {
            m.found.near_duplicate_of.is_none()
                && m.slot.is_some_and(|better| self.index.are_near_duplicates(better, slot))
        };
        better.iter().find(is_twin).map(|m| m.found.reference.clone())
    }

    fn told(&self, copy: &ReferenceMatch, near_duplicate_of: Option<Reference>) -> PhotoMatch {
        PhotoMatch {
            image_idx: self.photo.image_idx,
            reference: self.index.name(copy.reference).clone(),
            bank: self.bank,
            distance: copy.distance,
            transform: copy.alteration,
            quality: self.photo.features.quality,
            score: None,
            overlay: None,
            near_duplicate_of,
        }
    }
}

fn sort(placed: &mut [Placed]) {
    placed.sort_by(|Placed { found: a, .. }, Placed { found: b, .. }| {
        let rank = |m: &PhotoMatch| (Reverse(surety(m.score.map(Probability::get))), m.distance);
        rank(a).cmp(&rank(b)).then_with(|| a.reference.cmp(&b.reference))
    });
}
