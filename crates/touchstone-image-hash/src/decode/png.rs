//! What the PNG decoder does not relate to the size of the picture.

use super::DecodeLimits;
use crate::error::DecodeError;

/// The limits narrowed to the pixels that the header announces.
///
/// The decoder unpacks a colour profile to whatever length the limit on memory admits: with the limit of the largest picture
/// allowed, a file of a few kilobytes could take hundreds of megabytes.
pub(super) fn limits_of(bytes: &[u8], limits: &DecodeLimits) -> Result<DecodeLimits, DecodeError> {
    // The signature, the length and the name of the first chunk, and in it the sides.
    let Some(&[w0, w1, w2, w3, h0, h1, h2, h3]) = bytes.get(16..24) else {
        return Err(DecodeError::Truncated { format: "PNG" });
    };
    let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    limits.check_sides(width, height)?;
    Ok(DecodeLimits { max_pixels: u64::from(width) * u64::from(height), ..*limits })
}
