//! An index that followed the changes answers like one made of what is left.

use std::sync::LazyLock;

use image::{Rgb, RgbImage, imageops};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use touchstone_types::{Hash256, PhotoDetail, PhotoFeatures};

use super::*;
use crate::decode::DecodeLimits;
use crate::detail::Detail;
use crate::matching::DEFAULT_RADIUS;
use crate::score::PhotoScore;
use crate::windows::WindowHash;

/// So small that every bound is met, or not met so that the next one is.
fn limits() -> impl Strategy<Value = Limits> {
    let either = |few: usize, many: usize| prop::sample::select(vec![few, many]);
    (either(12, 60), either(10, 60), either(900, 9_000))
        .prop_map(|(max_common, max_groups, max_searched)| Limits { max_common, max_groups, max_searched })
}

const SIDES: (u32, u32) = (180, 240);
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Blots of colour on white ground; of one `shape` in several `shade`s.
fn picture(shape: u64, shade: u8) -> RgbImage {
    let mut state = shape;
    let mut below = |n: u64| (next(&mut state) % n) as u32;
    let mut picture = RgbImage::from_pixel(SIDES.0, SIDES.1, WHITE);
    for _ in 0..40 {
        let (x, y, w, h) = (20 + below(120), 25 + below(170), 5 + below(30), 5 + below(30));
        let colour = [below(180) as u8, below(180) as u8, below(180) as u8];
        let colour = Rgb([colour[0] + 12 * shade, colour[1], colour[2] + 70 - 12 * shade]);
        for (x, y) in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y))) {
            picture.put_pixel(x.min(SIDES.0 - 9), y.min(SIDES.1 - 9), colour);
        }
    }
    picture
}

fn file(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn photo(picture: &RgbImage) -> Photo {
    crate::photo(&file(picture), &DecodeLimits::default()).unwrap()
}

/// Pictures that references are made of: three shapes, the first in four shades.
fn originals() -> Vec<PhotoFeatures> {
    let pictures = [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (3, 0)];
    pictures.map(|(shape, shade)| photo(&picture(shape, shade)).features).into()
}

/// Photos that show them: whole and mirrored, cropped, two in one, and tilted, so that they are also looked for turned.
fn listing_photos() -> Vec<Photo> {
    let crop = imageops::crop_imm(&picture(1, 2), 15, 20, 150, 190).to_image();
    let mut both = RgbImage::from_pixel(2 * SIDES.0, SIDES.1, WHITE);
    imageops::replace(&mut both, &picture(1, 1), 0, 0);
    imageops::replace(&mut both, &picture(2, 0), SIDES.0.into(), 0);
    let upright = picture(3, 0);
    let (sine, cosine) = 0.6_f32.sin_cos();
    let tilted = RgbImage::from_fn(SIDES.0, SIDES.1, |x, y| {
        let (dx, dy) = (x as f32 - 90.0, y as f32 - 120.0);
        let (x, y) = (cosine * dx - sine * dy + 90.0, sine * dx + cosine * dy + 120.0);
        imageops::interpolate_bilinear(&upright, x, y).unwrap_or(WHITE)
    });
    [imageops::flip_horizontal(&picture(1, 0)), crop, both, tilted].iter().map(photo).collect()
}

static ORIGINALS: LazyLock<Vec<PhotoFeatures>> = LazyLock::new(originals);
static PHOTOS: LazyLock<Vec<Photo>> = LazyLock::new(listing_photos);

/// What becomes of an original.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Detailed,
    /// All its windows have the hash of the first, so that they crowd one bucket.
    Crowded,
    HashOnly,
    UnreadableDetail,
    OtherVersion,
}

fn reference(original: &PhotoFeatures, kind: Kind, flips: u64) -> PhotoFeatures {
    let mut features = original.clone();
    let mut state = flips;
    let mut words = *features.pdq.words();
    for _ in 0..flips % 8 {
        let bit = next(&mut state) % 256;
        words[(bit / 64) as usize] ^= 1 << (bit % 64);
    }
    features.pdq = Hash256::from_words(words);
    let mut detail = Detail::from_bytes(features.detail.as_ref().unwrap()).unwrap();
    let first = detail.windows[0].hashes[0];
    for window in &mut detail.windows {
        match kind {
            Kind::Crowded => window.hashes[0] = first,
            _ => window.hashes[0] ^= WindowHash::from(flips % 3) << (next(&mut state) % 120),
        }
    }
    features.detail = match kind {
        Kind::Detailed | Kind::Crowded => Some(detail.to_bytes()),
        Kind::HashOnly => None,
        Kind::UnreadableDetail => PhotoDetail::new([9; 40]),
        Kind::OtherVersion => Some(detail.to_bytes()),
    };
    if matches!(kind, Kind::OtherVersion) {
        features.version += 1;
    }
    features
}

/// A reference put under a name, or a name removed.
type Change = (usize, Option<(Kind, usize, u64)>);

fn change() -> impl Strategy<Value = Change> {
    let kind = prop_oneof![
        8 => Just(Kind::Detailed),
        2 => Just(Kind::Crowded),
        2 => Just(Kind::HashOnly),
        1 => Just(Kind::UnreadableDetail),
        1 => Just(Kind::OtherVersion),
    ];
    // Many are copies of one, so that ties are to be broken wherever some are left out.
    let original = prop_oneof![1 => Just(0), 1 => 0..6_usize];
    let flips = prop_oneof![1 => Just(0), 1 => 0..9_u64];
    (0..60_usize, prop::option::weighted(0.6, (kind, original, flips)))
}

/// What can be asked of an index about a photo, by names.
fn answers(index: &PhotoIndex, photo: &Photo, proposed: &[usize]) -> (Vec<ReferenceMatch>, Vec<Candidate>) {
    let settings =
        MatchSettings { radius: DEFAULT_RADIUS, score: &PhotoScore::default(), only_proposed: false };
    let proposed: Vec<usize> =
        proposed.iter().flat_map(|name| index.slots(|other| other.cmp(name))).collect();
    let mut matches = index.matches(photo, &settings, &proposed);
    matches.iter_mut().for_each(|m| m.reference = *index.name(m.reference));
    let mut candidates = index.candidates(photo, &proposed);
    candidates.iter_mut().for_each(|candidate| candidate.reference = *index.name(candidate.reference));
    (matches, candidates)
}

struct Grown {
    index: PhotoIndex,
    live: BTreeMap<usize, PhotoFeatures>,
    limits: Limits,
}

impl Grown {
    fn new(limits: Limits) -> Self {
        let index = PhotoIndex::limited([], limits);
        Self { index, live: BTreeMap::new(), limits }
    }

    fn change(&mut self, changes: &[Change]) {
        let made = |made: (Kind, usize, u64)| reference(&ORIGINALS[made.1], made.0, made.2);
        let changes: Vec<_> = changes.iter().map(|&(name, new)| (name, new.map(made))).collect();
        for (name, features) in &changes {
            match features {
                Some(features) => drop(self.live.insert(*name, features.clone())),
                None => drop(self.live.remove(name)),
            }
        }
        self.index = self.index.with_changes(changes);
    }

    fn check(&self, photo: &Photo, proposed: &[usize]) {
        let fresh = PhotoIndex::limited(self.live.clone(), self.limits);
        assert!(self.index.names().eq(fresh.names()));
        let counts = |index: &PhotoIndex| (index.len(), index.n_hash_only(), index.searches_all());
        assert_eq!(counts(&self.index), counts(&fresh));
        assert_eq!(answers(&self.index, photo, proposed), answers(&fresh, photo, proposed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, rng_seed: RngSeed::Fixed(23), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn grown_answers_like_fresh(
        limits in limits(),
        start in prop::collection::vec(change(), 20..90),
        batches in prop::collection::vec((prop::collection::vec(change(), 1..14), any::<bool>()), 1..4),
        proposed in prop::collection::vec(0..60_usize, 0..3),
        which in 0..4_usize,
    ) {
        let mut grown = Grown::new(limits);
        grown.change(&start);
        for (batch, merge) in &batches {
            grown.change(batch);
            grown.check(&PHOTOS[which], &proposed);
            if *merge {
                grown.index = grown.index.merged();
                prop_assert_eq!(grown.index.n_pending(), 0);
                grown.check(&PHOTOS[which], &proposed);
            }
        }
    }
}

/// The slots of what the picture shows, and what else its features show.
fn shown(index: &PhotoIndex, photo: &Photo) -> (Vec<ReferenceMatch>, Vec<ReferenceMatch>) {
    let settings =
        MatchSettings { radius: DEFAULT_RADIUS, score: &PhotoScore::default(), only_proposed: false };
    let matches = index.matches(photo, &settings, &[]);
    let found: Vec<usize> = matches.iter().map(|m| m.reference).collect();
    (matches, index.whole_copies(&photo.kept(0), DEFAULT_RADIUS, &found))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, rng_seed: RngSeed::Fixed(29), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_of_a_photo_tells_the_distance_of_every_match_and_no_more_matches(
        limits in limits(),
        start in prop::collection::vec(change(), 1..90),
        later in prop::collection::vec(change(), 0..9),
        which in 0..4_usize,
    ) {
        let mut grown = Grown::new(limits);
        // A reference whose windows are forged is denied by the picture alone, so its kind has no part in this.
        let is_forged = |change: &Change| matches!(change.1, Some((Kind::Crowded, ..)));
        for changes in [start, later] {
            grown.change(&changes.into_iter().filter(|change| !is_forged(change)).collect::<Vec<_>>());
        }
        let (matches, more) = shown(&grown.index, &PHOTOS[which]);
        for found in &matches {
            let distance = grown.index.distance(&PHOTOS[which].dihedral, found.reference);
            prop_assert_eq!(distance, Some(found.distance));
        }
        prop_assert_eq!(more, vec![]);
    }
}

#[test]
fn what_is_kept_of_a_photo_finds_the_picture_turned_as_it_is_and_none_of_its_shades() {
    let shades = (0..4).map(|name| (name, ORIGINALS[name].clone()));
    let bare = PhotoFeatures { detail: None, ..ORIGINALS[4].clone() };
    let index = PhotoIndex::of_named(shades.chain([(4, bare)]));
    // The first shade mirrored.
    let kept = PHOTOS[0].kept(0);
    let told = |kept: &KeptPhoto, found: &[usize]| -> Vec<(usize, String)> {
        let copies = index.whole_copies(kept, DEFAULT_RADIUS, found);
        assert!(copies.iter().all(|m| m.score.is_none() && m.overlay.is_none()));
        copies.iter().map(|m| (m.reference, m.alteration.to_string())).collect()
    };
    let near = index.references.near_by_hash(&kept.turned, DEFAULT_RADIUS);
    assert_eq!(near.len(), 4, "all shades are near by hash");
    assert_eq!(told(&kept, &[]), [(0, "mirror".to_owned())]);
    assert_eq!(told(&kept, &[0]), []);
    let other = photo(&imageops::rotate90(&picture(2, 0))).kept(0);
    assert_eq!(told(&other, &[]), [(4, "rotate270".to_owned())], "a reference without detail by its hash");
    let blank = |kept: &KeptPhoto, quality| KeptPhoto {
        features: PhotoFeatures {
            quality: touchstone_types::Quality::new(quality).unwrap(),
            ..kept.features.clone()
        },
        ..kept.clone()
    };
    assert_eq!(told(&blank(&other, 49), &[]), []);
    assert_eq!(told(&blank(&other, 50), &[]).len(), 1);
    let older = PhotoFeatures { version: 99, ..kept.features.clone() };
    assert_eq!(told(&KeptPhoto { features: older, ..kept }, &[]), []);
}

#[test]
fn of_a_picture_of_many_references_no_more_are_told_than_get_a_second_look() {
    let index = PhotoIndex::new(vec![ORIGINALS[0].clone(); 40]);
    let kept = PHOTOS[0].kept(0);
    let n_told = |found: &[usize]| index.whole_copies(&kept, DEFAULT_RADIUS, found).len();
    assert_eq!([n_told(&[]), n_told(&[3, 9]), n_told(&[0, 1, 2, 3, 4, 5, 6])], [6, 4, 0]);
}

/// Hashes are cut into fewer pieces from 4,096 windows on, wherever the windows lie.
#[test]
fn grown_over_a_change_of_the_pieces_answers_like_fresh() {
    let put = |name: usize| (name, Some((Kind::Detailed, name % 6, name as u64 % 9)));
    let mut grown = Grown::new(Limits::USUAL);
    let n_windows = |grown: &Grown| grown.index.references.n_windows();
    let all: Vec<Change> = (0..).map(put).take(4_096 / n_windows_of_one() - 1).collect();
    grown.change(&all);
    assert!(n_windows(&grown) < 4_096);
    let mut name = all.len();
    while n_windows(&grown) < 4_200 {
        grown.change(&[put(name)]);
        grown.check(&PHOTOS[name % 4], &[]);
        name += 1;
    }
    while n_windows(&grown) >= 4_000 {
        name -= 1;
        grown.change(&[(name, None)]);
        grown.check(&PHOTOS[name % 4], &[]);
    }
}

fn n_windows_of_one() -> usize {
    Detail::from_bytes(ORIGINALS[0].detail.as_ref().unwrap()).unwrap().windows.len()
}

#[test]
fn an_empty_index_finds_nothing_and_takes_references_in() {
    let empty = PhotoIndex::<usize>::default();
    assert!(empty.is_empty() && empty.merged().is_empty());
    assert_eq!(answers(&empty, &PHOTOS[0], &[]), (Vec::new(), Vec::new()));
    let one = empty.with_changes([(7, Some(ORIGINALS[0].clone()))]);
    assert_eq!(answers(&one, &PHOTOS[0], &[]).0[0].reference, 7);
    let none = one.with_changes([(7, None), (8, None)]);
    assert!(none.is_empty());
    assert_eq!(answers(&none, &PHOTOS[0], &[]), (Vec::new(), Vec::new()));
    assert_eq!(one.len(), 1, "whoever still holds the state between is not disturbed");
}

#[test]
fn a_few_changes_leave_the_base_where_it_is() {
    let mut grown = Grown::new(Limits::USUAL);
    let put = |name: usize, flips: u64| (name, Some((Kind::Detailed, name % 6, flips)));
    grown.change(&(0..40).map(|name| put(name, 1)).collect::<Vec<_>>());
    let before = grown.index.clone();
    assert_eq!(before.n_pending(), 0);
    grown.change(&[put(3, 2), (9, None), put(50, 1)]);
    assert!(Arc::ptr_eq(&before.base, &grown.index.base));
    assert_eq!(grown.index.n_pending(), 4, "two removed, two came");
    assert!(!grown.index.wants_merge());
}
