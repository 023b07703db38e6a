//! Files that are broken, cut off, too large or made to do harm end as a hash or an error, within memory.

use touchstone_image_hash::{DecodeError, DecodeLimits, decode, photo};
use touchstone_types::PhotoFailure;

use crate::memory::peak_of;
use crate::{pictures, wide_pictures};

const LIMITS: DecodeLimits = DecodeLimits { max_bytes: 1 << 16, max_pixels: 1 << 16, max_side: 1 << 12 };

/// What the limits promise: 16 bytes a pixel, and a fixed part for tables, metadata and the working planes of the hash, and in a
/// lossy WebP file for a partition that may announce up to 16 MiB.
const MAX_PEAK: usize = 16 * (1 << 16) + (19 << 20);

fn decodes_or_fails_within_memory(bytes: &[u8], what: &str) {
    let (result, peak) = peak_of(|| photo(bytes, &LIMITS));
    // A lossy WebP frame alone may be as dear as the promise.
    let max_peak = if bytes.starts_with(b"RIFF") { MAX_PEAK } else { MAX_PEAK - (16 << 20) };
    assert!(peak <= max_peak, "{what}: {peak} bytes held, {:?}", result.err());
}

/// A small generator of pseudo-random numbers (xorshift), so that each run tries the same files.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound.max(1)
    }

    /// One of a few changes that find more faults than flipped bits do: extreme values, lost, doubled and moved pieces.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        if bytes.len() < 2 {
            return;
        }
        let at = self.below(bytes.len());
        let length = 1 + self.below(16).min(bytes.len() - at - 1);
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.below(256) as u8,
            2 => bytes[at..at + length].fill(0xff),
            3 => bytes[at..at + length].fill(0),
            4 => bytes.truncate(at.max(1)),
            5 => drop(bytes.drain(at..at + length)),
            6 => bytes.extend_from_within(at..at + length),
            _ => {
                let to = self.below(bytes.len() - length + 1);
                bytes.copy_within(at..at + length, to);
            }
        }
    }
}

#[test]
fn mutated_files_never_panic_and_never_take_more_memory_than_the_limits_allow() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (name, file) in pictures().into_iter().chain(wide_pictures()) {
        for round in 0..500 {
            let mut bytes = file.to_vec();
            for _ in 0..=random.below(4) {
                // Headers are a small part of the file and the greater part of what can go wrong.
                if random.below(2) == 0 && !bytes.is_empty() {
                    let at = random.below(bytes.len().min(64));
                    bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)];
                } else {
                    random.mutate(&mut bytes);
                }
            }
            decodes_or_fails_within_memory(&bytes, &format!("{name}, round {round}"));
        }
    }
}

#[test]
fn every_beginning_of_a_file_is_an_error_or_a_picture_and_half_of_it_is_an_error() {
    for (name, file) in pictures().into_iter().chain(wide_pictures()) {
        for length in 0..file.len() {
            decodes_or_fails_within_memory(&file[..length], name);
        }
        // Half of an animation may hold the whole of its first frame, half of a progressive file the whole in less detail.
        let is_animated = name.starts_with("animated") || name.starts_with("blank_first");
        if !is_animated && !name.contains("progressive") {
            for length in [file.len() / 4, file.len() / 2, file.len() * 3 / 4] {
                let error = decode(&file[..length], &LIMITS).expect_err(name);
                assert_eq!(error.failure(), PhotoFailure::Undecodable, "{name}: {error}");
            }
        }
    }
}

/// The grey or made-up pixels with which decoders fill a picture that was cut off are never hashed, though the file be closed again.
#[test]
fn a_jpeg_that_is_cut_off_and_closed_again_is_damaged() {
    for (name, file) in wide_pictures() {
        let scan = file.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        let length = match name.contains("progressive") {
            // Into the first scan, which alone says how far the picture goes.
            true => scan + 24,
            false => scan + (file.len() - scan) / 2,
        };
        let mut closed = file[..length].to_vec();
        closed.extend([0xff, 0xd9]);
        for hashed in [true, false] {
            let error = match hashed {
                true => photo(&closed, &LIMITS).map(drop).expect_err(name),
                false => decode(&closed, &LIMITS).map(drop).expect_err(name),
            };
            assert!(matches!(error, DecodeError::Malformed { format: "JPEG", .. }), "{name}: {error}");
        }
        assert!(photo(file, &LIMITS).is_ok(), "{name}");
    }
}

/// A progressive JPEG without any detail, of so many components at full size, with so many scans of a few bytes each.
fn progressive(width: u16, height: u16, n_components: u8, n_scans: usize) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    file.extend([1; 64]);
    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
    file.extend([0xff, 0xc2, 0, 8 + 3 * n_components, 8, h1, h0, w1, w0, n_components]);
    file.extend((1..=n_components).flat_map(|id| [id, 0x11, 0]));
    // One code of one bit each: no difference of the mean; 16,384 blocks and more without coefficients.
    for (slot, symbol) in [(0x00, 0x00), (0x10, 0xe0)] {
        file.extend([0xff, 0xc4, 0, 20, slot, 1]);
        file.extend([0; 15]);
        file.push(symbol);
    }
    file.extend([0xff, 0xda, 0, 6 + 2 * n_components, n_components]);
    file.extend((1..=n_components).flat_map(|id| [id, 0]));
    file.extend([0, 0, 0]);
    let n_blocks = usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8);
    file.resize(file.len() + (n_blocks * usize::from(n_components)).div_ceil(8), 0);
    for _ in 1..n_scans {
        file.extend([0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0]);
        file.resize(file.len() + 2 * n_blocks.div_ceil(1 << 14), 0);
    }
    file.extend([0xff, 0xd9]);
    file
}

/// Every scan goes over the whole picture, at the price of a few bytes.
#[test]
fn scans_are_bounded_by_the_number_of_pixels() {
    // Read by the plain decoder, and by the fast one.
    for (width, height, most) in [(256, 256, 20), (600, 100, 21)] {
        assert!(photo(&progressive(width, height, 3, most), &LIMITS).is_ok(), "{width}x{height}");
        let error = photo(&progressive(width, height, 3, most + 1), &LIMITS).expect_err("one scan more");
        assert!(error.to_string().contains(&format!("more than {most} scans")), "{error}");
    }
    assert!(photo(&progressive(40, 30, 1, 100), &LIMITS).is_ok());
    assert!(photo(&progressive(40, 30, 1, 101), &LIMITS).is_err());
}

#[test]
fn garbage_is_of_no_known_format() {
    for garbage in [&b""[..], b"x", b"<html>not found</html>", &[0; 100], &[0xff; 100], b"%PDF-1.7"] {
        assert_eq!(decode(garbage, &LIMITS), Err(DecodeError::UnknownFormat));
    }
}

#[test]
fn a_file_longer_than_allowed_is_not_looked_at() {
    let (_, file) = pictures()[0];
    let limits = |max_bytes| DecodeLimits { max_bytes, ..LIMITS };
    assert!(decode(file, &limits(file.len())).is_ok());
    let error = decode(file, &limits(file.len() - 1)).unwrap_err();
    assert_eq!(error, DecodeError::TooManyBytes { bytes: file.len(), max_bytes: file.len() - 1 });
    assert_eq!(error.failure(), PhotoFailure::TooLarge);
}

#[test]
fn a_picture_is_refused_just_above_the_limit_on_pixels_or_on_a_side() {
    for (name, file) in pictures() {
        let check = |max_pixels, max_side| decode(file, &DecodeLimits { max_pixels, max_side, ..LIMITS });
        assert!(check(1200, 40).is_ok(), "{name}");
        for (max_pixels, max_side) in [(1199, 40), (1200, 39)] {
            let error = check(max_pixels, max_side).expect_err(name);
            assert!(
                matches!(error, DecodeError::TooManyPixels { width: 40, height: 30, .. }),
                "{name}: {error}"
            );
            assert_eq!(error.failure(), PhotoFailure::TooLarge);
        }
    }
}

/// Files whose headers announce a huge picture: refused by the header, with next to no memory taken.
#[test]
fn bombs_are_refused_by_their_header() {
    let big = 60_000u32;
    let mut bombs = Vec::new();
    for (name, file) in pictures() {
        let mut bomb = file.to_vec();
        match &name[name.len() - 3..] {
            "png" => {
                bomb[16..20].copy_from_slice(&big.to_be_bytes());
                bomb[20..24].copy_from_slice(&big.to_be_bytes());
                let crc = crc32(&bomb[12..29]).to_be_bytes();
                bomb[29..33].copy_from_slice(&crc);
            }
            "gif" => bomb[6..10].copy_from_slice(&[0x60, 0xea, 0x60, 0xea]),
            "bmp" => {
                bomb[18..22].copy_from_slice(&big.to_le_bytes());
                bomb[22..26].copy_from_slice(&big.to_le_bytes());
            }
            "jpg" => {
                let frame = bomb.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
                bomb[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
            }
            _ if name == "lossy.webp" => bomb[26..30].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]),
            _ if name == "lossless.webp" => bomb[21..25].copy_from_slice(&[0xfe, 0xbf, 0xff, 0x0f]),
            // The canvas keeps its size, the frame inside it grows.
            _ => {
                let frame = bomb.windows(3).position(|bytes| bytes == [0x9d, 0x01, 0x2a]).unwrap();
                bomb[frame + 3..frame + 7].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
            }
        }
        bombs.push((name, bomb));
    }
    for (name, bomb) in bombs {
        let (result, peak) = peak_of(|| decode(&bomb, &DecodeLimits::default()));
        let error = result.expect_err(name);
        assert_eq!(error.failure(), PhotoFailure::TooLarge, "{name}: {error}");
        assert!(peak < 1 << 20, "{name}: {peak} bytes held");
    }
}

/// A chunk of a PNG file.
fn png_chunk(name: &[u8; 4], contents: &[u8]) -> Vec<u8> {
    let named = [name, contents].concat();
    [&(contents.len() as u32).to_be_bytes()[..], &named, &crc32(&named).to_be_bytes()].concat()
}

/// Metadata that unpacks to a thousand times its length, in front of a picture of few pixels.
#[test]
fn packed_png_metadata_takes_no_more_memory_than_the_picture_may() {
    let (_, file) = pictures().into_iter().find(|(name, _)| *name == "alpha.png").unwrap();
    // The encoder of pixels packs 48 million zeros.
    let mut zeros = std::io::Cursor::new(Vec::new());
    image::GrayImage::new(8000, 6000).write_to(&mut zeros, image::ImageFormat::Png).unwrap();
    let zeros = zeros.into_inner();
    let at = zeros.windows(4).position(|name| name == b"IDAT").unwrap();
    let length = u32::from_be_bytes(zeros[at - 4..at].try_into().unwrap()) as usize;
    let packed = &zeros[at + 4..at + 4 + length];
    let keyed = |between: &[u8]| [b"key\0", between, packed].concat();
    for (name, contents) in [
        (b"iCCP", keyed(&[0])),
        (b"zTXt", keyed(&[0])),
        (b"iTXt", keyed(&[1, 0, 0, 0])),
        (b"eXIf", keyed(&[])),
    ] {
        // Behind the header, which is 13 bytes long.
        let bytes = [&file[..33], &png_chunk(name, &contents), &file[33..]].concat();
        let limits = DecodeLimits { max_bytes: 16 << 20, ..LIMITS };
        for limits in [limits, DecodeLimits::default()] {
            let (result, peak) = peak_of(|| photo(&bytes, &limits));
            let name = std::str::from_utf8(name).unwrap();
            let most = (3 << 20) + 3 * bytes.len();
            assert!(peak < most, "{name}: {peak} bytes held of {}, {:?}", bytes.len(), result.map(drop));
        }
    }
}

/// A frame may be larger than the screen it is shown on, and a screen larger than what is drawn on it.
#[test]
fn a_gif_frame_beyond_its_screen_is_an_error_or_cut_within_memory() {
    let (_, file) = pictures().into_iter().find(|(name, _)| *name == "still.gif").unwrap();
    let frame = file.windows(9).position(|part| part == [0x2c, 0, 0, 0, 0, 40, 0, 30, 0]).unwrap();
    let with_frame = |sides: [u8; 4]| {
        let mut bytes = file.to_vec();
        bytes[frame + 5..frame + 9].copy_from_slice(&sides);
        bytes
    };
    for sides in [[0xff; 4], [0, 0x40, 0, 0x40], [41, 0, 30, 0], [0, 0, 0, 0], [1, 0, 1, 0]] {
        decodes_or_fails_within_memory(&with_frame(sides), &format!("frame {sides:?}"));
    }
    let mut screen = file.to_vec();
    screen[6..10].copy_from_slice(&[0xff, 0, 0xff, 0]);
    let shown = decode(&screen, &LIMITS).unwrap();
    assert_eq!((shown.width(), shown.height()), (255, 255));
}

/// The check sum of a PNG chunk, bit by bit (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn webp_metadata_longer_than_the_file_is_refused_before_memory_is_taken() {
    let still = pictures().into_iter().find(|(name, _)| *name == "lossy_alpha.webp").unwrap().1;
    let mut bytes = still.to_vec();
    bytes[20] |= 0x08;
    bytes.extend(b"EXIF\xff\xff\xff\x7f");
    let stated = bytes.len() as u32 - 8;
    bytes[4..8].copy_from_slice(&stated.to_le_bytes());
    let (result, peak) = peak_of(|| decode(&bytes, &LIMITS));
    assert_eq!(result, Err(DecodeError::Truncated { format: "WebP" }));
    assert!(peak < 1 << 20, "{peak} bytes held");
}

#[test]
fn the_dearest_formats_keep_to_sixteen_bytes_a_pixel() {
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for (name, n_components) in [("grey JPEG", 1), ("colour JPEG", 3), ("CMYK JPEG", 4)] {
        let whole = progressive(0x600, 0x500, n_components, 3);
        // Without the end marker it is read by the plain decoder.
        files.push((name, whole[..whole.len() - 2].to_vec()));
        files.push((name, whole));
    }
    let wide = image::DynamicImage::new_rgba16(0x600, 0x500);
    let narrow = image::DynamicImage::new_rgba8(0x600, 0x500);
    for (name, image, format) in [
        ("16-bit PNG", &wide, image::ImageFormat::Png),
        ("PNG", &narrow, image::ImageFormat::Png),
        ("GIF", &narrow, image::ImageFormat::Gif),
        ("BMP", &narrow, image::ImageFormat::Bmp),
        ("WebP", &narrow, image::ImageFormat::WebP),
    ] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        files.push((name, bytes.into_inner()));
    }
    for (name, file) in files {
        let limits = DecodeLimits { max_bytes: usize::MAX, ..DecodeLimits::default() };
        let (result, peak) = peak_of(|| photo(&file, &limits));
        assert!(peak <= 16 * 0x600 * 0x500 + file.len() + (1 << 20), "{name}: {peak} bytes held");
        assert!(result.is_ok(), "{name}: {result:?}");
        eprintln!("{name}: {:.1} bytes a pixel", peak as f64 / (0x600 * 0x500) as f64);
    }
}
