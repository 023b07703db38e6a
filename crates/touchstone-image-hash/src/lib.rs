//! Finds the reference photos that a listing's photo was copied from, by perceptual hashes of the whole picture.
//!
//! ```text
//!  bytes of a file ──▶ decode ──▶ Picture ──▶ Pdq ──▶ PhotoFeatures (of a reference) ──▶ PhotoIndex
//!                      limits                  │                                             │
//!                      upright, opaque         └────▶ Photo (of a listing) ──────────────▶ matches
//!                      8 bits a sample                SHA-256, features, eight hashes        │
//!                                                                                            ▼
//!                                                              which reference, how near, turned how
//! ```
//!
//! The hash is Meta's PDQ (see [`Pdq`]), computed to the last bit as the C++ reference does for the same pixels: copies of a
//! picture that were re-encoded, scaled, blurred, brightened or made grey differ in few of 256 bits, different pictures in about
//! half of them. From one transform it gives the hashes of the eight symmetries, so mirrored and turned copies are found as well.
//! Cropped, framed and overlaid copies are not.
//!
//! What holds always:
//! - A file is refused by what its header says before memory is taken for its pixels, and no file makes the crate panic. Memory is
//!   bounded by [`DecodeLimits`] and work by the number of pixels.
//! - The same bytes give the same hash on every machine: sums run in a fixed order in single precision, the cosine is `libm`'s.
//! - Answers of a search do not depend on the order of the references but for the positions that name them.
//! - A picture of low quality (blank, or nearly so) matches nothing, whichever side it is on.
//!
//! What it never does: read files, fetch, look at a clock, or keep state between calls. A match is not yet evidence: pictures of
//! one product line, or of plain objects on white ground, can be near without being copies.
//!
//! ```
//! use touchstone_image_hash::{DEFAULT_RADIUS, DecodeLimits, PhotoIndex, features, photo};
//! # fn main() -> Result<(), touchstone_image_hash::DecodeError> {
//! # let drawn = image::GrayImage::from_fn(96, 64, |x, y| image::Luma([if x * y % 1013 < 500 { 20 } else { 230 }]));
//! # let encoded = |picture: &image::GrayImage, format| {
//! #     let mut bytes = std::io::Cursor::new(Vec::new());
//! #     picture.write_to(&mut bytes, format).expect("a picture in memory can be encoded");
//! #     bytes.into_inner()
//! # };
//! # let reference_file = encoded(&drawn, image::ImageFormat::Png);
//! # let listing_file = encoded(&image::imageops::flip_horizontal(&drawn), image::ImageFormat::Jpeg);
//! let limits = DecodeLimits::default();
//! let index = PhotoIndex::new([features(&reference_file, &limits)?]);
//! let found = index.matches(&photo(&listing_file, &limits)?, DEFAULT_RADIUS);
//! assert_eq!(found[0].reference, 0);
//! assert_eq!(found[0].transform.as_str(), "mirror");
//! # Ok(())
//! # }
//! ```

mod decode;
mod error;
mod matching;
mod pdq;
mod photo;
mod picture;
mod search;
mod shrink;

pub use decode::{DecodeLimits, decode};
pub use error::DecodeError;
pub use matching::{DEFAULT_RADIUS, MIN_QUALITY, PhotoIndex, ReferenceMatch};
pub use pdq::{Dihedral, Pdq};
pub use photo::{Photo, features, photo};
pub use picture::Picture;
pub use search::{ChunkFlips, HammingIndex, IndexFileError, LinearScan, MultiIndex, Neighbour};
