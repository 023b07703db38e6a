//! PDQ, Meta's perceptual hash of whole pictures.
//!
//! The method is that of "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019), with the
//! arithmetic (single precision, order of operations) of its C++ reference, so that hashes agree with banks made by other programs:
//! luma, a Jarosz filter down to 64x64, a DCT whose 16x16 lowest frequencies but the mean are kept, and one bit for each that is
//! above their median. Quality is the amount of visible gradient in the 64x64 picture.

mod dct;
mod jarosz;
mod luma;

use touchstone_types::{Hash256, Quality, Transform};

use crate::picture::Picture;
use dct::{Coefficients, FREQUENCIES};
use jarosz::{SIDE, Samples};
use luma::Luma;

/// The symmetries of the square, in the order of [`Transform::ALL`].
pub(crate) const SYMMETRIES: [Transform; 8] = [
    Transform::None,
    Transform::Mirror,
    Transform::Flip,
    Transform::Rotate90,
    Transform::Rotate180,
    Transform::Rotate270,
    Transform::Transpose,
    Transform::Transverse,
];

/// What brings a picture back after `transform`.
///
/// If the photo is the reference turned a quarter counter-clockwise, then the photo turned a quarter *clockwise* is the reference,
/// and the hash of that is the one to look for.
pub(crate) fn undone_by(transform: Transform) -> Transform {
    match transform {
        Transform::Rotate90 => Transform::Rotate270,
        Transform::Rotate270 => Transform::Rotate90,
        own_inverse => own_inverse,
    }
}

/// The hashes of one picture turned and mirrored in all eight ways, in the order of [`Transform::ALL`].
///
/// Entry `i` is the hash that the picture would have after `Transform::ALL[i]` was done *to it*; entry 0 is its own hash.
/// They come from one DCT by exchanging and negating coefficients, so they can differ by a few bits from hashing the picture
/// after really turning it: the filter's windows are not quite symmetrical.
pub type Dihedral = [Hash256; 8];

/// What PDQ says about one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pdq {
    /// The hashes of the picture and of its seven other symmetries.
    pub dihedral: Dihedral,
    /// How much structure there is to hash; PDQ's authors advise against matching below 50.
    pub quality: Quality,
}

/// A picture with a side below this many pixels has the zero hash and quality 0.
const MIN_SIDE: usize = 5;

impl Pdq {
    /// A side above this many pixels is shrunk to at most this many before the picture is hashed.
    pub(crate) const WORKING_SIDE: u32 = 512;

    /// Hashes a picture of any size at a cost that hardly grows with it: sides above 512 pixels are first shrunk to at most 512 by
    /// averaging whole pixels.
    ///
    /// The reference program instead drops rows and columns of a picture above 512 pixels until 512x512 are left. Averaging stays
    /// nearer to the hash at full size and to those of copies of other sizes, and within 10 bits of the reference program.
    pub fn of(picture: &Picture) -> Self {
        Self::of_luma(luma::working_size(picture))
    }

    /// Hashes a picture at its full size whatever that is, as programs do that hand arrays of pixels to the reference library.
    ///
    /// Equal to [`Pdq::of`] for sides up to 512 pixels; above, it differs by a few bits, and takes time and about nine bytes of
    /// memory for every pixel.
    pub fn of_full_size(picture: &Picture) -> Self {
        Self::of_luma(luma::full_size(picture))
    }

    /// The hash of the picture as it is.
    pub fn hash(&self) -> Hash256 {
        self.dihedral[0]
    }

    fn of_luma(luma: Luma) -> Self {
        if luma.rows < MIN_SIDE || luma.cols < MIN_SIDE {
            let zero = Hash256::from_words([0; 4]);
            return Self { dihedral: [zero; 8], quality: Quality::new(0).expect("0 is a quality") };
        }
        let samples = jarosz::reduce(luma);
        let coefficients = dct::transform(&samples);
        let dihedral = std::array::from_fn(|i| threshold(&transformed(&coefficients, Transform::ALL[i])));
        Self { dihedral, quality: quality(&samples) }
    }
}

/// The coefficients that the picture would have after `transform`.
///
/// A DCT basis function reversed is itself (even frequency) or its negative (odd frequency): mirroring negates the odd horizontal
/// frequencies, flipping the odd vertical ones, and transposing exchanges the two. A quarter turn counter-clockwise is a
/// transposition followed by a flip, one clockwise a transposition followed by a mirroring.
fn transformed(from: &Coefficients, transform: Transform) -> Coefficients {
    let (transposed, flipped, mirrored) = match transform {
        Transform::None => (false, false, false),
        Transform::Mirror => (false, false, true),
        Transform::Flip => (false, true, false),
        Transform::Rotate90 => (true, true, false),
        Transform::Rotate180 => (false, true, true),
        Transform::Rotate270 => (true, false, true),
        Transform::Transpose => (true, false, false),
        Transform::Transverse => (true, true, true),
    };
    // Index 0 is frequency 1, so odd frequencies have even indices.
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let value = if transposed { from[j][i] } else { from[i][j] };
            let negated = (flipped && i % 2 == 0) != (mirrored && j % 2 == 0);
            if negated { -value } else { value }
        })
    })
}

/// One bit for each coefficient, set if it is above the lower median; coefficient 0 gives the least significant bit.
fn threshold(coefficients: &Coefficients) -> Hash256 {
    const BITS: usize = FREQUENCIES * FREQUENCIES;
    let mut sorted: [f32; BITS] = std::array::from_fn(|k| coefficients[k / FREQUENCIES][k % FREQUENCIES]);
    let (_, &mut median, _) = sorted.select_nth_unstable_by(BITS / 2 - 1, f32::total_cmp);
    let mut words = [0; 4];
    for (k, &value) in coefficients.as_flattened().iter().enumerate() {
        if value > median {
            words[3 - k / 64] |= 1 << (k % 64);
        }
    }
    Hash256::from_words(words)
}

/// PDQ's quality: the sum of the differences between neighbours, each in whole hundredths of the full range, over 90, at most 100.
fn quality(samples: &Samples) -> Quality {
    let steps = |a: f32, b: f32| (((a - b) * 100.0 / 255.0) as i32).unsigned_abs();
    let mut gradient = 0;
    for (row, below) in samples.iter().zip(&samples[1..]) {
        gradient += row.iter().zip(below).map(|(&a, &b)| steps(a, b)).sum::<u32>();
    }
    for row in samples {
        gradient += (1..SIDE).map(|x| steps(row[x - 1], row[x])).sum::<u32>();
    }
    Quality::new((gradient / 90).min(100) as u8).expect("at most 100")
}

#[cfg(test)]
mod tests;
