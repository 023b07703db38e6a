//! Draws the pictures of `fixtures/` again, and the hostile messages of `fixtures/poison/`.
//!
//! ```text
//! cargo run -p touchstone-eval --example draw_fixtures -- fixtures [CONTACT_SHEET.png]
//! ```
//!
//! The same program draws the same bytes on any machine: seeds are fixed, and sines come from crate `libm`.

mod canvas;
mod lettering;
mod poison;
mod scenes;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageEncoder as _, RgbImage};

use canvas::Canvas;
use scenes::{Flacon, Shoe};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let fixtures = args.next().ok_or("usage: draw_fixtures FIXTURES [CONTACT_SHEET.png]")?;
    let pictures = pictures();
    fs::create_dir_all(fixtures.join("images"))?;
    for (name, picture) in &pictures {
        fs::write(fixtures.join("images").join(name), encode(name, picture)?)?;
    }
    let whole = encode("genuine-lm-20c.jpg", find(&pictures, "genuine-lm-20c.jpg"))?;
    fs::write(fixtures.join("images/truncated.jpg"), &whole[..whole.len() / 3])?;
    poison::write(&fixtures.join("poison"), &whole)?;
    if let Some(sheet) = args.next() {
        contact_sheet(&pictures, &sheet)?;
    }
    Ok(())
}

/// Every picture with its file name: first the brands' own, then what sellers made of them, then the rest.
fn pictures() -> Vec<(&'static str, RgbImage)> {
    let mut pictures = genuine();
    let derived = derived(&pictures);
    pictures.extend(derived);
    pictures.extend(others());
    let altered = altered(&pictures);
    pictures.extend(altered);
    pictures
}

fn genuine() -> Vec<(&'static str, RgbImage)> {
    vec![
        (
            "genuine-lm-20k.jpg",
            scene(scenes::studio(1, 0xdfe6ee, 0xb7c3cf), |c| {
                scenes::carton(c, (78.0, 176.0), (52.0, 78.0), 0x1d3f7a, ["LUMORA", "20"]);
                scenes::cartridge(c, (216.0, 196.0), 0.0, 0x1d3f7a, "20", &[0x111111]);
            }),
        ),
        (
            "genuine-lm-20c.jpg",
            scene(scenes::studio(2, 0xf2e9dc, 0xcbb79a), |c| {
                scenes::cartridge(c, (118.0, 190.0), 0.0, 0x1f7a5c, "20", &[0x1da1d8, 0xd83a8a, 0xf3c614]);
                scenes::carton(c, (240.0, 150.0), (48.0, 84.0), 0x1f7a5c, ["LUMORA", "20"]);
            }),
        ),
        (
            "genuine-lm-20xlk.jpg",
            scene(scenes::studio(3, 0xe9e4f0, 0x9d92b3), |c| {
                scenes::carton(c, (150.0, 128.0), (84.0, 92.0), 0x5a2d82, ["LUMORA", "20XL"]);
                scenes::cartridge(c, (232.0, 226.0), 0.0, 0x5a2d82, "20XL", &[0x111111]);
            }),
        ),
        (
            "genuine-lm-45k.jpg",
            scene(scenes::studio(4, 0xd7efe9, 0x6fa596), |c| {
                scenes::cartridge(c, (104.0, 172.0), -14.0, 0x0d6f8c, "45", &[]);
                scenes::cartridge(c, (226.0, 206.0), 0.0, 0x0d6f8c, "45", &[0x111111]);
            }),
        ),
        (
            "genuine-lm-80a.jpg",
            scene(scenes::studio(5, 0xe8e8e8, 0x9a9a9a), |c| scenes::toner(c, 190.0, "80A", 0xa6192e)),
        ),
        ("genuine-lm-j300.jpg", scene(scenes::studio(6, 0xcfdcec, 0x8896a8), scenes::printer)),
        (
            "genuine-vt-corsa1.jpg",
            scene(scenes::studio(7, 0xf3efe8, 0xd2b48c), |c| scenes::sneaker(c, 0.0, &corsa())),
        ),
        (
            "genuine-vt-corsa2.jpg",
            scene(scenes::studio(8, 0xdde8f6, 0x7a93b8), |c| {
                let shoe =
                    Shoe { upper: 0x1d2a44, accent: 0xf2a900, sole: 0xf4f4f4, collar: 6.0, n_stripes: 1 };
                scenes::sneaker(c, -34.0, &shoe);
                scenes::carton(c, (62.0, 64.0), (44.0, 30.0), 0xc4531b, ["VELTRANO", "2"]);
            }),
        ),
        (
            "genuine-vt-piazza.webp",
            scene(Canvas::new(canvas::hex(0xf6f6f6)), |c| {
                let shoe =
                    Shoe { upper: 0x8c1c2b, accent: 0xf4f4f4, sole: 0x2a2a2a, collar: 62.0, n_stripes: 2 };
                scenes::sneaker(c, 12.0, &shoe);
            }),
        ),
        (
            "genuine-au-nuit.jpg",
            scene(scenes::studio(10, 0x3b2f55, 0x1c1630), |c| {
                scenes::bottle(c, 112.0, Flacon::Square, 0x6a4bb0, 0x22202a, ["AURELLINE", "NUIT"]);
                scenes::carton(c, (244.0, 196.0), (42.0, 84.0), 0x2a2050, ["AURELLINE", "NUIT"]);
            }),
        ),
        (
            "genuine-au-soleil.jpg",
            scene(scenes::studio(11, 0xfff3d0, 0xe0b860), |c| {
                scenes::bottle(c, 166.0, Flacon::Round, 0x5fae4e, 0xd8b24a, ["AURELLINE", "SOLEIL"]);
            }),
        ),
        (
            "genuine-au-bois.jpg",
            scene(scenes::studio(12, 0xe9d8c4, 0x8a5a36), |c| {
                scenes::carton(c, (82.0, 200.0), (46.0, 80.0), 0x6b3f1d, ["AURELLINE", "BOIS"]);
                scenes::bottle(c, 216.0, Flacon::Tall, 0xc07a2c, 0x4a2c14, ["AURELLINE", "BOIS"]);
            }),
        ),
        (
            "genuine-sv-h7.jpg",
            scene(scenes::studio(13, 0xdcdfe6, 0xb2b7c4), |c| {
                scenes::carton(c, (256.0, 110.0), (42.0, 58.0), 0x2d5f9a, ["SONVARRA", "H7"]);
                scenes::headphones(c, 12.0, 0x23262d, 0x3a3d45, (36.0, 50.0));
            }),
        ),
        (
            "genuine-sv-h3.jpg",
            scene(scenes::studio(14, 0xffe3dc, 0xd9826b), |c| {
                scenes::headphones(c, 18.0, 0xf1efe9, 0xb48a5a, (24.0, 30.0));
            }),
        ),
        (
            "genuine-sv-buds2.jpg",
            scene(scenes::studio(15, 0xe2f0e6, 0x86b596), |c| scenes::buds(c, 0xeef0f2)),
        ),
        (
            "genuine-ov-siena.jpg",
            scene(scenes::studio(16, 0xf2ebe2, 0xc7b299), |c| scenes::bag(c, 0x8a4a22, false)),
        ),
        (
            "genuine-ov-luce.jpg",
            scene(scenes::studio(17, 0xe6eef2, 0x9fb6c1), |c| scenes::bag(c, 0x1f4d3a, true)),
        ),
    ]
}

/// What sellers do with the brands' pictures: re-encode, scale, mirror.
fn derived(genuine: &[(&'static str, RgbImage)]) -> Vec<(&'static str, RgbImage)> {
    let scaled =
        |name: &str, side: u32| imageops::resize(find(genuine, name), side, side, FilterType::CatmullRom);
    vec![
        ("seller-lm-20k-small.jpg", scaled("genuine-lm-20k.jpg", 180)),
        ("seller-lm-20k-mirror.jpg", imageops::flip_horizontal(find(genuine, "genuine-lm-20k.jpg"))),
        ("seller-lm-20xlk-large.jpg", scaled("genuine-lm-20xlk.jpg", 440)),
        ("seller-lm-45k.jpg", find(genuine, "genuine-lm-45k.jpg").clone()),
        ("seller-vt-corsa1-turned.jpg", imageops::rotate90(&scaled("genuine-vt-corsa1.jpg", 260))),
        ("seller-vt-corsa1.jpg", scaled("genuine-vt-corsa1.jpg", 240)),
        ("seller-vt-corsa2.jpg", find(genuine, "genuine-vt-corsa2.jpg").clone()),
        ("seller-au-nuit.jpg", scaled("genuine-au-nuit.jpg", 288)),
        ("seller-au-bois-grey.jpg", grey(&scaled("genuine-au-bois.jpg", 300))),
        ("seller-sv-h7.webp", posterised(&scaled("genuine-sv-h7.jpg", 200))),
        ("seller-sv-h7-mirror.jpg", imageops::flip_horizontal(&scaled("genuine-sv-h7.jpg", 300))),
        ("seller-ov-siena.jpg", scaled("genuine-ov-siena.jpg", 220)),
    ]
}

/// What sellers do so that a whole picture is no longer recognised: crop, frame, put beside another.
fn altered(all: &[(&'static str, RgbImage)]) -> Vec<(&'static str, RgbImage)> {
    let cropped =
        |name: &str, x, y, width, height| imageops::crop_imm(find(all, name), x, y, width, height).to_image();
    let mirrored = imageops::flip_horizontal(&cropped("genuine-sv-h7.jpg", 24, 20, 262, 270));
    vec![
        ("seller-au-nuit-crop.jpg", cropped("genuine-au-nuit.jpg", 30, 44, 250, 240)),
        ("seller-sv-h7-crop-mirror.jpg", mirrored),
        ("seller-lm-20c-framed.jpg", framed(find(all, "genuine-lm-20c.jpg"), 44, [214, 40, 57])),
        (
            "seller-vt-collage.jpg",
            side_by_side(find(all, "genuine-vt-corsa1.jpg"), find(all, "own-vt-worn.jpg")),
        ),
        ("seller-fake-lm-20-framed.jpg", framed(find(all, "fake-lm-20.jpg"), 36, [250, 250, 250])),
        ("seller-placeholder-framed.jpg", framed(find(all, "placeholder.png"), 40, [20, 24, 30])),
    ]
}

fn framed(picture: &RgbImage, margin: u32, colour: [u8; 3]) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut frame = RgbImage::from_pixel(width + 2 * margin, height + 2 * margin, image::Rgb(colour));
    imageops::replace(&mut frame, picture, margin.into(), margin.into());
    frame
}

fn side_by_side(left: &RgbImage, right: &RgbImage) -> RgbImage {
    let mut both = RgbImage::new(left.width() + right.width(), left.height());
    imageops::replace(&mut both, left, 0, 0);
    imageops::replace(&mut both, right, left.width().into(), 0);
    both
}

/// Known fakes, sellers' own photos, and the marketplace's placeholder.
fn others() -> Vec<(&'static str, RgbImage)> {
    let fake_ink = scene(scenes::planks(31, 0x9c9488), |c| {
        scenes::cartridge(c, (92.0, 120.0), 24.0, 0x3b62b5, "20", &[]);
        scenes::cartridge(c, (222.0, 206.0), -31.0, 0x3b62b5, "20", &[]);
    });
    let fake_shoe = scene(scenes::studio(32, 0xc9d3bf, 0x55624a), |c| {
        let shoe = Shoe { upper: 0xd9d4c8, accent: 0x8f2233, sole: 0xb5b0a4, collar: 22.0, n_stripes: 4 };
        scenes::sneaker(c, -58.0, &shoe);
    });
    vec![
        ("fake-lm-20.jpg", fake_ink.clone()),
        ("fake-vt-corsa1.jpg", fake_shoe.clone()),
        ("seller-fake-lm-20.jpg", imageops::resize(&fake_ink, 230, 230, FilterType::Triangle)),
        ("seller-fake-vt-mirror.jpg", imageops::flip_horizontal(&fake_shoe)),
        (
            "own-lm-empty.jpg",
            scene(scenes::planks(33, 0xb98a5a), |c| {
                scenes::cartridge(c, (90.0, 214.0), 78.0, 0x4a4a4a, "20", &[]);
                scenes::cartridge(c, (226.0, 116.0), 153.0, 0x4a4a4a, "20", &[]);
            }),
        ),
        (
            "own-compatible-ink.jpg",
            scene(scenes::planks(34, 0xd8d2c6), |c| {
                scenes::carton(c, (150.0, 176.0), (96.0, 62.0), 0x3a8f3a, ["ZINKARO", "20"]);
            }),
        ),
        (
            "own-vt-worn.jpg",
            scene(scenes::planks(35, 0x6f6a63), |c| {
                let shoe =
                    Shoe { upper: 0xbdb6a8, accent: 0x54708a, sole: 0x8c8577, collar: 2.0, n_stripes: 3 };
                scenes::sneaker(c, -20.0, &shoe);
            }),
        ),
        (
            "own-au-shelf.jpg",
            scene(scenes::planks(36, 0xe8ddd0), |c| {
                scenes::bottle(c, 96.0, Flacon::Tall, 0x6a4bb0, 0x22202a, ["AURELLINE", "NUIT"]);
                scenes::bottle(c, 228.0, Flacon::Round, 0xd9a441, 0x7a4a1a, ["EAU", "DOUCE"]);
            }),
        ),
        (
            "own-sv-desk.jpg",
            scene(scenes::planks(37, 0x4f3b2a), |c| {
                scenes::headphones(c, -46.0, 0x30343c, 0x111111, (30.0, 44.0));
                scenes::carton(c, (84.0, 278.0), (70.0, 34.0), 0x22303f, ["SONVARRA", "H7"]);
            }),
        ),
        ("own-ov-cafe.jpg", scene(scenes::planks(38, 0x8b5e3c), |c| scenes::bag(c, 0x2d2d33, true))),
        ("placeholder.png", scenes::placeholder().finish()),
    ]
}

fn corsa() -> Shoe {
    Shoe { upper: 0xf2f2f0, accent: 0x1d6f5c, sole: 0xfafafa, collar: 0.0, n_stripes: 3 }
}

fn scene(mut canvas: Canvas, paint: impl FnOnce(&mut Canvas)) -> RgbImage {
    paint(&mut canvas);
    canvas.finish()
}

fn grey(picture: &RgbImage) -> RgbImage {
    image::DynamicImage::ImageLuma8(imageops::grayscale(picture)).into_rgb8()
}

/// Fewer tones, so that a lossless file stays small.
fn posterised(picture: &RgbImage) -> RgbImage {
    let mut picture = picture.clone();
    picture.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|tone| tone / 4 * 4 + 2));
    picture
}

fn find<'a>(pictures: &'a [(&'static str, RgbImage)], name: &str) -> &'a RgbImage {
    pictures
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, picture)| picture)
        .expect("a picture drawn above")
}

/// Encodes by the extension of `name`. A seller's JPEG is compressed harder than a brand's.
fn encode(name: &str, picture: &RgbImage) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    let colour = ExtendedColorType::Rgb8;
    match Path::new(name).extension().and_then(|e| e.to_str()) {
        Some("png") => PngEncoder::new(&mut bytes).write_image(picture, width, height, colour)?,
        Some("webp") => WebPEncoder::new_lossless(&mut bytes).write_image(picture, width, height, colour)?,
        _ => {
            let quality = if name.starts_with("seller") { 60 } else { 85 };
            JpegEncoder::new_with_quality(&mut bytes, quality).write_image(picture, width, height, colour)?;
        }
    }
    Ok(bytes)
}

fn contact_sheet(pictures: &[(&'static str, RgbImage)], path: &Path) -> Result<(), image::ImageError> {
    const COLUMNS: u32 = 8;
    const TILE: u32 = 160;
    let rows = (pictures.len() as u32).div_ceil(COLUMNS);
    let mut sheet = RgbImage::from_pixel(COLUMNS * TILE, rows * TILE, image::Rgb([255; 3]));
    for (i, (_, picture)) in (0_u32..).zip(pictures) {
        let small = imageops::resize(picture, TILE - 6, TILE - 6, FilterType::Triangle);
        imageops::replace(
            &mut sheet,
            &small,
            i64::from(i % COLUMNS * TILE + 3),
            i64::from(i / COLUMNS * TILE + 3),
        );
    }
    sheet.save(path)
}
