//! A decoded picture: upright 8-bit pixels without transparency, the only form that the hashes read.

use crate::shrink::{cells, mean_cells};

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

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The picture with each side above `max_side` pixels (0 counts as 1) shrunk to at most that many, by averaging whole pixels.
    ///
    /// The sides are shrunk apart from each other, by whole factors, so proportions are not always kept. Each sample is the mean of
    /// a cell, rounded half up. This is how [`Pdq::of`](crate::Pdq::of) shrinks, but for the rounding; one decoded picture gives
    /// both the hash and small planes of colour.
    pub fn shrunk(&self, max_side: u32) -> Self {
        let max_side = max_side.max(1) as usize;
        let (rows, cols) = (self.height as usize, self.width as usize);
        let (down, across) = (cells(rows, max_side), cells(cols, max_side));
        let rounded = |sum: u64, count: u64| ((sum + count / 2) / count) as u8;
        let pixels = match &self.pixels {
            Pixels::Grey(grey) => {
                Pixels::Grey(mean_cells(grey, cols, &down, &across, |&[sum], count| rounded(sum, count)))
            }
            Pixels::Rgb(rgb) => {
                let mean = |sums: &[u64; 3], count| sums.map(|sum| rounded(sum, count));
                Pixels::Rgb(mean_cells(rgb, cols, &down, &across, mean).into_flattened())
            }
        };
        Self { width: (across.len() - 1) as u32, height: (down.len() - 1) as u32, pixels }
    }

    pub(crate) fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    fn new(width: u32, height: u32, pixels: Pixels) -> Option<Self> {
        let (bytes, per_pixel) = match &pixels {
            Pixels::Grey(grey) => (grey.len(), 1),
            Pixels::Rgb(rgb) => (rgb.len(), 3),
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

    #[test]
    fn a_shrunk_picture_has_the_means_of_whole_pixels() {
        let grey = Picture::from_grey(4, 2, vec![0, 1, 10, 30, 2, 3, 20, 41]).unwrap();
        assert_eq!(grey.shrunk(2), Picture::from_grey(2, 2, vec![1, 20, 3, 31]).unwrap());
        assert_eq!(grey.shrunk(1), Picture::from_grey(1, 1, vec![13]).unwrap());
        assert_eq!(grey.shrunk(0), grey.shrunk(1));
        assert_eq!(grey.shrunk(4), grey);
        // Three columns in two cells: one of a single column, one of two.
        let rgb = Picture::from_rgb(3, 1, vec![1, 2, 3, 10, 20, 30, 20, 40, 50]).unwrap();
        assert_eq!(rgb.shrunk(2), Picture::from_rgb(2, 1, vec![1, 2, 3, 15, 30, 40]).unwrap());
    }
}
