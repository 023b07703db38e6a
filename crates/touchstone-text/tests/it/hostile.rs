//! Texts made to hurt: they cost bounded time, never panic, and what is found in them still points into them.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use touchstone_text::{Lexicon, MAX_TITLE_CHARS, TextFindings, TextIndex, analyse};
use touchstone_types::{Field, Listing};

use crate::data;

fn index() -> TextIndex {
    let brands = [
        r#"{"kind":"brand","brand_id":"lumora","name":"Lumora","aliases":["卢莫拉"]}"#,
        r#"{"kind":"brand","brand_id":"veltrano","name":"Veltrano"}"#,
        r#"{"kind":"brand","brand_id":"ke-ha","name":"Ke$va & Söhne"}"#,
        r#"{"kind":"brand","brand_id":"aaa","name":"aaaaaaaaaa"}"#,
        r#"{"kind":"brand","brand_id":"ab","name":"a b"}"#,
        r#"{"kind":"brand","brand_id":"signs","name":"!!"}"#,
    ];
    data::index(&brands.join("\n"))
}

/// What holds of the findings of any text.
fn check(listing: &Listing, findings: &TextFindings) {
    let field = |field: &Field| match field {
        Field::Title => listing.title.clone(),
        Field::Description => listing.description.clone().unwrap_or_default(),
        Field::Brand => listing.brand.clone().unwrap_or_default(),
        other => panic!("nothing is written in {other}"),
    };
    assert!(findings.claims.len() <= 100 && findings.terms.len() <= 200);
    for claim in &findings.claims {
        let (start, end) = (claim.span.start() as usize, claim.span.end() as usize);
        let text: Vec<char> = field(&claim.field).chars().collect();
        assert!(start < end && end <= text.len(), "{claim:?}");
        assert_eq!(claim.observed, text[start..end].iter().collect::<String>());
    }
    for term in &findings.terms {
        let n = field(&term.field).chars().count();
        assert!(term.span.start() < term.span.end() && term.span.end() as usize <= n, "{term:?}");
    }
}

fn judge(index: &TextIndex, title: &str) -> TextFindings {
    let mut listing = data::titled("x");
    listing.title = title.to_owned();
    listing.description = Some(title.to_owned());
    listing.brand = Some(title.to_owned());
    let findings = analyse(index, &listing);
    check(&listing, &findings);
    assert_eq!(findings, analyse(index, &listing), "the same text, the same findings");
    findings
}

#[test]
fn texts_made_to_hurt_are_read_in_bounded_time() {
    let index = index();
    for unit in [
        "a",
        "i",
        "1",
        "!",
        "$",
        "*",
        "⭐",
        "+",
        "\u{200b}",
        "\u{202e}",
        "\u{301}",
        "\u{fdfa}",
        "\u{20dd}",
        "a ",
        "i l ",
        "a*",
        "l!1|",
        "L u ",
        "Lumora ",
        "Lumorа",
        "Lu*ora ",
        "Lumra ",
        "LumoraVeltrano",
        "卢",
        "compatvel ",
        "not a ",
        "1:1 ",
        "𝗟𝘂𝗺 ",
    ] {
        judge(&index, &unit.repeat(1_000_000 / unit.len()));
        judge(&index, &unit.repeat(MAX_TITLE_CHARS + 1));
    }
    assert!(judge(&index, &"\u{200b}\u{202e}".repeat(100_000)).claims.is_empty());
}

#[test]
fn hidden_marks_and_turned_writing_do_not_hide_a_name() {
    let index = index();
    for title in [
        "\u{202e}Lumora\u{202c} bag",
        "Lum\u{202e}o\u{202c}ra bag",
        "\u{feff}Lumora",
        "\u{301}Lumora\u{301}\u{301}",
    ] {
        assert!(judge(&index, title).claims.iter().any(|c| c.brand_id.as_str() == "lumora"), "{title:?}");
    }
}

#[test]
fn ten_thousand_names_make_a_bounded_heap() {
    let names: Vec<String> =
        (0..10_000).map(|i| format!("Br{}nd{}x", ["a", "e", "o"][i % 3], letters(i))).collect();
    let index = data::index_of_brands(&names);
    for gap in [" ", ", ", "", "*", "\u{200b}"] {
        let findings = judge(&index, &names.join(gap));
        assert!(findings.claims.len() <= 100, "{}", findings.claims.len());
    }
    assert!(!judge(&index, &names.join(" ")).claims.is_empty());
}

/// A number in letters.
fn letters(mut i: usize) -> String {
    let mut out = String::new();
    for _ in 0..4 {
        out.push(char::from(b'a' + (i % 26) as u8));
        i /= 26;
    }
    out
}

#[test]
fn a_lone_surrogate_is_an_error_and_no_panic() {
    for title in [r"\ud800", r"\udc00\ud800", r"Lum\ud83dora"] {
        let json = format!(r#"{{"listing_id":"EX-1","title":"{title}","seller":{{"seller_id":"S-1"}}}}"#);
        assert!(Listing::from_json(json.as_bytes()).is_err(), "{title}");
    }
}

#[test]
fn a_lexicon_of_nonsense_is_an_error_and_no_panic() {
    for text in [
        "\u{200b}",
        "[roles.en]\ncompatible = ['\u{200b}']",
        "[words.en]\nordinary = '!!'",
        "[terms.en]\nused = [{}]",
    ] {
        let read = Lexicon::parse(&[("mine.toml", text)]);
        assert!(read.is_err_and(|e| e.to_string().contains("mine.toml")), "{text:?}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => proptest::sample::select(vec![
            "Lumora", "lumorа", "L u m o r a", "Veltr@no", "Ve|+rano", "Lu⭐ra", "aaaaaaaaaa", "卢莫拉", "Ke$va & Söhne", "𝗟𝘂𝗺", "\u{200b}", "\u{301}",
            "\u{202e}", "compatvel com ", "not a ", "1:1", "for ", " ", "*", "!", "$", "Ⅷ", "ﷺ", "ŉ", "ΐ", "İ", "ẞ",
        ]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|p| p.concat())
}

#[test]
fn findings_of_any_text_point_into_it() {
    let index = index();
    let config = ProptestConfig {
        cases: 3_000,
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(title in pieces())| {
        judge(&index, &title);
    });
}
