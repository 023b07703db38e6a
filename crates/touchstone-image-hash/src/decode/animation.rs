//! The frame of an animation that a hash is made of: the first that shows something.
//!
//! A blank frame in front hides a picture from whoever looks at the first frame alone, and hardly from a buyer.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageFormat, Limits};

use super::opaque;

/// Frames looked at, the first included.
const MAX_FRAMES: usize = 8;

/// Samples of a blank frame differ by no more than so much from those of its first pixel.
const BLANK: u8 = 8;

/// What a decoder takes for each pixel: what it shows, the frame it reads, and the two laid over each other.
const BYTES_PER_PIXEL: u64 = 12;

/// Whether a frame, of 8 bits a sample, shows nothing.
pub(super) fn is_blank(frame: &DynamicImage) -> bool {
    let samples = frame.as_bytes();
    let n_channels = usize::from(frame.color().channel_count());
    let Some(first) = samples.get(..n_channels) else { return true };
    samples
        .chunks_exact(n_channels)
        .all(|pixel| pixel.iter().zip(first).all(|(sample, of_first)| sample.abs_diff(*of_first) <= BLANK))
}

/// The first frame that is not blank, over white, among those that can be read and are looked at; `first` is the first of them.
/// All together have at most `max_pixels` pixels. `None` for a file of one frame.
pub(super) fn first_telling_frame(
    bytes: &[u8],
    format: ImageFormat,
    first: &DynamicImage,
    max_pixels: u64,
) -> Option<DynamicImage> {
    let pixels = u64::from(first.width()) * u64::from(first.height());
    let n_frames = usize::try_from(max_pixels / pixels.max(1)).unwrap_or(MAX_FRAMES).min(MAX_FRAMES);
    if n_frames < 2 {
        return None;
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(pixels * BYTES_PER_PIXEL + (1 << 20));
    let file = Cursor::new(bytes);
    let frames: Frames<'_> = match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(file).ok()?;
            decoder.set_limits(limits).ok()?;
            decoder.into_frames()
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(file, limits).ok()?;
            if !decoder.is_apng().ok()? {
                return None;
            }
            decoder.apng().ok()?.into_frames()
        }
        ImageFormat::WebP => {
            let mut decoder = WebPDecoder::new(file).ok()?;
            decoder.set_limits(limits).ok()?;
            if !decoder.has_animation() {
                return None;
            }
            decoder.into_frames()
        }
        _ => return None,
    };
    let readable = frames.take(n_frames).map_while(Result::ok);
    readable.map(|frame| opaque(DynamicImage::ImageRgba8(frame.into_buffer()))).find(|frame| !is_blank(frame))
}

#[cfg(test)]
mod tests {
    use image::{Frame, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;
    use crate::decode::{DecodeLimits, decode};
    use crate::picture::Picture;

    const WHITE: fn(u32, u32) -> u8 = |_, _| 255;
    const PICTURE: fn(u32, u32) -> u8 = |x, y| if (x + y) % 2 == 0 { 0 } else { 200 };

    fn gif(frames: &[fn(u32, u32) -> u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for shade in frames {
            let frame = RgbaImage::from_fn(6, 4, |x, y| {
                let shade = shade(x, y);
                Rgba([shade, shade, shade, 255])
            });
            encoder.encode_frame(Frame::new(frame)).unwrap();
        }
        drop(encoder);
        bytes
    }

    fn picture(shade: fn(u32, u32) -> u8) -> Picture {
        let pixels = RgbImage::from_fn(6, 4, |x, y| Rgb([shade(x, y); 3]));
        Picture::from_rgb(6, 4, pixels.into_raw()).unwrap()
    }

    #[test]
    fn blank_frames_in_front_hide_nothing_and_one_that_shows_something_counts() {
        let limits = DecodeLimits::default();
        assert_eq!(decode(&gif(&[WHITE, WHITE, PICTURE]), &limits).unwrap(), picture(PICTURE));
        assert_eq!(decode(&gif(&[PICTURE, WHITE]), &limits).unwrap(), picture(PICTURE));
        assert_eq!(decode(&gif(&[WHITE]), &limits).unwrap(), picture(WHITE));
        let never = [WHITE; MAX_FRAMES + 1];
        assert_eq!(decode(&gif(&never), &limits).unwrap(), picture(WHITE));
    }

    #[test]
    fn other_formats_hide_nothing_either() {
        let files: [(&str, &[u8]); 2] = [
            ("png", include_bytes!("../../tests/pictures/blank_first.png")),
            ("webp", include_bytes!("../../tests/pictures/blank_first.webp")),
        ];
        for (name, file) in files {
            let found = decode(file, &DecodeLimits::default()).unwrap();
            let image = RgbImage::from_fn(found.width(), found.height(), |_, _| Rgb([255; 3]));
            let white = Picture::from_rgb(found.width(), found.height(), image.into_raw()).unwrap();
            assert_ne!(found, white, "{name}");
        }
    }

    #[test]
    fn frames_beyond_the_limits_are_left_alone() {
        let limits = DecodeLimits { max_pixels: 2 * 24, ..DecodeLimits::default() };
        assert_eq!(decode(&gif(&[WHITE, PICTURE]), &limits).unwrap(), picture(PICTURE));
        assert_eq!(decode(&gif(&[WHITE, WHITE, PICTURE]), &limits).unwrap(), picture(WHITE));
        let mut cut = gif(&[WHITE, PICTURE]);
        cut.truncate(cut.len() - 12);
        assert_eq!(decode(&cut, &DecodeLimits::default()).unwrap(), picture(WHITE));
    }
}
