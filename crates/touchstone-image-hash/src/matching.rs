//! Which references a listing's photo shows, by the hashes of the whole picture.

use touchstone_types::{HammingDistance, PhotoFeatures, Quality, Transform};

use crate::pdq::SYMMETRIES;
use crate::photo::Photo;
use crate::search::{HammingIndex, LinearScan};

/// The radius that PDQ's authors advise: at most this many of 256 bits differ between copies of one picture.
pub const DEFAULT_RADIUS: HammingDistance = HammingDistance::new(31).expect("at most 256");

/// Below this quality a picture has too little structure for its hash to say anything (PDQ's own rule).
pub const MIN_QUALITY: Quality = Quality::new(50).expect("at most 100");

/// A reference that a photo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceMatch {
    /// The reference's position among those that the [`PhotoIndex`] was made of, from 0.
    pub reference: usize,
    /// The distance of the two hashes, the smallest over all transforms.
    pub distance: HammingDistance,
    /// What was done to the reference to get the photo; of equally near transforms the first in [`Transform::ALL`].
    pub transform: Transform,
}

/// References, searchable by photo.
///
/// References whose quality is below [`MIN_QUALITY`], or whose features are not of [`PhotoFeatures::VERSION`], keep their position
/// but are never found.
#[derive(Debug, Clone, Default)]
pub struct PhotoIndex {
    hashes: LinearScan,
    /// The position of each hash's reference.
    references: Vec<usize>,
}

impl PhotoIndex {
    /// An index of these references; the position of each is how it is named in a [`ReferenceMatch`].
    pub fn new(references: impl IntoIterator<Item = PhotoFeatures>) -> Self {
        let (references, hashes) = references
            .into_iter()
            .enumerate()
            .filter(|(_, features)| features.version == PhotoFeatures::VERSION && can_match(features))
            .map(|(position, features)| (position, features.pdq))
            .unzip();
        Self { hashes: LinearScan::new(hashes), references }
    }

    /// Every reference within `radius` of the photo or of one of its symmetries, nearest first, ties by position.
    ///
    /// A photo whose quality is below [`MIN_QUALITY`] matches nothing.
    pub fn matches(&self, photo: &Photo, radius: HammingDistance) -> Vec<ReferenceMatch> {
        if !can_match(&photo.features) {
            return Vec::new();
        }
        // In the order of the symmetries, so that the stable sort leaves the first of equally near transforms in front.
        let mut found = Vec::new();
        for transform in SYMMETRIES {
            let query = &photo.dihedral[undone_by(transform) as usize];
            for neighbour in self.hashes.within(query, radius) {
                let reference = self.references[neighbour.item];
                found.push(ReferenceMatch { reference, distance: neighbour.distance, transform });
            }
        }
        found.sort_by_key(|found| (found.reference, found.distance));
        found.dedup_by_key(|found| found.reference);
        found.sort_by_key(|found| (found.distance, found.reference));
        found
    }
}

fn can_match(features: &PhotoFeatures) -> bool {
    features.quality >= MIN_QUALITY
}

/// What brings a picture back after `transform`.
///
/// If the photo is the reference turned a quarter counter-clockwise, then the photo turned a quarter *clockwise* is the reference,
/// and the hash of that is the one to look for.
fn undone_by(transform: Transform) -> Transform {
    match transform {
        Transform::Rotate90 => Transform::Rotate270,
        Transform::Rotate270 => Transform::Rotate90,
        own_inverse => own_inverse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_types::Hash256;

    fn features(pdq: Hash256, quality: u8) -> PhotoFeatures {
        PhotoFeatures { version: PhotoFeatures::VERSION, pdq, quality: Quality::new(quality).unwrap() }
    }

    /// A photo whose eight hashes are far apart: hash `i` has word `i / 2` half set.
    fn photo(quality: u8) -> Photo {
        let half = |i: usize| if i.is_multiple_of(2) { 0xffff_ffff } else { 0xffff_ffff << 32 };
        let dihedral = std::array::from_fn(|i| {
            let mut words = [0; 4];
            words[i / 2] = half(i);
            Hash256::from_words(words)
        });
        Photo { sha256: [0; 32], features: features(dihedral[0], quality), dihedral }
    }

    #[test]
    fn the_transform_is_what_was_done_to_the_reference() {
        let photo = photo(100);
        for (i, expected) in [
            (0, Transform::None),
            (1, Transform::Mirror),
            (2, Transform::Flip),
            (3, Transform::Rotate270),
            (4, Transform::Rotate180),
            (5, Transform::Rotate90),
            (6, Transform::Transpose),
            (7, Transform::Transverse),
        ] {
            let index = PhotoIndex::new([features(photo.dihedral[i], 100)]);
            let found = index.matches(&photo, DEFAULT_RADIUS);
            let expected = ReferenceMatch {
                reference: 0,
                distance: HammingDistance::new(0).unwrap(),
                transform: expected,
            };
            assert_eq!(found, [expected]);
        }
    }

    #[test]
    fn of_equally_near_transforms_the_first_is_named_and_each_reference_once() {
        let mut photo = photo(100);
        photo.dihedral = [photo.dihedral[0]; 8];
        let index = PhotoIndex::new([features(photo.dihedral[0], 100); 2]);
        let found = index.matches(&photo, DEFAULT_RADIUS);
        assert_eq!(
            found.iter().map(|f| (f.reference, f.transform)).collect::<Vec<_>>(),
            [(0, Transform::None), (1, Transform::None)]
        );
    }

    #[test]
    fn low_quality_never_matches_on_either_side_and_keeps_its_position() {
        let hash = photo(100).dihedral[0];
        let mut old = features(hash, 100);
        old.version = PhotoFeatures::VERSION + 1;
        let index = PhotoIndex::new([features(hash, 49), old, features(hash, 50)]);
        let found = |quality| index.matches(&photo(quality), DEFAULT_RADIUS);
        assert_eq!(found(50).iter().map(|f| f.reference).collect::<Vec<_>>(), [2]);
        assert_eq!(found(49), []);
    }

    #[test]
    fn the_nearest_reference_comes_first() {
        let photo = photo(100);
        let mut words = *photo.dihedral[0].words();
        words[3] ^= 0b111;
        let index =
            PhotoIndex::new([features(Hash256::from_words(words), 90), features(photo.dihedral[0], 90)]);
        let found = index.matches(&photo, DEFAULT_RADIUS);
        assert_eq!(
            found.iter().map(|f| (f.reference, f.distance.bits())).collect::<Vec<_>>(),
            [(1, 0), (0, 3)]
        );
    }
}
