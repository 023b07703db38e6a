//! What an index knows of its references: a large base that stays as it is, what was removed from it, and the few that came since.
//!
//! A reference has a slot: those of the base come first, in their order, then those of the delta in theirs. Slots change with every
//! change and decide nothing; where references are told apart by their order, that is their [rank](References::rank).

use std::sync::Arc;

use touchstone_types::{Hash256, PhotoFeatures, Quality};

use crate::detail::Detail;
use crate::marks::Marks;
use crate::search::MultiIndex;
use crate::windows::{Layers, RemovedWindows, Window, WindowHash, WindowIndex, WindowSource, piece_bits};

/// Below this quality a picture has too little structure for its hash to say anything (PDQ's own rule).
pub const MIN_QUALITY: Quality = Quality::new(50).expect("at most 100");

/// How much an index looks at. Tests make everything small.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// See [`Layers::max_common`].
    pub(crate) max_common: usize,
    /// So many references, in one orientation each, are weighed by their windows: those with most pairs.
    pub(crate) max_groups: usize,
    /// With more windows in the index, only references that are proposed get votes: a look at all would take too long.
    pub(crate) max_searched: usize,
}

impl Limits {
    pub(crate) const USUAL: Self = Self { max_common: 4_096, max_groups: 1_024, max_searched: 8_000_000 };
}

/// A reference's features, read; `None` where they are of another version, so that it keeps its place and is never found.
pub(crate) type Kept = Option<Arc<Known>>;

#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) pdq: Hash256,
    pub(crate) quality: Quality,
    pub(crate) detail: Option<Detail>,
}

impl Known {
    pub(crate) fn of(features: &PhotoFeatures) -> Kept {
        if features.version != PhotoFeatures::VERSION {
            return None;
        }
        let detail = features.detail.as_ref().and_then(Detail::from_bytes);
        Some(Arc::new(Self { pdq: features.pdq, quality: features.quality, detail }))
    }

    /// Whether the hash may speak for itself.
    pub(crate) fn can_match(&self) -> bool {
        self.quality >= MIN_QUALITY
    }
}

fn windows(kept: &Kept) -> &[Window] {
    kept.as_ref().and_then(|known| known.detail.as_ref()).map_or(&[], |detail| &detail.windows)
}

fn is_hash_only(kept: &Kept) -> bool {
    kept.as_ref().is_some_and(|known| known.detail.is_none())
}

/// References with what finds them.
#[derive(Debug, Default)]
pub(crate) struct Part {
    kept: Vec<Kept>,
    pub(crate) hashes: MultiIndex,
    windows: WindowIndex,
    n_hash_only: usize,
}

impl Part {
    fn new(kept: Vec<Kept>, piece_bits: u32) -> Self {
        let pdqs = kept.iter().enumerate();
        let hashes = MultiIndex::of_items(pdqs.filter_map(|(slot, kept)| Some((slot, kept.as_ref()?.pdq))));
        let windows = WindowIndex::new(kept.iter().map(windows), piece_bits);
        let n_hash_only = kept.iter().filter(|kept| is_hash_only(kept)).count();
        Self { kept, hashes, windows, n_hash_only }
    }
}

/// What was removed from a base.
#[derive(Debug, Clone, Default)]
struct Removed {
    slots: Marks,
    windows: RemovedWindows,
    n_hash_only: usize,
}

/// The live references. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct References {
    base: Arc<Part>,
    removed: Arc<Removed>,
    delta: Arc<Part>,
    /// For each of the delta, how many of the base come before it.
    places: Arc<Vec<u32>>,
    pub(crate) limits: Limits,
}

impl References {
    /// These references in one base.
    pub(crate) fn new(kept: Vec<Kept>, limits: Limits) -> Self {
        let n_windows = kept.iter().map(|kept| windows(kept).len()).sum();
        let base = Arc::new(Part::new(kept, piece_bits(n_windows)));
        Self { base, removed: Arc::default(), delta: Arc::default(), places: Arc::default(), limits }
    }

    /// The same base without these slots of it besides those removed before, and with this delta: each reference with how many of
    /// the base come before it, in their order.
    ///
    /// `None` where a new base is better: where it would cut its hashes into other pieces, or be no larger than the delta. It is
    /// made at once then, so that answers do not depend on which references lie where.
    pub(crate) fn changed(&self, removed: &[usize], delta: Vec<(u32, Kept)>) -> Option<Self> {
        let (places, delta): (Vec<u32>, Vec<Kept>) = delta.into_iter().unzip();
        let mut next = self.clone();
        let gone = Arc::make_mut(&mut next.removed);
        for &slot in removed {
            if gone.slots.insert(slot) {
                gone.windows.add(&self.base.windows, windows(&self.base.kept[slot]), self.limits.max_common);
                gone.n_hash_only += usize::from(is_hash_only(&self.base.kept[slot]));
            }
        }
        let n_added: usize = delta.iter().map(|kept| windows(kept).len()).sum();
        let n_windows = self.base.windows.len() - next.removed.windows.len() + n_added;
        let bits = self.base.windows.piece_bits();
        if piece_bits(n_windows) != bits || delta.len() >= self.base.kept.len() {
            return None;
        }
        next.delta = Arc::new(Part::new(delta, bits));
        next.places = Arc::new(places);
        Some(next)
    }

    /// How many slots the base has, those of removed references among them.
    pub(crate) fn n_base(&self) -> usize {
        self.base.kept.len()
    }

    /// How many references live.
    pub(crate) fn len(&self) -> usize {
        self.base.kept.len() - self.removed.slots.len() + self.delta.kept.len()
    }

    /// How many references were removed from the base or lie in the delta.
    pub(crate) fn n_pending(&self) -> usize {
        self.removed.slots.len() + self.delta.kept.len()
    }

    /// How many references have nothing but their hash.
    pub(crate) fn n_hash_only(&self) -> usize {
        self.base.n_hash_only - self.removed.n_hash_only + self.delta.n_hash_only
    }

    /// How many windows the references have.
    pub(crate) fn n_windows(&self) -> usize {
        self.base.windows.len() - self.removed.windows.len() + self.delta.windows.len()
    }

    /// Base and delta, each with its first slot.
    pub(crate) fn parts(&self) -> [(usize, &Part); 2] {
        [(0, &*self.base), (self.n_base(), &*self.delta)]
    }

    /// Whether the reference in a slot of the base was removed.
    pub(crate) fn is_removed(&self, slot: usize) -> bool {
        self.removed.slots.contains(slot)
    }

    pub(crate) fn kept(&self, slot: usize) -> &Kept {
        match slot.checked_sub(self.n_base()) {
            None => &self.base.kept[slot],
            Some(slot) => &self.delta.kept[slot],
        }
    }

    pub(crate) fn known(&self, slot: usize) -> Option<&Known> {
        self.kept(slot).as_deref()
    }

    pub(crate) fn detail(&self, slot: usize) -> Option<&Detail> {
        self.known(slot)?.detail.as_ref()
    }

    /// The slots of the live references, in the order of the references.
    pub(crate) fn slots(&self) -> Vec<usize> {
        let all = 0..self.n_base() + self.delta.kept.len();
        let mut live: Vec<usize> = all.filter(|&slot| !self.is_removed(slot)).collect();
        live.sort_by_key(|&slot| self.rank(slot));
        live
    }
}

impl WindowSource for References {
    fn windows(&self, slot: usize) -> &[Window] {
        windows(self.kept(slot))
    }

    fn rank(&self, slot: usize) -> u64 {
        // One of the delta comes before that of the base which has its place, and after others of the delta there.
        let (place, among) = match slot.checked_sub(self.n_base()) {
            None => (slot as u32, u32::MAX),
            Some(number) => (self.places[number], number as u32),
        };
        u64::from(place) << 32 | u64::from(among)
    }

    fn look_up(&self, hash: WindowHash, mut found: impl FnMut(usize, u16, u32)) {
        let layers = Layers {
            base: &self.base.windows,
            n_base: self.n_base(),
            removed: &self.removed.slots,
            removed_windows: &self.removed.windows,
            delta: &self.delta.windows,
            max_common: self.limits.max_common,
        };
        layers.look_up(hash, |slot, window, distance| {
            if !self.is_removed(slot) {
                found(slot, window, distance);
            }
        });
    }
}
