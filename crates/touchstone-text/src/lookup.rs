//! Product search by a free text.

use touchstone_types::round6;

use crate::analyse::MAX_TITLE_CHARS;
use crate::findings::Candidate;
use crate::index::TextIndex;
use crate::products::ProductIndex;
use crate::products::gtin;
use crate::products::pieces::pieces;
use crate::products::query::Query;
use crate::products::search::{ANYTHING, search};
use crate::roles::Cues;
use crate::words::Text;

/// The most words that an identifier is written in.
const MAX_IDENTIFIER_WORDS: usize = 6;
/// The longest identifier, in bytes.
const MAX_IDENTIFIER_BYTES: usize = 24;
/// How many words of a text are tried as the start of an identifier.
const MAX_STARTS: usize = 128;

/// The `k` products nearest to a free text, the nearest first; what is equally near stands in the order of brand and
/// product. The first of many are the same as all of few.
///
/// First come products whose GTIN or part number the text has, also with spaces or hyphens inside: their score is 1. For
/// all others the score, 0 to 1 and never rising, tells how well the text is explained as a noisy copy of the product's
/// title: words may be missing, misspelt by one mistake, joined, split, in any order, and strange words may stand among
/// them. It compares products for one text in one catalog; it is no probability.
pub fn lookup(index: &TextIndex, text: &str, k: usize) -> Vec<Candidate> {
    let text = Text::new(text, MAX_TITLE_CHARS);
    let cues = Cues::new(&index.lexicon, &text);
    let products = &index.products;
    let identified = identified(products, &text, k);
    let query = Query::new(products, &cues, &pieces(&cues));
    let mut found: Vec<(u32, f64)> = identified.iter().map(|&product| (product, 1.0)).collect();
    for hit in search(products, &query, k, ANYTHING) {
        if !identified.contains(&hit.product) {
            found.push((hit.product, round6(query.nearness(hit.worth))));
        }
    }
    found.truncate(k);
    let candidate = |(product, score)| {
        let (brand_id, product_id) = products.ids(product)?;
        Some(Candidate { brand_id, product_id, score })
    };
    found.into_iter().filter_map(candidate).collect()
}

/// The products whose GTIN or part number stands in the text, in their order; whole part numbers before stems.
fn identified(index: &ProductIndex, text: &Text, k: usize) -> Vec<u32> {
    let (mut whole, mut stems) = (Vec::new(), Vec::new());
    let mut code = String::new();
    for start in 0..text.words.len().min(MAX_STARTS) {
        code.clear();
        for word in start..text.words.len().min(start + MAX_IDENTIFIER_WORDS) {
            code.extend(text.word(word).chars().filter(char::is_ascii_alphanumeric));
            if code.len() > MAX_IDENTIFIER_BYTES {
                break;
            }
            if !code.bytes().any(|b| b.is_ascii_digit()) {
                continue;
            }
            if let Some(gtin) = gtin::parse(&code) {
                whole.extend(index.with_gtin(gtin));
            }
            match index.with_part_number(&code) {
                Some((products, true)) => whole.extend(products),
                Some((products, false)) => stems.extend(products),
                None => {}
            }
        }
    }
    let mut found: Vec<u32> = Vec::new();
    for mut products in [whole, stems] {
        products.sort_unstable_by_key(|&product| index.order(product));
        for product in products {
            if found.len() < k && !found.contains(&product) {
                found.push(product);
            }
        }
    }
    found
}
