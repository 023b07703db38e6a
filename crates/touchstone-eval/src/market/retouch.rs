//! What sellers do to a photo before they show it.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::draw::Draw;

/// What was done to a copied photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retouch {
    /// Nothing: the same bytes.
    None,
    /// Turned round left to right.
    Mirror,
    /// A tenth cut off on every side.
    Crop,
    /// Put into a frame.
    Frame,
    /// Blurred by half size.
    Blur,
    /// A strip laid over the lower edge.
    Banner,
}

impl Retouch {
    /// The word in file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "same",
            Self::Mirror => "mirror",
            Self::Crop => "crop",
            Self::Frame => "frame",
            Self::Blur => "blur",
            Self::Banner => "banner",
        }
    }

    /// Half the counterfeiters change a stolen photo; an honest shop may frame it or put its name on it.
    pub(super) fn draw(counterfeit: bool, draw: &mut Draw) -> Self {
        let changed = draw.chance(if counterfeit { 0.5 } else { 0.15 });
        let ways: &[Self] = if counterfeit {
            &[Self::Mirror, Self::Crop, Self::Frame, Self::Blur, Self::Banner]
        } else {
            &[Self::Frame, Self::Banner, Self::Crop]
        };
        let way = *draw.pick(ways);
        if changed { way } else { Self::None }
    }

    /// A photo with this done to it, as JPEG; `None` for bytes that are no picture.
    pub fn apply(self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self == Self::None {
            return Some(bytes.to_vec());
        }
        let photo = image::load_from_memory(bytes).ok()?.to_rgb8();
        let (width, height) = photo.dimensions();
        let edited = match self {
            Self::None => photo,
            Self::Mirror => imageops::flip_horizontal(&photo),
            Self::Crop => {
                let (x, y) = (width / 10, height / 10);
                imageops::crop_imm(&photo, x, y, (width - 2 * x).max(1), (height - 2 * y).max(1)).to_image()
            }
            Self::Frame => {
                let edge = (width.max(height) / 12).max(1);
                let mut framed =
                    RgbImage::from_pixel(width + 2 * edge, height + 2 * edge, Rgb([230, 226, 215]));
                imageops::replace(&mut framed, &photo, i64::from(edge), i64::from(edge));
                framed
            }
            Self::Blur => {
                let small =
                    imageops::resize(&photo, (width / 2).max(1), (height / 2).max(1), FilterType::Triangle);
                imageops::resize(&small, width, height, FilterType::Triangle)
            }
            Self::Banner => {
                let mut covered = photo;
                for y in height - height / 8..height {
                    for x in 0..width {
                        covered.put_pixel(x, y, Rgb([20, 60, 140]));
                    }
                }
                covered
            }
        };
        let mut jpeg = Cursor::new(Vec::new());
        JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&edited).ok()?;
        Some(jpeg.into_inner())
    }
}
