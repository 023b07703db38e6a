//! Perceptual hashes and their distances: the facts about a photo that travel between crates.

use std::fmt;
use std::sync::Arc;

use crate::evidence::words;

/// A 256-bit perceptual hash, most significant bit first: bit `i` of the hash is bit `63 - i % 64` of word `i / 64`.
///
/// Its text form is 64 lower-case hexadecimal digits, as Meta's PDQ programs print it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash256([u64; 4]);

/// Why a text is not a perceptual hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a perceptual hash has 64 hexadecimal digits, this is \"{found}\"")]
pub struct BadHash {
    /// The text that was given.
    pub found: String,
}

impl Hash256 {
    /// The hash made of these four words, most significant first.
    pub const fn from_words(words: [u64; 4]) -> Self {
        Self(words)
    }

    /// The four words of the hash, most significant first.
    pub const fn words(&self) -> &[u64; 4] {
        &self.0
    }

    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// Anything but exactly 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, BadHash> {
        let bad = || BadHash { found: text.chars().take(80).collect() };
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let mut words = [0; 4];
        for (word, digits) in words.iter_mut().zip(text.as_bytes().chunks(16)) {
            let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
            *word = u64::from_str_radix(digits, 16).map_err(|_| bad())?;
        }
        Ok(Self(words))
    }

    /// How many of the 256 bits differ.
    pub fn distance(&self, other: &Self) -> HammingDistance {
        let bits: u32 = self.0.iter().zip(&other.0).map(|(a, b)| (a ^ b).count_ones()).sum();
        HammingDistance(bits as u16)
    }
}

impl fmt::Display for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl fmt::Debug for Hash256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash256({self})")
    }
}

/// The number of differing bits of two 256-bit hashes, 0 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HammingDistance(u16);

impl HammingDistance {
    /// The distance of `bits` bits; `None` above 256.
    pub const fn new(bits: u16) -> Option<Self> {
        if bits <= 256 { Some(Self(bits)) } else { None }
    }

    /// The distance in bits, 0 to 256.
    pub const fn bits(self) -> u16 {
        self.0
    }
}

/// How much structure a picture has to hash, 0 (blank) to 100, as PDQ defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quality(u8);

impl Quality {
    /// The quality `value`; `None` above 100.
    pub const fn new(value: u8) -> Option<Self> {
        if value <= 100 { Some(Self(value)) } else { None }
    }

    /// The quality, 0 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// What is kept of one photo: enough to search for it, at most 2 KiB as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoFeatures {
    /// The layout and method of the features; see [`PhotoFeatures::VERSION`].
    pub version: u32,
    /// Meta's PDQ hash of the picture as shown (after EXIF orientation).
    pub pdq: Hash256,
    /// PDQ's own measure of how far the hash can be trusted.
    pub quality: Quality,
    /// What finds altered copies. Without it the photo is found by its hash alone.
    pub detail: Option<PhotoDetail>,
}

/// What the image stage keeps of a photo beside its hash, in a layout of its own: 1 to [`MAX_BYTES`](Self::MAX_BYTES) bytes.
///
/// On the wire it is base64.
#[derive(Clone, PartialEq, Eq)]
pub struct PhotoDetail(Arc<[u8]>);

impl PhotoDetail {
    /// With so many bytes, and base64 for them, the features of a photo stay below 2 KiB.
    pub const MAX_BYTES: usize = 1_440;

    /// The detail with these bytes; `None` if there are none or too many.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (1..=Self::MAX_BYTES).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PhotoDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhotoDetail({} bytes)", self.0.len())
    }
}

impl PhotoFeatures {
    /// The version this build computes; features of another version are computed again.
    pub const VERSION: u32 = 1;
}

words! {
    /// Why a photo could not be looked at; the words of `missing` in a verdict.
    PhotoFailure {
        /// The deadline passed before the bytes were here.
        Timeout = "timeout",
        /// The address is one that is never fetched, or the host refused the connection.
        Refused = "refused",
        /// The host answered with something other than success.
        Status = "status",
        /// Too many bytes, pixels or frames.
        TooLarge = "too_large",
        /// The bytes are no picture that can be read.
        Undecodable = "undecodable",
        /// Nothing tried to fetch it (`scan` without `--fetch`).
        NotFetched = "not_fetched",
    }
}

words! {
    /// How a picture was turned or mirrored: the eight symmetries of the square.
    Transform {
        /// Nothing but re-encoding, blur, grey or scale.
        None = "none",
        /// Left and right exchanged.
        Mirror = "mirror",
        /// Top and bottom exchanged.
        Flip = "flip",
        /// A quarter turn counter-clockwise.
        Rotate90 = "rotate90",
        /// A half turn.
        Rotate180 = "rotate180",
        /// Three quarter turns counter-clockwise.
        Rotate270 = "rotate270",
        /// Exchanged along the main diagonal.
        Transpose = "transpose",
        /// Exchanged along the other diagonal.
        Transverse = "transverse",
    }
}

/// What was done to a reference photo to get the listing's photo.
///
/// As text it is its words joined by `+`, or `none`: re-encoding, blur, grey and scale do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alteration {
    /// How it was turned or mirrored.
    pub turned: Transform,
    /// Turned by an angle that is not a multiple of 90 degrees (beyond `turned`).
    pub tilt: bool,
    /// Only a part of it is shown.
    pub crop: bool,
    /// There is a border around it.
    pub border: bool,
    /// Something lies over it.
    pub overlay: bool,
    /// It stands beside other pictures.
    pub collage: bool,
}

impl Alteration {
    /// Nothing was done.
    pub const NONE: Self = Self {
        turned: Transform::None,
        tilt: false,
        crop: false,
        border: false,
        overlay: false,
        collage: false,
    };

    /// Turned or mirrored, and nothing else.
    pub const fn turned(turned: Transform) -> Self {
        Self { turned, ..Self::NONE }
    }

    /// Reads the words; `None` if one is unknown or stands twice.
    pub fn parse(text: &str) -> Option<Self> {
        let mut read = Self::NONE;
        if text == "none" {
            return Some(read);
        }
        for word in text.split('+') {
            let flag = match word {
                "tilt" => &mut read.tilt,
                "crop" => &mut read.crop,
                "border" => &mut read.border,
                "overlay" => &mut read.overlay,
                "collage" => &mut read.collage,
                _ => {
                    let turned = Transform::parse(word).filter(|t| *t != Transform::None)?;
                    if read.turned != Transform::None {
                        return None;
                    }
                    read.turned = turned;
                    continue;
                }
            };
            if std::mem::replace(flag, true) {
                return None;
            }
        }
        Some(read)
    }
}

impl From<Transform> for Alteration {
    fn from(turned: Transform) -> Self {
        Self::turned(turned)
    }
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.turned != Transform::None, self.turned.as_str()),
            (self.tilt, "tilt"),
            (self.crop, "crop"),
            (self.border, "border"),
            (self.overlay, "overlay"),
            (self.collage, "collage"),
        ];
        let mut seen = false;
        for (_, word) in words.into_iter().filter(|(is_so, _)| *is_so) {
            f.write_str(if seen { "+" } else { "" })?;
            f.write_str(word)?;
            seen = true;
        }
        if seen { Ok(()) } else { f.write_str("none") }
    }
}

/// Where a reference photo lies in a photo of a listing, in thousandths of the sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlay {
    /// The part of the reference that is shown: left, top, right and bottom, 0 to 1000.
    pub shown: [u16; 4],
    /// Where the reference's corners (top left, top right, bottom right, bottom left) lie in the listing's photo, x and y;
    /// below 0 or above 1000 where they were cut off.
    pub corners: [[i32; 2]; 4],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_rejects_what_is_not_a_hash() {
        let hash = Hash256::from_words([1, 2, 3, u64::MAX]);
        assert_eq!(Hash256::from_hex(&hash.to_string()), Ok(hash));
        for bad in ["", "zz", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32)] {
            assert!(Hash256::from_hex(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn equal_hashes_have_distance_zero_and_complements_256() {
        let hash = Hash256::from_words([0x0123_4567_89ab_cdef; 4]);
        let complement = Hash256::from_words(hash.words().map(|w| !w));
        assert_eq!(hash.distance(&hash).bits(), 0);
        assert_eq!(hash.distance(&complement).bits(), 256);
    }

    #[test]
    fn an_alteration_reads_back_as_it_was_written() {
        for bits in 0..32_u8 {
            for turned in Transform::ALL {
                let bit = |i: u8| bits >> i & 1 == 1;
                let alteration = Alteration {
                    turned: *turned,
                    tilt: bit(0),
                    crop: bit(1),
                    border: bit(2),
                    overlay: bit(3),
                    collage: bit(4),
                };
                assert_eq!(Alteration::parse(&alteration.to_string()), Some(alteration));
            }
        }
        assert_eq!(
            Alteration { crop: true, ..Alteration::turned(Transform::Mirror) }.to_string(),
            "mirror+crop"
        );
        for wrong in ["", "crop+crop", "mirror+flip", "none+crop", "cropped", "crop+"] {
            assert_eq!(Alteration::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_detail_has_one_byte_at_least_and_not_too_many() {
        assert!(PhotoDetail::new(vec![0; PhotoDetail::MAX_BYTES]).is_some());
        assert!(PhotoDetail::new(vec![0; PhotoDetail::MAX_BYTES + 1]).is_none());
        assert!(PhotoDetail::new(Vec::new()).is_none());
    }
}
