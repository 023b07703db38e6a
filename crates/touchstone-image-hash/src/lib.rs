//! Finds the reference photo that a listing's photo was made of, altered copies included, and says how sure that is.
//!
//! ```text
//!                                   ┌▶ PDQ, eight symmetries ──▶ nearest hashes ─┐
//!  bytes ──▶ decode ──▶ Picture ──▶ ┤                                            ├▶ align ──▶ second look ──▶ score ──▶ match
//!            limits     upright     ├▶ windows ──▶ votes for a place ────────────┘
//!                                   └▶ canvas ───────────────────────────────────────▲
//!                                                              layout of a reference ┘
//! ```
//!
//! The method, step by step:
//! 1. **Whole-picture hash.** Meta's PDQ (see [`Pdq`]), to the last bit as the C++ reference computes it for the same pixels. Copies
//!    that were re-encoded, scaled, blurred, brightened or made grey differ in few of 256 bits. One transform gives the hashes of all
//!    eight symmetries, so mirrored and turned copies are as near. [`MultiIndex`] searches them exactly.
//! 2. **Windows.** Of a cropped, framed or collaged copy the whole hash says nothing. So small windows are hashed in the same way,
//!    at many scales, where there is structure; windows that a photo shares with a reference vote for a place of the reference in it.
//! 3. **Alignment.** From a proposed place on, the reference's layout (24x24 cells of luma, 8x8 of colour) is moved over the photo
//!    until it fits, by least squares on the pixels, whatever brightness was changed and whatever lies over it.
//! 4. **Second look.** Fine structure, colour, tone and proportions at that place are measured, and the photo is hashed once more where
//!    each window of the reference should lie: what differs under one denies it ([`MEASURES`]). A [`PhotoScore`] makes the
//!    measures the probability of a copy. What was done to the reference, and where it lies, is read off the place.
//!
//! A reference is kept as [`PhotoFeatures`](touchstone_types::PhotoFeatures) of less than 2 KiB; without their `detail` it is found
//! by its hash alone (step 1), where the distance decides.
//!
//! What holds always:
//! - A file is refused by what its header says before memory is taken for its pixels, and no file makes the crate panic. Memory is
//!   bounded by [`DecodeLimits`] and work by the number of pixels, windows and references looked at.
//! - The same bytes give the same hash and the same matches on every machine: sums run in a fixed order, and what is not exact in
//!   IEEE arithmetic is `libm`'s.
//! - Answers depend on the set of references and on their order alone, not on how an index came to hold them.
//! - A picture without structure (blank, or nearly so) matches nothing, whichever side it is on.
//!
//! What it never does: read files, fetch, look at a clock, or keep state between calls.
//!
//! ```
//! use touchstone_image_hash::{DEFAULT_RADIUS, DecodeLimits, MatchSettings, PhotoIndex, PhotoScore, features, photo};
//! # fn main() -> Result<(), touchstone_image_hash::DecodeError> {
//! # let drawn = image::GrayImage::from_fn(240, 160, |x, y| {
//! #     let (u, v) = (x / 15 * 7919 % 83, y / 13 * 104_729 % 61);
//! #     image::Luma([(u * v % 200 + x % 11 + y % 7) as u8])
//! # });
//! # let encoded = |picture: &image::GrayImage, format| {
//! #     let mut bytes = std::io::Cursor::new(Vec::new());
//! #     picture.write_to(&mut bytes, format).expect("a picture in memory can be encoded");
//! #     bytes.into_inner()
//! # };
//! # let reference_file = encoded(&drawn, image::ImageFormat::Png);
//! # let cropped = image::imageops::crop_imm(&drawn, 30, 10, 200, 140).to_image();
//! # let listing_file = encoded(&image::imageops::flip_horizontal(&cropped), image::ImageFormat::Jpeg);
//! let limits = DecodeLimits::default();
//! let index = PhotoIndex::new([features(&reference_file, &limits)?]);
//! let settings = MatchSettings { radius: DEFAULT_RADIUS, score: &PhotoScore::default(), only_proposed: false };
//! let found = index.matches(&photo(&listing_file, &limits)?, &settings, &[]);
//! assert_eq!(found[0].reference, 0);
//! assert_eq!(found[0].alteration.to_string(), "mirror+crop");
//! # Ok(())
//! # }
//! ```

mod align;
mod alteration;
mod closer;
mod decode;
mod detail;
mod error;
mod fit;
mod kept;
mod layout;
mod marks;
mod matching;
mod pdq;
mod photo;
mod photo_index;
mod picture;
mod plane;
mod references;
mod score;
mod search;
mod shrink;
mod turned;
mod windows;

pub use decode::{DecodeLimits, decode};
pub use error::DecodeError;
pub use fit::{MEASURES, Measures};
pub use matching::{Candidate, DEFAULT_RADIUS, MatchSettings, ReferenceMatch, surety};
pub use pdq::{Dihedral, Pdq};
pub use photo::{Photo, features, hash, photo};
pub use photo_index::PhotoIndex;
pub use picture::Picture;
pub use references::MIN_QUALITY;
pub use score::PhotoScore;
pub use search::{ChunkFlips, HammingIndex, IndexFileError, LinearScan, MultiIndex, Neighbour};
