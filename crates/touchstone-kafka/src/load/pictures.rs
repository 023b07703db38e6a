//! Photos for listings: what they show, and what becomes of a request for one.

use std::thread;

use axum::body::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What becomes of a request for a photo. It stands in the photo's address, so that the host need not remember anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhotoFate {
    /// The picture after the usual latency.
    Prompt,
    /// The picture after a long time.
    Slow,
    /// No answer ever.
    Hang,
    /// The connection is reset.
    Reset,
    /// Status 500.
    Error,
    /// Status 404.
    Missing,
    /// The picture, one byte a second.
    Drip,
}

impl PhotoFate {
    /// Those that never give a picture.
    pub const DEAD: [Self; 5] = [Self::Hang, Self::Reset, Self::Error, Self::Missing, Self::Drip];

    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "photo",
            Self::Slow => "slow",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Error => "error",
            Self::Missing => "missing",
            Self::Drip => "drip",
        }
    }

    /// Reads the word of an address.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Prompt, Self::Slow].into_iter().chain(Self::DEAD);
        all.into_iter().find(|fate| fate.as_str() == word)
    }
}

/// Which photos listings have.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoMix {
    /// Where the host is: `http://127.0.0.1:PORT`.
    pub origin: String,
    /// How many photos a listing has.
    pub n_per_listing: usize,
    /// How many different pictures there are, at least 1.
    pub n_pictures: usize,
    /// The share of photos that are slow.
    pub slow: f64,
    /// The share of photos that never come.
    pub dead: f64,
}

impl PhotoMix {
    /// The addresses of the photos of listing `number`: the same for each of its versions.
    pub(super) fn urls(&self, seed: u64, number: u64) -> Vec<String> {
        if self.n_per_listing == 0 {
            return Vec::new();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number.wrapping_add(1));
        (0..self.n_per_listing)
            .map(|_| {
                let picture = rng.random_range(0..self.n_pictures.max(1));
                format!("{}/{}/{picture}.jpg", self.origin, self.fate(&mut rng).as_str())
            })
            .collect()
    }

    fn fate(&self, rng: &mut ChaCha8Rng) -> PhotoFate {
        let draw: f64 = rng.random();
        if draw < self.dead {
            return *PhotoFate::DEAD.choose(rng).unwrap_or(&PhotoFate::Hang);
        }
        if draw < self.dead + self.slow { PhotoFate::Slow } else { PhotoFate::Prompt }
    }
}

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const N_SHAPES: usize = 24;

/// `n` pictures as JPEG files of 640 × 480 pixels, each another one; drawn on all processors.
pub fn pictures(seed: u64, n: usize) -> Vec<Bytes> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(n.max(1));
    let mut pictures = vec![Bytes::new(); n];
    thread::scope(|scope| {
        for (chunk_idx, chunk) in pictures.chunks_mut(n.div_ceil(n_threads).max(1)).enumerate() {
            let first = chunk_idx * n.div_ceil(n_threads);
            scope.spawn(move || {
                for (idx, picture) in chunk.iter_mut().enumerate() {
                    *picture = draw(seed, (first + idx) as u64).into();
                }
            });
        }
    });
    pictures
}

/// Shapes of one colour on a ground of another, large ones first.
fn draw(seed: u64, number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut picture = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb(rng.random()));
    for shape_idx in 0..N_SHAPES {
        let colour = Rgb(rng.random());
        let (x, y) = (rng.random_range(0..WIDTH), rng.random_range(0..HEIGHT));
        let largest = 280 - 9 * shape_idx as u32;
        let (width, height) = (rng.random_range(20..largest), rng.random_range(20..largest));
        let is_round = rng.random_bool(0.5);
        for dy in 0..height.min(HEIGHT - y) {
            for dx in 0..width.min(WIDTH - x) {
                if !is_round || is_in_ellipse(dx, dy, width, height) {
                    picture.put_pixel(x + dx, y + dy, colour);
                }
            }
        }
    }
    let mut file = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut file, 80).encode_image(&picture);
    encoded.expect("a picture of this size can be written to memory");
    file
}

fn is_in_ellipse(x: u32, y: u32, width: u32, height: u32) -> bool {
    let part = |at: u32, length: u32| (2.0 * f64::from(at) + 1.0) / f64::from(length) - 1.0;
    part(x, width).powi(2) + part(y, height).powi(2) <= 1.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use touchstone_image_hash::{DecodeLimits, photo};

    use super::*;

    fn mix(slow: f64, dead: f64) -> PhotoMix {
        let origin = "http://127.0.0.1:9".to_owned();
        PhotoMix { origin, n_per_listing: 4, n_pictures: 10, slow, dead }
    }

    #[test]
    fn the_shares_of_slow_and_dead_photos_are_as_set_and_follow_from_the_seed() {
        let mix = mix(0.1, 0.05);
        let mut fates: BTreeMap<PhotoFate, usize> = BTreeMap::new();
        for number in 0..5_000 {
            let urls = mix.urls(3, number);
            assert_eq!(urls, mix.urls(3, number));
            for url in urls {
                let mut words = url.strip_prefix("http://127.0.0.1:9/").unwrap().split('/');
                *fates.entry(PhotoFate::parse(words.next().unwrap()).unwrap()).or_default() += 1;
                let picture: usize = words.next().unwrap().strip_suffix(".jpg").unwrap().parse().unwrap();
                assert!(picture < 10);
            }
        }
        let share = |fate| fates[&fate] as f64 / 20_000.0;
        assert!((share(PhotoFate::Slow) - 0.1).abs() < 0.01, "{fates:?}");
        for fate in PhotoFate::DEAD {
            assert!((share(fate) - 0.01).abs() < 0.003, "{fate:?} of {fates:?}");
        }
        assert_ne!(mix.urls(3, 1), mix.urls(4, 1));
    }

    #[test]
    fn every_picture_is_a_photo_that_hashes_differently() {
        let files = pictures(5, 24);
        assert_eq!(files, pictures(5, 24));
        let limits = DecodeLimits::default();
        let photos: Vec<_> = files.iter().map(|file| photo(file, &limits).unwrap()).collect();
        for (idx, one) in photos.iter().enumerate() {
            assert!(one.features.quality.get() >= 50, "quality {:?}", one.features.quality);
            for other in &photos[..idx] {
                let distance = one.features.pdq.distance(&other.features.pdq).bits();
                assert!(distance > 60, "distance {distance}");
            }
        }
    }
}
