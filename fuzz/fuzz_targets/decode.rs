//! Any bytes as a picture file: a hash or an error, within limits; what the photo says, its features say too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_image_hash::{DecodeLimits, Pdq, decode, features, photo};

const LIMITS: DecodeLimits = DecodeLimits { max_bytes: 1 << 16, max_pixels: 1 << 16, max_side: 1 << 11 };

fuzz_target!(|file: &[u8]| {
    let photo = photo(file, &LIMITS);
    assert_eq!(photo.as_ref().map(|photo| photo.features.clone()).map_err(Clone::clone), features(file, &LIMITS));
    if let Err(error) = &photo {
        assert!(!error.to_string().is_empty());
    }
    let Ok(picture) = decode(file, &LIMITS) else { return };
    let (width, height) = (picture.width(), picture.height());
    assert!(u64::from(width) * u64::from(height) <= LIMITS.max_pixels);
    assert!(width <= LIMITS.max_side && height <= LIMITS.max_side);
    // A large picture is hashed from its luma alone, which is within rounding of that of its colours.
    if width <= 512 && height <= 512 {
        assert_eq!(photo.map(|photo| photo.features.pdq), Ok(Pdq::of(&picture).hash()));
    }
});
