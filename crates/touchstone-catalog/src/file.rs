//! A compiled catalog: one file that is mapped and searched where it lies, in place of feeds that are read line by line.
//!
//! ```text
//! header   "TSCATLOG", version, CRC-32 of all that follows, then offset and length of each section
//! keys     n + 1 offsets, then the keys as texts, ascending by bytes
//! records  n + 1 offsets, then the records as canonical JSON, in the order of their keys
//! pictured the row numbers of active records that have photos, ascending
//! state    the digest of the set, the number of active products
//! products the product segment of the text index
//! ```
//!
//! Numbers are little-endian of 64 bits, so that a file means the same on every machine. The checksum is verified when the file
//! is opened; even so every later read is bounded, and a row that cannot be read is no record.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rpds::RedBlackTreeSetSync;
use touchstone_text::{Lexicon, SegmentError, TextIndex};
use touchstone_types::{BrandId, CatalogKey, CatalogRecord};

use crate::bytes::{range_at, u64_at, usize_at};
use crate::digest::{DIGEST_BYTES, SetDigest};
use crate::photos::Photos;
use crate::records::Records;
use crate::snapshot::Snapshot;

const MAGIC: &[u8; 8] = b"TSCATLOG";
const VERSION: u64 = 1;
const N_SECTIONS: usize = 7;
/// Magic, version, checksum; what follows is under the checksum.
const PREFIX_BYTES: usize = 24;
const HEADER_BYTES: usize = PREFIX_BYTES + N_SECTIONS * 16;

/// Why a compiled catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFileError {
    /// The bytes are something else.
    #[error("this is not a compiled catalog; `touchstone catalog compile` makes one of feeds")]
    NotACatalog,
    /// It was made by another version of this program.
    #[error(
        "the compiled catalog has version {found}, this build reads {VERSION}; compile it again from its feeds"
    )]
    WrongVersion {
        /// The version found.
        found: u64,
    },
    /// Some bytes were lost or changed.
    #[error("the compiled catalog is damaged: {problem}; compile it again from its feeds")]
    Damaged {
        /// What does not fit.
        problem: &'static str,
    },
    /// Its product segment cannot be used, for example because it was made with another lexicon.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// Rows of a compiled catalog, read out of its bytes as they are asked for.
#[derive(Debug)]
pub(crate) struct CatalogFile {
    key_offsets: Bytes,
    keys: Bytes,
    record_offsets: Bytes,
    records: Bytes,
    n: usize,
}

impl CatalogFile {
    fn key(&self, row: usize) -> Option<&[u8]> {
        self.keys.get(range_at(&self.key_offsets, row)?)
    }

    fn record(&self, row: usize) -> Option<CatalogRecord> {
        CatalogRecord::from_json(self.records.get(range_at(&self.record_offsets, row)?)?).ok()
    }

    /// The first row whose key is not below `key`.
    fn lower_bound(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.n);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle).is_some_and(|found| found < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn rows_with_prefix(&self, prefix: &str) -> Range<usize> {
        let start = self.lower_bound(prefix.as_bytes());
        // No UTF-8 text has this byte, so it is above every key with the prefix.
        let end = self.lower_bound(&[prefix.as_bytes(), b"\xff"].concat());
        start..end.max(start)
    }

    /// The record under a key.
    pub(crate) fn get(&self, key: &CatalogKey) -> Option<CatalogRecord> {
        let text = key.to_string();
        let row = self.lower_bound(text.as_bytes());
        if self.key(row)? != text.as_bytes() {
            return None;
        }
        self.record(row).filter(|record| record.key() == *key)
    }

    /// The products of a brand.
    pub(crate) fn products_of(&self, brand: &BrandId) -> impl Iterator<Item = CatalogRecord> + '_ {
        let of_brand = CatalogKey::Brand(brand.clone()).to_string();
        let prefix = format!("{}/", of_brand.replacen("brand", "product", 1));
        self.rows_with_prefix(&prefix).filter_map(|row| self.record(row))
    }

    /// The brands.
    fn brands(&self) -> impl Iterator<Item = CatalogRecord> + '_ {
        self.rows_with_prefix("brand/").filter_map(|row| self.record(row))
    }

    /// All records in the order of their keys' bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = CatalogRecord> + '_ {
        (0..self.n).filter_map(|row| self.record(row))
    }
}

impl Snapshot {
    /// Whether these bytes begin like a compiled catalog, and not like a feed.
    pub fn is_compiled(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// The snapshot as the bytes of a compiled catalog. The same set of live records gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut records: Vec<(String, Arc<CatalogRecord>)> =
            self.records.iter().map(|record| (record.key().to_string(), record)).collect();
        records.sort_by(|a, b| a.0.cmp(&b.0));
        let (key_offsets, keys) = column(records.iter().map(|(key, _)| key.as_bytes()));
        let json: Vec<String> = records.iter().map(|(_, record)| record.to_json()).collect();
        let (record_offsets, json) = column(json.iter().map(String::as_bytes));
        let pictured = records.iter().enumerate().filter(|(_, (_, r))| self.pictured.contains(&r.key()));
        let pictured = pictured.flat_map(|(row, _)| (row as u64).to_le_bytes()).collect();
        let mut state = self.digest.to_bytes().to_vec();
        state.extend((self.n_products as u64).to_le_bytes());
        let sections: [Vec<u8>; N_SECTIONS] =
            [key_offsets, keys, record_offsets, json, pictured, state, self.text.products_to_bytes()];
        assemble(&sections)
    }

    /// Opens a compiled catalog where it lies, for example in a mapped file: the bytes are read through once for their
    /// checksum, brands and records with photos are taken up, and every other record is read when it is asked for.
    ///
    /// # Errors
    /// [`CatalogFileError`]; a file made with another lexicon than `lexicon` is refused.
    pub fn from_bytes(bytes: &Bytes, lexicon: &Arc<Lexicon>) -> Result<Self, CatalogFileError> {
        let damaged = |problem| CatalogFileError::Damaged { problem };
        let [key_offsets, keys, record_offsets, records, pictured, state, products] = sections(bytes)?;
        let n = (key_offsets.len() / 8).checked_sub(1).ok_or(damaged("it has no keys"))?;
        if record_offsets.len() != key_offsets.len() {
            return Err(damaged("keys and records differ in number"));
        }
        let file = CatalogFile { key_offsets, keys, record_offsets, records, n };
        let (digest, n_products) = state_of(&state).ok_or(damaged("its state is cut"))?;
        let mut brands = BTreeMap::new();
        for record in file.brands() {
            if let CatalogRecord::Brand(brand) = record {
                brands.insert(brand.brand_id.clone(), brand);
            }
        }
        let rows = (0..pictured.len() / 8).filter_map(|idx| usize_at(&pictured, idx * 8));
        let with_photos: BTreeMap<CatalogKey, Arc<CatalogRecord>> =
            rows.filter_map(|row| file.record(row)).map(|record| (record.key(), Arc::new(record))).collect();
        let photos = Photos::build(with_photos.values());
        let mut pictured = RedBlackTreeSetSync::new_sync();
        for key in with_photos.into_keys() {
            pictured.insert_mut(key);
        }
        Ok(Self {
            text: TextIndex::from_segment(lexicon, brands.values(), products)?,
            n_products,
            brands: Arc::new(brands),
            pictured,
            photos: Arc::new(photos),
            digest_text: digest.text(),
            digest,
            records: Records::of_file(file),
        })
    }
}

/// Offsets and texts of one column.
fn column<'a>(texts: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<u8>) {
    let (mut offsets, mut all) = (0_u64.to_le_bytes().to_vec(), Vec::new());
    for text in texts {
        all.extend_from_slice(text);
        offsets.extend((all.len() as u64).to_le_bytes());
    }
    (offsets, all)
}

fn assemble(sections: &[Vec<u8>; N_SECTIONS]) -> Vec<u8> {
    let mut places = Vec::with_capacity(HEADER_BYTES - PREFIX_BYTES);
    let mut offset = HEADER_BYTES as u64;
    for section in sections {
        places.extend(offset.to_le_bytes());
        places.extend((section.len() as u64).to_le_bytes());
        offset += section.len() as u64;
    }
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&places);
    for section in sections {
        checksum.update(section);
    }
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend(u64::from(checksum.finalize()).to_le_bytes());
    out.extend(places);
    for section in sections {
        out.extend_from_slice(section);
    }
    out
}

fn sections(bytes: &Bytes) -> Result<[Bytes; N_SECTIONS], CatalogFileError> {
    let damaged = |problem| CatalogFileError::Damaged { problem };
    if !Snapshot::is_compiled(bytes) {
        return Err(CatalogFileError::NotACatalog);
    }
    let cut = damaged("its header is cut");
    let (Some(found), Some(stated)) = (u64_at(bytes, 8), u64_at(bytes, 16)) else { return Err(cut) };
    if found != VERSION {
        return Err(CatalogFileError::WrongVersion { found });
    }
    let Some(rest) = bytes.get(PREFIX_BYTES..) else { return Err(cut) };
    if u64::from(crc32fast::hash(rest)) != stated {
        return Err(damaged("its content does not have the checksum that it states"));
    }
    let mut out: [Bytes; N_SECTIONS] = Default::default();
    for (idx, section) in out.iter_mut().enumerate() {
        let at = PREFIX_BYTES + idx * 16;
        let range = usize_at(bytes, at).zip(usize_at(bytes, at + 8));
        let range = range.and_then(|(start, len)| Some(start..start.checked_add(len)?));
        let range = range.filter(|range| range.end <= bytes.len());
        *section = bytes.slice(range.ok_or(damaged("a section lies outside of it"))?);
    }
    Ok(out)
}

fn state_of(state: &[u8]) -> Option<(SetDigest, usize)> {
    let digest = SetDigest::from_bytes(state.get(..DIGEST_BYTES)?.try_into().ok()?);
    Some((digest, usize_at(state, DIGEST_BYTES)?))
}
