//! A decoded picture: upright 8-bit pixels without transparency, the only form that the hashes read.

/// A decoded picture of at least one pixel, rows from top to bottom, pixels from left to right.
///
/// Grey pictures are kept apart from coloured ones because PDQ takes their values as they are: making them red, green and blue
/// and weighing them together again would add rounding noise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Pixels,
}

/// The samples of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// One byte a pixel.
    Grey(Vec<u8>),
    /// Red, green, blue: three bytes a pixel.
    Rgb(Vec<u8>),
    /// Luma, blue and red chroma (BT.601, all 256 values), as a JPEG has them: three bytes a pixel.
    LumaAndChroma(Vec<u8>),
}

impl Picture {
    /// The picture with these red, green and blue bytes, three a pixel, row by row.
    ///
    /// `None` if a side is zero or `rgb` does not hold exactly `3 * width * height` bytes.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Option<Self> {
        Self::new(width, height, Pixels::Rgb(rgb))
    }

    /// The picture with these grey values (0 black, 255 white), one byte a pixel, row by row.
    ///
    /// `None` if a side is zero or `grey` does not hold exactly `width * height` bytes.
    pub fn from_grey(width: u32, height: u32, grey: Vec<u8>) -> Option<Self> {
        Self::new(width, height, Pixels::Grey(grey))
    }

    pub(crate) fn from_luma_and_chroma(width: u32, height: u32, samples: Vec<u8>) -> Option<Self> {
        Self::new(width, height, Pixels::LumaAndChroma(samples))
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    pub(crate) fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    fn new(width: u32, height: u32, pixels: Pixels) -> Option<Self> {
        let (bytes, per_pixel) = match &pixels {
            Pixels::Grey(grey) => (grey.len(), 1),
            Pixels::Rgb(samples) | Pixels::LumaAndChroma(samples) => (samples.len(), 3),
        };
        let expected = (width as u128) * (height as u128) * per_pixel;
        (width > 0 && height > 0 && bytes as u128 == expected).then_some(Self { width, height, pixels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_pixels_and_exactly_as_many_bytes_as_its_sides_say() {
        assert!(Picture::from_rgb(2, 3, vec![0; 18]).is_some());
        assert!(Picture::from_rgb(2, 3, vec![0; 17]).is_none());
        assert!(Picture::from_grey(2, 3, vec![0; 6]).is_some());
        assert!(Picture::from_grey(0, 3, vec![]).is_none());
        assert!(Picture::from_grey(u32::MAX, u32::MAX, vec![]).is_none());
    }
}
