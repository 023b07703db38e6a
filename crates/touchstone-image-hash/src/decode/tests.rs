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

#[test]
fn a_jpeg_that_is_cut_off_is_truncated_and_one_with_trailing_bytes_is_not() {
    let mut jpeg = encoded(&ramp(64, 64).into(), ImageFormat::Jpeg);
    let whole = decoded(&jpeg);
    for length in [jpeg.len() - 1, jpeg.len() - 40] {
        let error = decode(&jpeg[..length], &DecodeLimits::default()).unwrap_err();
        assert_eq!(error, DecodeError::Truncated { format: "JPEG" });
    }
    jpeg.extend(b"trailing bytes");
    assert_eq!(decoded(&jpeg), whole);
}

#[test]
fn an_animation_gives_its_first_frame() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for shade in [40, 200] {
        let frame = image::RgbaImage::from_pixel(6, 4, image::Rgba([shade, shade, shade, 255]));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    assert_eq!(decoded(&bytes), Picture::from_rgb(6, 4, vec![40; 72]).unwrap());
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
