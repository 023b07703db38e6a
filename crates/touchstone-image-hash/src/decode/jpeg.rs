//! JPEG: a fast decoder for the usual, and a plain one for the small, the damaged and the rare.
//!
//! `zune-jpeg` reads large pictures that are whole. Its samples differ from libjpeg's by a little rounding, which a picture that is
//! shrunk before it is hashed does not show, and where a file is cut off it fills the rest with grey, which must not be hashed. So
//! [`plain`] reads small pictures, to the last bit as libjpeg, and whatever `zune-jpeg` finds fault with.

mod colour;
mod huffman;
mod idct;
mod plain;

use std::borrow::Cow;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Colours, DecodeLimits};
use crate::error::DecodeError;
use crate::pdq::Pdq;

const FORMAT: &str = "JPEG";

/// The pixels as stored, how they are to be turned, and whether they are luma and chroma instead of red, green and blue.
pub(super) fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    colours: Colours,
) -> Result<(DynamicImage, Orientation, bool), DecodeError> {
    if let Some(scan) = Scan::first_of(bytes)
        && let Some(decoded) = decode_fast(&scan, bytes, limits, colours)?
    {
        return Ok(decoded);
    }
    let plain::Decoded { width, height, pixels, grey, exif } = plain::decode(bytes, limits)?;
    Ok((image_of(width, height, pixels, grey)?, orientation(exif.as_ref()), false))
}

/// The picture if it is large and nothing is wrong with the file.
fn decode_fast(
    scan: &Scan<'_>,
    bytes: &[u8],
    limits: &DecodeLimits,
    colours: Colours,
) -> Result<Option<(DynamicImage, Orientation, bool)>, DecodeError> {
    let Some(bytes) = scan.unmistakable(bytes, limits) else { return Ok(None) };
    // The format's own limit; ours is checked below, where the error can say the size.
    let options =
        DecoderOptions::default().set_max_width(65_535).set_max_height(65_535).set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*bytes), options);
    if decoder.decode_headers().is_err() {
        return Ok(None);
    }
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    limits.check_sides(width, height)?;
    let n_components = decoder.info().map_or(0, |info| info.components);
    if width.max(height) <= Pdq::WORKING_SIDE || !scan.is_usual(n_components) {
        return Ok(None);
    }
    let space = match (decoder.input_colorspace(), colours) {
        (Some(ColorSpace::Luma), _) => ColorSpace::Luma,
        (Some(ColorSpace::YCbCr), Colours::Luma) => ColorSpace::Luma,
        (Some(ColorSpace::YCbCr), Colours::LumaAndChroma) => ColorSpace::YCbCr,
        _ => ColorSpace::RGB,
    };
    let most = max_scans(limits, width as usize * height as usize);
    decoder.set_options(options.jpeg_set_out_colorspace(space).jpeg_set_max_scans(most));
    let pixels: Result<Vec<u8>, DecodeErrors> = decoder.decode();
    let Ok(pixels) = pixels else { return Ok(None) };
    let image = image_of(width, height, pixels, space == ColorSpace::Luma)?;
    Ok(Some((image, orientation(decoder.exif()), space == ColorSpace::YCbCr)))
}

fn image_of(width: u32, height: u32, pixels: Vec<u8>, grey: bool) -> Result<DynamicImage, DecodeError> {
    let image = match grey {
        true => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        false => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
    };
    image.ok_or_else(|| DecodeError::Malformed {
        format: FORMAT,
        reason: "fewer pixels than announced".to_owned(),
    })
}

fn orientation(exif: Option<&Vec<u8>>) -> Orientation {
    exif.and_then(|exif| Orientation::from_exif_chunk(exif)).unwrap_or(Orientation::NoTransforms)
}

/// How many scans a picture of so many pixels may have. Each goes over the whole picture and can be a few bytes long, so their
/// number alone bounds the work: at the limit on pixels 20, which is twice what encoders write, and for small pictures 100.
fn max_scans(limits: &DecodeLimits, pixels: usize) -> usize {
    let affordable = limits.max_pixels.saturating_mul(20) / (pixels as u64).max(1);
    affordable.clamp(20, 100) as usize
}

/// The first scan of a file, and what can be seen of the file without decoding it.
struct Scan<'a> {
    progressive: bool,
    restarts: bool,
    /// From the marker of the scan to the end of the file.
    bytes: &'a [u8],
}

impl<'a> Scan<'a> {
    fn first_of(bytes: &'a [u8]) -> Option<Self> {
        let (mut at, mut progressive, mut restarts) = (2, false, false);
        // Segments are a marker and a length; whatever else stands between them is skipped byte by byte, as decoders do.
        while let Some(&[first, kind, high, low]) = bytes.get(at..at + 4) {
            match (first, kind) {
                (0xff, 0xda) => return Some(Self { progressive, restarts, bytes: &bytes[at..] }),
                (0xff, 0x01..=0xfe) if !(0xd0..=0xd9).contains(&kind) => {
                    progressive |= kind == 0xc2;
                    restarts |= kind == 0xdd;
                    at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
                }
                _ => at += 1,
            }
        }
        None
    }

    /// Whether `zune-jpeg` reads files like this one as libjpeg does. It takes components named R, G and B for luma and colour
    /// differences, and does not bound the number of scans of a sequential file that has more than one.
    fn is_usual(&self, n_components: u8) -> bool {
        let in_one = self.bytes.get(4) == Some(&n_components);
        let names = [5, 7, 9].map(|at| self.bytes.get(at).copied().unwrap_or_default());
        (self.progressive || in_one) && names != *b"RGB"
    }

    /// The file in a form in which `zune-jpeg` cannot take a picture that was cut off for a whole one; `None` if it is cut off, or
    /// there is no such form.
    ///
    /// Behind an end-of-image marker the decoder goes on with zeros. In a sequential file an unknown marker takes its place, at
    /// which the decoder fails, far enough behind the data of a whole scan not to be seen. In a progressive file the first scan,
    /// which has the means of all blocks, is read beforehand.
    fn unmistakable(&self, file: &'a [u8], limits: &DecodeLimits) -> Option<Cow<'a, [u8]>> {
        if self.progressive {
            let whole =
                file.windows(2).rev().any(|pair| pair == [0xff, 0xd9]) && plain::has_means(file, limits);
            return whole.then_some(Cow::Borrowed(file));
        }
        if self.restarts {
            return None;
        }
        // In the coded data of a scan the byte `ff` is never followed by `d9`.
        let length = self.bytes.windows(2).position(|pair| pair == [0xff, 0xd9])?;
        let before = file.len() - self.bytes.len() + length;
        let mut marked = Vec::with_capacity(before + 18);
        marked.extend(&file[..before]);
        marked.extend([0; 16]);
        marked.extend([0xff, 0x02]);
        Some(Cow::Owned(marked))
    }
}
