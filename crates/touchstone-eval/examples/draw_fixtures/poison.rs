//! Messages that no honest sender writes. Those that are large only by repetition (10 MB of text, 100,000 levels) are left to the
//! tests that need them.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// Side of the bomb: 64 million pixels in some 60 kB.
const BOMB_SIDE: u32 = 8_000;

/// Writes one file for each hostile message into `folder`; `picture` is a whole JPEG, to be cut short.
pub(crate) fn write(folder: &Path, picture: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for (name, body) in texts() {
        fs::write(folder.join(name), body)?;
    }
    fs::write(
        folder.join("with-cut-picture.json"),
        with_picture("POISON-cut-picture", &picture[..picture.len() / 2], "image/jpeg"),
    )?;
    fs::write(folder.join("with-bomb.json"), with_picture("POISON-bomb", &bomb()?, "image/png"))?;
    fs::write(
        folder.join("with-text-for-picture.json"),
        with_picture("POISON-no-picture", b"<svg onload=alert(1)>", "image/svg+xml"),
    )?;
    Ok(())
}

fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let listing = |fields: &str| {
        format!(r#"{{"listing_id":"POISON-1","title":"Cartucho Lumora 20","seller":{{"seller_id":"S-9"}}{fields}}}"#).into_bytes()
    };
    let nested =
        |levels: usize| format!(r#","attributes_tree":{}1{}"#, "[".repeat(levels), "]".repeat(levels));
    let mut not_utf8 = listing(r#","description":"Tinta preta X""#);
    let at = not_utf8.len() - 3;
    not_utf8[at] = 0xff;
    vec![
        ("empty-message.json", Vec::new()),
        ("not-json.json", b"listing_id=POISON-1&title=Cartucho".to_vec()),
        (
            "cut-short.json",
            br#"{"listing_id":"POISON-1","title":"Cartucho Lumora 20","seller":{"sel"#.to_vec(),
        ),
        ("two-objects.json", [listing(""), listing("")].concat()),
        ("array.json", br#"["POISON-1","Cartucho Lumora 20"]"#.to_vec()),
        ("null.json", b"null".to_vec()),
        (
            "title-is-a-number.json",
            br#"{"listing_id":"POISON-1","title":7,"seller":{"seller_id":"S-9"}}"#.to_vec(),
        ),
        (
            "title-is-empty.json",
            br#"{"listing_id":"POISON-1","title":"  ","seller":{"seller_id":"S-9"}}"#.to_vec(),
        ),
        ("no-seller.json", br#"{"listing_id":"POISON-1","title":"Cartucho Lumora 20"}"#.to_vec()),
        (
            "lone-surrogate.json",
            br#"{"listing_id":"POISON-1","title":"Lumora \ud83d 20","seller":{"seller_id":"S-9"}}"#.to_vec(),
        ),
        ("price-is-nan.json", listing(r#","price":{"amount":NaN,"currency":"BRL"}"#)),
        ("price-is-nan-text.json", listing(r#","price":{"amount":"NaN","currency":"BRL"}"#)),
        ("price-is-huge.json", listing(r#","price":{"amount":"1e300","currency":"BRL"}"#)),
        ("price-overflows.json", listing(r#","price":{"amount":1e999,"currency":"BRL"}"#)),
        ("price-is-negative.json", listing(r#","price":{"amount":"-5","currency":"BRL"}"#)),
        ("count-is-huge.json", listing(r#","signals":{"sold_count":99999999999999999999999}"#)),
        ("pack-size-is-zero.json", listing(r#","pack_size":0"#)),
        ("version-is-text.json", listing(r#","version":"two""#)),
        ("status-is-unknown.json", listing(r#","status":"paused""#)),
        ("time-is-no-time.json", listing(r#","observed_at":"2026-02-30T25:00:00Z""#)),
        ("picture-is-not-base64.json", listing(r#","images":[{"data":"%%%"}]"#)),
        ("nested-too-deeply.json", listing(&nested(200))),
        ("not-utf8.json", not_utf8),
    ]
}

fn with_picture(listing_id: &str, bytes: &[u8], media_type: &str) -> Vec<u8> {
    let mut message = Vec::new();
    let data = STANDARD.encode(bytes);
    let written = write!(
        message,
        r#"{{"listing_id":"{listing_id}","title":"Cartucho Lumora 20 Preto","seller":{{"seller_id":"S-9"}},"images":[{{"data":"{data}","media_type":"{media_type}"}}]}}"#
    );
    written.expect("writing to a vector cannot fail");
    message
}

fn bomb() -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    let pixels = vec![0; (BOMB_SIDE * BOMB_SIDE) as usize];
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter).write_image(
        &pixels,
        BOMB_SIDE,
        BOMB_SIDE,
        ExtendedColorType::L8,
    )?;
    Ok(bytes)
}
