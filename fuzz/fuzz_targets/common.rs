//! What holds of the findings of any text.
#![allow(dead_code, reason = "each target uses a part of it")]

use std::sync::{Arc, LazyLock};

use touchstone_text::{Lexicon, TextFindings, TextIndex, analyse};
use touchstone_types::{CatalogRecord, Field, Listing};

const BRANDS: &str = r#"
{"kind":"brand","brand_id":"lumora","name":"Lumora","aliases":["卢莫拉","Lumora Ink"]}
{"kind":"brand","brand_id":"veltrano","name":"Veltrano"}
{"kind":"brand","brand_id":"keva","name":"Ke$va & Söhne"}
{"kind":"brand","brand_id":"aaa","name":"aaaaaaaaaa"}
{"kind":"brand","brand_id":"ab","name":"a b"}
{"kind":"brand","brand_id":"n24","name":"No. 24"}
{"kind":"brand","brand_id":"straße","name":"Straße 7"}
{"kind":"brand","brand_id":"quintessa","name":"Quintessa Noir"}
"#;

static PLAIN: LazyLock<Listing> = LazyLock::new(|| {
    let plain = br#"{"listing_id":"EX-1","title":"x","seller":{"seller_id":"S-1"}}"#;
    Listing::from_json(plain).expect("it has every field that must be there")
});

/// An index over brands, one record a line.
pub fn index(brands: &str) -> TextIndex {
    let lines = brands.lines().filter(|line| !line.is_empty());
    let records: Vec<CatalogRecord> = lines.filter_map(|l| CatalogRecord::from_json(l.as_bytes()).ok()).collect();
    let brands = records.iter().filter_map(|r| if let CatalogRecord::Brand(b) = r { Some(b) } else { None });
    TextIndex::build(&Arc::new(Lexicon::builtin()), brands, std::iter::empty())
}

/// The index over invented brands.
pub static INDEX: LazyLock<TextIndex> = LazyLock::new(|| index(BRANDS));

/// Reads a title and checks what is found.
pub fn check(index: &TextIndex, title: &str) {
    let listing = Listing { title: title.to_owned(), ..PLAIN.clone() };
    let findings: TextFindings = analyse(index, &listing);
    let text: Vec<char> = title.chars().collect();
    assert!(findings.claims.len() <= 100 && findings.terms.len() <= 100);
    for claim in &findings.claims {
        let (start, end) = (claim.span.start() as usize, claim.span.end() as usize);
        assert_eq!(claim.field, Field::Title);
        assert!(start < end && end <= text.len());
        assert_eq!(claim.observed, text[start..end].iter().collect::<String>());
    }
    for term in &findings.terms {
        assert!(term.span.start() < term.span.end() && term.span.end() as usize <= text.len());
    }
    assert_eq!(findings, analyse(index, &listing));
}
