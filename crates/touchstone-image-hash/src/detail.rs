//! What is kept of a reference photo to find altered copies of it: its layout and its best windows, in at most 1,440 bytes.
//!
//! ```text
//! byte 0        layout of the following, 1
//! 1 to 4        width and height of the picture at its working size, 16 bits each, little-endian as all numbers
//! 5 to 708      the layout: 24x24 cells of luma, 8x8 of blue and 8x8 of red chroma
//! 709           number of windows
//! 20 bytes each x and y in sixteenths of a pixel (low 13 bits) with the level (3 bits each), then the hash
//! ```

use touchstone_types::PhotoDetail;

use crate::layout::{LAYOUT_BYTES, Layout};
use crate::plane::{Planes, WORKING_SIDE};
use crate::windows::{Level, Window, windows};

/// The form of the bytes and the method behind them.
const VERSION: u8 = 1;

const HEAD: usize = 5;
const WINDOW_BYTES: usize = 20;

/// Windows kept of a reference: as many as there is room for.
pub(crate) const MAX_WINDOWS: usize = (PhotoDetail::MAX_BYTES - HEAD - LAYOUT_BYTES - 1) / WINDOW_BYTES;

/// Windows of one scale keep this distance in their own pixels: a reference has few to give, and they should see different things.
const SPACING: f32 = 4.0;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Detail {
    /// The working size.
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) layout: Layout,
    pub(crate) windows: Vec<Window>,
}

impl Detail {
    pub(crate) fn of(planes: &Planes, levels: &[Level]) -> Self {
        Self {
            width: planes.luma.width as u16,
            height: planes.luma.height as u16,
            layout: Layout::of(planes),
            windows: windows(levels, MAX_WINDOWS, SPACING),
        }
    }

    /// Width over height.
    pub(crate) fn aspect(&self) -> f32 {
        f32::from(self.width) / f32::from(self.height)
    }

    pub(crate) fn to_bytes(&self) -> PhotoDetail {
        let mut bytes = vec![VERSION];
        bytes.extend(self.width.to_le_bytes());
        bytes.extend(self.height.to_le_bytes());
        bytes.extend(self.layout.as_bytes());
        bytes.push(self.windows.len() as u8);
        for window in &self.windows {
            let place = |value: f32, level: u8| {
                let sixteenths = ((value * 16.0) as u16).min(0x1fff);
                (sixteenths | u16::from(level & 7) << 13).to_le_bytes()
            };
            bytes.extend(place(window.x, window.level));
            bytes.extend(place(window.y, window.level >> 3));
            bytes.extend(window.hashes[0].to_le_bytes());
        }
        PhotoDetail::new(bytes).expect("as many windows as there is room for")
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` if the bytes are of another version or cannot be right.
    pub(crate) fn from_bytes(detail: &PhotoDetail) -> Option<Self> {
        let (head, rest) = detail.as_bytes().split_first_chunk::<HEAD>()?;
        let [VERSION, w0, w1, h0, h1] = *head else { return None };
        let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
        let sides = 1..=WORKING_SIDE as u16;
        if !sides.contains(&width) || !sides.contains(&height) {
            return None;
        }
        let (layout, rest) = rest.split_first_chunk::<LAYOUT_BYTES>()?;
        let (&n_windows, rest) = rest.split_first()?;
        let (windows, []) = rest.as_chunks::<WINDOW_BYTES>() else { return None };
        if windows.len() != usize::from(n_windows) {
            return None;
        }
        let window = |bytes: &[u8; WINDOW_BYTES]| {
            let (&[x0, x1, y0, y1], hash) = bytes.split_first_chunk::<4>()?;
            let (x, y) = (u16::from_le_bytes([x0, x1]), u16::from_le_bytes([y0, y1]));
            let level = (x >> 13) as u8 | ((y >> 13) as u8) << 3;
            let pixels = |place: u16| f32::from(place & 0x1fff) / 16.0;
            let hash = u128::from_le_bytes(hash.try_into().ok()?);
            // A reference is only found by its windows as they stand, so the transposed ones are not kept.
            Some(Window { x: pixels(x), y: pixels(y), level, hashes: [hash, 0] })
        };
        let windows = windows.iter().map(window).collect::<Option<Vec<_>>>()?;
        Some(Self { width, height, layout: Layout::from_bytes(layout), windows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use crate::windows::pyramid;

    fn detail() -> Detail {
        let value = |x: u32, y: u32| (x / 13 * 7919 % 83 * (y / 11 * 104_729 % 61) % 200 + x % 11) as u8;
        let grey = (0..480).flat_map(|y| (0..360).map(move |x| value(x, y))).collect();
        let planes = Planes::of(&Picture::from_grey(360, 480, grey).unwrap());
        Detail::of(&planes, &pyramid(&planes.luma))
    }

    #[test]
    fn a_detail_reads_back_as_it_was_but_for_what_is_not_kept() {
        let detail = detail();
        assert_eq!(detail.windows.len(), MAX_WINDOWS);
        let bytes = detail.to_bytes();
        assert!(bytes.as_bytes().len() <= PhotoDetail::MAX_BYTES);
        let read = Detail::from_bytes(&bytes).unwrap();
        assert_eq!((read.width, read.height, &read.layout), (300, 400, &detail.layout));
        for (read, window) in read.windows.iter().zip(&detail.windows) {
            assert!((read.x - window.x).abs() <= 1.0 / 16.0 && (read.y - window.y).abs() <= 1.0 / 16.0);
            assert_eq!((read.level, read.hashes[0]), (window.level, window.hashes[0]));
        }
        assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn bytes_that_cannot_be_right_are_refused() {
        let bytes = detail().to_bytes().as_bytes().to_vec();
        let read = |change: fn(&mut Vec<u8>)| {
            let mut bytes = bytes.clone();
            change(&mut bytes);
            Detail::from_bytes(&PhotoDetail::new(bytes).unwrap()).is_some()
        };
        assert!(read(|_| {}));
        assert!(!read(|bytes| bytes[0] = 2));
        assert!(!read(|bytes| bytes[1..3].fill(0)));
        assert!(!read(|bytes| bytes[3..5].fill(0xff)));
        assert!(!read(|bytes| bytes.truncate(bytes.len() - 1)));
        assert!(!read(|bytes| bytes[709] -= 1));
        assert!(!read(|bytes| bytes.truncate(1)));
    }
}
