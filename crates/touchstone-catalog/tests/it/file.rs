//! Compiled catalogs that are not what they should be.

use std::sync::Arc;

use touchstone_catalog::{Catalog, CatalogFileError, Snapshot};
use touchstone_text::Lexicon;

use crate::market::{answers, lexicon, record};

fn compiled(lexicon: &Arc<Lexicon>) -> Vec<u8> {
    let catalog = Catalog::from_iter([
        record(r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#),
        record(
            r#"{"kind":"product","brand_id":"lumora","product_id":"LM-20K","title":"Cartucho Lumora 20 Preto"}"#,
        ),
        record(r#"{"kind":"benign","id":"b","images":[{"url":"placeholder.png"}]}"#),
    ]);
    catalog.snapshot(lexicon).to_bytes()
}

fn open(bytes: &[u8], lexicon: &Arc<Lexicon>) -> Result<Snapshot, CatalogFileError> {
    Snapshot::from_bytes(&bytes.to_vec().into(), lexicon)
}

#[test]
fn every_changed_byte_and_every_cut_is_noticed() {
    let lexicon = lexicon();
    let bytes = compiled(&lexicon);
    assert!(open(&bytes, &lexicon).is_ok());
    for idx in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[idx] ^= 0x20;
        assert!(open(&changed, &lexicon).is_err(), "byte {idx}");
        assert!(open(&bytes[..idx], &lexicon).is_err(), "cut to {idx}");
    }
}

#[test]
fn errors_say_what_to_do() {
    let lexicon = lexicon();
    let bytes = compiled(&lexicon);
    let message = |bytes: &[u8]| open(bytes, &lexicon).unwrap_err().to_string();
    assert_eq!(
        message(br#"{"kind":"brand"}"#),
        "this is not a compiled catalog; `touchstone catalog compile` makes one of feeds"
    );
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(
        message(&newer),
        "the compiled catalog has version 9, this build reads 1; compile it again from its feeds"
    );
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(
        message(&damaged),
        "the compiled catalog is damaged: its content does not have the checksum that it states; compile it again from its feeds"
    );
}

/// Even where the checksum was made to fit, nothing panics.
#[test]
fn bytes_with_a_forged_checksum_are_survived() {
    let lexicon = lexicon();
    let bytes = compiled(&lexicon);
    for idx in 24..bytes.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut forged = bytes.clone();
            forged[idx] ^= mask;
            let checksum = u64::from(crc32fast::hash(&forged[24..]));
            forged[16..24].copy_from_slice(&checksum.to_le_bytes());
            if let Ok(snapshot) = open(&forged, &lexicon) {
                std::hint::black_box(answers(&snapshot));
                std::hint::black_box(snapshot.to_bytes());
            }
        }
    }
}

#[test]
fn another_lexicon_is_refused() {
    let other = Arc::new(Lexicon::parse(&[("words.toml", "")]).expect("an empty lexicon is a lexicon"));
    let refused = open(&compiled(&lexicon()), &other);
    assert!(matches!(refused, Err(CatalogFileError::Segment(_))), "{refused:?}");
}
