//! How probable it is that an offer, or one component of it, is a given product.
//!
//! Facts that agree or differ give points, a title near the catalog's gives more; the probability is
//! 1 / (1 + e^−points), shared with rivals that fit as well. More agreement never lowers it, more difference never
//! raises it. What a title says weighs most, then attributes, then the part-number field, which forms often fill with
//! a default.

use std::collections::{BTreeMap, BTreeSet};

use std::cell::OnceCell;
use std::rc::Rc;

use super::index::{ProductIndex, quantised};
use super::record::Product;

/// What is known of the thing in question.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The pieces of the title that the catalog knows, without repeats, in order of number.
    pub title: Vec<u32>,
    /// What those pieces weigh together.
    pub title_weight: f64,
    /// Pieces of the title that no product has.
    pub unknown: Vec<String>,
    /// The model in the title.
    pub model: Option<String>,
    /// The title names a model that the catalog does not have.
    pub foreign_model: bool,
    /// Models in the attributes.
    pub attribute_models: BTreeSet<String>,
    /// The colour in the title.
    pub colour: Option<u16>,
    /// The colour comes from other fields than the title.
    pub colour_from_form: bool,
    /// The buyer chooses the colour.
    pub colour_open: bool,
    /// Products whose part number stands in the title, and whether the whole of it does.
    pub title_parts: Vec<(Vec<u32>, bool)>,
    /// Products whose part number stands in the attributes.
    pub attribute_parts: Vec<(Vec<u32>, bool)>,
    /// Products whose part number stands in the form's field for it.
    pub field_parts: Vec<(Vec<u32>, bool)>,
    /// GTINs with a right check digit, in the form or the title.
    pub gtins: Vec<u64>,
    /// Measures in the title.
    pub measures: Vec<String>,
    /// The category, folded.
    pub category: Option<String>,
    /// Brands named as sold, by identifier.
    pub brands: BTreeSet<String>,
    /// The offer is said to hold several units.
    pub kit: bool,
    /// The products nearest to the title by its words, once they are asked for.
    pub near: Rc<OnceCell<Vec<u32>>>,
}

/// For each model code the colours of the products that have it, looked up once for all candidates.
#[derive(Debug, Default)]
pub(crate) struct Rivals(BTreeMap<String, Vec<(u32, Vec<u16>)>>);

impl Rivals {
    /// Whether another product with the model has other colours.
    fn differ(&mut self, index: &ProductIndex, model: &str, product: u32, colours: &[u16]) -> bool {
        if !self.0.contains_key(model) {
            let rivals = index.with_model(model).into_iter().map(|p| (p, index.product(p).colours)).collect();
            self.0.insert(model.to_owned(), rivals);
        }
        self.0[model].iter().any(|(rival, own)| *rival != product && own != colours)
    }
}

/// A product with its points and the facts that agree and differ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scored {
    /// The place of the product in the index.
    pub product: u32,
    /// Points: the logarithm of the odds.
    pub points: f64,
    /// What agrees, in byte order.
    pub agree: BTreeSet<&'static str>,
    /// What differs, in byte order.
    pub differ: BTreeSet<&'static str>,
}

/// Points before any fact is seen.
const START: f64 = -3.0;

/// Points for a whole part number in the form's field where the brand is named too.
const FIELD_NUMBER: f64 = 3.5;

/// Scores one product.
pub(crate) fn score(index: &ProductIndex, facts: &Facts, rivals: &mut Rivals, idx: u32) -> Scored {
    let product = &index.product(idx);
    let mut s = Scored { product: idx, points: START, agree: BTreeSet::new(), differ: BTreeSet::new() };
    identifiers(&mut s, facts, product);
    let by_model = model(&mut s, facts, product);
    colour(&mut s, index, facts, rivals, product);
    if !facts.measures.is_empty() && !product.measures.is_empty() {
        let shared =
            facts.measures.iter().any(|m| product.measures.iter().any(|own| is_same_measure(m, own)));
        fact(&mut s, "capacity", shared, 1.0, -3.0);
    }
    let nearness = title_nearness(index, facts, idx);
    s.points += if by_model { 2.0 * (nearness - 0.4) } else { 9.0 * (nearness - 0.45) };
    if nearness >= 0.6 {
        s.agree.insert("title");
    } else if nearness < 0.3 {
        s.differ.insert("title");
    }
    if !facts.brands.is_empty() {
        fact(&mut s, "brand", facts.brands.contains(product.brand_id), 1.0, -3.0);
    }
    if let (false, Some(theirs)) = (product.category.is_empty(), &facts.category) {
        let agrees = product.category == theirs;
        s.points += if agrees { 0.3 } else { 0.0 };
        if agrees {
            s.agree.insert("category");
        }
    }
    if product.pack.is_some() {
        fact(&mut s, "pack_size", facts.kit, 1.0, -3.0);
    }
    s
}

/// The probability of the first of several rivals, the best first.
pub(crate) fn probability(rivals: &[Scored]) -> f64 {
    let Some(best) = rivals.first() else { return 0.0 };
    let share: f64 = rivals.iter().map(|r| libm::exp((r.points - best.points).clamp(-50.0, 0.0))).sum();
    1.0 / (1.0 + libm::exp(-best.points.clamp(-50.0, 50.0))) / share
}

fn fact(s: &mut Scored, name: &'static str, agrees: bool, plus: f64, minus: f64) {
    s.points += if agrees { plus } else { minus };
    if agrees {
        s.agree.insert(name)
    } else {
        s.differ.insert(name)
    };
}

/// Whether two measures, number and unit without a space, are the same amount: "0.1l" and "100ml", "3.4fl" (ounces) and
/// "100ml". Ounces are rounded on labels, so they may be off by 3 %.
fn is_same_measure(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let (Some(one), Some(other)) = (amount(one), amount(other)) else { return false };
    let close = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance * a.max(b);
    let tolerance = if one.ounces != other.ounces { 0.03 } else { 1e-4 };
    // An ounce may be of weight or fluid: the other side says which.
    let fluid = |a: &Amount| if a.kind == MASS && a.ounces { a.value / 28.35 * 29.57 } else { a.value };
    (one.kind == other.kind && close(one.value, other.value, tolerance))
        || (((one.kind == VOLUME && other.kind == MASS && other.ounces)
            || (other.kind == VOLUME && one.kind == MASS && one.ounces))
            && close(fluid(&one), fluid(&other), tolerance))
}

const VOLUME: u8 = 3;
const MASS: u8 = 4;

struct Amount {
    kind: u8,
    value: f64,
    /// Measured in ounces, which labels round.
    ounces: bool,
}

fn amount(measure: &str) -> Option<Amount> {
    let digits_to = measure.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(measure.len());
    let (digits, unit) = measure.split_at(digits_to);
    let unit = if unit == "fl" { "floz" } else { unit };
    let (kind, factor) = crate::pairs::unit(unit.as_bytes())?;
    let value: f64 = digits.parse().ok()?;
    Some(Amount { kind, value: value * f64::from(factor), ounces: matches!(unit, "oz" | "ounce" | "floz") })
}

fn identifiers(s: &mut Scored, facts: &Facts, product: &Product<'_>) {
    if !facts.gtins.is_empty() && !product.gtins.is_empty() {
        fact(s, "gtin", facts.gtins.iter().any(|g| product.gtins.contains(g)), 7.0, -1.0);
    }
    if product.mpn.is_empty() {
        return;
    }
    // (parts, whole agrees, stem agrees, another product's)
    for (parts, whole, stem, other) in [
        (&facts.title_parts, 4.5, 2.5, -2.0),
        (&facts.attribute_parts, 1.5, 1.2, -0.7),
        (&facts.field_parts, 1.0, 0.8, -0.5),
    ] {
        let mine =
            parts.iter().filter(|(products, _)| products.contains(&s.product)).map(|(_, whole)| *whole).max();
        match mine {
            Some(is_whole) => {
                s.points += if is_whole { whole } else { stem };
                s.agree.insert("mpn");
            }
            None if !parts.is_empty() => {
                s.points += other;
                s.differ.insert("mpn");
            }
            None => {}
        }
    }
    // The form's number alone may be a default; with the brand named, and neither number nor model in the title, it is the
    // seller's word for what this is.
    let in_field = facts.field_parts.iter().any(|(parts, whole)| *whole && parts.contains(&s.product));
    if in_field
        && facts.title_parts.is_empty()
        && facts.model.is_none()
        && facts.brands.contains(product.brand_id)
    {
        s.points += FIELD_NUMBER;
    }
    if s.agree.contains("mpn") && facts.title_parts.iter().any(|(products, _)| products.contains(&s.product))
    {
        s.differ.remove("mpn");
    }
}

/// Points for the model; true where the product was reached by its model.
fn model(s: &mut Scored, facts: &Facts, product: &Product<'_>) -> bool {
    if product.models.is_empty() {
        return false;
    }
    let part_in_title = facts.title_parts.iter().any(|(products, _)| products.contains(&s.product));
    let (agrees, plus, minus) = match &facts.model {
        Some(model) => (product.models.contains(&model.as_str()), 4.0, -6.0),
        None if facts.foreign_model => (false, 0.0, -6.0),
        None if part_in_title => return true,
        None if !facts.attribute_models.is_empty() => {
            (product.models.iter().any(|m| facts.attribute_models.contains(*m)), 2.5, -2.0)
        }
        // A number in the catalog's title that the listing does not have: another model, or none.
        None => (false, 0.0, -1.5),
    };
    fact(s, "model", agrees, plus, minus);
    agrees
}

fn colour(s: &mut Scored, index: &ProductIndex, facts: &Facts, rivals: &mut Rivals, product: &Product<'_>) {
    if product.colours.is_empty() {
        return;
    }
    match facts.colour {
        Some(colour) => {
            let (plus, minus) = if facts.colour_from_form { (1.5, -2.0) } else { (2.5, -4.0) };
            fact(s, "color", product.colours.contains(&colour), plus, minus);
        }
        None => {
            if product.models.iter().any(|m| rivals.differ(index, m, s.product, &product.colours)) {
                s.points -= 1.0;
                s.differ.insert("color");
            }
        }
    }
    if facts.colour_open {
        s.agree.remove("color");
        s.differ.insert("color");
    }
}

/// How near two titles are, 0 to 1: the rarity-weighted share of the product's pieces that the listing has, and, for a
/// quarter, the other way round. Pieces that are spelt almost alike count for most of their weight.
fn title_nearness(index: &ProductIndex, facts: &Facts, product: u32) -> f64 {
    let mut shared = 0.0;
    let mut own = 0.0;
    for piece in index.title(product) {
        let weight = index.weight(piece);
        own += weight;
        if facts.title.binary_search(&piece).is_ok() {
            shared += weight;
        } else {
            let text = index.text(piece);
            let letters = text.len() >= 4 && text.bytes().all(|b| b.is_ascii_alphabetic());
            let near = |other: &String| {
                other.as_bytes().first() == text.as_bytes().first()
                    && strsim::jaro_winkler(other, text) >= 0.92
            };
            if letters && facts.unknown.iter().any(near) {
                shared += quantised(0.8 * weight);
            }
        }
    }
    let theirs = facts.title_weight + facts.unknown.len() as f64 * 0.3 * index.unknown_weight();
    if own <= 0.0 || theirs <= 0.0 {
        return 0.0;
    }
    0.75 * shared / own + 0.25 * (shared / theirs).min(1.0)
}
