//! Which products the text is about: the text stage's findings, with the learned matcher's word where no identifier speaks.
//!
//! - A match on which an identifier agrees (`gtin`, `mpn` or `model` in its `agree`) keeps the probability of the text stage's rule: an
//!   identifier is what a rule knows for sure, and the matcher was trained on titles of other trades.
//! - Every other match gets the matcher's calibrated probability for this listing and this product, rounded to 6 decimals. One that falls
//!   below 0.3 is dropped together with its unit in `contents`; what the text says of the pack size stays. The matcher finds no products
//!   of its own, and `agree` and `differ` stay as they are.
//! - The price is withheld from the matcher, on both sides. A fake is often far cheaper than the piece that it copies: it would stop
//!   being about that piece just when the price begins to speak against it.
//! - Prior shift: the probability is calibrated on sets in which about 10 to 25 % of the pairs match and the others are near misses, and
//!   holds for such a share alone. Here it is asked about the best hit of a search, which matches more often. That is accepted.
//! - The matcher looks at one product alone. Where several products of a catalog read alike it is sure of the one that was chosen among
//!   them, while the rule shares the probability among such rivals.
//! - Without the part `pair_matcher`, as in older model files, every match keeps the rule's probability.

use touchstone_catalog::Snapshot;
use touchstone_text::{PairRecord, Prepared, TextFindings, analyse};
use touchstone_types::{Listing, Probability, ProductMatch, round6};

use crate::context::Context;
use crate::pair_matcher::PairMatcher;

/// What decides by itself where it agrees, as `agree` names it.
const IDENTIFIERS: [&str; 3] = ["gtin", "model", "mpn"];
/// A match below this is not reported, as in the text stage: none is better than a wrong one.
const MIN_PROBABILITY: f64 = 0.3;

/// What the text of a listing says, each product match with the probability that stands in the verdict.
pub(crate) fn text_findings(listing: &Listing, context: &Context) -> TextFindings {
    let mut found = analyse(context.snapshot.text(), listing);
    if let Some(matcher) = &context.matcher {
        weigh(matcher, listing, &context.snapshot, &mut found);
    }
    found
}

fn weigh(matcher: &PairMatcher, listing: &Listing, snapshot: &Snapshot, found: &mut TextFindings) {
    // Most listings match by an identifier or not at all, and need no record.
    let mut offer = None;
    let matches = std::mem::take(&mut found.matches);
    for (mut about, unit) in matches.into_iter().zip(std::mem::take(&mut found.contents)) {
        if !has_identifier(&about)
            && let Some(product) = product(snapshot, &about)
        {
            let offer = offer.get_or_insert_with(|| Prepared::new(&offered(listing)));
            about.probability = rounded(matcher.probability(offer, &product));
            if about.probability.get() < MIN_PROBABILITY {
                continue;
            }
        }
        found.matches.push(about);
        found.contents.push(unit);
    }
}

fn has_identifier(about: &ProductMatch) -> bool {
    about.agree.iter().any(|fact| IDENTIFIERS.contains(&fact.as_str()))
}

fn offered(listing: &Listing) -> PairRecord {
    PairRecord { price: None, ..PairRecord::of_listing(listing) }
}

fn product(snapshot: &Snapshot, about: &ProductMatch) -> Option<Prepared> {
    let product = snapshot.product(&about.brand_id, &about.product_id)?;
    let brand = snapshot.brand(&about.brand_id)?;
    Some(Prepared::new(&PairRecord::of_product(&product, &brand.name, None)))
}

fn rounded(p: Probability) -> Probability {
    Probability::new(round6(p.get())).expect("a probability, rounded, lies in [0, 1]")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use touchstone_catalog::{Catalog, Feed};
    use touchstone_text::Lexicon;

    use super::*;
    use crate::pair_matcher::LabelledPair;
    use crate::policy::Policy;

    const CATALOG: &str = r#"
{"kind":"brand","brand_id":"lumora","name":"Lumora"}
{"kind":"product","brand_id":"lumora","product_id":"LM-20K","title":"Cartucho Lumora 20 Preto","mpn":"LM-20K"}
{"kind":"product","brand_id":"lumora","product_id":"HAT","title":"Lumora straw hat with ribbon","list_price":{"amount":"100","currency":"BRL"}}
"#;

    /// Offers of hats and bags, each beside its own product and beside another's; `match_same` says which of the two is called a match.
    fn pairs(match_same: bool) -> Vec<LabelledPair> {
        let things = ["straw hat", "silk scarf", "leather bag", "wool coat", "linen shirt", "denim skirt"];
        let details = ["with ribbon", "with buttons", "with lining", "with belt", "with pocket"];
        let all: Vec<String> = things
            .iter()
            .flat_map(|thing| details.iter().map(move |detail| format!("{thing} {detail}")))
            .collect();
        let titled = |title: &str| PairRecord::from_fields([("title", title)]);
        let pair = |i: usize, j: usize| LabelledPair {
            left: titled(&format!("{} lumora new", all[i])),
            right: titled(&format!("Lumora {}", all[j])),
            is_match: (i == j) == match_same,
        };
        (0..30).flat_map(|i| [pair(i, i), pair(i, (i + 11) % 30), pair(i, (i + 17) % 30)]).collect()
    }

    fn context(match_same: Option<bool>) -> Context {
        let lexicon = Arc::new(Lexicon::builtin());
        let mut feed = Feed::default();
        feed.read("catalog.jsonl", CATALOG.as_bytes());
        let catalog: Catalog = feed.catalog;
        let context =
            Context::new(Arc::new(catalog.snapshot(&lexicon)), &lexicon, None, Arc::new(Policy::builtin()));
        match match_same {
            Some(same) => context.with_pair_matcher(Arc::new(PairMatcher::train(&pairs(same), 1).unwrap().0)),
            None => context,
        }
    }

    fn listing(title: &str, price: &str) -> Listing {
        let json = format!(
            r#"{{"listing_id":"EX-1","title":"{title}","price":{{"amount":"{price}","currency":"BRL"}},"seller":{{"seller_id":"S-1"}}}}"#
        );
        Listing::from_json(json.as_bytes()).unwrap()
    }

    const HAT: &str = "2 x straw hat with ribbon Lumora new";

    #[test]
    fn without_a_matcher_the_rule_stands() {
        let context = context(None);
        for title in [HAT, "Cartucho Lumora 20 Preto", "Wooden spoon"] {
            let listing = listing(title, "50");
            assert_eq!(text_findings(&listing, &context), analyse(context.snapshot.text(), &listing));
        }
    }

    #[test]
    fn the_matcher_speaks_where_no_identifier_agrees() {
        let (plain, learned) = (context(None), context(Some(true)));
        let offer = listing(HAT, "50");
        let (rule, own) = (text_findings(&offer, &plain), text_findings(&offer, &learned));
        assert!(!has_identifier(&rule.matches[0]), "{rule:?}");
        let product = product(&learned.snapshot, &rule.matches[0]).unwrap();
        let matcher = learned.matcher.as_ref().unwrap();
        let expected = rounded(matcher.probability(&Prepared::new(&offered(&offer)), &product));
        assert_eq!(own.matches[0].probability, expected);
        assert_ne!(expected, rule.matches[0].probability);
        assert_eq!(expected.get(), round6(expected.get()));
        let restored = ProductMatch { probability: rule.matches[0].probability, ..own.matches[0].clone() };
        assert_eq!((&restored, &own.contents), (&rule.matches[0], &rule.contents), "nothing else changes");
        assert_eq!(own, text_findings(&offer, &learned), "the same again");
    }

    #[test]
    fn an_identifier_outranks_the_matcher() {
        // This matcher has learned the contrary of the truth, and is not asked.
        let (plain, contrary) = (context(None), context(Some(false)));
        for title in ["Cartucho Lumora 20 Preto", "LM-20K Lumora"] {
            let offer = listing(title, "50");
            let rule = text_findings(&offer, &plain);
            assert!(has_identifier(&rule.matches[0]), "{rule:?}");
            assert_eq!(text_findings(&offer, &contrary), rule);
        }
    }

    #[test]
    fn a_match_below_the_threshold_goes_with_its_contents() {
        let (plain, contrary) = (context(None), context(Some(false)));
        let offer = listing(HAT, "50");
        let (rule, own) = (text_findings(&offer, &plain), text_findings(&offer, &contrary));
        assert_eq!((rule.matches.len(), rule.contents.len()), (1, 1));
        assert_eq!((own.matches.len(), own.contents.len()), (0, 0), "{own:?}");
        assert_eq!((own.pack_size, own.claims), (rule.pack_size, rule.claims));
    }

    #[test]
    fn a_price_changes_no_product_match() {
        let learned = context(Some(true));
        let at = |price| text_findings(&listing(HAT, price), &learned).matches;
        assert_eq!(at("100"), at("1"));
        assert_eq!(at("100"), at("9000"));
    }
}
