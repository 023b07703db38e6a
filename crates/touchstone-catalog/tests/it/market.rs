//! Invented records, drawn from few keys so that they meet.

use std::sync::Arc;

use proptest::prelude::*;
use touchstone_catalog::{Catalog, Snapshot};
use touchstone_text::{Lexicon, lookup};
use touchstone_types::{BrandId, CatalogKey, CatalogRecord, ProductId};

use crate::pictures::{features, matches};

/// A record put, or a key deleted.
pub(crate) type Change = Result<CatalogRecord, CatalogKey>;

const BRANDS: [(&str, &str); 4] =
    [("lumora", "Lumora"), ("a/b", "Veltrano"), ("a", "Quorim & Sons"), ("卢莫拉", "卢莫拉")];
const WORDS: [&str; 8] = ["Cartucho", "Preto", "20XL", "Relógio", "Azul", "Couro", "Edição", "LM-7"];

pub(crate) fn record(json: &str) -> CatalogRecord {
    CatalogRecord::from_json(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// A change of one of 4 brands, 24 products, 4 fakes or 2 benign records.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    let kind = prop_oneof![2 => Just(0_u8), 12 => Just(1), 2 => Just(2), 1 => Just(3)];
    let title = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..5);
    (kind, prop::sample::select(&BRANDS[..]), 0..6_u64, title, 0..4_u8, any::<bool>()).prop_map(
        |(kind, (brand_id, name), id, title, fate, has_photo)| {
            let title = title.join(" ");
            let photo = format!(r#"{{"features":{{"version":1,"pdq":"{id:064x}","quality":90}}}}"#);
            let images = if has_photo { photo.as_str() } else { "" };
            let of_brand = format!(r#""brand_id":"{brand_id}""#);
            let mut record = record(&match kind {
                0 => format!(r#"{{"kind":"brand",{of_brand},"name":"{name}","aliases":["{title}"]}}"#),
                1 => format!(
                    r#"{{"kind":"product",{of_brand},"product_id":"P/{id}","title":"{title}","images":[{images}]}}"#
                ),
                2 => {
                    format!(r#"{{"kind":"fake",{of_brand},"id":"1","title":"{title}","images":[{photo}]}}"#)
                }
                _ => format!(r#"{{"kind":"benign","id":"{}","images":[{photo}]}}"#, id % 2),
            });
            // Some photos can be found by more than their hash.
            let detailed = ["genuine-lm-20k.jpg", "genuine-vt-corsa1.jpg"];
            if let (Some(name), [image]) = (detailed.get(id as usize), record.images_mut()) {
                image.features = Some(features(name));
            }
            if fate == 0 { Err(record.key()) } else { Ok(record) }
        },
    )
}

pub(crate) fn apply(catalog: &mut Catalog, change: &Change) {
    match change {
        Ok(record) => catalog.insert(record.clone()),
        Err(key) => catalog.remove(key),
    }
}

/// Everything that can be asked of a snapshot, as one text.
pub(crate) fn answers(snapshot: &Snapshot) -> String {
    let brands: Vec<_> = snapshot.brands().collect();
    let photographed: Vec<_> = snapshot.photographed_brands().map(|brand| &brand.brand_id).collect();
    let keys = BRANDS.iter().flat_map(|(brand, _)| (0..6).map(move |id| (*brand, format!("P/{id}"))));
    let products: Vec<_> = keys
        .map(|(brand, id)| snapshot.product(&BrandId::new(brand).unwrap(), &ProductId::new(id).unwrap()))
        .map(|product| product.map(|product| (*product).clone()))
        .collect();
    let texts = WORDS.iter().copied().chain(["Cartucho Preto 20 XL", "relogio azull", "Veltrano LM7", ""]);
    let found: Vec<_> = texts.map(|text| lookup(snapshot.text(), text, 5)).collect();
    let shown: Vec<_> =
        ["seller-lm-20k-small.jpg", "seller-vt-collage.jpg"].map(|name| matches(snapshot, name)).into();
    format!(
        "{} {} {} {} {} {brands:?} {photographed:?} {products:?} {found:?} {shown:?}",
        snapshot.digest(),
        snapshot.n_records(),
        snapshot.n_products(),
        snapshot.has_fake_photos(),
        snapshot.photo_search(),
    )
}

pub(crate) fn lexicon() -> Arc<Lexicon> {
    Arc::new(Lexicon::builtin())
}
