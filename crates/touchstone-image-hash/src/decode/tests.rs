use super::*;
use crate::picture::Pixels;
use image::codecs::jpeg::JpegEncoder;

/// A grey picture whose pixels say where they are.
fn ramp(width: u32, height: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| image::Luma([(x * 5 + y * 3) as u8]))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decoded(bytes: &[u8]) -> Picture {
    decode(bytes, &DecodeLimits::default()).unwrap()
}

#[test]
fn lossless_formats_give_the_very_pixels() {
    let rgb = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8 * 30, y as u8 * 50, 9]));
    let expected = Picture::from_rgb(7, 5, rgb.as_raw().clone()).unwrap();
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif] {
        assert_eq!(decoded(&encoded(&rgb.clone().into(), format)), expected, "{format:?}");
    }
}

#[test]
fn grey_stays_grey() {
    let grey = ramp(7, 5);
    let expected = Picture::from_grey(7, 5, grey.as_raw().clone()).unwrap();
    assert_eq!(decoded(&encoded(&grey.clone().into(), ImageFormat::Png)), expected);
    let jpeg = decoded(&encoded(&grey.into(), ImageFormat::Jpeg));
    assert!(matches!(jpeg.pixels(), Pixels::Grey(_)));
}

#[test]
fn transparent_pixels_are_laid_over_white() {
    let pixels = [[10, 20, 30, 255], [10, 20, 30, 0], [10, 20, 30, 128], [255, 0, 255, 1]];
    let image = image::RgbaImage::from_fn(4, 1, |x, _| image::Rgba(pixels[x as usize]));
    let expected = [10, 20, 30, 255, 255, 255, 132, 137, 142, 255, 254, 255].to_vec();
    let expected = Picture::from_rgb(4, 1, expected).unwrap();
    assert_eq!(decoded(&encoded(&image.clone().into(), ImageFormat::Png)), expected);
    let wide = DynamicImage::ImageRgba8(image).into_rgba16();
    assert_eq!(decoded(&encoded(&wide.into(), ImageFormat::Png)), expected);
    let grey = image::GrayAlphaImage::from_raw(2, 1, vec![0, 255, 0, 51]).unwrap();
    let expected = Picture::from_grey(2, 1, vec![0, 204]).unwrap();
    assert_eq!(decoded(&encoded(&grey.into(), ImageFormat::Png)), expected);
}

#[test]
fn samples_of_sixteen_bits_are_rounded_to_eight() {
    let wide =
        image::ImageBuffer::<image::Luma<u16>, _>::from_raw(4, 1, vec![0u16, 128, 129, 65535]).unwrap();
    let expected = Picture::from_grey(4, 1, vec![0, 0, 1, 255]).unwrap();
    assert_eq!(decoded(&encoded(&wide.into(), ImageFormat::Png)), expected);
}

/// A JPEG with an EXIF block that states this orientation.
fn with_orientation(image: &GrayImage, orientation: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(image).unwrap();
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn the_exif_orientation_is_applied() {
    let (w, h) = (24, 16);
    let upright = decoded(&with_orientation(&ramp(w, h), 1));
    let Pixels::Grey(grey) = upright.pixels() else { panic!("grey") };
    let at = |x: u32, y: u32| grey[(y * w + x) as usize];
    let check = |orientation: u8, width: u32, height: u32, from: &dyn Fn(u32, u32) -> u8| {
        let values =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| from(x, y)).collect();
        let expected = Picture::from_grey(width, height, values).unwrap();
        assert_eq!(decoded(&with_orientation(&ramp(w, h), orientation)), expected, "{orientation}");
    };
    // TIFF 6.0, "Orientation": where row 0 and column 0 of the stored picture are seen.
    check(1, w, h, &|x, y| at(x, y));
    check(2, w, h, &|x, y| at(w - 1 - x, y));
    check(3, w, h, &|x, y| at(w - 1 - x, h - 1 - y));
    check(4, w, h, &|x, y| at(x, h - 1 - y));
    check(5, h, w, &|x, y| at(y, x));
    check(6, h, w, &|x, y| at(y, h - 1 - x));
    check(7, h, w, &|x, y| at(w - 1 - y, h - 1 - x));
    check(8, h, w, &|x, y| at(w - 1 - y, x));
    check(0, w, h, &|x, y| at(x, y));
    check(99, w, h, &|x, y| at(x, y));
}

/// A large picture is read by the fast decoder as long as it is whole, a small one never is.
#[test]
fn a_jpeg_that_lacks_little_is_read_and_one_that_lacks_much_is_not() {
    for (width, height) in [(64, 400), (16, 600)] {
        let shades = GrayImage::from_fn(width, height, |x, y| image::Luma([(y / 3 + x % 2 * 9) as u8]));
        let mut jpeg = encoded(&shades.into(), ImageFormat::Jpeg);
        let whole = decoded(&jpeg);
        let cut = |length: usize| decode(&jpeg[..length], &DecodeLimits::default());
        let truncated = DecodeError::Truncated { format: "JPEG" };
        for length in [0, 300, jpeg.len() / 2, jpeg.len() * 17 / 20] {
            assert!(
                cut(length) == Err(if length < 3 { DecodeError::UnknownFormat } else { truncated.clone() })
            );
        }
        let grey = |picture: &Picture| {
            let Pixels::Grey(grey) = picture.pixels() else { panic!("grey") };
            grey.clone()
        };
        // Both decoders round a little differently.
        let near = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(&a, &b)| a.abs_diff(b) <= 2);
        // Without the end marker nothing is missing.
        let without_end = grey(&cut(jpeg.len() - 2).unwrap());
        assert!(near(&without_end, &grey(&whole)));
        // What is missing repeats the last row of blocks that was read to its end: no grey is made up.
        let short = grey(&cut(jpeg.len() * 19 / 20).unwrap());
        let row = |y: usize| &short[y * width as usize..][..width as usize];
        let missing_from = (1..height as usize).rev().find(|&y| row(y) != row(y - 1)).unwrap() + 1;
        assert!(missing_from.is_multiple_of(8) && missing_from >= height as usize * 9 / 10);
        assert!(near(&short[..missing_from * width as usize], &grey(&whole)));

        jpeg.extend(b"trailing bytes");
        assert!(decoded(&jpeg) == whole);
    }
}

/// The first half of the SHA-256 of the samples that Pillow 13.0 (libjpeg-turbo) has of the same file.
#[test]
fn small_jpegs_have_the_samples_that_libjpeg_gives_them() {
    use sha2::{Digest, Sha256};
    let files: [(&str, &[u8], &str); 5] = [
        (
            "baseline_420.jpg",
            include_bytes!("../../tests/pictures/baseline_420.jpg"),
            "f41624a7ec91bc4f0fec6b3065b3917b",
        ),
        ("cmyk.jpg", include_bytes!("../../tests/pictures/cmyk.jpg"), "76250566eef80d86d636ca7a64649299"),
        ("grey.jpg", include_bytes!("../../tests/pictures/grey.jpg"), "3f344163ab93e8c8413e8a203b5c1b7c"),
        (
            "progressive.jpg",
            include_bytes!("../../tests/pictures/progressive.jpg"),
            "f41624a7ec91bc4f0fec6b3065b3917b",
        ),
        ("turned.jpg", include_bytes!("../../tests/pictures/turned.jpg"), "5d03c81438b41288837064eb920f522b"),
    ];
    for (name, file, expected) in files {
        let (Pixels::Grey(samples) | Pixels::Rgb(samples) | Pixels::LumaAndChroma(samples)) =
            decoded(file).pixels().clone();
        let digest = Sha256::digest(&samples);
        let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected, "{name}");
    }
}

/// On processors with and without the wide instructions that the JPEG decoder makes use of, pixels are the same.
#[test]
fn jpeg_pixels_do_not_depend_on_the_processor() {
    use zune_jpeg::zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
    let noise = RgbImage::from_fn(203, 117, |x, y| {
        let grain = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 5;
        image::Rgb([(x + grain % 90) as u8, (2 * y) as u8 ^ (grain as u8 & 31), (grain >> 3) as u8])
    });
    let progressive = include_bytes!("../../tests/pictures/progressive.jpg").to_vec();
    let halved = include_bytes!("../../tests/pictures/baseline_420.jpg").to_vec();
    for jpeg in [encoded(&noise.into(), ImageFormat::Jpeg), progressive, halved] {
        for space in [ColorSpace::RGB, ColorSpace::Luma] {
            let [wide, plain] = [true, false].map(|wide| {
                let options = DecoderOptions::default().set_use_unsafe(wide).jpeg_set_out_colorspace(space);
                zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&jpeg[..]), options).decode().unwrap()
            });
            assert_eq!(wide, plain, "{space:?}");
        }
    }
}
