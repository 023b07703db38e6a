//! From the bytes of a picture file to upright pixels, within limits on bytes, pixels and memory.
//!
//! The bytes are written by strangers. The size of the picture is read from its header and checked before memory is taken for
//! its pixels, and the number of bytes a pixel costs is bounded for every format, so the limits bound the memory of a decoding.
//! Crate `image` reads PNG, WebP, GIF and BMP; JPEG, by far the most frequent, is read by the decoder that `image` itself uses,
//! because that decoder can leave the colours out.

mod animation;
mod jpeg;
mod png;
mod webp;

use std::io::{Cursor, ErrorKind};

use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use crate::error::DecodeError;
use crate::picture::Picture;

/// What a picture may cost. A picture beyond any of the limits is an error, never cut or scaled down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Length of the encoded file in bytes. Default 16 MiB.
    pub max_bytes: usize,
    /// Pixels, width times height. Default 25,000,000 (a 5000x5000 picture).
    ///
    /// Decoding and hashing take at most 16 bytes for each that is allowed, once more the length of the file, and 19 MiB, in the worst format.
    pub max_pixels: u64,
    /// Pixels along either side. Default 16,384.
    pub max_side: u32,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_bytes: 16 << 20, max_pixels: 25_000_000, max_side: 16_384 }
    }
}

impl DecodeLimits {
    /// The most memory a decoder of crate `image` may take at once: the widest pixel it knows has 8 bytes, and the
    /// fixed part is for palettes, metadata and windows of compression.
    fn max_alloc(&self) -> u64 {
        self.max_pixels.saturating_mul(8).saturating_add(1 << 20)
    }

    fn check_bytes(&self, bytes: usize) -> Result<(), DecodeError> {
        let max_bytes = self.max_bytes;
        if bytes > max_bytes { Err(DecodeError::TooManyBytes { bytes, max_bytes }) } else { Ok(()) }
    }

    fn check_sides(&self, width: u32, height: u32) -> Result<(), DecodeError> {
        let &Self { max_pixels, max_side, .. } = self;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > max_pixels || width > max_side || height > max_side {
            return Err(DecodeError::TooManyPixels { width, height, max_pixels, max_side });
        }
        Ok(())
    }
}

/// In which form the caller wants the colours of a large JPEG; everything else is red, green and blue, or grey.
///
/// The last two have the very same luma, so one file has one hash; that of red, green and blue differs from it by rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    /// Red, green and blue.
    All,
    /// The luma alone, as the file has it.
    Luma,
    /// Luma and chroma, as the file has them.
    LumaAndChroma,
}

/// Decodes a JPEG, PNG, WebP, GIF or BMP picture, recognised by its first bytes.
///
/// The EXIF orientation is applied, transparency is laid over white, 16-bit samples are rounded to 8 bits, palettes and CMYK
/// become red, green and blue. Of an animated file one frame is taken: the first that shows
/// something by PDQ's measure of quality, of the first eight (the first alone of pictures above half of
/// the pixels allowed, and of PNGs of 16 bits). Colour profiles are ignored, as PDQ's reference
/// program ignores them.
///
/// # Errors
/// [`DecodeError`]: a limit is passed, or the bytes are no such picture, or they end too early.
///
/// Of a JPEG that is damaged or cut off, nine tenths or more must have been read; the last row that was is then repeated down to
/// the end, so that the rest keeps its place. A cut PNG, WebP, GIF or BMP is an error.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<Picture, DecodeError> {
    decode_colours(bytes, limits, Colours::All)
}

pub(crate) fn decode_colours(
    bytes: &[u8],
    limits: &DecodeLimits,
    colours: Colours,
) -> Result<Picture, DecodeError> {
    limits.check_bytes(bytes.len())?;
    let mut is_chroma = false;
    let format = image::guess_format(bytes);
    let (image, orientation) = match format {
        Ok(ImageFormat::Jpeg) => {
            let (image, orientation, chroma) = jpeg::decode(bytes, limits, colours)?;
            is_chroma = chroma;
            (image, orientation)
        }
        Ok(ImageFormat::Png) => {
            decode_with_image(bytes, &png::limits_of(bytes, limits)?, ImageFormat::Png, "PNG")?
        }
        Ok(ImageFormat::Gif) => decode_with_image(bytes, limits, ImageFormat::Gif, "GIF")?,
        Ok(ImageFormat::Bmp) => decode_with_image(bytes, limits, ImageFormat::Bmp, "BMP")?,
        Ok(ImageFormat::WebP) => {
            webp::check_frames(bytes, limits)?;
            decode_with_image(bytes, limits, ImageFormat::WebP, "WebP")?
        }
        _ => return Err(DecodeError::UnknownFormat),
    };
    let mut image = opaque(image);
    if let Ok(format @ (ImageFormat::Gif | ImageFormat::Png | ImageFormat::WebP)) = format {
        image = animation::telling_frame(bytes, format, image, limits.max_pixels);
    }
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let is_grey = matches!(image, DynamicImage::ImageLuma8(_));
    let picture = match is_chroma && !is_grey {
        true => Picture::from_luma_and_chroma(width, height, image.into_rgb8().into_raw()),
        false => picture_of(image),
    };
    let empty = || DecodeError::Malformed { format: "picture", reason: "it has no pixels".to_owned() };
    picture.ok_or_else(empty)
}

/// The picture of an image of 8 bits a sample, without alpha.
fn picture_of(image: DynamicImage) -> Option<Picture> {
    let (width, height) = (image.width(), image.height());
    match image {
        DynamicImage::ImageLuma8(grey) => Picture::from_grey(width, height, grey.into_raw()),
        coloured => Picture::from_rgb(width, height, coloured.into_rgb8().into_raw()),
    }
}

fn decode_with_image(
    bytes: &[u8],
    limits: &DecodeLimits,
    format: ImageFormat,
    name: &'static str,
) -> Result<(DynamicImage, Orientation), DecodeError> {
    let max_alloc = limits.max_alloc();
    let error = |error: ImageError| match error {
        // The GIF decoder has words for it and no kind.
        ImageError::Decoding(e) if e.to_string().contains("Unexpected End of File") => {
            DecodeError::Truncated { format: name }
        }
        ImageError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format: name }
        }
        ImageError::Limits(_) => DecodeError::TooMuchMemory { max_alloc },
        other => DecodeError::Malformed { format: name, reason: other.to_string() },
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The sides are checked below, where the error can say what they are.
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc = Some(max_alloc);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(error)?;
    let (width, height) = decoder.dimensions();
    limits.check_sides(width, height)?;
    // Metadata that cannot be read is no reason to refuse the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(error)?, orientation))
}

/// The picture in 8 bits a sample, over white where it is transparent: grey if it was grey, else red, green and blue.
fn opaque(image: DynamicImage) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    let from_grey = |grey| GrayImage::from_raw(width, height, grey).map(DynamicImage::ImageLuma8);
    let from_rgb = |rgb| RgbImage::from_raw(width, height, rgb).map(DynamicImage::ImageRgb8);
    let rebuilt = match &image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => return image,
        DynamicImage::ImageLumaA8(with_alpha) => from_grey(over_white::<1, 2, u8>(with_alpha, 0xff)),
        DynamicImage::ImageRgba8(with_alpha) => from_rgb(over_white::<3, 4, u8>(with_alpha, 0xff)),
        DynamicImage::ImageLuma16(grey) => {
            from_grey(grey.iter().map(|&v| blend(v.into(), 1, 1, 0xffff)).collect())
        }
        DynamicImage::ImageRgb16(rgb) => {
            from_rgb(rgb.iter().map(|&v| blend(v.into(), 1, 1, 0xffff)).collect())
        }
        DynamicImage::ImageLumaA16(with_alpha) => from_grey(over_white::<1, 2, u16>(with_alpha, 0xffff)),
        DynamicImage::ImageRgba16(with_alpha) => from_rgb(over_white::<3, 4, u16>(with_alpha, 0xffff)),
        _ => None,
    };
    rebuilt.unwrap_or_else(|| DynamicImage::ImageRgb8(image.into_rgb8()))
}

/// Lays pixels of `COLOURS` samples and an alpha sample (`ALL` in all) over white; `max` is the sample's largest value.
fn over_white<const COLOURS: usize, const ALL: usize, S: Copy + Into<u64>>(
    samples: &[S],
    max: u64,
) -> Vec<u8> {
    let mut opaque = Vec::with_capacity(samples.len() / ALL * COLOURS);
    for pixel in samples.as_chunks::<ALL>().0 {
        let alpha = pixel[COLOURS].into();
        // Most pixels are wholly opaque or wholly transparent, and a division is slow.
        opaque.extend(pixel[..COLOURS].iter().map(|&sample| match sample.into() {
            _ if alpha == 0 => 0xff,
            sample if alpha == max && max == 0xff => sample as u8,
            sample => blend(sample, alpha, max, max),
        }));
    }
    opaque
}

/// A sample of weight `alpha / opaque` over white, rounded to 8 bits.
fn blend(sample: u64, alpha: u64, opaque: u64, max: u64) -> u8 {
    let over = sample * alpha + max * (opaque - alpha);
    ((over * 255 + opaque * max / 2) / (opaque * max)) as u8
}

#[cfg(test)]
mod tests;
