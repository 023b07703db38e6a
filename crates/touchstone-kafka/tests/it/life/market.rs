//! A small invented market: its catalog, its offers, and what both the workers and the oracle judge with.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use image::imageops::FilterType;
use serde_json::{Value, json};
use touchstone_catalog::Catalog;
use touchstone_image_hash::{DecodeLimits, Photo, photo};
use touchstone_kafka::PipelineJudging;
use touchstone_kafka::load::pictures;
use touchstone_pipeline::{Context, Model, Policy};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogRecord, ListingId, Money, ReferenceImage, ReviewDecision, Ruling, flag_id};

/// The model that `touchstone run` has compiled in.
const MODEL: &[u8] = include_bytes!("../../../../../models/touchstone.json");

static LEXICON: LazyLock<Arc<Lexicon>> = LazyLock::new(|| Arc::new(Lexicon::builtin()));
static SHIPPED: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::from_bytes(MODEL).unwrap()));
static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| Arc::new(Policy::parse("life", AUTOMATION).unwrap()));

/// The shipped policy proposes no takedowns; here some flags must be takedowns, so that a takedown job has something to do.
const AUTOMATION: &str = "[default]\nautomation = true\ntakedown_threshold = 0.8\n";

/// One small picture for each product, as a JPEG file.
pub(crate) static PICTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let small = |file: &[u8]| {
        let picture = image::load_from_memory(file).unwrap().resize_exact(240, 180, FilterType::Triangle);
        let mut small = Cursor::new(Vec::new());
        picture.write_to(&mut small, image::ImageFormat::Jpeg).unwrap();
        small.into_inner()
    };
    pictures(11, PRODUCTS.len()).iter().map(|file| small(file)).collect()
});

/// The same as the pipeline sees them.
pub(crate) static PHOTOS: LazyLock<Vec<Photo>> =
    LazyLock::new(|| PICTURES.iter().map(|file| photo(file, &DecodeLimits::default()).unwrap()).collect());

/// The product that a picture shows.
pub(crate) fn picture_of(picture: &[u8]) -> usize {
    PICTURES.iter().position(|other| other == picture).unwrap()
}

/// What listings are judged with over a catalog: model and lexicon are those that `touchstone run` has compiled in.
pub(crate) fn context(catalog: &Catalog) -> Context {
    let snapshot = Arc::new(catalog.snapshot(&LEXICON));
    Context::new(snapshot, &LEXICON, Some(Arc::clone(&SHIPPED)), Arc::clone(&POLICY))
}

/// The same for a worker.
pub(crate) fn judging() -> PipelineJudging {
    PipelineJudging::new(Arc::clone(&LEXICON), context(&Catalog::new()))
}

/// A product, and how its brand is imitated.
pub(crate) struct Product {
    pub(crate) brand_id: &'static str,
    brand: &'static str,
    imitated: &'static str,
    title: &'static str,
    mpn: &'static str,
    list_price: u32,
    price_floor: Option<u32>,
    currency: &'static str,
}

pub(crate) const PRODUCTS: [Product; 4] = [
    Product {
        brand_id: "lumora",
        brand: "Lumora",
        imitated: "Lumоra",
        title: "Cartucho Lumora 20 Preto",
        mpn: "LM-20K",
        list_price: 64,
        price_floor: Some(40),
        currency: "BRL",
    },
    Product {
        brand_id: "lumora",
        brand: "Lumora",
        imitated: "Lumоra",
        title: "Cartucho Lumora 45 Ciano",
        mpn: "LM-45C",
        list_price: 79,
        price_floor: None,
        currency: "BRL",
    },
    Product {
        brand_id: "veltrano",
        brand: "Veltrano",
        imitated: "Veltranо",
        title: "Veltrano Corsa 1 White",
        mpn: "VT-C1-WHT",
        list_price: 120,
        price_floor: None,
        currency: "EUR",
    },
    // No catalog change touches this brand.
    Product {
        brand_id: "sonvarra",
        brand: "Sonvarra",
        imitated: "Sonvаrra",
        title: "Sonvarra H7 Wireless Headphones Black",
        mpn: "SVH7B",
        list_price: 199,
        price_floor: None,
        currency: "USD",
    },
];

/// The product that stays as it is.
pub(crate) const STABLE: usize = 3;

/// The catalog at the beginning.
pub(crate) fn catalog() -> Catalog {
    let mut catalog = Catalog::new();
    for (idx, product_of) in PRODUCTS.iter().enumerate() {
        catalog.insert(brand(product_of.brand_id, product_of.brand));
        catalog.insert(product(idx));
    }
    catalog
}

pub(crate) fn record(value: &Value) -> CatalogRecord {
    CatalogRecord::from_json(value.to_string().as_bytes()).unwrap()
}

pub(crate) fn brand(id: &str, name: &str) -> CatalogRecord {
    record(&json!({"kind": "brand", "brand_id": id, "name": name}))
}

/// The record of a brand of the market.
pub(crate) fn brand_of(idx: usize) -> CatalogRecord {
    brand(PRODUCTS[idx].brand_id, PRODUCTS[idx].brand)
}

/// The record of a product with its photo.
pub(crate) fn product(idx: usize) -> CatalogRecord {
    let product = &PRODUCTS[idx];
    let mut value = json!({
        "kind": "product", "brand_id": product.brand_id, "product_id": product.mpn, "title": product.title,
        "mpn": product.mpn, "list_price": price(f64::from(product.list_price), product.currency),
    });
    if let Some(floor) = product.price_floor {
        value["price_floor"] = price(f64::from(floor), product.currency);
    }
    with_photo(record(&value), idx)
}

/// The same with another list price and no floor.
pub(crate) fn product_at(idx: usize, list_price: &str) -> CatalogRecord {
    let mut record = product(idx);
    if let CatalogRecord::Product(product) = &mut record {
        product.list_price = Some(Money::parse(list_price, PRODUCTS[idx].currency).unwrap());
        product.price_floor = None;
    }
    record
}

/// A record with the photo of a product added.
pub(crate) fn with_photo(mut record: CatalogRecord, idx: usize) -> CatalogRecord {
    let image = ReferenceImage { url: None, features: Some(PHOTOS[idx].features.clone()) };
    match &mut record {
        CatalogRecord::Product(record) => record.images.push(image),
        CatalogRecord::Benign(record) => record.images.push(image),
        CatalogRecord::Fake(record) => record.images.push(image),
        CatalogRecord::Brand(_) => panic!("a brand has no photos"),
    }
    record
}

/// A ruling on a flag of a listing, of which the reviewer saw this version and revision.
pub(crate) fn ruling(id: &str, (version, revision): (u64, u64), ruling: Ruling) -> ReviewDecision {
    let listing_id = ListingId::new(id).unwrap();
    ReviewDecision {
        flag_id: flag_id("example", &listing_id, version),
        revision,
        listing_id,
        listing_version: version,
        ruling,
        reason: None,
        reviewer: Some("R-1".into()),
        decided_at: None,
        note: None,
    }
}

fn price(amount: f64, currency: &str) -> Value {
    json!({"amount": format!("{amount:.2}"), "currency": currency})
}

/// What speaks against an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trait {
    /// The description has slang for counterfeits.
    Slang,
    /// The title imitates the brand's name.
    LookAlike,
    /// The brand's own photo is sent along.
    Photo,
    /// The price is a third of the list price.
    Cheap,
    /// A buyer says that it is not genuine.
    Complaint,
    /// Listings of the seller were taken down before.
    Takedowns,
    /// The GTIN is no valid one.
    BadGtin,
}

impl Trait {
    pub(crate) const ALL: [Self; 7] = [
        Self::Slang,
        Self::LookAlike,
        Self::Photo,
        Self::Cheap,
        Self::Complaint,
        Self::Takedowns,
        Self::BadGtin,
    ];
}

/// One version of one offer.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) id: String,
    pub(crate) version: u64,
    /// The place in [`PRODUCTS`].
    pub(crate) product: usize,
    pub(crate) traits: BTreeSet<Trait>,
    /// Something in the description that means nothing.
    pub(crate) note: u64,
    /// Addresses of photos that have to be fetched.
    pub(crate) urls: Vec<String>,
    pub(crate) removed: bool,
}

impl Offer {
    pub(crate) fn new(id: impl Into<String>, product: usize, traits: &[Trait]) -> Self {
        Self {
            id: id.into(),
            version: 1,
            product,
            traits: traits.iter().copied().collect(),
            note: 0,
            urls: Vec::new(),
            removed: false,
        }
    }

    /// Another version of it.
    pub(crate) fn at(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn has(&self, what: Trait) -> bool {
        self.traits.contains(&what)
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        let product = &PRODUCTS[self.product];
        let name = if self.has(Trait::LookAlike) { product.imitated } else { product.brand };
        let slang = if self.has(Trait::Slang) { " Primeira linha, pronta entrega." } else { "" };
        let share = if self.has(Trait::Cheap) { 0.3 } else { 0.97 };
        let mut images: Vec<Value> = self.urls.iter().map(|url| json!({"url": url})).collect();
        if self.has(Trait::Photo) {
            images.push(json!({"data": base64(&PICTURES[self.product]), "media_type": "image/jpeg"}));
        }
        let mut value = json!({
            "listing_id": self.id, "version": self.version, "marketplace": "example",
            "observed_at": "2026-03-02T10:15:00Z",
            "title": format!("{} {}", product.title.replace(product.brand, name), product.mpn),
            "description": format!("Item {} em estoque.{slang}", self.note),
            "price": price(f64::from(product.list_price) * share, product.currency),
            "images": images,
            "seller": {"seller_id": format!("S-{}", self.product), "country": "BR"},
        });
        if self.removed {
            value["status"] = "removed".into();
        }
        if self.has(Trait::Complaint) {
            value["signals"] = json!({"complaints": ["não é original"]});
        }
        if self.has(Trait::Takedowns) {
            value["seller"]["prior_takedowns"] = 3.into();
        }
        if self.has(Trait::BadGtin) {
            value["gtin"] = "9520000010370".into();
        }
        value.to_string().into_bytes()
    }
}

/// Base64 of RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}
