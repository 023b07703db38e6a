//! What is kept of a photo: of a reference its features, of a listing's photo also what finds it among references.

use sha2::{Digest, Sha256};
use touchstone_types::PhotoFeatures;

use crate::decode::{Colours, DecodeLimits, decode_colours};
use crate::error::DecodeError;
use crate::pdq::{Dihedral, Pdq};

/// A photo of a listing, ready to be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Photo {
    /// SHA-256 of the file's bytes: the identity of the photo in caches and evidence.
    pub sha256: [u8; 32],
    /// What a reference of the same picture would have.
    pub features: PhotoFeatures,
    /// The hashes of the photo turned and mirrored in all eight ways.
    pub dihedral: Dihedral,
}

/// The features of a reference photo, from the bytes of its file.
///
/// # Errors
/// As [`decode`](crate::decode()).
pub fn features(bytes: &[u8], limits: &DecodeLimits) -> Result<PhotoFeatures, DecodeError> {
    hash_file(bytes, limits).map(|pdq| features_of(&pdq))
}

/// A listing's photo, from the bytes of its file.
///
/// # Errors
/// As [`decode`](crate::decode()).
pub fn photo(bytes: &[u8], limits: &DecodeLimits) -> Result<Photo, DecodeError> {
    let pdq = hash_file(bytes, limits)?;
    Ok(Photo { sha256: Sha256::digest(bytes).into(), features: features_of(&pdq), dihedral: pdq.dihedral })
}

fn features_of(pdq: &Pdq) -> PhotoFeatures {
    PhotoFeatures { version: PhotoFeatures::VERSION, pdq: pdq.hash(), quality: pdq.quality }
}

fn hash_file(bytes: &[u8], limits: &DecodeLimits) -> Result<Pdq, DecodeError> {
    // A picture that is shrunk anyway does not repay the exact colours; a small one is hashed to the last bit.
    decode_colours(bytes, limits, Colours::LumaAbove(Pdq::WORKING_SIDE)).map(|picture| Pdq::of(&picture))
}
