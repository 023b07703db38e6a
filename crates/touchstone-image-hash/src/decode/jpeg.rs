//! JPEG, with `zune-jpeg`.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Colours, DecodeLimits};
use crate::error::DecodeError;

const FORMAT: &str = "JPEG";

/// The pixels as stored, grey or red, green and blue, and how they are to be turned.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    colours: Colours,
) -> Result<(DynamicImage, Orientation), DecodeError> {
    let malformed =
        |error: DecodeErrors| DecodeError::Malformed { format: FORMAT, reason: error.to_string() };
    // The format's own limit; ours is checked below, where the error can say the size.
    let options =
        DecoderOptions::default().set_max_width(65_535).set_max_height(65_535).set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(malformed)?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    limits.check_sides(width, height)?;
    if !has_end(bytes) {
        return Err(DecodeError::Truncated { format: FORMAT });
    }
    let space = match (decoder.input_colorspace(), colours) {
        (Some(ColorSpace::Luma), _) => ColorSpace::Luma,
        (Some(ColorSpace::YCbCr), Colours::LumaAbove(side)) if width.max(height) > side => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let pixels = decoder.decode().map_err(malformed)?;
    let exif = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let image = match space {
        ColorSpace::Luma => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
    };
    let short =
        || DecodeError::Malformed { format: FORMAT, reason: "fewer pixels than announced".to_owned() };
    Ok((image.ok_or_else(short)?, exif.unwrap_or(Orientation::NoTransforms)))
}

/// Whether an end-of-image marker follows the first scan.
///
/// The decoder makes the best of a file that was cut off and fills the rest with grey, which would be hashed as if it were the
/// picture. In the coded data of a scan the byte `ff` is never followed by `d9`; before the first scan it may be, in a thumbnail.
fn has_end(bytes: &[u8]) -> bool {
    let marker = |wanted: u8| move |pair: &[u8]| pair == [0xff, wanted];
    let mut at = 2;
    // Segments are a marker and a length; whatever else stands between them is skipped byte by byte, as decoders do.
    while let Some(&[first, kind, high, low]) = bytes.get(at..at + 4) {
        match (first, kind) {
            (0xff, 0xda) => return bytes[at..].windows(2).rev().any(marker(0xd9)),
            (0xff, 0x01..=0xfe) if !(0xd0..=0xd9).contains(&kind) => {
                at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
            _ => at += 1,
        }
    }
    false
}
