//! Makes a folder of the `photos` form from another one: alterations that the first does not have.
//!
//! ```sh
//! cargo run --release -p touchstone-eval --example photo_alterations -- ../shared/data/photos/fashion OUT [N] [SEED]
//! touchstone eval photos OUT
//! ```
//!
//! N references (60) are drawn with the seed (1) and altered in each way; so are N of the photos that must match nothing, under the
//! same names. The same folder, N and seed give the same files.
//!
//! OUT must not exist: nothing that is there, or that a link there leads to, is ever written over.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a tool for developers may stop where it stands"
)]

use std::f32::consts::PI;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Photos of the folder with less than this many pixels along the longer side are left alone: one alters originals.
const MIN_SIDE: u32 = 300;

const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);
const TEAL: Rgb<u8> = Rgb([20, 130, 140]);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = [0, 1].map(|i| Path::new(args.get(i).expect("usage: FROM OUT [N] [SEED]")));
    let number = |i: usize, default: u64| args.get(i).map_or(default, |text| text.parse().unwrap());
    let n = number(2, 60) as usize;
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(number(3, 1)));

    // Fails where anything of that name exists, a link included: a folder found there may lead into the data itself.
    fs::create_dir(to).expect("OUT must not exist yet, and the folder that it goes into must");
    fs::create_dir(to.join("references")).unwrap();
    let mut references: Vec<String> = fs::read_dir(from.join("references"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    references.sort();
    for name in &references {
        let bytes = fs::read(from.join("references").join(name)).unwrap();
        let mut copy = fs::File::create_new(to.join("references").join(name)).unwrap();
        copy.write_all(&bytes).unwrap();
    }
    let mut others: Vec<String> = csv::Reader::from_path(from.join("queries.csv"))
        .unwrap()
        .records()
        .map(Result::unwrap)
        .filter(|row| row[1].is_empty())
        .map(|row| row[0].to_owned())
        .collect();
    others.retain(|file| is_large(&from.join(file)));
    let named = chance.some_of(n, references.iter().map(|name| format!("references/{name}")).collect());
    let others = chance.some_of(n, others);

    let mut rows = csv::Writer::from_path(to.join("queries.csv")).unwrap();
    rows.write_record(["file", "reference", "transform"]).unwrap();
    for alteration in ALTERATIONS {
        let folder = format!("queries/{}", alteration.name);
        fs::create_dir_all(to.join(&folder)).unwrap();
        for (idx, file) in named.iter().chain(&others).enumerate() {
            let photo = image::open(from.join(file)).unwrap().to_rgb8();
            let altered = (alteration.alter)(&photo, &mut chance);
            let own = format!("{folder}/{idx}.jpg");
            fs::write(to.join(&own), jpeg(&altered, alteration.quality)).unwrap();
            let reference = file.strip_prefix("references/").unwrap_or("");
            rows.write_record([&own, reference, alteration.name]).unwrap();
        }
    }
    rows.flush().unwrap();
    eprintln!(
        "{}: {} alterations of {} references and {} other photos",
        to.display(),
        ALTERATIONS.len(),
        named.len(),
        others.len()
    );
}

/// Whether a photo is an original; files that are cut off are left to the stage's own tests.
fn is_large(path: &Path) -> bool {
    image::open(path).is_ok_and(|photo| photo.width().max(photo.height()) >= MIN_SIDE)
}

fn jpeg(photo: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(photo).unwrap();
    bytes.into_inner()
}

struct Alteration {
    name: &'static str,
    alter: fn(&RgbImage, &mut Chance) -> RgbImage,
    /// Of the JPEG file that is written.
    quality: u8,
}

const fn alteration(name: &'static str, alter: fn(&RgbImage, &mut Chance) -> RgbImage) -> Alteration {
    Alteration { name, alter, quality: 85 }
}

const ALTERATIONS: &[Alteration] = &[
    // The share of each side that is cut away: what is left lies in the middle, or anywhere.
    alteration("crop15", |p, _| cropped(p, 0.15, 0.15, (0.5, 0.5))),
    alteration("crop30", |p, _| cropped(p, 0.3, 0.3, (0.5, 0.5))),
    alteration("crop45", |p, _| cropped(p, 0.45, 0.45, (0.5, 0.5))),
    alteration("crop_anywhere15", |p, c| cropped(p, 0.15, 0.15, (c.unit(), c.unit()))),
    alteration("crop_anywhere30", |p, c| cropped(p, 0.3, 0.3, (c.unit(), c.unit()))),
    alteration("crop_anywhere45", |p, c| cropped(p, 0.45, 0.45, (c.unit(), c.unit()))),
    alteration("crop_top_half", |p, _| cropped(p, 0.0, 0.5, (0.0, 0.0))),
    alteration("crop_square", |p, _| {
        let (w, h) = (p.width() as f32, p.height() as f32);
        cropped(p, (1.0 - h / w).max(0.0), (1.0 - w / h).max(0.0), (0.5, 0.5))
    }),
    // A border on all four sides, by its share of the side.
    alteration("border_white5", |p, _| bordered(p, 0.05, WHITE)),
    alteration("border_white15", |p, _| bordered(p, 0.15, WHITE)),
    alteration("border_white30", |p, _| bordered(p, 0.3, WHITE)),
    alteration("border_black5", |p, _| bordered(p, 0.05, BLACK)),
    alteration("border_black15", |p, _| bordered(p, 0.15, BLACK)),
    alteration("border_black30", |p, _| bordered(p, 0.3, BLACK)),
    alteration("border_colour5", |p, _| bordered(p, 0.05, TEAL)),
    alteration("border_colour15", |p, _| bordered(p, 0.15, TEAL)),
    alteration("border_colour30", |p, _| bordered(p, 0.3, TEAL)),
    alteration("square_white", |p, _| {
        let side = p.width().max(p.height());
        let mut canvas = RgbImage::from_pixel(side, side, WHITE);
        paste(&mut canvas, p, (side - p.width()) / 2, (side - p.height()) / 2);
        canvas
    }),
    alteration("wider10", |p, _| resized(p, 1.1, 1.0)),
    alteration("wider20", |p, _| resized(p, 1.2, 1.0)),
    alteration("taller10", |p, _| resized(p, 1.0, 1.1)),
    alteration("taller20", |p, _| resized(p, 1.0, 1.2)),
    // Turned within its frame, corners white; or turned and cut so that no corner shows.
    alteration("rotate2", |p, c| turned(p, c.signed(2.0), 1.0, WHITE)),
    alteration("rotate8", |p, c| turned(p, c.signed(8.0), 1.0, WHITE)),
    alteration("rotate12", |p, c| turned(p, c.signed(12.0), 1.0, WHITE)),
    alteration("rotate20", |p, c| turned(p, c.signed(20.0), 1.0, WHITE)),
    alteration("rotate45", |p, c| turned(p, c.signed(45.0), 1.0, WHITE)),
    alteration("rotate8_black", |p, c| turned(p, c.signed(8.0), 1.0, BLACK)),
    alteration("rotate8_cut", |p, c| turned(p, c.signed(8.0), 0.78, WHITE)),
    alteration("rotate20_cut", |p, c| turned(p, c.signed(20.0), 0.62, WHITE)),
    alteration("perspective", |p, _| perspective(p, 0.1)),
    alteration("gamma0.6", |p, _| toned(p, |v| v.powf(0.6))),
    alteration("gamma1.6", |p, _| toned(p, |v| v.powf(1.6))),
    alteration("contrast0.7", |p, _| toned(p, |v| 0.5 + 0.7 * (v - 0.5))),
    alteration("contrast1.3", |p, _| toned(p, |v| 0.5 + 1.3 * (v - 0.5))),
    alteration("dark0.6", |p, _| toned(p, |v| 0.6 * v)),
    alteration("warm", |p, _| tinted(p, [1.12, 1.0, 0.85])),
    alteration("saturated", |p, _| saturated(p, 1.6)),
    alteration("noise", |p, c| noisy(p, 15.0, c)),
    Alteration { name: "jpeg20", alter: |p, _| p.clone(), quality: 20 },
    Alteration { name: "tiny_jpeg", alter: |p, _| shrunk(p, 120), quality: 40 },
    alteration("blur4", |p, _| imageops::blur(p, 4.0)),
    alteration("stickers", stickers),
    alteration("banner", banner),
    alteration("watermark_grid", |p, _| watermarked(p)),
    alteration("background", |p, _| other_background(p)),
    alteration("collage4", collage),
    alteration("screenshot_phone", |p, _| phone(p)),
    alteration("screenshot_page", page),
    alteration("mirror_border15", |p, _| bordered(&imageops::flip_horizontal(p), 0.15, WHITE)),
    alteration("mirror_crop30", |p, c| {
        cropped(&imageops::flip_horizontal(p), 0.3, 0.3, (c.unit(), c.unit()))
    }),
    alteration("rotate90_crop15", |p, c| cropped(&imageops::rotate90(p), 0.15, 0.15, (c.unit(), c.unit()))),
    Alteration {
        name: "everything",
        alter: |p, c| {
            let mirrored = imageops::flip_horizontal(p);
            let framed = bordered(&cropped(&mirrored, 0.15, 0.15, (c.unit(), c.unit())), 0.1, TEAL);
            shrunk(&stickers(&toned(&framed, |v| v.powf(0.8)), c), 320)
        },
        quality: 50,
    },
];

/// Chance, from the seed alone.
struct Chance(ChaCha8Rng);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// 0 to 1.
    fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    fn signed(&mut self, x: f32) -> f32 {
        if self.below(2) == 0 { x } else { -x }
    }

    fn colour(&mut self) -> Rgb<u8> {
        Rgb(std::array::from_fn(|_| self.below(256) as u8))
    }

    /// `n` of the items, in a drawn order.
    fn some_of(&mut self, n: usize, mut items: Vec<String>) -> Vec<String> {
        for idx in 0..n.min(items.len()) {
            let other = idx + self.below(items.len() - idx);
            items.swap(idx, other);
        }
        items.truncate(n);
        items
    }
}

fn scaled(n: u32, by: f32) -> u32 {
    ((n as f32 * by).round() as u32).max(1)
}

fn resized(p: &RgbImage, across: f32, down: f32) -> RgbImage {
    imageops::resize(p, scaled(p.width(), across), scaled(p.height(), down), FilterType::Triangle)
}

/// The longer side at most `side`.
fn shrunk(p: &RgbImage, side: u32) -> RgbImage {
    let by = (side as f32 / p.width().max(p.height()) as f32).min(1.0);
    resized(p, by, by)
}

/// Without so large a share of its width and height; `at` says where the rest lies, 0 to 1.
fn cropped(p: &RgbImage, across: f32, down: f32, at: (f32, f32)) -> RgbImage {
    let (w, h) = (scaled(p.width(), 1.0 - across), scaled(p.height(), 1.0 - down));
    let x = ((p.width() - w) as f32 * at.0) as u32;
    let y = ((p.height() - h) as f32 * at.1) as u32;
    imageops::crop_imm(p, x, y, w, h).to_image()
}

fn paste(canvas: &mut RgbImage, p: &RgbImage, x: u32, y: u32) {
    imageops::replace(canvas, p, x.into(), y.into());
}

fn bordered(p: &RgbImage, share: f32, colour: Rgb<u8>) -> RgbImage {
    let (x, y) = (scaled(p.width(), share), scaled(p.height(), share));
    let mut canvas = RgbImage::from_pixel(p.width() + 2 * x, p.height() + 2 * y, colour);
    paste(&mut canvas, p, x, y);
    canvas
}

/// A picture of `width` x `height` whose pixel (x, y) is that of `p` at `from(x, y)`.
fn warped(
    p: &RgbImage,
    width: u32,
    height: u32,
    ground: Rgb<u8>,
    from: impl Fn(f32, f32) -> (f32, f32),
) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = from(x as f32 + 0.5, y as f32 + 0.5);
        let (u, v) = (u - 0.5, v - 0.5);
        let (left, top) = (u.floor(), v.floor());
        let (du, dv) = (u - left, v - top);
        let at = |dx: f32, dy: f32| {
            let (x, y) = (left + dx, top + dy);
            let inside = x >= 0.0 && y >= 0.0 && x < p.width() as f32 && y < p.height() as f32;
            if inside { *p.get_pixel(x as u32, y as u32) } else { ground }
        };
        let corners = [at(0.0, 0.0), at(1.0, 0.0), at(0.0, 1.0), at(1.0, 1.0)];
        Rgb(std::array::from_fn(|k| {
            let [a, b, c, d] = corners.map(|pixel| f32::from(pixel[k]));
            let (upper, lower) = (a + du * (b - a), c + du * (d - c));
            (upper + dv * (lower - upper)).round() as u8
        }))
    })
}

/// Turned by `degrees` about its middle; of the frame a share `kept` of each side is left.
fn turned(p: &RgbImage, degrees: f32, kept: f32, ground: Rgb<u8>) -> RgbImage {
    let (sin, cos) = (degrees * PI / 180.0).sin_cos();
    let (w, h) = (p.width() as f32, p.height() as f32);
    let (width, height) = (scaled(p.width(), kept), scaled(p.height(), kept));
    warped(p, width, height, ground, |x, y| {
        let (x, y) = (x - 0.5 * width as f32, y - 0.5 * height as f32);
        (0.5 * w + cos * x - sin * y, 0.5 * h + sin * x + cos * y)
    })
}

/// As if seen from the side: the right edge is shorter by a share `by` than the left one.
fn perspective(p: &RgbImage, by: f32) -> RgbImage {
    let (w, h) = (p.width() as f32, p.height() as f32);
    warped(p, p.width(), p.height(), WHITE, |x, y| {
        let shrink = 1.0 - by * x / w;
        (x / w * (1.0 - by) / shrink * w, 0.5 * h + (y - 0.5 * h) / shrink)
    })
}

fn each(p: &RgbImage, mut change: impl FnMut([f32; 3]) -> [f32; 3]) -> RgbImage {
    let mut changed = p.clone();
    for pixel in changed.pixels_mut() {
        pixel.0 = change(pixel.0.map(f32::from)).map(|v| v.round().clamp(0.0, 255.0) as u8);
    }
    changed
}

/// Every channel from 0 to 1 through a curve.
fn toned(p: &RgbImage, curve: impl Fn(f32) -> f32) -> RgbImage {
    each(p, |pixel| pixel.map(|v| 255.0 * curve(v / 255.0)))
}

fn tinted(p: &RgbImage, gains: [f32; 3]) -> RgbImage {
    each(p, |[r, g, b]| [r * gains[0], g * gains[1], b * gains[2]])
}

fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

fn saturated(p: &RgbImage, by: f32) -> RgbImage {
    each(p, |pixel| pixel.map(|v| luma(pixel) + by * (v - luma(pixel))))
}

/// Noise of about this standard deviation: the sum of four even draws is near enough to Gauss's.
fn noisy(p: &RgbImage, sigma: f32, chance: &mut Chance) -> RgbImage {
    each(p, |pixel| {
        pixel.map(|v| {
            let sum: f32 = (0..4).map(|_| chance.unit() - 0.5).sum();
            v + sigma * sum * 3.0_f32.sqrt()
        })
    })
}

fn fill(p: &mut RgbImage, x: u32, y: u32, w: u32, h: u32, colour: Rgb<u8>) {
    for y in y..(y + h).min(p.height()) {
        for x in x..(x + w).min(p.width()) {
            p.put_pixel(x, y, colour);
        }
    }
}

/// Three round stickers anywhere, each of a quarter of the width.
fn stickers(p: &RgbImage, chance: &mut Chance) -> RgbImage {
    let mut covered = p.clone();
    for _ in 0..3 {
        let radius = p.width() as f32 / 8.0;
        let (x, y) = (chance.unit() * p.width() as f32, chance.unit() * p.height() as f32);
        let (colour, middle) = (chance.colour(), chance.colour());
        for (u, v, pixel) in covered.enumerate_pixels_mut() {
            let away = (u as f32 - x).hypot(v as f32 - y) / radius;
            if away < 1.0 {
                *pixel = if away < 0.6 { middle } else { colour };
            }
        }
    }
    covered
}

/// Strokes like letters, in a row.
fn letters(p: &mut RgbImage, x: u32, y: u32, w: u32, size: u32, colour: Rgb<u8>, chance: &mut Chance) {
    let mut at = x;
    while at + size < x + w {
        let stroke = (size / 6).max(1);
        fill(p, at, y, stroke, size, colour);
        for bar in 0..3 {
            if chance.below(2) == 0 {
                fill(p, at, y + bar * (size - stroke) / 2, size / 2, stroke, colour);
            }
        }
        at += if chance.below(6) == 0 { size * 3 / 2 } else { size * 3 / 4 };
    }
}

/// Two opaque bands with text, as shops lay over photos: a sixth of the height above, an eighth below.
fn banner(p: &RgbImage, chance: &mut Chance) -> RgbImage {
    let mut covered = p.clone();
    let (w, h) = p.dimensions();
    fill(&mut covered, 0, 0, w, h / 6, Rgb([220, 30, 40]));
    letters(&mut covered, w / 20, h / 24, w * 9 / 10, h / 12, WHITE, chance);
    fill(&mut covered, 0, h - h / 8, w, h / 8, Rgb([250, 210, 40]));
    letters(&mut covered, w / 20, h - h / 10, w * 9 / 10, h / 16, BLACK, chance);
    covered
}

/// A grid of half-transparent diagonal lines over all.
fn watermarked(p: &RgbImage) -> RgbImage {
    let mut covered = p.clone();
    let step = (p.width() / 8).max(12);
    let stroke = (step / 10).max(2);
    for (x, y, pixel) in covered.enumerate_pixels_mut() {
        if (x + y) % step < stroke || (x + p.height() - y) % step < stroke {
            pixel.0 = pixel.0.map(|v| ((u16::from(v) + 160) / 2) as u8);
        }
    }
    covered
}

/// What is nearly white and hangs together with the edge becomes another colour.
fn other_background(p: &RgbImage) -> RgbImage {
    let (w, h) = p.dimensions();
    let is_ground = |x: u32, y: u32| p.get_pixel(x, y).0.iter().all(|&v| v >= 235);
    let mut changed = p.clone();
    let mut seen = vec![false; (w * h) as usize];
    let edge = (0..w).flat_map(|x| [(x, 0), (x, h - 1)]).chain((0..h).flat_map(|y| [(0, y), (w - 1, y)]));
    let mut open: Vec<(u32, u32)> = edge.collect();
    while let Some((x, y)) = open.pop() {
        if std::mem::replace(&mut seen[(y * w + x) as usize], true) || !is_ground(x, y) {
            continue;
        }
        let shade = (60 * y / h) as u8;
        changed.put_pixel(x, y, Rgb([150 - shade, 175 - shade, 200 - shade]));
        let around = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
        open.extend(around.into_iter().filter(|&(x, y)| x < w && y < h));
    }
    changed
}

/// Two by two, the photo in one of the places, beside invented ones.
fn collage(p: &RgbImage, chance: &mut Chance) -> RgbImage {
    let (w, h) = (p.width() / 2, p.height() / 2);
    let mut canvas = RgbImage::from_pixel(2 * w + 12, 2 * h + 12, WHITE);
    let own = chance.below(4);
    for place in 0..4 {
        let tile = if place == own {
            imageops::resize(p, w, h, FilterType::Triangle)
        } else {
            let mut tile = RgbImage::from_pixel(w, h, chance.colour());
            for _ in 0..30 {
                let (x, y) = (chance.below(w as usize) as u32, chance.below(h as usize) as u32);
                let colour = chance.colour();
                let (across, down) =
                    (chance.below(w as usize / 3) as u32, chance.below(h as usize / 3) as u32);
                fill(&mut tile, x, y, across, down, colour);
            }
            tile
        };
        paste(&mut canvas, &tile, (place as u32 % 2) * (w + 12), (place as u32 / 2) * (h + 12));
    }
    canvas
}

/// The screen of a telephone: bars above and below, the photo as wide as the screen.
fn phone(p: &RgbImage) -> RgbImage {
    let (w, h) = (540, 1170);
    let mut screen = RgbImage::from_pixel(w, h, BLACK);
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(9));
    letters(&mut screen, 20, 20, 500, 18, WHITE, &mut chance);
    let by = w as f32 / p.width() as f32;
    let photo = imageops::resize(p, w, scaled(p.height(), by).min(h - 200), FilterType::Triangle);
    paste(&mut screen, &photo, 0, 110);
    fill(&mut screen, 0, h - 90, w, 90, Rgb([30, 30, 34]));
    letters(&mut screen, 60, h - 60, 420, 30, WHITE, &mut chance);
    screen
}

/// A page of a shop: the photo small, text and two other pictures about it.
fn page(p: &RgbImage, chance: &mut Chance) -> RgbImage {
    let (w, h) = (1280, 800);
    let mut screen = RgbImage::from_pixel(w, h, WHITE);
    fill(&mut screen, 0, 0, w, 70, Rgb([255, 230, 0]));
    letters(&mut screen, 30, 22, 500, 26, BLACK, chance);
    let by = 480.0 / p.height() as f32;
    let photo = resized(p, by, by);
    paste(&mut screen, &photo, 130, 150);
    for line in 0..14 {
        letters(&mut screen, 680, 150 + 36 * line, 560, 16, Rgb([60; 3]), chance);
    }
    for small in 0..4 {
        let colour = chance.colour();
        fill(&mut screen, 30, 150 + 90 * small, 70, 80, colour);
    }
    screen
}
