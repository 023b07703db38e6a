//! What a photo still tells when only its features and hashes are kept: which references it is as far from as it was, and which it is
//! a copy of as a whole.
//!
//! A reference cannot be laid over a picture that is gone. Where it has a detail, its layout is held against the photo's, turned as
//! the hashes say, in place of the second look: shades of one design are near by hash, and so told apart. Only the same picture
//! in the same colours passes, so that this finds less than the picture would have shown, and not more.

use touchstone_types::{Alteration, HammingDistance, KeptPhoto, PhotoFeatures};

use crate::detail::Detail;
use crate::matching::{MAX_BY_HASH, Near, ReferenceMatch};
use crate::pdq::Dihedral;
use crate::photo::Photo;
use crate::references::{MIN_QUALITY, References};

impl Photo {
    /// What is kept of the photo at this place of a listing. It shares with the photo what is large.
    pub fn kept(&self, image_idx: usize) -> KeptPhoto {
        KeptPhoto {
            image_idx,
            sha256: self.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            features: self.features.clone(),
            turned: self.dihedral,
        }
    }
}

impl References {
    /// See [`PhotoIndex::distance`](crate::PhotoIndex::distance).
    pub(crate) fn distance_to(&self, turned: &Dihedral, reference: usize) -> Option<HammingDistance> {
        let known = self.known(reference)?;
        turned.iter().map(|hash| hash.distance(&known.pdq)).min()
    }

    /// See [`PhotoIndex::whole_copies`](crate::PhotoIndex::whole_copies).
    pub(crate) fn whole_copies(
        &self,
        photo: &KeptPhoto,
        radius: HammingDistance,
        found: &[usize],
    ) -> Vec<ReferenceMatch> {
        let features = &photo.features;
        if features.version != PhotoFeatures::VERSION || features.quality < MIN_QUALITY {
            return Vec::new();
        }
        let detail = features.detail.as_ref().and_then(Detail::from_bytes);
        let n_detailed = found.iter().filter(|&&reference| self.detail(reference).is_some()).count();
        let mut n_left = MAX_BY_HASH.saturating_sub(n_detailed);
        let mut copies = Vec::new();
        for near in self.near_by_hash(&photo.turned, radius) {
            if found.contains(&near.reference) {
                continue;
            }
            let is_copy = self.known(near.reference).is_some_and(|known| {
                let passes = |of: &Detail| n_left > 0 && shows(detail.as_ref(), of, &near);
                known.can_match() && known.detail.as_ref().is_none_or(passes)
            });
            if is_copy {
                n_left -= usize::from(self.detail(near.reference).is_some());
                copies.push(by_hash(&near));
            }
        }
        copies
    }
}

/// What is said of a reference that was found by its hash alone.
pub(crate) fn by_hash(near: &Near) -> ReferenceMatch {
    ReferenceMatch {
        reference: near.reference,
        distance: near.distance,
        alteration: Alteration::turned(near.transform),
        score: None,
        overlay: None,
    }
}

/// Whether a photo shows the whole of a reference, turned as its hash says. Without a detail of the photo the hash decides.
fn shows(photo: Option<&Detail>, reference: &Detail, near: &Near) -> bool {
    photo.is_none_or(|photo| reference.layout.turned(near.transform).is_near(&photo.layout))
}
