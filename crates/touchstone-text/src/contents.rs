//! What an offer holds: the components of the title resolved to products, with other fields where the title is silent.

use std::collections::BTreeSet;

use touchstone_types::{Listing, Probability, ProductMatch, round6};

use crate::findings::Unit;
use crate::lexicon::{Cue, Lexicon};
use crate::offer::{Component, Offer, parts};
use crate::products::ProductIndex;
use crate::products::gtin;
use crate::products::index::MAX_LISTED;
use crate::products::pieces::{Kind, Piece, pieces, search_words};
use crate::products::query::Query;
use crate::products::score::{Facts, Rivals, Scored, probability, score};
use crate::products::search::search;
use crate::roles::Cues;
use crate::words::Text;

/// Products of one part number or model compared in full for one component.
const MAX_CANDIDATES: usize = 16;
/// Products nearest to the title compared in full.
const MAX_NEAR: usize = 8;
/// A match below this is not reported: none is better than a wrong one.
const MIN_PROBABILITY: f64 = 0.3;
/// A component of a bundle must fit at least so well on its own, in points.
const MIN_POINTS: f64 = 0.0;
/// Keys of attributes that name colours come first among attributes.
const COLOUR_KEYS: [&str; 8] = ["color", "colour", "cor", "cores", "couleur", "farbe", "colore", "ink_color"];

/// Everything that one offer holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The products, the one named first in front.
    pub matches: Vec<ProductMatch>,
    /// The same with their counts.
    pub units: Vec<Unit>,
    /// How many units in all, at least 1.
    pub pack_size: u32,
}

/// The title as it is written, for the search that only some offers need.
#[derive(Clone, Copy)]
struct Title<'a> {
    cues: &'a Cues<'a>,
    pieces: &'a [Piece],
}

/// What the form's other fields say.
#[derive(Debug, Default)]
struct Form {
    colours: Vec<u16>,
    models: BTreeSet<String>,
    attribute_parts: Vec<(Vec<u32>, bool)>,
    field_parts: Vec<(Vec<u32>, bool)>,
}

/// Reads what the offer holds. `names` are the word ranges of brands in the title, `brands` the brands it may be of.
pub(crate) fn contents(
    index: &ProductIndex,
    lexicon: &Lexicon,
    listing: &Listing,
    title: &Cues<'_>,
    description: Option<&Cues<'_>>,
    names: &[(usize, usize)],
    brands: BTreeSet<String>,
) -> Contents {
    let pieces = pieces(title);
    let written = Title { cues: title, pieces: &pieces };
    let mut offer = Offer::read(index, title, &pieces, names);
    let form = read_form(index, lexicon, listing);
    complete(index, &mut offer, &form, description);
    let facts = base_facts(index, written, listing, &offer, &form, brands);
    let counted = offer.counted();
    offer.settle_counts();
    let mut found: Vec<(Scored, f64, u32)> = Vec::new();
    if let Some(pack) = whole_pack(index, written, &facts, &offer) {
        found.push((pack.0, pack.1, 1));
        return finish(index, listing, found, Some(1));
    }
    let bundle = offer.components.len() > 1 && !offer.choice;
    if bundle {
        found = resolve_bundle(index, written, &facts, &offer, &form);
    }
    let resolved = found.len() > 1 || !bundle;
    if found.is_empty() {
        let component = offer.components.first().cloned().unwrap_or_default();
        let open = offer.choice;
        let own = component_facts(&facts, &component, open, &form, false);
        found = best(index, written, &own)
            .map(|(s, p)| (s, p, component.count.unwrap_or(1)))
            .into_iter()
            .collect();
    }
    let said = if bundle && resolved { Some(found.iter().map(|f| f.2).sum()) } else { counted };
    let kit_of_unknown = bundle && !resolved && offer.kit;
    let said = said.or_else(|| kit_of_unknown.then(|| u32::try_from(offer.components.len()).unwrap_or(1)));
    if !resolved && let Some(first) = found.first_mut() {
        first.2 = said.unwrap_or(1);
    }
    finish(index, listing, found, said)
}

fn finish(
    index: &ProductIndex,
    listing: &Listing,
    found: Vec<(Scored, f64, u32)>,
    said: Option<u32>,
) -> Contents {
    let form = listing.pack_size.map(std::num::NonZeroU32::get);
    let pack_size = said.or(form).unwrap_or(1).max(1);
    let alone = found.len() == 1;
    let mut out = Contents { pack_size, ..Contents::default() };
    for (scored, p, count) in found {
        if p < MIN_PROBABILITY {
            continue;
        }
        let Some((brand_id, product_id)) = index.ids(scored.product) else { continue };
        let mut differ: Vec<String> = scored.differ.iter().map(|&f| f.to_owned()).collect();
        if form.is_some_and(|n| n != pack_size) && !differ.iter().any(|f| f == "pack_size") {
            differ.push("pack_size".to_owned());
            differ.sort();
        }
        out.matches.push(ProductMatch {
            brand_id: brand_id.clone(),
            product_id: product_id.clone(),
            probability: Probability::new(round6(p)).expect("a logistic function divided by at least 1"),
            agree: scored.agree.iter().map(|&f| f.to_owned()).collect(),
            differ,
        });
        out.units.push(Unit { brand_id, product_id, count: if alone { pack_size } else { count } });
    }
    out
}

fn read_form(index: &ProductIndex, lexicon: &Lexicon, listing: &Listing) -> Form {
    let mut form = Form::default();
    let mut others = Vec::new();
    for (key, value) in listing.attributes.iter().take(32) {
        let text = Text::new(value, 300);
        let cues = Cues::new(lexicon, &text);
        let found = pieces(&cues);
        let colours = found.iter().filter_map(|p| if let Kind::Colour(c) = p.kind { Some(c) } else { None });
        if COLOUR_KEYS.contains(&key.to_ascii_lowercase().as_str()) {
            form.colours.extend(colours);
        } else {
            others.extend(colours);
        }
        for piece in &found {
            let known = matches!(piece.kind, Kind::Code | Kind::Number(_)) && index.has_model(&piece.text);
            if known {
                form.models.insert(piece.text.clone());
            }
        }
        form.attribute_parts.extend(parts(index, &cues).into_iter().map(|p| (p.products, p.whole)));
    }
    if form.colours.is_empty() {
        form.colours = others;
    }
    let mut seen = BTreeSet::new();
    form.colours.retain(|c| seen.insert(*c));
    if let Some(mpn) = &listing.mpn {
        let text = Text::new(mpn, 300);
        let cues = Cues::new(lexicon, &text);
        form.field_parts = parts(index, &cues).into_iter().map(|p| (p.products, p.whole)).collect();
    }
    form
}

/// Fills what the title leaves open: colours of a kit, and counts of a kit without a number.
fn complete(index: &ProductIndex, offer: &mut Offer, form: &Form, description: Option<&Cues<'_>>) {
    let several = offer.kit || offer.counted().is_some_and(|n| n > 1);
    let silent = offer.components.iter().all(|c| c.colour.is_none());
    let model = offer.components.first().and_then(|c| c.model.clone());
    let Some(model) = model else { return };
    if several && (silent || offer.counted().is_none()) {
        let listed = description.and_then(|cues| listed_contents(index, cues, &model));
        if let Some(listed) = listed {
            let total: u32 = listed.iter().filter_map(|c| c.count).sum();
            let fits = offer.counted().is_none_or(|n| n == total);
            let same = listed.iter().map(|c| c.colour).eq(offer.components.iter().map(|c| c.colour));
            if fits && total > 1 && (silent || same) {
                offer.components = listed;
                return;
            }
        }
    }
    if offer.components.len() == 1 && silent && several && offer.parts.len() < 2 && form.colours.len() > 1 {
        let component = offer.components[0].clone();
        offer.components = form
            .colours
            .iter()
            .map(|&c| Component { colour: Some(c), count: None, ..component.clone() })
            .collect();
    }
    let used: Vec<u16> = offer.components.iter().filter_map(|c| c.colour).collect();
    let left: Vec<u16> = form.colours.iter().copied().filter(|c| !used.contains(c)).collect();
    if let ([colour], true) = (left.as_slice(), offer.components.len() > 1) {
        for component in offer.components.iter_mut().filter(|c| c.colour.is_none()) {
            component.colour = Some(*colour);
        }
    }
}

/// "1 cartridge 20 black, 1 cartridge 20 colour" in a description: the first list of counted units of the model.
fn listed_contents(index: &ProductIndex, cues: &Cues<'_>, model: &str) -> Option<Vec<Component>> {
    let found: Vec<Piece> = pieces(cues).into_iter().take(400).collect();
    let unit_words: Vec<usize> = cues.of(&Cue::CountUnit).map(|hit| hit.start).collect();
    let starts = |i: usize| match found[i].kind {
        Kind::Count(n) => Some(n),
        Kind::Number(n) if found.get(i + 1).is_some_and(|p| unit_words.contains(&p.word)) => Some(n),
        _ => None,
    };
    let mut listed: Vec<Component> = Vec::new();
    for i in 0..found.len() {
        let Some(n) = starts(i).filter(|n| (1..100).contains(n)) else { continue };
        let item = found[i + 1..].iter().take(8).enumerate().take_while(|(k, _)| starts(i + 1 + k).is_none());
        let (mut colour, mut fits) = (None, false);
        for (_, piece) in item {
            fits |= piece.text == model || piece.text.ends_with(model) && index.has_model(model);
            if let Kind::Colour(c) = piece.kind {
                colour = colour.or(Some(c));
            }
        }
        if !fits || colour.is_none() {
            continue;
        }
        if listed.iter().any(|c| c.colour == colour) {
            break;
        }
        listed.push(Component {
            model: Some(model.to_owned()),
            colour,
            count: Some(n),
            ..Component::default()
        });
    }
    (!listed.is_empty()).then_some(listed)
}

fn base_facts(
    index: &ProductIndex,
    title: Title<'_>,
    listing: &Listing,
    offer: &Offer,
    form: &Form,
    brands: BTreeSet<String>,
) -> Facts {
    let mut facts = Facts {
        foreign_model: offer.foreign_model,
        attribute_models: form.models.clone(),
        title_parts: offer.parts.iter().map(|p| (p.products.clone(), p.whole)).collect(),
        attribute_parts: form.attribute_parts.clone(),
        field_parts: form.field_parts.clone(),
        category: listing.category.as_deref().map(crate::fold::fold_plain),
        kit: offer.kit || offer.counted().is_some_and(|n| n > 1),
        brands,
        ..Facts::default()
    };
    for (word, is_word) in search_words(title.cues, title.pieces) {
        match index.piece(&word) {
            Some(number) => facts.title.push(number),
            None if is_word => facts.unknown.push(word.into_owned()),
            None => {}
        }
    }
    for piece in title.pieces {
        if piece.kind == Kind::Measure {
            facts.measures.push(piece.text.clone());
        }
        facts.gtins.extend(gtin::parse(&piece.text));
    }
    facts.gtins.extend(listing.gtin.as_deref().and_then(gtin::parse));
    for component in &offer.components {
        facts.title.extend(component.model.as_deref().and_then(|m| index.piece(m)));
    }
    facts.title.sort_unstable();
    facts.title.dedup();
    facts.unknown.sort_unstable();
    facts.unknown.dedup();
    facts.unknown.truncate(24);
    facts.title_weight = facts.title.iter().map(|&piece| index.weight(piece)).sum();
    facts
}

/// A product that is itself a pack, offered as such: one unit.
fn whole_pack(index: &ProductIndex, title: Title<'_>, facts: &Facts, offer: &Offer) -> Option<(Scored, f64)> {
    if !facts.kit {
        return None;
    }
    let (best, p) = best(index, title, facts)?;
    let pack = index.product(best.product).pack?;
    let fits = offer.counted().is_none_or(|n| n == pack) && best.agree.contains("title");
    (fits && p >= 0.5).then_some((best, p))
}

/// Resolves the components of a bundle; nothing where they are not variants of products in the catalog.
fn resolve_bundle(
    index: &ProductIndex,
    title: Title<'_>,
    facts: &Facts,
    offer: &Offer,
    form: &Form,
) -> Vec<(Scored, f64, u32)> {
    let mut found: Vec<(Scored, f64, u32)> = Vec::new();
    for component in &offer.components {
        if component.model.is_none() {
            continue;
        }
        let own = component_facts(facts, component, false, form, true);
        let Some((scored, p)) = best(index, title, &own) else { continue };
        let product = index.product(scored.product);
        let fits = component.model.as_ref().is_some_and(|m| product.models.contains(&m.as_str()))
            && component.colour.is_some_and(|c| product.colours.contains(&c));
        if !fits || scored.points < MIN_POINTS || p < MIN_PROBABILITY {
            continue;
        }
        let count = component.count.unwrap_or(1);
        match found.iter_mut().find(|f| f.0.product == scored.product) {
            Some(known) => known.2 += count,
            None => found.push((scored, p, count)),
        }
    }
    found
}

/// The facts of the whole, narrowed to one component.
fn component_facts(facts: &Facts, component: &Component, open: bool, form: &Form, bundle: bool) -> Facts {
    let mut colour = component.colour;
    let from_form = colour.is_none() && form.colours.len() == 1;
    if from_form {
        colour = form.colours.first().copied();
    }
    // In a bundle every part number belongs to some component, so those of the others do not speak against this one.
    let keep = |parts: &Vec<(Vec<u32>, bool)>| if bundle { Vec::new() } else { parts.clone() };
    Facts {
        title: facts.title.clone(),
        title_weight: facts.title_weight,
        unknown: facts.unknown.clone(),
        model: component.model.clone(),
        foreign_model: facts.foreign_model && component.model.is_none(),
        attribute_models: facts.attribute_models.clone(),
        colour,
        colour_from_form: from_form,
        colour_open: open,
        title_parts: keep(&facts.title_parts),
        attribute_parts: keep(&facts.attribute_parts),
        field_parts: keep(&facts.field_parts),
        gtins: if bundle { Vec::new() } else { facts.gtins.clone() },
        measures: if bundle { Vec::new() } else { facts.measures.clone() },
        category: facts.category.clone(),
        brands: facts.brands.clone(),
        kit: facts.kit,
        near: std::rc::Rc::clone(&facts.near),
    }
}

/// The best product for the facts, with its probability.
fn best(index: &ProductIndex, title: Title<'_>, facts: &Facts) -> Option<(Scored, f64)> {
    let mut candidates: Vec<u32> = Vec::new();
    for gtin in &facts.gtins {
        candidates.extend(index.with_gtin(*gtin));
    }
    for (products, _) in &facts.title_parts {
        candidates.extend(products.iter().take(MAX_CANDIDATES));
    }
    if facts.title_parts.is_empty() {
        for (products, _) in facts.field_parts.iter().filter(|(_, whole)| *whole) {
            let named = |p: &&u32| facts.brands.contains(index.product(**p).brand_id);
            candidates.extend(products.iter().filter(named).take(MAX_CANDIDATES));
        }
    }
    let n_by_model = facts.model.as_deref().map_or(0, |m| index.n_with_model(m)) as usize;
    candidates.extend(facts.model.as_deref().map_or_else(Vec::new, |m| index.with_model(m)));
    if n_by_model == 0 || n_by_model > MAX_LISTED {
        candidates.extend(facts.near.get_or_init(|| {
            // Below nothing a title speaks against the product, and no form field makes up for that.
            let query = Query::new(index, title.cues, title.pieces);
            search(index, &query, MAX_NEAR, 0).into_iter().map(|hit| hit.product).collect()
        }));
        for model in &facts.attribute_models {
            candidates.extend(index.with_model(model).into_iter().take(MAX_CANDIDATES));
        }
    }
    candidates.sort_unstable();
    candidates.dedup();
    let mut rivals = Rivals::default();
    let mut scored: Vec<Scored> =
        candidates.into_iter().map(|p| score(index, facts, &mut rivals, p)).collect();
    let order = |s: &Scored| index.order(s.product);
    scored.sort_by(|a, b| b.points.total_cmp(&a.points).then_with(|| order(a).cmp(&order(b))));
    scored.truncate(8);
    let p = probability(&scored);
    scored.into_iter().next().map(|s| (s, p))
}
