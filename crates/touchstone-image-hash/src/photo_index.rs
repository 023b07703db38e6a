//! References by name, searchable by photo, and cheap to change.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use touchstone_types::{HammingDistance, KeptPhoto, PhotoFeatures};

use crate::matching::{Candidate, MatchSettings, ReferenceMatch};
use crate::pdq::Dihedral;
use crate::photo::Photo;
use crate::references::{Kept, Known, Limits, References};

/// With more changes pending, [`PhotoIndex::merged`] pays: until then each change indexes so many references again at most.
const MAX_PENDING: usize = 2_048;

/// References, searchable by photo, in the order of their names.
///
/// References whose features are not of [`PhotoFeatures::VERSION`] keep their name but are never found.
///
/// A change makes a new index that shares the large base with the old one: removed references are marked in it, and those that came
/// lie in a small delta that is made anew with every change. [`merged`](Self::merged) makes a new base. Answers depend on the live
/// references alone, not on how the index came to hold them. A clone shares everything.
///
/// In answers a reference is told by its slot, which [`name`](Self::name) names; slots hold for one state of the index.
///
/// ```
/// use touchstone_image_hash::PhotoIndex;
/// # use touchstone_types::{Hash256, PhotoFeatures, Quality};
/// # let features = |word| PhotoFeatures {
/// #     version: PhotoFeatures::VERSION,
/// #     pdq: Hash256::from_words([word; 4]),
/// #     quality: Quality::new(90).expect("at most 100"),
/// #     detail: None,
/// # };
/// # let (front, back) = (features(1), features(2));
/// let before = PhotoIndex::of_named([("front", front), ("side", back.clone())]);
/// let after = before.with_changes([("side", None), ("back", Some(back))]);
/// assert_eq!(after.names().collect::<Vec<_>>(), [&"back", &"front"]);
/// assert_eq!(before.names().collect::<Vec<_>>(), [&"front", &"side"]);
/// ```
#[derive(Debug, Clone)]
pub struct PhotoIndex<N = usize> {
    /// Of the base and of the delta, each ascending, as their references lie.
    base: Arc<Vec<N>>,
    delta: Arc<Vec<N>>,
    references: References,
}

impl PhotoIndex {
    /// An index of these references; the position of each is its name and its slot.
    pub fn new(references: impl IntoIterator<Item = PhotoFeatures>) -> Self {
        Self::of_named(references.into_iter().enumerate())
    }
}

impl<N: Ord + Clone> PhotoIndex<N> {
    /// An index of these references under these names. Of a name that comes twice, the later features count.
    pub fn of_named(references: impl IntoIterator<Item = (N, PhotoFeatures)>) -> Self {
        Self::limited(references, Limits::USUAL)
    }

    pub(crate) fn limited(references: impl IntoIterator<Item = (N, PhotoFeatures)>, limits: Limits) -> Self {
        let kept = references.into_iter().map(|(name, features)| (name, Known::of(&features)));
        Self::built(kept.collect::<BTreeMap<N, Kept>>(), limits)
    }

    /// `references` ascend by their names.
    fn built(references: impl IntoIterator<Item = (N, Kept)>, limits: Limits) -> Self {
        let (names, kept) = references.into_iter().unzip();
        Self { base: Arc::new(names), delta: Arc::default(), references: References::new(kept, limits) }
    }

    /// The index after some changes, of which the last of a name counts: features are put under it, in place of earlier ones, and
    /// `None` removes them.
    ///
    /// It takes as long as to index the references that changed since the base was made, and a look at a bit for each of the
    /// others. Only where these are few, or few beside the changes, all are indexed again.
    #[must_use]
    pub fn with_changes(&self, changes: impl IntoIterator<Item = (N, Option<PhotoFeatures>)>) -> Self {
        let mut removed = Vec::new();
        let mut delta: BTreeMap<N, Kept> = self.delta_references().collect();
        for (name, features) in changes {
            removed.extend(self.base.binary_search(&name));
            match features {
                Some(features) => drop(delta.insert(name, Known::of(&features))),
                None => drop(delta.remove(&name)),
            }
        }
        let place = |name: &N| self.base.partition_point(|other| other < name) as u32;
        let placed = delta.iter().map(|(name, kept)| (place(name), kept.clone())).collect();
        if let Some(references) = self.references.changed(&removed, placed) {
            let delta = Arc::new(delta.into_keys().collect());
            return Self { base: Arc::clone(&self.base), delta, references };
        }
        removed.sort_unstable();
        let stays = |slot: &usize| removed.binary_search(slot).is_err();
        let base = self.references.slots().into_iter().filter(|slot| *slot < self.base.len());
        let base =
            base.filter(stays).map(|slot| (self.base[slot].clone(), self.references.kept(slot).clone()));
        Self::built(base.chain(delta).collect::<BTreeMap<N, Kept>>(), self.references.limits)
    }

    fn delta_references(&self) -> impl Iterator<Item = (N, Kept)> + '_ {
        let names = self.delta.iter().enumerate();
        names.map(|(idx, name)| (name.clone(), self.references.kept(self.base.len() + idx).clone()))
    }

    /// How many changes [`merged`](Self::merged) would work in.
    pub fn n_pending(&self) -> usize {
        self.references.n_pending()
    }

    /// Whether so much changed since the base was made that it is time for [`merged`](Self::merged).
    pub fn wants_merge(&self) -> bool {
        self.n_pending() > MAX_PENDING
    }

    /// The same references in a new base: the same answers, cheaper. It takes as long as to index all; do it in the background,
    /// and apply to the result what changed meanwhile.
    #[must_use]
    pub fn merged(&self) -> Self {
        if self.n_pending() == 0 {
            return self.clone();
        }
        let live = self.references.slots().into_iter();
        let live = live.map(|slot| (self.name(slot).clone(), self.references.kept(slot).clone()));
        Self::built(live, self.references.limits)
    }

    /// The names in their order.
    pub fn names(&self) -> impl Iterator<Item = &N> {
        self.references.slots().into_iter().map(|slot| self.name(slot))
    }

    /// The name of the reference in a slot.
    pub fn name(&self, slot: usize) -> &N {
        match slot.checked_sub(self.base.len()) {
            None => &self.base[slot],
            Some(slot) => &self.delta[slot],
        }
    }

    /// The slots of the references whose names `place` calls equal. It says where a name lies: names come below these, are of
    /// them, or come above.
    pub fn slots(&self, place: impl Fn(&N) -> Ordering) -> Vec<usize> {
        let range = |names: &[N]| {
            let start = names.partition_point(|name| place(name).is_lt());
            start..start + names[start..].partition_point(|name| place(name).is_eq())
        };
        let base = range(&self.base).filter(|&slot| !self.references.is_removed(slot));
        base.chain(range(&self.delta).map(|idx| self.base.len() + idx)).collect()
    }

    /// How many references are in it.
    pub fn len(&self) -> usize {
        self.references.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every reference is looked for by its windows. Otherwise only those that are proposed are.
    pub fn searches_all(&self) -> bool {
        self.references.searches_all()
    }

    /// How many references can be found by nothing but their hash.
    pub fn n_hash_only(&self) -> usize {
        self.references.n_hash_only()
    }

    /// Whether a reference can be found by more than its hash.
    pub fn has_detail(&self, slot: usize) -> bool {
        self.references.detail(slot).is_some()
    }

    /// Whether two references are nearly the same picture.
    pub fn are_near_duplicates(&self, one: usize, other: usize) -> bool {
        self.references.are_near_duplicates(one, other)
    }

    /// The references that the photo is a copy of: the surest first, then the nearest in colour, then by hash, then by name.
    ///
    /// Of references that are the same picture, or shades of one design, only as many are told as get a second look: 6 by hash, 8 by
    /// windows. Turned by other than quarter turns the photo is looked at only where nothing is found as it stands.
    ///
    /// `proposed` are references that something else speaks for: if they share windows with the photo, they get a second look
    /// whatever else shares more. Where the index does not [search all](Self::searches_all), only they and those near by hash do.
    pub fn matches(
        &self,
        photo: &Photo,
        settings: &MatchSettings<'_>,
        proposed: &[usize],
    ) -> Vec<ReferenceMatch> {
        self.references.matches(photo, settings, proposed)
    }

    /// The distance that a match of this reference tells: the smallest over the orientations of a picture, of which `turned` are the
    /// hashes. `None` where the reference cannot be searched, because its features are of another version.
    pub fn distance(&self, turned: &Dihedral, slot: usize) -> Option<HammingDistance> {
        self.references.distance_to(turned, slot)
    }

    /// The references, besides those `found` before, of which a photo is a whole copy, turned or not: those within `radius` by hash,
    /// the nearest first, then by name. A reference with a detail has to have the photo's layout as well, because shades of one
    /// design are as near; and no more of these are told, those found included, than get a second look by hash. None has a score.
    ///
    /// Without the picture less is found than by [`matches`](Self::matches): no crop, no border, no collage, and where the reference
    /// has a detail, no grey copy.
    pub fn whole_copies(
        &self,
        photo: &KeptPhoto,
        radius: HammingDistance,
        found: &[usize],
    ) -> Vec<ReferenceMatch> {
        self.references.whole_copies(photo, radius, found)
    }

    /// The references that a second look is worth, each at the place where it fits best, by name.
    pub fn candidates(&self, photo: &Photo, proposed: &[usize]) -> Vec<Candidate> {
        self.references.candidates(photo, proposed)
    }
}

impl<N: Ord + Clone> Default for PhotoIndex<N> {
    fn default() -> Self {
        Self::built([], Limits::USUAL)
    }
}

#[cfg(test)]
mod tests;
