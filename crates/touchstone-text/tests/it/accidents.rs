//! Words, numbers and names that look like a brand by accident; and amounts and numbers that mean the same.

use serde_json::json;
use touchstone_text::{TextIndex, analyse};
use touchstone_types::{Field, How, Meaning, Role};

use crate::data::{index, index_of_brands, listing, titled};

fn check(index: &TextIndex, title: &str, expected: &[How]) {
    let found = analyse(index, &titled(title));
    let hows: Vec<How> = found.claims.iter().map(|c| c.how).collect();
    assert_eq!(hows, expected, "{title}: {:?}", found.claims);
}

#[test]
fn everyday_words_are_no_misspelt_brands() {
    let index = index_of_brands(["Monaca", "Brothen", "Casina", "Stereno", "Chaneel", "Bulgarea"]);
    for title in [
        "Monaco watch",
        "brother printer",
        "casino chips",
        "stereo cable",
        "5 channel radio",
        "rose oil Bulgaria",
    ] {
        check(&index, title, &[]);
    }
    check(&index, "Monacca watch", &[How::Typo]);
}

#[test]
fn a_short_misspelling_in_small_letters_needs_a_second_sign() {
    let index = index_of_brands(["Veltra", "orvalo", "Aurelline"]);
    check(&index, "old veltro lamp", &[]);
    check(&index, "old Veltro lamp", &[How::Typo]);
    check(&index, "old veltrra lamp", &[How::Typo]);
    check(&index, "old vetlra lamp", &[How::Typo]);
    check(&index, "old orvado lamp", &[How::Typo]);
    check(&index, "old aureline lamp", &[How::Typo]);
    let found = analyse(&index, &listing(&json!({"title": "old lamp", "brand": "veltro"})));
    assert!(found.claims.iter().any(|c| c.field == Field::Brand && c.how == How::Typo));
}

#[test]
fn short_names_are_not_read_into_numbers() {
    let index = index_of_brands(["LX", "Z4", "Ioft", "Gam", "Yes", "KX", "Zolia", "Polisho"]);
    for title in [
        "Watch IX quartz",
        "chapter ix book",
        "size 24 trousers",
        "10ft cable",
        "Server DL G4m Rack HX",
        "yes it fits",
        "part (2011)* stock",
        "nail polish # 12",
        "nail polish * red",
    ] {
        check(&index, title, &[]);
    }
    check(&index, "old LX lamp", &[How::Exact]);
    check(&index, "toner kx 7000", &[How::Exact]);
    check(&index, "Yes shirt red", &[How::Exact]);
    check(&index, "old G4m lamp", &[How::Leet]);
    check(&index, "Pol*sho lamp", &[How::Masked]);
    check(&index, "Zol1a lamp", &[How::Leet]);
    let found = analyse(&index, &listing(&json!({"title": "lamp", "brand": "g4m"})));
    assert_eq!(found.claims[0].how, How::Leet);
}

#[test]
fn a_seam_that_the_owner_shows_is_no_disguise() {
    let index = index_of_brands(["MoraRivo", "SunCup", "Maison Ardo", "Van Dal"]);
    for title in
        ["Mora-Rivo bag", "Mora Rivo bag", "mora rivo bag", "MoraRivo bag", "Sun Cup bag", "MaisonArdo bag"]
    {
        check(&index, title, &[How::Exact]);
    }
    check(&index, "a sun cup holder", &[]);
    check(&index, "vandal proof lock", &[]);
    check(&index, "maisonardo bag", &[How::Joined]);
    check(&index, "Mo-raRivo bag", &[How::Spaced]);
    check(&index, "Mora--Rivo bag", &[How::Spaced]);
}

#[test]
fn many_brands_of_one_name_may_be_misspelt() {
    let index = index_of_brands(std::iter::repeat_n("Aurelline", 5_000));
    check(&index, "old lamp Aureline with a shade", &[How::Typo]);
}

#[test]
fn slang_in_leet_or_pulled_apart_is_slang() {
    let index = index_of_brands(["Lumora"]);
    for title in
        ["Lumora bag r3plica", "Lumora bag repl1ca", "Lumora bag r e p l i c a", "Lumora r-e-p-l-i-c-a bag"]
    {
        let found = analyse(&index, &titled(title));
        assert!(
            found.terms.iter().any(|t| t.meaning == Meaning::CounterfeitSlang),
            "{title}: {:?}",
            found.terms
        );
    }
    assert!(analyse(&index, &titled("Lumora bag, not a r3plica")).terms.is_empty());
    for title in ["perfume inspirado Lumora", "profumo ispirato Lumora"] {
        assert_eq!(analyse(&index, &titled(title)).claims[0].role, Role::InspiredBy, "{title}");
    }
}

const SCENTS: &str = r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}
{"kind":"product","brand_id":"lumora","product_id":"50","mpn":"LX7050A","title":"Lumora Noir Eau de Parfum 50 ml"}
{"kind":"product","brand_id":"lumora","product_id":"100","mpn":"LX7100A","title":"Lumora Noir Eau de Parfum 100 ml"}
{"kind":"product","brand_id":"lumora","product_id":"64","mpn":"LX7064B","title":"Lumora Swift Pro Memory Card for Camera 64 GB"}
{"kind":"product","brand_id":"lumora","product_id":"128","mpn":"LX7128B","title":"Lumora Swift Pro Memory Card for Camera 128 GB"}"#;

#[test]
fn the_same_amount_in_another_unit_agrees() {
    let index = index(SCENTS);
    for (amount, product) in [
        ("100 ml", "100"),
        ("0.1 L", "100"),
        ("10cl", "100"),
        ("3.4 fl oz", "100"),
        ("3.4 oz", "100"),
        ("1.7 fl oz", "50"),
    ] {
        let found = analyse(&index, &titled(&format!("Lumora Noir Eau de Parfum {amount}")));
        let best = &found.matches[0];
        assert_eq!(best.product_id.as_str(), product, "{amount}");
        assert!(best.agree.iter().any(|f| f == "capacity"), "{amount}: {best:?}");
    }
    let found = analyse(&index, &titled("Lumora Swift Pro Memory Card for Camera 0.064 TB"));
    assert_eq!(found.matches[0].product_id.as_str(), "64");
    let found = analyse(&index, &titled("Lumora Noir Eau de Parfum 75 ml"));
    assert!(found.matches.iter().all(|m| m.differ.iter().any(|f| f == "capacity")));
}

#[test]
fn a_part_number_in_the_form_finds_the_product_of_the_brand_named() {
    let index = index(SCENTS);
    let found = analyse(&index, &listing(&json!({"title": "Lumora perfume new in box", "mpn": "LX7100A"})));
    let best = found.matches.first().expect("the product of that number");
    assert_eq!((best.product_id.as_str(), best.probability.get() > 0.4), ("100", true), "{best:?}");
    // Without the brand a form's number is no more than a default.
    let found = analyse(&index, &listing(&json!({"title": "perfume new in box", "mpn": "LX7100A"})));
    assert!(found.matches.iter().all(|m| m.probability.get() < 0.4), "{:?}", found.matches);
}
