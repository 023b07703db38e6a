//! Writes a base segment.

use bytes::Bytes;

use super::dictionary::Dictionary;
use super::misspelt::{entry, forms, is_forgiven};
use super::record::{Name, Product};
use super::segment::{HEADER_BYTES, MAGIC, N_SECTIONS, VERSION, checksum};

/// A segment under construction: products are added in the order of their keys.
#[derive(Debug)]
pub(super) struct Builder {
    words: Dictionary,
    attribute_counts: Vec<u32>,
    record_ends: Vec<u64>,
    records: Vec<u8>,
    title_ends: Vec<u32>,
    title_counts: Vec<u8>,
    titles: Vec<u32>,
    /// Words that list a product besides those of its title.
    names: Vec<(u32, u32)>,
    buffer: Vec<u8>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            words: Dictionary::new(),
            attribute_counts: Vec::new(),
            record_ends: vec![0],
            records: Vec::new(),
            title_ends: vec![0],
            title_counts: Vec::new(),
            titles: Vec::new(),
            names: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Adds the next product.
    pub(super) fn add<'a>(
        &mut self,
        title: impl Iterator<Item = &'a str>,
        attributes: impl Iterator<Item = &'a str>,
        record: &[u8],
    ) {
        let product = u32::try_from(self.title_counts.len()).expect("fewer than 4 Gi products");
        let mut n_title = 0;
        for word in title.take(usize::from(u8::MAX)) {
            let word = self.number(Name::Word(word));
            self.titles.push(word);
            n_title += 1;
        }
        for word in attributes {
            let word = self.number(Name::Word(word));
            self.titles.push(word);
            self.attribute_counts[word as usize] += 1;
        }
        self.title_counts.push(n_title);
        self.title_ends.push(u32::try_from(self.titles.len()).expect("fewer than 4 Gi words in all titles"));
        self.records.extend_from_slice(record);
        self.record_ends.push(self.records.len() as u64);
        Product::read(record).names(|name| {
            let word = self.number(name);
            self.names.push((word, product));
        });
    }

    fn number(&mut self, name: Name<'_>) -> u32 {
        name.bytes(&mut self.buffer);
        let word = self.words.add(&self.buffer);
        if word as usize == self.attribute_counts.len() {
            self.attribute_counts.push(0);
        }
        word
    }

    /// The segment.
    pub(super) fn finish(mut self, lexicon_id: &str) -> Bytes {
        let (list_ends, lists) = self.lists();
        let forms = self.forms();
        let n_products = self.title_counts.len() as u32;
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        for number in [VERSION, n_products, self.words.len() as u32] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(lexicon_id.as_bytes());
        out.resize(HEADER_BYTES, 0);
        let mut places = Vec::with_capacity(N_SECTIONS);
        let mut add = |out: &mut Vec<u8>, write: &mut dyn FnMut(&mut Vec<u8>)| {
            let start = out.len();
            write(out);
            places.push((start as u64, out.len() as u64));
            out.resize(out.len().next_multiple_of(8), 0);
        };
        add(&mut out, &mut |o| self.record_ends.iter().for_each(|n| o.extend_from_slice(&n.to_le_bytes())));
        add(&mut out, &mut |o| o.append(&mut self.records));
        add(&mut out, &mut |o| put(o, &self.title_ends));
        add(&mut out, &mut |o| o.append(&mut self.title_counts));
        add(&mut out, &mut |o| put(o, &std::mem::take(&mut self.titles)));
        add(&mut out, &mut |o| put(o, &self.words.ends));
        add(&mut out, &mut |o| o.append(&mut self.words.blob));
        add(&mut out, &mut |o| put(o, &self.words.slots));
        add(&mut out, &mut |o| put(o, &list_ends));
        add(&mut out, &mut |o| put(o, &lists));
        add(&mut out, &mut |o| put(o, &self.attribute_counts));
        add(&mut out, &mut |o| forms.iter().for_each(|n| o.extend_from_slice(&n.to_le_bytes())));
        for (i, (start, end)) in places.into_iter().enumerate() {
            out[84 + i * 16..92 + i * 16].copy_from_slice(&start.to_le_bytes());
            out[92 + i * 16..100 + i * 16].copy_from_slice(&end.to_le_bytes());
        }
        let body = checksum(&out[HEADER_BYTES..]);
        out[HEADER_BYTES - 16..HEADER_BYTES - 8].copy_from_slice(&body.to_le_bytes());
        let header = checksum(&out[..HEADER_BYTES - 8]);
        out[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&header.to_le_bytes());
        Bytes::from(out)
    }

    /// The products of every word, by counting: first how many each has, then each into its place.
    fn lists(&mut self) -> (Vec<u32>, Vec<u32>) {
        let mut ends = vec![0_u32; self.words.len() + 1];
        let each = |tell: &mut dyn FnMut(u32, u32)| {
            for product in 0..self.title_counts.len() {
                let start = self.title_ends[product] as usize;
                let n = usize::from(self.title_counts[product]);
                self.titles[start..start + n].iter().for_each(|&word| tell(word, product as u32));
            }
            self.names.iter().for_each(|&(word, product)| tell(word, product));
        };
        each(&mut |word, _| ends[word as usize + 1] += 1);
        let mut sum = 0_u32;
        for end in &mut ends {
            sum = sum.checked_add(*end).expect("fewer than 4 Gi words in all titles");
            *end = sum;
        }
        let mut next = ends.clone();
        let mut lists = vec![0_u32; sum as usize];
        each(&mut |word, product| {
            let place = &mut next[word as usize];
            lists[*place as usize] = product;
            *place += 1;
        });
        self.names = Vec::new();
        (ends, lists)
    }

    fn forms(&self) -> Vec<u64> {
        let mut out = Vec::new();
        let mut of_word = Vec::new();
        for number in 0..self.words.len() as u32 {
            let text = self.words.get(number);
            let word = text.strip_prefix(b"w").and_then(|word| std::str::from_utf8(word).ok());
            if let Some(word) = word.filter(|word| is_forgiven(word)) {
                forms(word, &mut of_word);
                out.extend(of_word.iter().map(|&form| entry(form, number)));
            }
        }
        out.sort_unstable();
        out
    }
}

fn put(out: &mut Vec<u8>, numbers: &[u32]) {
    out.reserve(numbers.len() * 4);
    numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
}
