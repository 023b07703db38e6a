//! What is kept of a listing's photo so that the listing can be judged again without it.

use crate::{Hash256, JudgedPhoto, ParseError, PhotoFeatures, wire};

/// A photo that was judged, without the picture: below 4 KiB as JSON, and copies share what is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPhoto {
    /// The place of the photo in the listing's `images`, from 0.
    pub image_idx: usize,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// What a reference of the same picture would have.
    pub features: PhotoFeatures,
    /// The hashes of the picture turned and mirrored in all eight ways, in the order of [`Transform::ALL`](crate::Transform::ALL);
    /// the first is its own.
    pub turned: [Hash256; 8],
}

impl KeptPhoto {
    /// The photo as it stands in a flag.
    pub fn judged(&self) -> JudgedPhoto {
        JudgedPhoto {
            image_idx: self.image_idx,
            sha256: self.sha256.clone(),
            pdq: self.features.pdq,
            quality: self.features.quality,
        }
    }

    /// Reads one JSON object in the form of an item of `features` in the state of a listing.
    ///
    /// # Errors
    /// As [`Listing::from_json`](crate::Listing::from_json).
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        wire::read::<wire::KeptPhoto>(bytes)?.try_into()
    }

    /// The photo in its wire form, as one line of JSON.
    pub fn to_json(&self) -> String {
        wire::write(&wire::KeptPhoto::from(self))
    }
}
