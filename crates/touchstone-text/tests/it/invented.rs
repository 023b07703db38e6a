//! What the text stage finds in invented listings.

use serde_json::json;
use touchstone_text::{State, TextIndex, analyse, lookup};
use touchstone_types::{Field, How, Meaning, Role};

use crate::data::{index, listing, titled};

const CATALOG: &str = r#"{"kind":"brand","brand_id":"lumora","name":"Lumora","aliases":["Lumora Ink","卢莫拉"],"marks":[{"text":"LUMORA JET"}]}
{"kind":"brand","brand_id":"veltrano","name":"Veltrano"}
{"kind":"brand","brand_id":"kx","name":"KX"}
{"kind":"brand","brand_id":"maison-ardo","name":"Maison Ardo"}
{"kind":"brand","brand_id":"head-line","name":"Summer"}
{"kind":"product","brand_id":"lumora","product_id":"LM-20K","mpn":"LM20KAB","gtins":["4006381333931"],"title":"Cartucho Lumora 20 Preto"}
{"kind":"product","brand_id":"lumora","product_id":"LM-20C","mpn":"LM20CAB","title":"Cartucho Lumora 20 Colorido"}
{"kind":"product","brand_id":"lumora","product_id":"LM-20XLK","mpn":"LM21KAB","title":"Cartucho Lumora 20XL Preto"}
{"kind":"product","brand_id":"lumora","product_id":"LM-20XLC","mpn":"LM21CAB","title":"Cartucho Lumora 20XL Colorido"}
{"kind":"product","brand_id":"lumora","product_id":"LM-SET","title":"Combo 4 Garrafas de Tinta Lumora G5"}
{"kind":"product","brand_id":"veltrano","product_id":"noir-50","title":"Veltrano Noir Eau de Parfum 50 ml"}
{"kind":"product","brand_id":"veltrano","product_id":"noir-100","title":"Veltrano Noir Eau de Parfum 100 ml"}
{"kind":"product","brand_id":"kx","product_id":"kx-7000","title":"KX 7000 Toner Black"}"#;

fn catalog() -> TextIndex {
    index(CATALOG)
}

#[test]
fn every_disguise_is_named() {
    let index = catalog();
    for (title, how, observed) in [
        ("Bolsa LUMÓRA couro", How::Exact, "LUMÓRA"),
        ("Cartucho Lumora Ink 20", How::Alias, "Lumora Ink"),
        ("正品卢莫拉墨盒", How::Alias, "卢莫拉"),
        ("Bolsa Lumorra couro", How::Typo, "Lumorra"),
        ("Bolsa Lumоra couro", How::Confusable, "Lumоra"),
        ("Bolsa Lum0r4 couro", How::Leet, "Lum0r4"),
        ("Bolsa L u m o r a couro", How::Spaced, "L u m o r a"),
        ("Bolsa Lum-ora couro", How::Spaced, "Lum-ora"),
        ("Bolsa maisonardo couro", How::Joined, "maisonardo"),
        ("Bolsa Lum\u{200b}ora couro", How::Hidden, "Lum\u{200b}ora"),
        ("Bolsa 𝗹𝘂𝗺𝗼𝗿𝗮 couro", How::Styled, "𝗹𝘂𝗺𝗼𝗿𝗮"),
        ("Bolsa Lum⭐ra couro", How::Masked, "Lum⭐ra"),
        ("Bolsa Lum*ra couro", How::Masked, "Lum*ra"),
    ] {
        let found = analyse(&index, &titled(title));
        let claims: Vec<_> = found.claims.iter().map(|c| (c.how, c.observed.as_str(), c.role)).collect();
        assert_eq!(claims, [(how, observed, Role::SoldAs)], "{title}");
        let span = found.claims[0].span;
        let at: String =
            title.chars().skip(span.start() as usize).take((span.end() - span.start()) as usize).collect();
        assert_eq!(at, observed);
    }
}

#[test]
fn what_is_no_name_is_not_claimed() {
    let index = catalog();
    for title in [
        "Lumorando pela cidade",
        "summer dress cotton",
        "Summer Dress Cotton",
        "tamanho K X L M",
        "Toner 20xl preto",
        "preço 1.234,00",
        "",
    ] {
        let title = if title.is_empty() { "-" } else { title };
        assert_eq!(analyse(&index, &titled(title)).claims, [], "{title}");
    }
    assert_eq!(analyse(&index, &titled("toner Kx7000 novo")).claims[0].observed, "Kx");
    assert_eq!(analyse(&index, &titled("vestido Summer algodão")).claims[0].observed, "Summer");
}

#[test]
fn the_brand_field_follows_the_title() {
    let index = catalog();
    for (title, role) in [
        ("Cartucho 20 Preto", Role::SoldAs),
        ("Cartucho Lumora 20 Preto", Role::SoldAs),
        ("Cartucho 20 compatível Preto", Role::CompatibleWith),
        ("Cartucho compatível com Lumora 20 Preto", Role::CompatibleWith),
        ("Perfume inspirado em Lumora", Role::InspiredBy),
    ] {
        let found = analyse(&index, &listing(&json!({"title": title, "brand": "Lumora"})));
        let claim = found.claims.iter().find(|c| c.field == Field::Brand).unwrap();
        assert_eq!(claim.role, role, "{title}");
    }
}

#[test]
fn a_heap_of_brands_is_stuffed() {
    let found = analyse(&catalog(), &titled("Bolsa Lumora / Veltrano / Maison Ardo couro"));
    let roles: Vec<_> = found.claims.iter().map(|c| c.role).collect();
    assert_eq!(roles, [Role::SoldAs, Role::Stuffed, Role::Stuffed]);
    let found = analyse(&catalog(), &titled("Bolsa Lumora e Veltrano"));
    assert!(found.claims.iter().all(|c| c.role == Role::SoldAs));
}

#[test]
fn offers_are_counted_and_matched() {
    let index = catalog();
    for (title, expected, pack_size) in [
        ("Cartucho Lumora 20 Preto 8,5 ml", &[("LM-20K", 1)][..], 1),
        ("Cartucho Lumora 20 XL Preto", &[("LM-20XLK", 1)], 1),
        ("Cartucho Lumora20xl black 2774 2776", &[("LM-20XLK", 1)], 1),
        ("Kit 2 Cartuchos Lumora 20 Preto", &[("LM-20K", 2)], 2),
        ("Kit 2 Cartuchos Lumora 20XL Preto + Color", &[("LM-20XLK", 1), ("LM-20XLC", 1)], 2),
        ("3 Cartuchos Lumora 20 Preto 1 Color", &[("LM-20K", 3), ("LM-20C", 1)], 4),
        ("Kit 3 Cartuchos Lumora 20 ( 2 Preto + 1 Color )", &[("LM-20K", 2), ("LM-20C", 1)], 3),
        ("Lote 13 Lumora 20 Black (9) e Lumora 20 Color (4)", &[("LM-20K", 9), ("LM-20C", 4)], 13),
        ("Cartucho Lumora 20 Colorido - 2un", &[("LM-20C", 2)], 2),
        ("Par de cartuchos Lumora 20 preto", &[("LM-20K", 2)], 2),
        ("Cartucho Lumora 20xxl preto", &[], 1),
        ("Cartucho Lumora 74 preto", &[], 1),
        ("Combo 4 Garrafas Tinta Lumora G5", &[("LM-SET", 1)], 1),
        ("Perfume Veltrano Noir Eau de Parfum 100ml original", &[("noir-100", 1)], 1),
        ("2 x Veltrano Noir Eau de Parfum 50 ml", &[("noir-50", 2)], 2),
    ] {
        let found = analyse(&index, &titled(title));
        let units: Vec<_> = found.contents.iter().map(|u| (u.product_id.as_str(), u.count)).collect();
        assert_eq!(
            (units.as_slice(), found.pack_size),
            (expected, pack_size),
            "{title}: {:?}",
            found.matches
        );
        assert_eq!(found.contents.len(), found.matches.len());
    }
}

#[test]
fn fields_speak_where_the_title_is_silent() {
    let index = catalog();
    let kit = analyse(
        &index,
        &listing(&json!({"title": "Kit Cartuchos Lumora 20", "attributes": {"color": "Preto/Tricolor"}})),
    );
    assert_eq!((kit.pack_size, kit.matches.len()), (2, 2));
    let form = analyse(&index, &listing(&json!({"title": "Cartucho Lumora 20 preto", "pack_size": 3})));
    assert_eq!(form.pack_size, 3);
    let text_wins =
        analyse(&index, &listing(&json!({"title": "Kit 2 cartuchos Lumora 20 preto", "pack_size": 3})));
    assert_eq!(text_wins.pack_size, 2);
    assert_eq!(text_wins.matches[0].differ, ["pack_size"]);
    let gtin = analyse(&index, &listing(&json!({"title": "Cartucho de tinta", "gtin": "4006381333931"})));
    assert_eq!(gtin.matches[0].product_id.as_str(), "LM-20K");
    let default_mpn =
        analyse(&index, &listing(&json!({"title": "Cartucho Lumora 20 colorido", "mpn": "LM20KAL"})));
    assert_eq!(default_mpn.matches[0].product_id.as_str(), "LM-20C");
    assert!(default_mpn.matches[0].differ.contains(&"mpn".to_owned()));
}

#[test]
fn an_undecided_variant_is_less_probable_and_says_so() {
    let index = catalog();
    let sure = analyse(&index, &titled("Cartucho Lumora 20 Preto"));
    let open = analyse(&index, &titled("Cartucho Lumora 20 Preto ou Colorido"));
    assert_eq!(open.pack_size, 1);
    assert!(open.matches.len() <= 1);
    for found in &open.matches {
        assert!(found.probability.get() < sure.matches[0].probability.get());
        assert!(found.differ.contains(&"color".to_owned()));
    }
}

#[test]
fn the_state_is_read_from_the_text() {
    let index = catalog();
    let state = |fields: &serde_json::Value| {
        let found = analyse(&index, &listing(fields));
        found.state.term_idx().map(|i| found.terms[i].meaning)
    };
    assert_eq!(state(&json!({"title": "Cartucho Lumora 20 vazio"})), Some(Meaning::Empty));
    assert_eq!(state(&json!({"title": "Lumora 20 remanufaturado"})), Some(Meaning::Refurbished));
    assert_eq!(state(&json!({"title": "Lumora 20 vencido nunca usado"})), Some(Meaning::Used));
    assert_eq!(
        state(&json!({"title": "Lumora 20", "description": "Vendo usado e vazio."})),
        Some(Meaning::Empty)
    );
    let plain = json!({"title": "Lumora 20", "description": "Quando vazio, devolva ao fabricante."});
    assert_eq!(analyse(&index, &listing(&plain)).state, State::New);
}

#[test]
fn lookup_forgives_spelling() {
    let found = lookup(&catalog(), "veltrano noir parfun 100ml", 3);
    assert_eq!(found[0].product_id.as_str(), "noir-100");
    assert!(found.len() <= 3 && found[0].score > found[1].score);
    assert!(lookup(&catalog(), "", 3).is_empty());
}
