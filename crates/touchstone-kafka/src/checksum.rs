//! Telling records apart.

/// The CRC-32 of a key and a value; nothing and an empty text differ.
pub(crate) fn checksum(key: Option<&[u8]>, value: Option<&[u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [key, value] {
        hasher.update(&part.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
        hasher.update(part.unwrap_or_default());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_told_apart() {
        assert_ne!(checksum(Some(b"ab"), Some(b"c")), checksum(Some(b"a"), Some(b"bc")));
        assert_ne!(checksum(Some(b"ab"), None), checksum(Some(b"ab"), Some(b"")));
    }
}
