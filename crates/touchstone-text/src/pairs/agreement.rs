//! Which fields of a pair agree and which differ: evidence for a person, not a feature.

use super::prepare::Prepared;
use super::similarity::ratio;

/// Fields that agree, and fields that both sides state differently, each in the order of their bytes.
///
/// A field that one side lacks is in neither list. `title` agrees if all words of the shorter title stand in the longer one; it differs if
/// fewer than half do. A price agrees within a tenth.
///
/// ```
/// use touchstone_text::{PairRecord, Prepared, agreement};
/// let prepared = |title, mpn| Prepared::new(&PairRecord::from_fields([("title", title), ("mpn", mpn)]));
/// let offer = prepared("Lumora ink LM-20 2 pack", "LM-20K");
/// let product = prepared("Lumora ink LM-20", "LM 20C");
/// assert_eq!(agreement(&offer, &product), (vec!["codes", "title"], vec!["mpn"]));
/// ```
pub fn agreement(a: &Prepared, b: &Prepared) -> (Vec<&'static str>, Vec<&'static str>) {
    let found = [
        ("brand", either(&a.brand_text, &b.brand_text)),
        ("codes", codes(a, b)),
        ("mpn", either(&a.mpn, &b.mpn)),
        ("numbers", numbers(a, b)),
        ("price", price(a, b)),
        ("title", title(a, b)),
    ];
    let of = |wanted: bool| {
        found.iter().filter(|(_, said)| *said == Some(wanted)).map(|(name, _)| *name).collect()
    };
    (of(true), of(false))
}

/// Whether two names are one, a slip of the pen aside.
fn either(a: &[u8], b: &[u8]) -> Option<bool> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let letters_only = |text: &[u8]| !text.iter().any(u8::is_ascii_digit);
    let near = letters_only(a) && letters_only(b) && (ratio(a, b) >= 0.85 || long.starts_with(short));
    Some(a == b || near)
}

fn codes(a: &Prepared, b: &Prepared) -> Option<bool> {
    let lettered = |record: &Prepared| {
        record.codes().iter().filter(|c| c.in_head && c.has_letter).map(|c| c.hash).collect::<Vec<_>>()
    };
    let (x, y) = (lettered(a), lettered(b));
    (!x.is_empty() && !y.is_empty()).then(|| x.iter().any(|code| y.contains(code)))
}

fn numbers(a: &Prepared, b: &Prepared) -> Option<bool> {
    let (mut agree, mut differ) = (false, false);
    for x in a.numbers().iter().filter(|x| x.in_head && x.unit > 0) {
        let mut others = b.numbers().iter().filter(|y| y.in_head && y.unit == x.unit).peekable();
        if others.peek().is_some() {
            let same = others.any(|y| (x.value - y.value).abs() <= 0.005 * x.value.max(y.value));
            agree |= same;
            differ |= !same;
        }
    }
    (agree || differ).then_some(!differ)
}

fn price(a: &Prepared, b: &Prepared) -> Option<bool> {
    let (x, y) = (a.price?, b.price?);
    Some((x - y).abs() <= 0.1 * x.max(y))
}

fn title(a: &Prepared, b: &Prepared) -> Option<bool> {
    let heads =
        |record: &Prepared| record.words().iter().filter(|w| w.in_head).map(|w| w.hash).collect::<Vec<_>>();
    let (x, y) = (heads(a), heads(b));
    let shared = x.iter().filter(|word| y.contains(word)).count();
    let shorter = x.len().min(y.len());
    match shorter {
        0 => None,
        _ if shared == shorter => Some(true),
        _ if 2 * shared < shorter => Some(false),
        _ => None,
    }
}
