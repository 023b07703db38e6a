//! A growing dictionary: byte strings numbered in the order in which they come, found by an open table of numbers.
//!
//! A segment holds the same three parts as bytes, so that its dictionary needs no building when it is opened.

/// The mark of a free slot.
pub(super) const FREE: u32 = u32::MAX;

/// The dictionary.
#[derive(Debug, Clone)]
pub(crate) struct Dictionary {
    /// All strings, one behind the other.
    pub blob: Vec<u8>,
    /// Where each string ends in `blob`, with a zero in front.
    pub ends: Vec<u32>,
    /// The open table: a power of two, at most half full.
    pub slots: Vec<u32>,
}

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self { blob: Vec::new(), ends: vec![0], slots: vec![FREE; 16] }
    }

    /// How many strings there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len() - 1
    }

    /// The string of a number.
    pub(super) fn get(&self, number: u32) -> &[u8] {
        let i = number as usize;
        &self.blob[self.ends[i] as usize..self.ends[i + 1] as usize]
    }

    /// The number of a string.
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let number = self.slots[self.slot(text)];
        (number != FREE).then_some(number)
    }

    /// The number of a string, new if need be.
    pub(crate) fn add(&mut self, text: &[u8]) -> u32 {
        let slot = self.slot(text);
        if self.slots[slot] != FREE {
            return self.slots[slot];
        }
        let number = u32::try_from(self.len()).expect("fewer than 4 Gi words");
        self.blob.extend_from_slice(text);
        self.ends.push(u32::try_from(self.blob.len()).expect("the words of a catalog are less than 4 GiB"));
        self.slots[slot] = number;
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn slot(&self, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash(text) as usize & mask;
        while self.slots[slot] != FREE && self.get(self.slots[slot]) != text {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![FREE; mask + 1];
        for number in 0..self.len() {
            let number = number as u32;
            let mut slot = hash(self.get(number)) as usize & mask;
            while self.slots[slot] != FREE {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number;
        }
    }
}

/// Where the search for a string starts in the table, before it is cut to the table's size.
pub(super) fn hash(text: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ text.len() as u64;
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk of eight"));
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    for &byte in chunks.remainder() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 29)
}
