//! The crate from outside: hostile files, and the hashes of Meta's own programs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod altered;
mod hostile;
mod memory;
mod reference;

macro_rules! files {
    ($($name:literal)*) => { vec![$(($name, include_bytes!(concat!("../pictures/", $name)))),*] };
}

/// Files of every format that is read, each a few hundred bytes: an invented picture of 40x30 pixels, written by Pillow.
fn pictures() -> Vec<(&'static str, &'static [u8])> {
    files!["alpha.png" "animated.gif" "animated.webp" "baseline_420.jpg" "blank_first.gif" "blank_first.png"
        "blank_first.webp" "cmyk.jpg" "grey.jpg" "grey16.png" "lossless.webp"
        "lossy.webp" "lossy_alpha.webp" "palette.bmp" "palette.png" "plain.bmp" "progressive.jpg" "still.gif" "turned.jpg"
        "turned.png" "turned.webp"]
}

/// JPEGs of 528x24 pixels: more than the side up to which the plain decoder reads them all.
fn wide_pictures() -> Vec<(&'static str, &'static [u8])> {
    files!["wide_420.jpg" "wide_cmyk.jpg" "wide_progressive.jpg" "wide_restarts.jpg" "wide_rgb.jpg"]
}
