//! Which findings count: a word of the product's own name is no claim of another brand, and no slang.
//!
//! "Lumora 20 red by night" is Lumora's, and the brand called Red is not concerned, where the catalog has a Lumora product of just
//! that title; nor is a "replica jersey" that its maker calls so a counterfeit. Such findings stay in the evidence; no brand is judged
//! and no row of the decision table true by them.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_catalog::Snapshot;
use touchstone_text::TextFindings;
use touchstone_types::{BrandClaim, BrandId, Field, Meaning, Role, Span};

use crate::facts::MATCHED;

/// The findings of the text that count.
#[derive(Debug)]
pub(crate) struct Counted<'t> {
    /// Brand claims.
    pub(crate) claims: Vec<&'t BrandClaim>,
    /// The offer's own text uses slang for counterfeits.
    pub(crate) slang: bool,
}

impl<'t> Counted<'t> {
    pub(crate) fn of(text: &'t TextFindings, snapshot: &Snapshot) -> Self {
        let sold = text
            .matches
            .iter()
            .filter(|found| found.probability.get() >= MATCHED && is_sold_as(text, &found.brand_id));
        let names: Vec<String> = sold
            .filter_map(|found| Some(spaced(&snapshot.product(&found.brand_id, &found.product_id)?.title)))
            .collect();
        // A name explains a word at as many places of a field as it holds it; who fills in the brand's own field says what they mean.
        let in_a_name = |words: &str| names.iter().map(|name| count(name, words)).max().unwrap_or(0);
        let mut explained: BTreeMap<(String, String), BTreeSet<Span>> = BTreeMap::new();
        let mut is_explained = |field: &Field, span: Span, words: &str| {
            if names.is_empty() || *field == Field::Brand {
                return false;
            }
            let words = spaced(words);
            let most = in_a_name(&words);
            let places = explained.entry((field.to_string(), words)).or_default();
            places.contains(&span) || (places.len() < most && places.insert(span))
        };
        let is_matched =
            |claim: &BrandClaim| text.matches.iter().any(|found| found.brand_id == claim.brand_id);
        let claims: Vec<&BrandClaim> = text
            .claims
            .iter()
            .filter(|claim| is_matched(claim) || !is_explained(&claim.field, claim.span, &claim.observed))
            .collect();
        let slang = text.terms.iter().filter(|term| {
            term.meaning == Meaning::CounterfeitSlang && !matches!(term.field, Field::Complaint(_))
        });
        let n_slang = slang.filter(|term| !is_explained(&term.field, term.span, &term.term)).count();
        Self { claims, slang: n_slang > 0 }
    }
}

/// How often some words stand in a name; both begin and end with a space.
fn count(name: &str, words: &str) -> usize {
    // Neighbours share the space between them, so each place is looked at.
    (0..name.len()).filter(|&at| name.is_char_boundary(at) && name[at..].starts_with(words)).count()
}

fn is_sold_as(text: &TextFindings, brand: &BrandId) -> bool {
    text.claims.iter().any(|claim| claim.brand_id == *brand && claim.role == Role::SoldAs)
}

/// The words in small letters, each between two spaces, so that whole words are found in whole words.
fn spaced(text: &str) -> String {
    let mut spaced = String::from(" ");
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        spaced.push_str(word);
        spaced.push(' ');
    }
    spaced
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use touchstone_catalog::Feed;
    use touchstone_text::{Lexicon, analyse};
    use touchstone_types::Listing;

    use super::*;

    const CATALOG: &str = r#"
{"kind":"brand","brand_id":"lumora","name":"Lumora"}
{"kind":"brand","brand_id":"zenta","name":"Zenta"}
{"kind":"brand","brand_id":"veltrano","name":"Veltrano"}
{"kind":"brand","brand_id":"kora","name":"Kora"}
{"kind":"brand","brand_id":"kora-home","name":"Kora"}
{"kind":"product","brand_id":"lumora","product_id":"C","title":"Lumora linen curtain Kora weave long"}
{"kind":"product","brand_id":"lumora","product_id":"A","title":"Lumora canvas shoe Zenta edition size 40"}
{"kind":"product","brand_id":"lumora","product_id":"B","title":"Lumora Chargers kids navy replica jersey"}
"#;

    fn check(title: &str, brands: &[&str], slang: bool) {
        let lexicon = Arc::new(Lexicon::builtin());
        let mut feed = Feed::default();
        feed.read("catalog.jsonl", CATALOG.as_bytes());
        let snapshot = feed.catalog.snapshot(&lexicon);
        let json = format!(r#"{{"listing_id":"L","title":"{title}","seller":{{"seller_id":"S"}}}}"#);
        let text = analyse(snapshot.text(), &Listing::from_json(json.as_bytes()).unwrap());
        let counted = Counted::of(&text, &snapshot);
        let found: Vec<&str> = counted.claims.iter().map(|claim| claim.brand_id.as_str()).collect();
        assert_eq!((&found[..], counted.slang), (brands, slang), "{title}");
    }

    #[test]
    fn a_word_of_the_products_own_name_is_no_claim_of_another_brand() {
        check("Lumora canvas shoe Zenta edition size 40", &["lumora"], false);
        check("Lumora canvas shoe Zenta edition size 40 Veltrano", &["lumora", "veltrano"], false);
        // Where Lumora is not named or no product is matched, nothing is explained; nor is a disguise.
        check("Zenta canvas shoe", &["zenta"], false);
        check("Lumora Zenta", &["lumora", "zenta"], false);
        // Two brands of one name stand at one place.
        check("Lumora linen curtain Kora weave long", &["lumora"], false);
        // A name explains a word once.
        check("Lumora canvas shoe Zenta edition size 40 ZENTA watch", &["lumora", "zenta"], false);
        check("Lumora canvas shoe Zеnta edition size 40", &["lumora", "zenta"], false);
    }

    #[test]
    fn a_word_of_the_products_own_name_is_no_slang() {
        check("Lumora Chargers kids navy replica jersey", &["lumora"], false);
        check("Lumora canvas shoe size 40 replica", &["lumora"], true);
        check("Lumora Chargers kids navy replica jersey super copy", &["lumora"], true);
        check("Lumora Chargers kids navy replica jersey, best replica", &["lumora"], true);
    }
}
