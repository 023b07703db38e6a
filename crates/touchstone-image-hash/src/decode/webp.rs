//! What the WebP decoder does not check before it takes memory.

use super::DecodeLimits;
use crate::error::DecodeError;

/// Checks the size of every lossy frame against the limits, and that of every chunk against the file.
///
/// The extended form of a WebP file states the size of its canvas in its header, and that of each frame again in the frame. The
/// decoder takes memory for the latter before it compares the two, and for a chunk of metadata before it finds the file too short.
pub(super) fn check_frames(bytes: &[u8], limits: &DecodeLimits) -> Result<(), DecodeError> {
    // "RIFF", the length of what follows, "WEBP", then the chunks.
    let Some((&[_, _, _, _, l0, l1, l2, l3, _, _, _, _], chunks)) = bytes.split_first_chunk() else {
        return Err(DecodeError::Truncated { format: FORMAT });
    };
    let mut chunks = Chunks { rest: chunks };
    let Some((name, contents)) = chunks.next().transpose()? else {
        return Err(DecodeError::Truncated { format: FORMAT });
    };
    check_frame(contents, limits)?;
    if name != *b"VP8X" {
        return Ok(());
    }
    // The decoder looks for chunks up to a few bytes beyond the length stated, more if the first chunk is longer than it should be.
    let stated = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let keep = bytes.len().saturating_sub(stated.saturating_add(9 + contents.len()));
    while chunks.rest.len() > keep
        && let Some((name, contents)) = chunks.next().transpose()?
    {
        check_frame(contents, limits)?;
        if name == *b"ANMF" {
            // A frame of an animation: 16 bytes of header, then chunks again.
            for chunk in (Chunks { rest: contents.get(16..).unwrap_or_default() }) {
                check_frame(chunk?.1, limits)?;
            }
        }
    }
    Ok(())
}

const FORMAT: &str = "WebP";

/// Chunks: a name of four bytes, a length of four, and contents padded to even length.
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<([u8; 4], &'a [u8]), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&[a, b, c, d, l0, l1, l2, l3], rest) = self.rest.split_first_chunk()?;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some(contents) = rest.get(..length) else {
            self.rest = &[];
            return Some(Err(DecodeError::Truncated { format: FORMAT }));
        };
        self.rest = rest.get(length + (length & 1)..).unwrap_or_default();
        Some(Ok(([a, b, c, d], contents)))
    }
}

/// A lossy frame begins with three bytes of flags, three of signature, and its sides in 14 bits each (RFC 6386, section 9.1).
///
/// The name of the chunk is not asked for, because the decoder does not always ask for it either.
fn check_frame(frame: &[u8], limits: &DecodeLimits) -> Result<(), DecodeError> {
    match *frame {
        [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            limits.check_sides(side(w0, w1), side(h0, h1))
        }
        _ => Ok(()),
    }
}
