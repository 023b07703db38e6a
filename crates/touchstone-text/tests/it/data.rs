//! Reads evaluation data that is not part of the repository.

use std::path::PathBuf;
use std::sync::Arc;

use touchstone_text::{Lexicon, TextIndex};
use touchstone_types::{CatalogRecord, Listing};

/// The text of a data file; `None`, said loudly, where it is absent.
pub(crate) fn read(path: &str) -> Option<String> {
    let root = std::env::var_os("TOUCHSTONE_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(root.join(path));
    if text.is_err() {
        eprintln!("SKIPPED: {path} is not under {} (set TOUCHSTONE_DATA)", root.display());
    }
    text.ok()
}

/// An index over catalog lines.
pub(crate) fn index(catalog: &str) -> TextIndex {
    let records: Vec<_> =
        catalog.lines().map(|line| CatalogRecord::from_json(line.as_bytes()).unwrap()).collect();
    let brands = records.iter().filter_map(|r| if let CatalogRecord::Brand(b) = r { Some(b) } else { None });
    let products =
        records.iter().filter_map(|r| if let CatalogRecord::Product(p) = r { Some(p) } else { None });
    TextIndex::build(&Arc::new(Lexicon::builtin()), brands, products)
}

/// An index over brands of these names alone, `b0`, `b1` and so on.
pub(crate) fn index_of_brands(names: impl IntoIterator<Item = impl AsRef<str>>) -> TextIndex {
    let brand = |(i, name): (usize, _)| {
        let name = AsRef::<str>::as_ref(&name);
        serde_json::json!({"kind": "brand", "brand_id": format!("b{i}"), "name": name}).to_string()
    };
    let lines: Vec<String> = names.into_iter().enumerate().map(brand).collect();
    index(&lines.join("\n"))
}

/// A listing of a title alone.
pub(crate) fn titled(title: &str) -> Listing {
    listing(&serde_json::json!({ "title": title }))
}

/// A listing of the fields given.
pub(crate) fn listing(fields: &serde_json::Value) -> Listing {
    let mut value = serde_json::json!({"listing_id": "EX-1", "title": "x", "seller": {"seller_id": "S-1"}});
    for (key, field) in fields.as_object().unwrap() {
        value[key] = field.clone();
    }
    Listing::from_json(value.to_string().as_bytes()).unwrap()
}
