//! The bits of a scan and the Huffman codes in them (ITU-T T.81, annexes C and F.2.2).

/// The coded data is broken or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

/// Codes of at most this many bits are looked up, longer ones searched for.
const LOOKUP_BITS: u32 = 9;

/// A Huffman table.
#[derive(Clone)]
pub(super) struct Table {
    /// For every beginning of [`LOOKUP_BITS`] bits the length and the symbol of its code; length 0 if the code is longer.
    lookup: Box<[(u8, u8); 1 << LOOKUP_BITS]>,
    /// For every length: one past its last code, shifted to 16 bits, and what to add to a code to get the symbol's index.
    ends: [(u32, i32); 17],
    symbols: Box<[u8]>,
}

impl Table {
    /// The table with `counts[i]` codes of length `i + 1`; `None` if there are more codes than such lengths allow.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut lookup = Box::new([(0, 0); 1 << LOOKUP_BITS]);
        let mut ends = [(0, 0); 17];
        let (mut code, mut index) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            ends[length as usize].1 = index as i32 - code as i32;
            for _ in 0..count {
                if length <= LOOKUP_BITS {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    lookup
                        .get_mut(first..first + (1 << (LOOKUP_BITS - length)))?
                        .fill((length as u8, *symbols.get(index)?));
                }
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return None;
            }
            ends[length as usize].0 = code << (16 - length);
            code <<= 1;
        }
        Some(Self { lookup, ends, symbols: symbols.get(..index)?.into() })
    }
}

/// Reads the bits of one scan, up to the first marker, and knows whether more were asked for than there are.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u64,
    held: u32,
    /// How many of the bits held at the end are zeros that do not stand in the file.
    invented: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, held: 0, invented: 0 }
    }

    /// Whether bits were used that do not stand in the file.
    pub(super) fn overdrawn(&self) -> bool {
        self.held < self.invented
    }

    /// Drops what is left of the interval and goes on behind the restart marker, which must come next.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Damaged> {
        let at = self.next_marker();
        if self.bytes.get(at..at + 2) != Some(&[0xff, 0xd0 | (number & 7)]) {
            return Err(Damaged);
        }
        *self = Self::new(self.bytes, at + 2);
        Ok(())
    }

    /// Where the next marker begins, or the end of the bytes.
    pub(super) fn next_marker(&self) -> usize {
        // Bytes in the buffer are behind `at`, but no marker is ever taken into the buffer.
        let mut at = self.at;
        while let Some(found) =
            self.bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff))
        {
            at += found;
            match self.bytes.get(at + 1) {
                Some(0x00) => at += 2,
                Some(0xff) => at += 1,
                _ => return at,
            }
        }
        self.bytes.len()
    }

    fn fill(&mut self) {
        while self.held <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some(&[0xff, 0x00, ..]) => {
                    self.at += 2;
                    0xff
                }
                // A marker, or bytes that fill the space before one.
                Some(&[0xff, ..] | &[]) | None => {
                    self.invented += 8;
                    0
                }
                Some(&[byte, ..]) => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.held);
            self.held += 8;
        }
    }

    fn drop(&mut self, count: u32) {
        self.buffer <<= count;
        self.held -= count;
    }

    /// The next `count` bits, at most 16, as a number.
    pub(super) fn take(&mut self, count: u32) -> i32 {
        if count == 0 {
            return 0;
        }
        if self.held < count {
            self.fill();
        }
        let value = self.buffer >> (64 - count);
        self.drop(count);
        value as i32
    }

    /// A signed number of `size` bits, at most 16 (F.2.2.1, "EXTEND").
    pub(super) fn signed(&mut self, size: u32) -> i32 {
        let value = self.take(size);
        if size > 0 && value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
    }

    /// The next symbol.
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Damaged> {
        if self.held < 16 {
            self.fill();
        }
        let (length, symbol) = table.lookup[(self.buffer >> (64 - LOOKUP_BITS)) as usize];
        if length > 0 {
            self.drop(length.into());
            return Ok(symbol);
        }
        let next = (self.buffer >> 48) as u32;
        for length in LOOKUP_BITS + 1..=16 {
            let (end, offset) = table.ends[length as usize];
            if next < end {
                let index = (next >> (16 - length)) as i32 + offset;
                self.drop(length);
                return usize::try_from(index)
                    .ok()
                    .and_then(|i| table.symbols.get(i))
                    .copied()
                    .ok_or(Damaged);
            }
        }
        Err(Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first table of T.81, K.3.3.1 (DC of luma).
    fn dc_table() -> Table {
        let counts = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
        Table::new(&counts, &(0..12).collect::<Vec<u8>>()).unwrap()
    }

    #[test]
    fn codes_and_numbers_are_read_and_stuffed_bytes_dropped() {
        // 1111110 (symbol 9), nine ones (511), 00 (symbol 0), 011 (symbol 2), padding.
        let bytes = [0b1111_1101, 0xff, 0x00, 0b0001_1111, 0xff, 0xd9];
        let mut bits = Bits::new(&bytes, 0);
        assert_eq!(bits.symbol(&dc_table()), Ok(9));
        assert_eq!(bits.signed(9), 511);
        assert_eq!(bits.symbol(&dc_table()), Ok(0));
        assert_eq!(bits.symbol(&dc_table()), Ok(2));
        bits.take(3);
        assert!(!bits.overdrawn());
        assert_eq!(bits.next_marker(), 4);
        bits.take(1);
        assert!(bits.overdrawn());
    }

    #[test]
    fn long_codes_are_found_and_missing_ones_are_damage() {
        let mut counts = [1; 16];
        counts[15] = 1;
        let table = Table::new(&counts, &(0..16).collect::<Vec<u8>>()).unwrap();
        let mut bits = Bits::new(&[0xff, 0x00, 0xfe, 0b1110_0000, 0xff, 0xff], 0);
        assert_eq!(bits.symbol(&table), Ok(15));
        assert_eq!(bits.symbol(&table), Ok(3));
        let mut bits = Bits::new(&[0xff, 0x00, 0xff, 0x00], 0);
        assert_eq!(bits.symbol(&table), Err(Damaged));
    }

    #[test]
    fn more_codes_than_there_is_room_for_are_no_table() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Table::new(&counts, &[1]).is_none());
        assert!(Table::new(&counts, &[1, 2]).is_some());
    }
}
