//! The frame of an animation that a hash is made of: the first that shows something.
//!
//! A blank frame in front, or a still picture that browsers replace by the animation, hides a picture from whoever looks at that alone,
//! and hardly from a buyer. "Shows something" is PDQ's own measure, so that a dot or a shade on a blank frame does not pass for a picture.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageFormat, Limits};
use touchstone_types::Quality;

use super::{opaque, picture_of};
use crate::pdq::Pdq;
use crate::references::MIN_QUALITY;

/// Frames looked at, the first included; fewer where they have many pixels.
const MAX_FRAMES: usize = 8;

/// What a decoder takes for each pixel: what was shown, what is shown, a frame as the file has it and as red, green, blue and alpha.
const BYTES_PER_PIXEL: u64 = 18;

/// The frame that a buyer sees: `first`, which the decoder gave, or where it shows next to nothing, the first of the others that shows
/// something; failing that, the one that shows most. What cannot be read of the others counts for nothing.
///
/// `max_pixels` is that of one picture. Of animations of more than half of that, `first` alone is looked at: the others would take
/// more memory than a picture may.
pub(super) fn telling_frame(
    bytes: &[u8],
    format: ImageFormat,
    first: DynamicImage,
    max_pixels: u64,
) -> DynamicImage {
    let pixels = u64::from(first.width()) * u64::from(first.height());
    if pixels == 0 || pixels * 2 > max_pixels {
        return first;
    }
    let is_shown = match format {
        ImageFormat::Gif => true,
        ImageFormat::Png => match png_animation(bytes) {
            Some(animation) => animation.shows_still,
            None => return first,
        },
        ImageFormat::WebP if is_webp_animation(bytes) => true,
        _ => return first,
    };
    let mut best = (if is_shown { quality(&first) } else { None }, first);
    if best.0 >= Some(MIN_QUALITY) {
        return best.1;
    }
    let Some(frames) = frames(bytes, format, pixels) else { return best.1 };
    // Large frames are dear: together they may have the pixels of two pictures.
    let n_frames = (2 * max_pixels / pixels).min(MAX_FRAMES as u64) as usize;
    // The first frame has been looked at where it is the picture that the decoder gave.
    let seen = usize::from(is_shown);
    for frame in frames.take(n_frames).skip(seen).map_while(Result::ok) {
        let frame = opaque(DynamicImage::ImageRgba8(frame.into_buffer()));
        let quality = quality(&frame);
        if quality > best.0 {
            best = (quality, frame);
        }
        if best.0 >= Some(MIN_QUALITY) {
            break;
        }
    }
    best.1
}

fn quality(frame: &DynamicImage) -> Option<Quality> {
    Some(Pdq::of(&picture_of(frame.clone())?).quality)
}

fn frames(bytes: &[u8], format: ImageFormat, pixels: u64) -> Option<Frames<'_>> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(pixels * BYTES_PER_PIXEL + (1 << 20));
    let file = Cursor::new(bytes);
    match format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(file).ok()?;
            decoder.set_limits(limits).ok()?;
            Some(decoder.into_frames())
        }
        ImageFormat::Png => Some(PngDecoder::with_limits(file, limits).ok()?.apng().ok()?.into_frames()),
        ImageFormat::WebP => {
            let mut decoder = WebPDecoder::new(file).ok()?;
            decoder.set_limits(limits).ok()?;
            Some(decoder.into_frames())
        }
        _ => None,
    }
}

struct PngAnimation {
    /// Whether the still picture of the file is the first frame, too.
    shows_still: bool,
}

/// What the chunks before the pixels say: `acTL` makes a PNG an animation, `fcTL` makes its still picture a frame (PNG, 3rd edition).
fn png_animation(bytes: &[u8]) -> Option<PngAnimation> {
    let (mut rest, mut is_animation, mut shows_still) = (bytes.get(8..)?, false, false);
    loop {
        let (&[l0, l1, l2, l3, a, b, c, d], contents) = rest.split_first_chunk()?;
        match &[a, b, c, d] {
            b"acTL" => is_animation = true,
            b"fcTL" => shows_still = true,
            b"IDAT" => return is_animation.then_some(PngAnimation { shows_still }),
            _ => {}
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        rest = contents.get(length.checked_add(4)?..)?;
    }
}

/// The extended header has a flag for it (the WebP container specification).
fn is_webp_animation(bytes: &[u8]) -> bool {
    bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
}

#[cfg(test)]
mod tests {
    use image::{Frame, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;
    use crate::decode::{DecodeLimits, decode};
    use crate::picture::Picture;

    const WHITE: fn(u32, u32) -> u8 = |_, _| 255;
    const PICTURE: fn(u32, u32) -> u8 = |x, y| (x / 8 * 37 + y / 8 * 91) as u8;
    const WIDTH: u32 = 64;
    const HEIGHT: u32 = 48;
    const PIXELS: u64 = (WIDTH * HEIGHT) as u64;

    fn gif(frames: &[fn(u32, u32) -> u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for shade in frames {
            let frame = RgbaImage::from_fn(WIDTH, HEIGHT, |x, y| {
                let shade = shade(x, y);
                Rgba([shade, shade, shade, 255])
            });
            encoder.encode_frame(Frame::new(frame)).unwrap();
        }
        drop(encoder);
        bytes
    }

    fn picture(shade: fn(u32, u32) -> u8) -> Picture {
        let pixels = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb([shade(x, y); 3]));
        Picture::from_rgb(WIDTH, HEIGHT, pixels.into_raw()).unwrap()
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
    fn a_dot_on_a_blank_frame_is_no_picture() {
        const DOT: fn(u32, u32) -> u8 = |x, y| if (x, y) == (0, 0) { 0 } else { 255 };
        assert_eq!(decode(&gif(&[DOT, PICTURE]), &DecodeLimits::default()).unwrap(), picture(PICTURE));
    }

    /// An animated PNG of `frames`, each of 700x500 pixels; the first is a still picture that is no frame, or is one.
    fn apng(frames: &[RgbaImage], shows_still: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (width, height) = frames[0].dimensions();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_animated(frames.len() as u32 - u32::from(!shows_still), 0).unwrap();
        encoder.set_sep_def_img(!shows_still).unwrap();
        let mut writer = encoder.write_header().unwrap();
        for frame in frames {
            writer.write_image_data(frame).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn of_a_large_animated_png_the_frame_counts_that_browsers_show() {
        let frame = |shade: fn(u32, u32) -> u8| {
            RgbaImage::from_fn(700, 500, |x, y| Rgba([shade(x, y), shade(x, y), shade(x, y), 255]))
        };
        let (white, shown) = (frame(WHITE), frame(|x, y| (x / 50 * 37 + y / 50 * 91) as u8));
        let decoy = frame(|x, y| (x / 70 * 91 + y / 30 * 37) as u8);
        let expected = DynamicImage::ImageRgba8(shown.clone()).into_rgb8().into_raw();
        let expected = Picture::from_rgb(700, 500, expected).unwrap();
        for file in [apng(&[white, shown.clone()], true), apng(&[decoy, shown], false)] {
            assert!(decode(&file, &DecodeLimits::default()).unwrap() == expected);
        }
    }

    #[test]
    fn frames_beyond_the_limits_are_left_alone() {
        let limits = |max_pixels| DecodeLimits { max_pixels, ..DecodeLimits::default() };
        let late = gif(&[WHITE, WHITE, WHITE, WHITE, WHITE, WHITE, WHITE, PICTURE]);
        assert_eq!(decode(&gif(&[WHITE; MAX_FRAMES + 1]), &limits(2 * PIXELS)).unwrap(), picture(WHITE));
        assert_eq!(decode(&late, &limits(4 * PIXELS)).unwrap(), picture(PICTURE));
        // Eight frames of this size are more than two pictures' worth; four are looked at.
        assert_eq!(decode(&late, &limits(2 * PIXELS)).unwrap(), picture(WHITE));
        let fourth = gif(&[WHITE, WHITE, WHITE, PICTURE]);
        assert_eq!(decode(&fourth, &limits(2 * PIXELS)).unwrap(), picture(PICTURE));
        assert_eq!(decode(&gif(&[WHITE, PICTURE]), &limits(2 * PIXELS - 1)).unwrap(), picture(WHITE));
        let mut cut = gif(&[WHITE, PICTURE]);
        cut.truncate(cut.len() - 40);
        assert_eq!(decode(&cut, &DecodeLimits::default()).unwrap(), picture(WHITE));
    }
}
