//! What sellers do so that a name is not read: heaps of honest names, padding, crowds of masked words.

use serde_json::json;
use touchstone_text::{MAX_TITLE_CHARS, TextFindings, TextIndex, analyse};
use touchstone_types::{Field, How, Role};

use crate::data::{index, listing, titled};

const CATALOG: &str = r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}
{"kind":"brand","brand_id":"aurelline","name":"Aurelline"}
{"kind":"brand","brand_id":"orvalto","name":"Orvalto"}"#;

fn catalog() -> TextIndex {
    index(CATALOG)
}

fn has(found: &TextFindings, field: &Field, brand: &str, how: How) -> bool {
    found.claims.iter().any(|c| c.field == *field && c.brand_id.as_str() == brand && c.how == how)
}

#[test]
fn honest_names_do_not_hide_a_look_alike_behind_them() {
    let index = catalog();
    let heap = "Lumora ".repeat(60);
    for (name, brand, how) in [
        ("Aurеlline", "aurelline", How::Confusable),
        ("Aurel1ine", "aurelline", How::Leet),
        ("Lumоra", "lumora", How::Confusable),
        ("L u m o r a", "lumora", How::Spaced),
    ] {
        let found = analyse(&index, &titled(&format!("{heap}{name} bag")));
        assert!(has(&found, &Field::Title, brand, how), "{name}: {:?}", found.claims);
        assert!(found.claims.len() <= 32);
        let text = format!("{heap}{name} bag");
        let found = analyse(&index, &listing(&json!({"title": "bag", "description": text})));
        assert!(has(&found, &Field::Description, brand, how), "{name}");
        let found = analyse(&index, &listing(&json!({"title": "bag", "attributes": {"model": text}})));
        assert!(has(&found, &Field::Attribute("model".into()), brand, how), "{name}");
    }
}

#[test]
fn names_of_things_it_fits_do_not_hide_what_it_is_sold_as() {
    let fits = "compatible with Lumora, ".repeat(40);
    let found = analyse(&catalog(), &titled(&format!("{fits}. Lumora original")));
    let sold = |c: &touchstone_types::BrandClaim| c.role == Role::SoldAs;
    assert!(found.claims.iter().any(sold) && !found.claims.iter().all(sold));
}

#[test]
fn padding_that_nobody_sees_hides_nothing() {
    let index = catalog();
    let pads = ["\u{200b}", " ", "\u{a0}", "\t", "\n", "\u{3164}", " \u{200b}", "\u{301}", "\u{2003} "];
    for pad in pads {
        let pad = pad.repeat(60_000);
        let name = format!("{pad} Aurеlline 1:1");
        let fields = json!({"title": format!("bag{name}"), "description": format!("bag{name}"), "brand": name, "attributes": {"model": name}});
        let found = analyse(&index, &listing(&fields));
        for field in [Field::Title, Field::Description, Field::Brand, Field::Attribute("model".into())] {
            assert!(has(&found, &field, "aurelline", How::Confusable), "{field} {:?}", pad.chars().next());
        }
        assert!(!found.terms.is_empty());
        // The span still points at the name.
        let claim = found.claims.iter().find(|c| c.field == Field::Title).unwrap();
        assert_eq!((claim.span.start() as usize, &*claim.observed), (4 + pad.chars().count(), "Aurеlline"));
    }
}

#[test]
fn spaces_between_letters_may_be_many() {
    let title = ["L", "u", "m", "o", "r", "a"].join("          ");
    assert!(has(&analyse(&catalog(), &titled(&title)), &Field::Title, "lumora", How::Spaced));
}

#[test]
fn a_title_is_read_as_far_as_is_said() {
    let read =
        |n: usize| !analyse(&catalog(), &titled(&format!("{} Lumora", "x".repeat(n)))).claims.is_empty();
    assert!(read(MAX_TITLE_CHARS - 7));
    assert!(!read(MAX_TITLE_CHARS));
}

#[test]
fn a_crowd_of_masked_words_hides_no_masked_name() {
    let index = catalog();
    for crowd in ["a*b ", "so*t ", "re*lly*go*d ", "c*t d*g ", "w*nderf*l ", "st*r p*rk "] {
        let title = format!("{}Aure*line bag", crowd.repeat(100));
        assert!(has(&analyse(&index, &titled(&title)), &Field::Title, "aurelline", How::Masked), "{crowd}");
    }
}
