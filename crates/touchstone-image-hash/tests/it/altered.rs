//! Altered copies of invented pictures are found among the others, and say what was done to them.

use image::imageops::{self, FilterType};
use image::{DynamicImage, Rgb, RgbImage};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use touchstone_image_hash::{
    DEFAULT_RADIUS, DecodeLimits, MatchSettings, Photo, PhotoIndex, PhotoScore, ReferenceMatch, features,
    photo,
};
use touchstone_types::{HammingDistance, Hash256, PhotoFeatures};

const WIDTH: u32 = 360;
const HEIGHT: u32 = 480;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// splitmix64.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % u64::from(n)) as u32
    }
}

/// A studio photo of an invented product: discs and bars of several colours on white ground.
fn product(seed: u64) -> RgbImage {
    let mut random = Seeded(seed);
    let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, WHITE);
    for _ in 0..40 {
        let (x, y) = (60 + random.below(240), 70 + random.below(340));
        let (w, h) = (8 + random.below(50), 8 + random.below(50));
        let colour = Rgb([random.below(220) as u8, random.below(220) as u8, random.below(220) as u8]);
        let is_disc = random.below(2) == 0;
        for v in y..(y + h).min(HEIGHT - 20) {
            for u in x..(x + w).min(WIDTH - 20) {
                let (a, b) = ((u - x) as f32 / w as f32 - 0.5, (v - y) as f32 / h as f32 - 0.5);
                if !is_disc || a * a + b * b < 0.25 {
                    picture.put_pixel(u, v, colour);
                }
            }
        }
    }
    picture
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 80).encode_image(picture).unwrap();
    bytes
}

fn reference(picture: &RgbImage) -> PhotoFeatures {
    features(&jpeg(picture), &DecodeLimits::default()).unwrap()
}

fn listing_photo(picture: &RgbImage) -> Photo {
    photo(&jpeg(picture), &DecodeLimits::default()).unwrap()
}

fn matches(index: &PhotoIndex, picture: &RgbImage) -> Vec<ReferenceMatch> {
    let score = PhotoScore::default();
    index.matches(
        &listing_photo(picture),
        &MatchSettings { radius: DEFAULT_RADIUS, score: &score, only_proposed: false },
        &[],
    )
}

fn scaled(picture: &RgbImage, factor: f32) -> RgbImage {
    let side = |side: u32| (side as f32 * factor).round() as u32;
    imageops::resize(picture, side(picture.width()), side(picture.height()), FilterType::Triangle)
}

fn cropped(picture: &RgbImage, left: u32, top: u32, right: u32, bottom: u32) -> RgbImage {
    let (width, height) = (picture.width() - left - right, picture.height() - top - bottom);
    imageops::crop_imm(picture, left, top, width, height).to_image()
}

fn framed(picture: &RgbImage, width: u32, colour: Rgb<u8>) -> RgbImage {
    let mut framed = RgbImage::from_pixel(picture.width() + 2 * width, picture.height() + 2 * width, colour);
    imageops::replace(&mut framed, picture, i64::from(width), i64::from(width));
    framed
}

fn with_banner(picture: &RgbImage) -> RgbImage {
    let mut covered = picture.clone();
    for y in 210..240 {
        for x in 40..320 {
            let stripe = x / 6 % 2 == 0;
            covered.put_pixel(x, y, if stripe { Rgb([200, 0, 0]) } else { Rgb([250, 240, 0]) });
        }
    }
    covered
}

fn beside(left: &RgbImage, right: &RgbImage) -> RgbImage {
    let mut both = RgbImage::from_pixel(left.width() + right.width(), left.height(), WHITE);
    imageops::replace(&mut both, left, 0, 0);
    imageops::replace(&mut both, right, i64::from(left.width()), 0);
    both
}

/// Turned counter-clockwise about the middle, on a white ground of the same size.
fn tilted(picture: &RgbImage, degrees: f32) -> RgbImage {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let (cx, cy) = (picture.width() as f32 / 2.0, picture.height() as f32 / 2.0);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
        let (u, v) = (cosine * dx - sine * dy + cx, sine * dx + cosine * dy + cy);
        imageops::interpolate_bilinear(picture, u - 0.5, v - 0.5).unwrap_or(WHITE)
    })
}

const N_PRODUCTS: u64 = 8;

fn index() -> PhotoIndex {
    PhotoIndex::new((0..N_PRODUCTS).map(|seed| reference(&product(seed))))
}

#[test]
fn each_alteration_is_found_and_named_and_nothing_else_is() {
    let index = index();
    let black = Rgb([0; 3]);
    type Alter = fn(&RgbImage) -> RgbImage;
    let cases: [(&str, Alter); 13] = [
        ("none", |p| scaled(p, 0.6)),
        ("mirror", imageops::flip_horizontal),
        ("rotate180", imageops::rotate180),
        // The crate turns clockwise.
        ("rotate270", imageops::rotate90),
        ("crop", |p| cropped(p, 36, 20, 30, 48)),
        ("crop", |p| cropped(p, 0, 0, 90, 0)),
        ("mirror+crop", |p| cropped(&imageops::flip_horizontal(p), 30, 40, 20, 20)),
        ("border", |p| framed(p, 40, WHITE)),
        ("border", |p| framed(&scaled(p, 0.7), 60, Rgb([190, 60, 20]))),
        ("rotate180+border", |p| framed(&imageops::rotate180(p), 50, Rgb([0; 3]))),
        ("overlay", with_banner),
        ("tilt+border", |p| tilted(&framed(p, 70, WHITE), 6.0)),
        ("tilt+border", |p| tilted(&framed(p, 70, WHITE), 15.0)),
    ];
    for seed in 0..N_PRODUCTS {
        let picture = product(seed);
        for (number, (expected, alter)) in cases.iter().enumerate() {
            let found = matches(&index, &alter(&picture));
            let told: Vec<_> = found.iter().map(|m| (m.reference as u64, m.alteration.to_string())).collect();
            assert_eq!(told, [(seed, (*expected).to_owned())], "product {seed}, case {number}");
        }
    }
    assert_eq!(matches(&index, &RgbImage::from_pixel(WIDTH, HEIGHT, black)), []);
}

#[test]
fn a_collage_shows_each_of_its_pictures() {
    let index = index();
    for seed in 0..N_PRODUCTS {
        let other = (seed + 5) % N_PRODUCTS;
        let mut found: Vec<u64> = Vec::new();
        for m in matches(&index, &scaled(&beside(&product(seed), &product(other)), 0.6)) {
            assert!(m.alteration.collage || m.alteration.border, "product {seed}: {}", m.alteration);
            found.push(m.reference as u64);
        }
        found.sort_unstable();
        let mut expected = [seed, other];
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn the_overlay_says_where_the_reference_lies() {
    let found = matches(&index(), &cropped(&product(3), 36, 0, 0, 96));
    let overlay = found[0].overlay.unwrap();
    let near = |value: i64, expected: i64| (value - expected).abs() <= 12;
    for (shown, expected) in overlay.shown.into_iter().zip([100, 0, 1000, 800]) {
        assert!(near(i64::from(shown), expected), "{overlay:?}");
    }
    // 36 of 360 pixels are gone at the left and 96 of 480 below.
    let expected = [[-111, 0], [1000, 0], [1000, 1250], [-111, 1250]];
    for (corner, expected) in overlay.corners.into_iter().flatten().zip(expected.into_iter().flatten()) {
        assert!(near(i64::from(corner), expected), "{overlay:?}");
    }
}

#[test]
fn another_colour_of_the_same_shape_is_no_copy_and_a_grey_copy_is() {
    let picture = product(7);
    let index = PhotoIndex::new([reference(&picture)]);
    // The luma stays, blue and red chroma change places.
    let swapped = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let [red, green, blue] = picture.get_pixel(x, y).0.map(f32::from);
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        let (towards_red, towards_blue) = (0.564 * (blue - luma), 0.713 * (red - luma));
        let green = luma - 0.344 * towards_blue - 0.714 * towards_red;
        Rgb([luma + 1.402 * towards_red, green, luma + 1.772 * towards_blue]
            .map(|v| v.clamp(0.0, 255.0) as u8))
    });
    assert_eq!(matches(&index, &swapped), []);
    let grey = DynamicImage::ImageRgb8(picture).grayscale().into_rgb8();
    assert_eq!(matches(&index, &grey).len(), 1);
}

/// As under a warm lamp, or through a filter.
fn with_cast(picture: &RgbImage, gains: [f32; 3]) -> RgbImage {
    let mut cast = picture.clone();
    for pixel in cast.pixels_mut() {
        for (value, gain) in pixel.0.iter_mut().zip(gains) {
            *value = (f32::from(*value) * gain) as u8;
        }
    }
    cast
}

#[test]
fn a_colour_cast_hides_no_photo_and_makes_no_other_shade_the_same() {
    let index = PhotoIndex::new((0..4).map(|seed| reference(&product(seed))));
    for gains in [[1.0, 0.93, 0.8], [1.0, 0.85, 0.6], [0.7, 0.85, 1.0], [0.85, 1.0, 0.8]] {
        let photo = with_cast(&product(2), gains);
        for photo in [photo.clone(), cropped(&photo, 30, 40, 20, 30), scaled(&photo, 0.5)] {
            let found = matches(&index, &photo);
            assert_eq!(found.iter().map(|m| m.reference).collect::<Vec<_>>(), [2], "{gains:?}: {found:?}");
        }
    }
    // The ground shows the cast, and the rest is still another shade.
    let index = PhotoIndex::new([reference(&tinted(0, 6))]);
    for number in [2, 3, 4] {
        assert_eq!(matches(&index, &with_cast(&tinted(number, 6), [1.0, 0.85, 0.6])), [], "{number}");
    }
}

/// A product in one of many colours: all but a small mark is dyed.
fn dyed(number: u32) -> RgbImage {
    let mut picture = product(20);
    let dye = [number * 37 % 180, number * 91 % 180, number * 53 % 180].map(|v| v as u8);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if *pixel != WHITE && !((150..210).contains(&x) && (200..260).contains(&y)) {
            let shade = f32::from(pixel.0[0]) / 255.0;
            *pixel = Rgb(dye.map(|v| (f32::from(v) * (0.4 + 0.6 * shade)) as u8));
        }
    }
    picture
}

#[test]
fn the_colours_of_one_product_do_not_crowd_each_other_out() {
    let index = PhotoIndex::new((0..16).map(|number| reference(&dyed(number))));
    let score = PhotoScore::default();
    let settings = MatchSettings { radius: DEFAULT_RADIUS, score: &score, only_proposed: false };
    for number in [0, 5, 10, 15] {
        let photo = listing_photo(&framed(&dyed(number), 40, WHITE));
        let found = index.matches(&photo, &settings, &[]);
        assert!(found.iter().any(|m| m.reference == number as usize), "{number}: {found:?}");
        // Whatever has as many votes, what the title names is looked at.
        let found = index.matches(&photo, &settings, &[number as usize]);
        assert_eq!(found[0].reference, number as usize);
    }
}

/// The product in one of `n` hues, all as bright.
fn tinted(number: u32, n: u32) -> RgbImage {
    let mut picture = product(20);
    let angle = std::f32::consts::TAU * number as f32 / n as f32;
    let (towards_blue, towards_red) = (45.0 * angle.cos(), 45.0 * angle.sin());
    for pixel in picture.pixels_mut().filter(|pixel| **pixel != WHITE) {
        let luma = 70.0 + 0.4 * f32::from(pixel.0[0]);
        let green = luma - 0.344 * towards_blue - 0.714 * towards_red;
        *pixel = Rgb([luma + 1.402 * towards_red, green, luma + 1.772 * towards_blue].map(|v| v as u8));
    }
    picture
}

#[test]
fn of_more_colours_than_are_looked_at_the_right_one_is_found_and_first() {
    const N: u32 = 48;
    let index = PhotoIndex::new((0..N).map(|number| reference(&tinted(number, N))));
    for number in (0..N).step_by(5) {
        let whole = scaled(&tinted(number, N), 0.6);
        for photo in [cropped(&tinted(number, N), 20, 30, 25, 25), framed(&whole, 40, WHITE), whole] {
            let found = matches(&index, &photo);
            let first = found.first().map(|m| m.reference);
            assert_eq!(first, Some(number as usize), "{number}: {found:?}");
        }
    }
}

#[test]
fn a_reference_of_hash_alone_is_found_by_its_hash_alone() {
    let picture = product(1);
    let mut hash_only = reference(&picture);
    hash_only.detail = None;
    let mut other_version = hash_only.clone();
    other_version.version += 1;
    let index = PhotoIndex::new([other_version, hash_only]);
    assert!(!index.has_detail(0) && !index.has_detail(1));
    let found = matches(&index, &imageops::flip_vertical(&scaled(&picture, 0.5)));
    assert_eq!(found.iter().map(|m| (m.reference, m.score)).collect::<Vec<_>>(), [(1, None)]);
    assert_eq!(found[0].alteration.to_string(), "flip");
    assert_eq!(matches(&index, &cropped(&picture, 36, 48, 36, 48)), []);
}

#[test]
fn a_hash_alone_is_found_within_any_radius() {
    let picture = product(1);
    let known = reference(&picture);
    // 80 bits further.
    let [a, b, c, d] = *known.pdq.words();
    let pdq = Hash256::from_words([!a, b ^ 0xffff, c, d]);
    let index = PhotoIndex::new([PhotoFeatures { pdq, detail: None, ..known }]);
    let score = PhotoScore::default();
    let photo = listing_photo(&picture);
    let found = |bits: u16| {
        let radius = HammingDistance::new(bits).unwrap();
        index.matches(&photo, &MatchSettings { radius, score: &score, only_proposed: false }, &[]).len()
    };
    let distance = photo.dihedral.iter().map(|hash| hash.distance(&pdq)).min().unwrap().bits();
    assert!(distance > 72, "{distance}");
    assert_eq!((found(distance), found(distance - 1)), (1, 0));
}

#[test]
fn a_blank_picture_is_never_matched() {
    let blank = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([250, 249, 247]));
    let mut faint = blank.clone();
    faint.put_pixel(100, 100, Rgb([240; 3]));
    let mut hash_only = reference(&blank);
    hash_only.detail = None;
    let index = PhotoIndex::new([reference(&blank), reference(&faint), hash_only]);
    assert_eq!(matches(&index, &blank), []);
    assert_eq!(matches(&index, &faint), []);
}

#[test]
fn near_duplicates_in_the_catalog_are_known() {
    let picture = product(2);
    let again = scaled(&picture, 0.8);
    let index = PhotoIndex::new([reference(&picture), reference(&again), reference(&product(4))]);
    assert!(index.are_near_duplicates(0, 1) && index.are_near_duplicates(1, 0));
    assert!(!index.are_near_duplicates(0, 2));
    assert_eq!(matches(&index, &cropped(&picture, 20, 20, 40, 30)).len(), 2);
}

#[test]
fn the_order_of_references_decides_nothing_but_their_names() {
    let forth = index();
    let back = PhotoIndex::new((0..N_PRODUCTS).rev().map(|seed| reference(&product(seed))));
    for seed in 0..N_PRODUCTS {
        let picture = framed(&product(seed), 30, Rgb([10, 90, 10]));
        let told = |index: &PhotoIndex, name: &dyn Fn(usize) -> usize| -> Vec<_> {
            let found = matches(index, &picture).into_iter();
            found.map(|m| (name(m.reference), m.score, m.distance, m.alteration, m.overlay)).collect()
        };
        let last = N_PRODUCTS as usize - 1;
        assert_eq!(told(&forth, &|reference| reference), told(&back, &|reference| last - reference));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: RngSeed::Fixed(11), failure_persistence: None, ..ProptestConfig::default() })]

    /// Details come from brand owners' feeds: whatever bytes they hold, nothing panics.
    #[test]
    fn details_of_any_bytes_are_searched_without_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let picture = product(9);
        let mut features = reference(&picture);
        let mut bytes = features.detail.as_ref().unwrap().as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(1));
        }
        features.detail = touchstone_types::PhotoDetail::new(bytes);
        let index = PhotoIndex::new([features]);
        let score = PhotoScore::default();
        let settings = MatchSettings { radius: HammingDistance::new(256).unwrap(), score: &score, only_proposed: false };
        index.matches(&listing_photo(&scaled(&picture, 0.4)), &settings, &[]);
    }
}

#[test]
fn only_what_is_proposed_is_laid_over_a_photo_if_so_wished() {
    let index = index();
    let score = PhotoScore::default();
    let found = |picture: &RgbImage, proposed: &[usize]| -> Vec<usize> {
        let settings = MatchSettings { radius: DEFAULT_RADIUS, score: &score, only_proposed: true };
        let matches = index.matches(&listing_photo(picture), &settings, proposed);
        matches.iter().map(|found| found.reference).collect()
    };
    let (whole, crop) = (scaled(&product(3), 0.6), cropped(&product(3), 36, 20, 30, 48));
    assert_eq!(found(&whole, &[]), [3], "near by hash");
    assert_eq!((found(&crop, &[]), found(&crop, &[5])), (vec![], vec![]));
    assert_eq!(found(&crop, &[5, 3]), [3]);
    let tilted = tilted(&framed(&product(3), 70, WHITE), 15.0);
    assert_eq!((found(&tilted, &[]), found(&tilted, &[3])), (vec![], vec![3]));
}
