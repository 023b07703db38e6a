//! Any brand name against any title: the first line is the name, the rest the title. The name itself is read too.

#![no_main]

mod common;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use touchstone_text::{Lexicon, TextIndex};
use touchstone_types::{BrandRecord, CatalogRecord};

static LEXICON: LazyLock<Arc<Lexicon>> = LazyLock::new(|| Arc::new(Lexicon::builtin()));

static PLAIN: LazyLock<BrandRecord> = LazyLock::new(|| {
    let plain = br#"{"kind":"brand","brand_id":"any","name":"any"}"#;
    let Ok(CatalogRecord::Brand(brand)) = CatalogRecord::from_json(plain) else { panic!("it is a brand record") };
    brand
});

fuzz_target!(|text: &str| {
    let (name, title) = text.split_once('\n').unwrap_or((text, text));
    let brand = BrandRecord { name: name.to_owned(), ..PLAIN.clone() };
    let index = TextIndex::build(&LEXICON, [&brand], std::iter::empty());
    common::check(&index, title);
    common::check(&index, name);
});
