//! Why a picture could not be read.

use touchstone_types::PhotoFailure;

/// Why bytes did not become a picture. [`DecodeError::failure`] says what a verdict's `missing` calls it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The encoded file is longer than allowed; nothing of it was read.
    #[error("the picture file has {bytes} bytes, more than the {max_bytes} allowed")]
    TooManyBytes {
        /// Length of the file in bytes.
        bytes: usize,
        /// The limit it passed.
        max_bytes: usize,
    },
    /// The header announces more pixels, or a longer side, than allowed; no memory was taken for them.
    #[error(
        "the picture is {width}x{height} pixels, more than the {max_pixels} pixels or {max_side} a side allowed"
    )]
    TooManyPixels {
        /// Announced width in pixels.
        width: u32,
        /// Announced height in pixels.
        height: u32,
        /// The limit on the product of the sides.
        max_pixels: u64,
        /// The limit on either side.
        max_side: u32,
    },
    /// Decoding would have taken more memory than the limits allow.
    #[error("decoding the picture needs more than the {max_alloc} bytes of memory allowed")]
    TooMuchMemory {
        /// The limit in bytes.
        max_alloc: u64,
    },
    /// The first bytes are of none of the formats read: JPEG, PNG, WebP, GIF, BMP.
    #[error("the file is no JPEG, PNG, WebP, GIF or BMP picture")]
    UnknownFormat,
    /// The file ends before the picture does.
    #[error("the {format} file ends before the picture does")]
    Truncated {
        /// The format announced by the first bytes.
        format: &'static str,
    },
    /// The file breaks the rules of its own format, or uses a part of it that is not supported.
    #[error("the {format} file cannot be decoded: {reason}")]
    Malformed {
        /// The format announced by the first bytes.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

impl DecodeError {
    /// The word for it in a verdict's `missing` list: too large, or undecodable.
    pub fn failure(&self) -> PhotoFailure {
        match self {
            Self::TooManyBytes { .. } | Self::TooManyPixels { .. } | Self::TooMuchMemory { .. } => {
                PhotoFailure::TooLarge
            }
            Self::UnknownFormat | Self::Truncated { .. } | Self::Malformed { .. } => {
                PhotoFailure::Undecodable
            }
        }
    }
}
