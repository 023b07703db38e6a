//! The crate from outside: hostile files, and the hashes of Meta's own programs.

mod hostile;
mod memory;
mod reference;

/// Files of every format that is read, each a few hundred bytes: an invented picture of 40x30 pixels, written by Pillow.
fn pictures() -> Vec<(&'static str, &'static [u8])> {
    macro_rules! files {
        ($($name:literal)*) => { vec![$(($name, include_bytes!(concat!("../pictures/", $name)))),*] };
    }
    files!["alpha.png" "animated.gif" "animated.webp" "baseline_420.jpg" "cmyk.jpg" "grey.jpg" "grey16.png" "lossless.webp"
        "lossy.webp" "lossy_alpha.webp" "palette.bmp" "palette.png" "plain.bmp" "progressive.jpg" "still.gif" "turned.jpg"]
}
