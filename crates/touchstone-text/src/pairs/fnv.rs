//! The hash by which words are known.

/// FNV-1a, 64 bits: it can go on where it stopped, so joined words need no copy.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Fnv {
    pub(crate) const START: Self = Self(0xcbf2_9ce4_8422_2325);

    pub(crate) const fn byte(self, c: u8) -> Self {
        Self((self.0 ^ c as u64).wrapping_mul(0x0000_0100_0000_01b3))
    }

    pub(crate) const fn bytes(mut self, text: &[u8]) -> Self {
        let mut at = 0;
        while at < text.len() {
            self = self.byte(text[at]);
            at += 1;
        }
        self
    }

    /// 32 bits, never 0.
    pub(crate) const fn finish(self) -> u32 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as u32 | 1
    }
}
