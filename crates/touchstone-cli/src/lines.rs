//! Reading JSON Lines from a stream without taking more memory than one line may have.

use std::io::{self, BufRead};

/// How much of a line that is too long is kept, to show what it was.
const KEPT: usize = 64 << 10;

/// Some editors put this mark before the first line; it is no part of it.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// Its bytes without the line end; of a line that is too long only the first 64 KiB.
    pub(crate) bytes: Vec<u8>,
    /// Its true length in bytes.
    pub(crate) n_bytes: u64,
}

/// Reads lines, passing over blank ones.
pub(crate) struct Lines<R> {
    reader: R,
    number: usize,
    max_bytes: usize,
}

impl<R: BufRead> Lines<R> {
    /// Lines of at most `max_bytes` bytes; longer ones are cut.
    pub(crate) fn new(reader: R, max_bytes: usize) -> Self {
        Self { reader, number: 0, max_bytes }
    }

    /// The next lines: at most `n`, and few enough that together they hold not much more than `max_total` bytes. Empty at the
    /// end of the input.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub(crate) fn batch(&mut self, n: usize, max_total: usize) -> io::Result<Vec<Line>> {
        let (mut batch, mut total) = (Vec::new(), 0);
        while batch.len() < n && total < max_total {
            let Some(line) = self.next_line()? else { break };
            if !line.bytes.iter().all(u8::is_ascii_whitespace) {
                total += line.bytes.len();
                batch.push(line);
            }
        }
        Ok(batch)
    }

    fn next_line(&mut self) -> io::Result<Option<Line>> {
        let max_kept = self.max_bytes + 1 + BYTE_ORDER_MARK.len();
        let (mut bytes, mut n_bytes, mut ended) = (Vec::new(), 0_u64, false);
        while !ended {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                if n_bytes == 0 {
                    return Ok(None);
                }
                break;
            }
            let end = chunk.iter().position(|b| *b == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = max_kept.saturating_sub(bytes.len());
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            n_bytes += part.len() as u64;
            let taken = part.len() + usize::from(end.is_some());
            ended = end.is_some();
            self.reader.consume(taken);
        }
        if self.number == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
            n_bytes -= BYTE_ORDER_MARK.len() as u64;
        }
        if n_bytes > self.max_bytes as u64 {
            bytes.truncate(KEPT);
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, bytes, n_bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_blank_ones_passed_over_and_the_last_needs_no_end() {
        let mut lines = Lines::new(&b"a\n\n  \nbc\nd"[..], 10);
        let found: Vec<_> = lines.batch(9, 100).unwrap().into_iter().map(|l| (l.number, l.bytes)).collect();
        assert_eq!(found, [(1, b"a".to_vec()), (4, b"bc".to_vec()), (5, b"d".to_vec())]);
        assert_eq!(lines.batch(9, 100).unwrap(), []);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let mut lines = Lines::new("\u{feff}abc\n\u{feff}x\n".as_bytes(), 3);
        let found = lines.batch(9, 100).unwrap();
        assert_eq!((found[0].bytes.as_slice(), found[0].n_bytes), (&b"abc"[..], 3));
        assert_eq!(found[1].n_bytes, 4, "within the file it is a character like any other");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_its_neighbours_are_whole() {
        let text = format!("{}\nshort\n", "x".repeat(200_000));
        let mut lines = Lines::new(io::BufReader::with_capacity(64, text.as_bytes()), 100_000);
        let found = lines.batch(9, 1 << 20).unwrap();
        assert_eq!((found[0].bytes.len(), found[0].n_bytes), (64 << 10, 200_000));
        assert_eq!((found[1].bytes.as_slice(), found[1].number), (&b"short"[..], 2));
    }

    #[test]
    fn batches_are_bounded_by_lines_and_by_bytes() {
        let mut lines = Lines::new(&b"aa\nbb\ncc\ndd\n"[..], 10);
        assert_eq!(lines.batch(3, 100).unwrap().len(), 3);
        let mut lines = Lines::new(&b"aa\nbb\ncc\ndd\n"[..], 10);
        assert_eq!(lines.batch(9, 3).unwrap().len(), 2);
    }
}
