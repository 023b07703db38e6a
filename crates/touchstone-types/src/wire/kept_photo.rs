//! A photo as it is kept in the state of a listing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::catalog::Features;
use super::text;
use crate::{Hash256, ParseError, PhotoFeatures};

/// A photo that was judged, without the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeptPhoto {
    /// The place of the photo in the listing, from 0.
    pub image: usize,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// What a reference of the same picture would have.
    #[serde(deserialize_with = "text::object")]
    pub features: Features,
    /// The hashes of the picture after none, mirror, flip, rotate90, rotate180, rotate270, transpose and transverse, each of 64
    /// hexadecimal digits.
    pub turned: [String; 8],
}

impl From<&crate::KeptPhoto> for KeptPhoto {
    fn from(photo: &crate::KeptPhoto) -> Self {
        Self {
            image: photo.image_idx,
            sha256: photo.sha256.clone(),
            features: Features::from(&photo.features),
            turned: photo.turned.map(|hash| hash.to_string()),
        }
    }
}

impl TryFrom<KeptPhoto> for crate::KeptPhoto {
    type Error = ParseError;

    fn try_from(wire: KeptPhoto) -> Result<Self, ParseError> {
        let features = PhotoFeatures::try_from(&wire.features).map_err(|e| e.within("features"))?;
        let mut turned = [features.pdq; 8];
        for (idx, (hash, digits)) in turned.iter_mut().zip(&wire.turned).enumerate() {
            *hash = Hash256::from_hex(digits).map_err(|e| ParseError::field(format!("turned[{idx}]"), e))?;
        }
        Ok(Self { image_idx: wire.image, sha256: wire.sha256, features, turned })
    }
}
