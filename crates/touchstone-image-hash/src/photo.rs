//! What is kept of a photo: of a reference its features, of a listing's photo also what finds it among references.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use touchstone_types::PhotoFeatures;

use crate::decode::{Colours, DecodeLimits, decode_colours};
use crate::detail::Detail;
use crate::error::DecodeError;
use crate::layout::Canvas;
use crate::pdq::{Dihedral, Pdq};
use crate::picture::Picture;
use crate::plane::Planes;
use crate::turned::Turned;
use crate::windows::{Window, pyramid, windows};

/// A photo of a listing, ready to be searched for. Copies share what is large.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// SHA-256 of the file's bytes: the identity of the photo in caches and evidence.
    pub sha256: [u8; 32],
    /// What a reference of the same picture would have.
    pub features: PhotoFeatures,
    /// The hashes of the photo turned and mirrored in all eight ways.
    pub dihedral: Dihedral,
    /// What references are laid over.
    pub(crate) sight: Arc<Sight>,
}

/// What the second tier looks at.
#[derive(Debug)]
pub(crate) struct Sight {
    /// The working size, to which the places of windows refer.
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) windows: Vec<Window>,
    pub(crate) canvas: Canvas,
    /// The windows of the canvas turned, made when they are first asked for: several indexes may ask, and most photos are
    /// found before.
    turned: OnceLock<Vec<Turned>>,
}

impl Sight {
    pub(crate) fn turned(&self) -> &[Turned] {
        self.turned.get_or_init(|| Turned::all(&self.canvas))
    }
}

impl PartialEq for Sight {
    fn eq(&self, other: &Self) -> bool {
        // What is made of the canvas need not be compared.
        (self.width, self.height, &self.windows, &self.canvas)
            == (other.width, other.height, &other.windows, &other.canvas)
    }
}

/// Windows looked at in a listing's photo: more than a reference has, because nobody knows which of them are the reference's.
const MAX_WINDOWS: usize = 200;

/// Windows of one scale keep this distance, in their own pixels.
const SPACING: f32 = 2.0;

impl Photo {
    /// About how many bytes of memory a photo takes, for caches: what it shares with its copies included.
    pub fn memory_bytes(&self) -> usize {
        let detail = self.features.detail.as_ref().map_or(0, |detail| detail.as_bytes().len());
        size_of::<Self>()
            + size_of::<Sight>()
            + detail
            + size_of_val(self.sight.windows.as_slice())
            + self.sight.canvas.bytes()
            + Turned::MAX_BYTES
    }
}

/// The features of a reference photo, from the bytes of its file.
///
/// # Errors
/// As [`decode`](crate::decode()).
pub fn features(bytes: &[u8], limits: &DecodeLimits) -> Result<PhotoFeatures, DecodeError> {
    let picture = decode_colours(bytes, limits, Colours::LumaAndChroma)?;
    let planes = Planes::of(&picture);
    Ok(features_of(&Pdq::of(&picture), &Detail::of(&planes, &pyramid(&planes.luma))))
}

/// A listing's photo, from the bytes of its file.
///
/// # Errors
/// As [`decode`](crate::decode()).
pub fn photo(bytes: &[u8], limits: &DecodeLimits) -> Result<Photo, DecodeError> {
    let picture = decode_colours(bytes, limits, Colours::LumaAndChroma)?;
    Ok(photo_of(&picture, Sha256::digest(bytes).into()))
}

/// The whole-picture hash alone, from the bytes of a file: several times as fast as [`features`].
///
/// # Errors
/// As [`decode`](crate::decode()).
pub fn hash(bytes: &[u8], limits: &DecodeLimits) -> Result<Pdq, DecodeError> {
    decode_colours(bytes, limits, Colours::Luma).map(|picture| Pdq::of(&picture))
}

fn photo_of(picture: &Picture, sha256: [u8; 32]) -> Photo {
    let planes = Planes::of(picture);
    let pdq = Pdq::of(picture);
    let levels = pyramid(&planes.luma);
    let sight = Sight {
        width: planes.luma.width as f32,
        height: planes.luma.height as f32,
        windows: windows(&levels, MAX_WINDOWS, SPACING),
        canvas: Canvas::of(&planes),
        turned: OnceLock::new(),
    };
    let detail = Detail::of(&planes, &levels);
    Photo { sha256, features: features_of(&pdq, &detail), dihedral: pdq.dihedral, sight: Arc::new(sight) }
}

fn features_of(pdq: &Pdq, detail: &Detail) -> PhotoFeatures {
    PhotoFeatures {
        version: PhotoFeatures::VERSION,
        pdq: pdq.hash(),
        quality: pdq.quality,
        detail: Some(detail.to_bytes()),
    }
}
