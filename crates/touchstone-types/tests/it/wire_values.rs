//! Strategies for every wire form, as JSON values in the shape in which they are written: so a value that was read and
//! written again must be equal.

use base64::Engine as _;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use touchstone_types::{
    Alteration, Bank, BrandId, CatalogKey, Completeness, Condition, Decision, How, ListingStatus, Meaning,
    PhotoFailure, PhotoSearch, ProductId, Reason, RecordId, Role, Ruling, Transform, round6,
};
use uuid::Uuid;

type Json = BoxedStrategy<Value>;

/// An object with all of `required` and any of `optional`.
fn object(required: Vec<(&'static str, Json)>, optional: Vec<(&'static str, Json)>) -> Json {
    let (names, values): (Vec<_>, Vec<_>) = required.into_iter().unzip();
    let (optional_names, optional_values): (Vec<_>, Vec<_>) = optional.into_iter().unzip();
    let optional_values: Vec<_> = optional_values.into_iter().map(proptest::option::of).collect();
    (values, optional_values)
        .prop_map(move |(values, optional_values)| {
            let required = names.iter().zip(values.into_iter().map(Some));
            let fields = required.chain(optional_names.iter().zip(optional_values));
            let present = fields.filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(present.collect::<Map<_, _>>())
        })
        .boxed()
}

/// Both objects' fields in one object.
fn joined(a: Json, b: Json) -> Json {
    (a, b)
        .prop_map(|(mut a, mut b)| {
            if let (Value::Object(a), Value::Object(b)) = (&mut a, &mut b) {
                a.append(b);
            }
            a
        })
        .boxed()
}

fn list(item: Json, min: usize) -> Json {
    vec(item, min..4).prop_map(Value::Array).boxed()
}

fn constant(text: &'static str) -> Json {
    Just(json!(text)).boxed()
}

/// A text of any characters that is not blank.
fn string() -> impl Strategy<Value = String> {
    (vec(any::<char>(), 0..8), prop::char::range('!', '~'), vec(any::<char>(), 0..8))
        .prop_map(|(before, mark, after)| before.into_iter().chain([mark]).chain(after).collect())
}

fn text() -> Json {
    string().prop_map(Value::from).boxed()
}

fn texts(min: usize) -> Json {
    list(text(), min)
}

fn number<N: Into<Value> + std::fmt::Debug + 'static>(range: impl Strategy<Value = N> + 'static) -> Json {
    range.prop_map(Into::into).boxed()
}

fn count() -> Json {
    number(prop_oneof![any::<u64>(), 0..10_u64, Just(u64::MAX)])
}

/// A float as verdicts write it.
fn rounded(range: std::ops::RangeInclusive<f64>) -> Json {
    number(range.prop_map(round6))
}

fn word<T: Copy + ToString + std::fmt::Debug>(all: &'static [T]) -> Json {
    select(all).prop_map(|word| Value::from(word.to_string())).boxed()
}

fn amount() -> impl Strategy<Value = Decimal> {
    (0..=1_000_000_000_000_000_i64, 0..12_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn amount_text() -> Json {
    amount().prop_map(|amount| Value::from(amount.to_string())).boxed()
}

fn money() -> Json {
    object(vec![("amount", amount_text()), ("currency", number("[A-Z]{3}"))], vec![])
}

fn time() -> Json {
    // 1970 to 9999.
    (0..253_400_000_000_i64, prop_oneof![Just(0), 0..1_000_000_000])
        .prop_map(|(second, nano)| jiff::Timestamp::new(second, nano).unwrap().to_string().into())
        .boxed()
}

fn attributes() -> Json {
    btree_map(vec(any::<char>(), 0..6).prop_map(String::from_iter), string(), 1..4)
        .prop_map(|map| json!(map))
        .boxed()
}

fn hash() -> Json {
    number("[0-9a-f]{64}")
}

pub(crate) fn listing() -> Json {
    let data = vec(any::<u8>(), 1..20)
        .prop_map(|bytes| Value::from(base64::engine::general_purpose::STANDARD.encode(bytes)))
        .boxed();
    let image = prop_oneof![
        object(vec![("url", text())], vec![("media_type", text()), ("sha256", hash())]),
        object(vec![("data", data)], vec![("media_type", text()), ("url", text())]),
        object(vec![("sha256", hash())], vec![("media_type", text())]),
    ];
    let rating = || number(1.0..=5.0);
    let seller = object(
        vec![("seller_id", text())],
        vec![
            ("name", text()),
            ("country", text()),
            ("created_at", time()),
            ("rating", rating()),
            ("rating_count", count()),
            ("sales_count", count()),
            ("n_brands", count()),
            ("reputation", text()),
            ("is_official_store", number(any::<bool>())),
            ("prior_takedowns", count()),
        ],
    );
    // Signals without any fact are not written.
    let signals = object(
        vec![("sold_count", count())],
        vec![
            ("rating", rating()),
            ("rating_counts", vec(count(), 5).prop_map(Value::Array).boxed()),
            ("complaints", texts(1)),
            ("return_count", count()),
            ("fake_return_count", count()),
        ],
    );
    object(
        vec![
            ("listing_id", text()),
            ("version", count()),
            ("status", word(ListingStatus::ALL)),
            ("marketplace", prop_oneof![constant(""), text()].boxed()),
            ("title", text()),
            ("seller", seller),
        ],
        vec![
            ("url", text()),
            ("observed_at", time()),
            ("description", text()),
            ("brand", text()),
            ("category", text()),
            ("gtin", text()),
            ("mpn", text()),
            ("condition", word(Condition::ALL)),
            ("pack_size", number(1..=u32::MAX)),
            ("price", money()),
            ("attributes", attributes()),
            ("images", list(image.boxed(), 1)),
            ("signals", signals),
        ],
    )
}

/// What is kept of a photo.
fn features() -> Json {
    object(
        vec![("version", number(any::<u32>())), ("pdq", hash()), ("quality", number(0..=100_u8))],
        vec![("detail", detail())],
    )
}

pub(crate) fn kept_photo() -> Json {
    object(
        vec![
            ("image", number(any::<u64>())),
            ("sha256", hash()),
            ("features", features()),
            ("turned", vec(hash(), 8).prop_map(Value::Array).boxed()),
        ],
        vec![],
    )
}

pub(crate) fn catalog() -> Json {
    let images = || {
        let image = prop_oneof![
            object(vec![("url", text())], vec![("features", features())]),
            object(vec![("features", features())], vec![]),
        ];
        list(image.boxed(), 1)
    };
    let mark = object(
        vec![("text", text())],
        vec![("office", text()), ("registration", text()), ("nice_classes", list(number(1..=45_u8), 1))],
    );
    let day = |years: std::ops::Range<i16>| {
        (years, 1..=12_i8, 1..=28_i8)
            .prop_map(|(year, month, day)| jiff::civil::date(year, month, day).to_string().into())
            .boxed()
    };
    let authorised = object(
        vec![("seller_id", text())],
        vec![
            ("marketplace", text()),
            ("territories", texts(1)),
            ("from", day(1990..2020)),
            ("to", day(2020..2050)),
        ],
    );
    prop_oneof![
        object(
            vec![("kind", constant("brand")), ("brand_id", text()), ("name", text())],
            vec![
                ("aliases", texts(1)),
                ("marks", list(mark, 1)),
                ("authorised_sellers", list(authorised, 1))
            ],
        ),
        object(
            vec![
                ("kind", constant("product")),
                ("brand_id", text()),
                ("product_id", text()),
                ("title", text())
            ],
            vec![
                ("gtins", texts(1)),
                ("mpn", text()),
                ("category", text()),
                ("attributes", attributes()),
                ("list_price", money()),
                ("price_floor", money()),
                ("images", images()),
            ],
        ),
        object(
            vec![("kind", constant("fake")), ("brand_id", text()), ("id", text())],
            vec![("title", text()), ("images", images()), ("note", text())],
        ),
        object(
            vec![("kind", constant("benign")), ("id", text())],
            vec![("images", images()), ("text", text()), ("note", text())],
        ),
    ]
    .boxed()
}

fn place() -> Json {
    prop_oneof![
        select(&["title", "description", "brand", "seller.name"][..]).prop_map(Value::from),
        vec(any::<char>(), 0..6).prop_map(|key| format!("attributes.{}", String::from_iter(key)).into()),
        any::<usize>().prop_map(|idx| format!("complaints[{idx}]").into()),
    ]
    .boxed()
}

fn span() -> Json {
    (any::<u32>(), any::<u32>()).prop_map(|(a, b)| json!([a.min(b), a.max(b)])).boxed()
}

fn reference() -> Json {
    (0..3, string(), string(), any::<usize>())
        .prop_map(|(kind, brand, id, image)| {
            let (brand, record) = (BrandId::new(brand).unwrap(), RecordId::new(id.clone()).unwrap());
            let key = match kind {
                0 => CatalogKey::Product(brand, ProductId::new(id).unwrap()),
                1 => CatalogKey::Fake(brand, record),
                _ => CatalogKey::Benign(record),
            };
            format!("{key}#{image}").into()
        })
        .boxed()
}

fn unit_price() -> Json {
    let price = vec![
        ("stage", constant("facts")),
        ("kind", constant("unit_price")),
        ("listed", amount_text()),
        ("pack_size", number(any::<u32>())),
        ("currency", constant("BRL")),
    ];
    let in_other_currency = vec![("list_currency", constant("USD")), ("price_floor", amount_text())];
    prop_oneof![
        object(
            price.clone(),
            vec![
                ("list_price", amount_text()),
                ("price_floor", amount_text()),
                ("ratio", rounded(0.0..=1e6)),
            ]
        ),
        object([price, in_other_currency].concat(), vec![("list_price", amount_text())]),
    ]
    .boxed()
}

fn detail() -> Json {
    vec(any::<u8>(), 1..60)
        .prop_map(|bytes| json!(base64::engine::general_purpose::STANDARD.encode(bytes)))
        .boxed()
}

fn share(thousandths: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = f64> {
    thousandths.prop_map(|v| f64::from(v) / 1000.0)
}

fn corners() -> Json {
    let corner = || prop::array::uniform2(share(-20_000..=20_000));
    prop::array::uniform4(corner()).prop_map(|v| json!(v)).boxed()
}

fn alteration() -> Json {
    let turned = select(Transform::ALL).prop_map(Alteration::turned);
    let flags = any::<[bool; 5]>();
    (turned, flags)
        .prop_map(|(turned, [tilt, crop, border, overlay, collage])| {
            json!(Alteration { tilt, crop, border, overlay, collage, ..turned }.to_string())
        })
        .boxed()
}

fn photo_match(more: Vec<(&'static str, Json)>) -> Json {
    let mut fields = vec![
        ("stage", constant("image")),
        ("kind", constant("photo_match")),
        ("image", number(any::<u64>())),
        ("reference", reference()),
        ("bank", word(Bank::ALL)),
        ("distance", number(0..=256_u16)),
        ("transform", alteration()),
        ("quality", number(0..=100_u8)),
    ];
    fields.extend(more);
    object(fields, vec![])
}

fn evidence() -> Json {
    let finding = |stage, kind, fields: Vec<(&'static str, Json)>| {
        object([vec![("stage", constant(stage)), ("kind", constant(kind))], fields].concat(), vec![])
    };
    prop_oneof![
        finding(
            "text",
            "brand_claim",
            vec![
                ("brand_id", text()),
                ("field", place()),
                ("span", span()),
                ("observed", text()),
                ("how", word(How::ALL)),
                ("role", word(Role::ALL)),
                ("similarity", rounded(0.0..=1.0)),
            ]
        ),
        finding(
            "text",
            "product_match",
            vec![
                ("brand_id", text()),
                ("product_id", text()),
                ("probability", rounded(0.0..=1.0)),
                ("agree", texts(0)),
                ("differ", texts(0)),
            ]
        ),
        finding(
            "text",
            "term",
            vec![("term", text()), ("meaning", word(Meaning::ALL)), ("field", place()), ("span", span()),]
        ),
        photo_match(vec![]),
        photo_match(vec![
            ("score", rounded(0.0..=1.0)),
            ("shown", prop::array::uniform4(share(0..=1000)).prop_map(|v| json!(v)).boxed()),
            ("corners", corners()),
            ("near_duplicate_of", reference()),
        ]),
        finding(
            "facts",
            "seller_authorisation",
            vec![("brand_id", text()), ("authorised", number(any::<bool>()))]
        ),
        finding(
            "facts",
            "contradiction",
            vec![("field", text()), ("says", text()), ("against", place()), ("but", text())]
        ),
        finding("facts", "edit", vec![("field", text()), ("before", text()), ("after", text())]),
        finding("facts", "edit", vec![("field", text()), ("after", text())]),
        finding(
            "facts",
            "photo_unreachable",
            vec![("image", number(any::<usize>())), ("failure", word(PhotoFailure::ALL))]
        ),
        finding(
            "classifier",
            "contribution",
            vec![("feature", text()), ("value", rounded(-1e6..=1e6)), ("delta", rounded(-1.0..=1.0)),]
        ),
        unit_price(),
    ]
    .boxed()
}

fn id() -> Json {
    any::<u128>().prop_map(|bits| Uuid::from_u128(bits).to_string().into()).boxed()
}

fn verdict_with(decisions: &'static [Decision]) -> Json {
    let missing = prop_oneof![
        constant("model: missing"),
        (any::<usize>(), select(PhotoFailure::ALL))
            .prop_map(|(image, why)| format!("image {image}: {why}").into()),
    ];
    let versions =
        object(vec![("engine", text()), ("catalog", text()), ("policy", text())], vec![("model", text())]);
    object(
        vec![
            ("flag_id", id()),
            ("revision", count()),
            ("listing_id", text()),
            ("listing_version", count()),
            ("marketplace", prop_oneof![constant(""), text()].boxed()),
            ("seller_id", text()),
            ("decision", word(decisions)),
            ("priority", count()),
            ("reasons", list(word(Reason::ALL), 0)),
            ("evidence", list(evidence(), 0)),
            ("completeness", word(Completeness::ALL)),
            ("missing", list(missing.boxed(), 0)),
            ("versions", versions),
        ],
        vec![
            ("observed_at", time()),
            ("row", number(any::<u8>())),
            ("probability", rounded(0.0..=1.0)),
            ("brand_id", text()),
            ("product_id", text()),
            ("photo_search", word(PhotoSearch::ALL)),
            ("replaced_by", id()),
        ],
    )
}

pub(crate) fn verdict() -> Json {
    verdict_with(Decision::ALL)
}

pub(crate) fn flag() -> Json {
    let photo = object(
        vec![
            ("image", number(any::<u64>())),
            ("sha256", hash()),
            ("pdq", hash()),
            ("quality", number(0..=100_u8)),
        ],
        vec![],
    );
    let added = object(vec![("listing", listing()), ("photos", list(photo, 0))], vec![]);
    joined(verdict_with(&[Decision::Takedown, Decision::Review, Decision::Retract]), added)
}

pub(crate) fn decision() -> Json {
    object(
        vec![
            ("flag_id", id()),
            ("revision", count()),
            ("listing_id", text()),
            ("listing_version", count()),
            ("ruling", word(Ruling::ALL)),
        ],
        vec![("reason", text()), ("reviewer", text()), ("decided_at", time()), ("note", text())],
    )
}
