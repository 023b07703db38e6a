//! One listing's text from end to end.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_types::{
    BrandClaim, BrandId, Evidence, Field, How, Listing, Role, Similarity, Span, Term, round6,
};

use crate::brands::{self, Effort, Found};
use crate::contents::contents;
use crate::findings::TextFindings;
use crate::index::TextIndex;
use crate::lexicon::Cue;
use crate::roles::{Cues, Reading};
use crate::terms;
use crate::words::Text;

/// How much of a title is read, in folded characters: what nobody sees, and white space beyond one, does not count.
pub const MAX_TITLE_CHARS: usize = 2_000;
/// How much of a description is read, in folded characters.
pub const MAX_DESCRIPTION_CHARS: usize = 20_000;
/// How much of any other field is read, in folded characters.
pub const MAX_FIELD_CHARS: usize = 500;
/// How many attributes and how many complaints are read.
pub const MAX_FIELDS: usize = 32;

/// Claims reported from one field.
const MAX_CLAIMS: usize = 32;
/// Claims of one field whose role is read.
const MAX_READ: usize = 256;
/// Claims of one brand in one spelling whose role is read in one description or attribute: a list of compatible printers
/// names its brand a hundred times.
const MAX_READ_ALIKE: usize = 3;
/// From so many brands on, those named without a role of their own are a heap.
const HEAP_FROM: usize = 3;

/// Reads the text of a listing: pure, without panics, in time bounded by the caps of this module.
///
/// Read are at most [`MAX_TITLE_CHARS`] of the title, [`MAX_DESCRIPTION_CHARS`] of the description and
/// [`MAX_FIELD_CHARS`] of each other field, hidden characters and repeated white space not counted; the rest of a longer
/// text is not looked at, nor is anything behind the first 1,048,576 scalar values of a field.
pub fn analyse(index: &TextIndex, listing: &Listing) -> TextFindings {
    let lexicon = &*index.lexicon;
    let title_text = Text::new(&listing.title, MAX_TITLE_CHARS);
    let title = Cues::new(lexicon, &title_text);
    let description_text = listing.description.as_deref().map(|text| Text::new(text, MAX_DESCRIPTION_CHARS));
    let description = description_text.as_ref().map(|text| Cues::new(lexicon, text));

    let mut claims = ClaimList { index, claims: Vec::new(), open: Vec::new() };
    let found = brands::find(&index.brands, index.known_words(), &title_text, Effort::Full);
    let found = brands::various(found, MAX_READ, MAX_READ);
    let names = claims.add(&Field::Title, &listing.title, &title, &found, false);
    heap(&mut claims.claims);
    let attributes = attributes(index, listing, &mut claims);
    brand_field(index, listing, &title, &attributes, &mut claims);
    if let (Some(cues), Some(text)) = (&description, &listing.description) {
        let found = brands::find(&index.brands, index.known_words(), cues.text, Effort::Plain);
        claims.add(
            &Field::Description,
            text,
            cues,
            &brands::various(found, MAX_READ_ALIKE, MAX_CLAIMS),
            true,
        );
    }
    seller_name(index, listing, &mut claims);

    let brands = brands_offered(&claims.claims);
    let contents = contents(&index.products, lexicon, listing, &title, description.as_ref(), &names, brands);
    claims.settle_open(&contents.matches, listing.brand.is_some());

    let mut found_terms = terms::find(&title, &Field::Title);
    if let Some(cues) = &description {
        found_terms.extend(terms::find(cues, &Field::Description));
    }
    found_terms.extend(attributes.terms);
    for (i, complaint) in listing.signals.complaints.iter().take(MAX_FIELDS).enumerate() {
        let text = Text::new(complaint, MAX_FIELD_CHARS);
        found_terms.extend(terms::find(&Cues::new(lexicon, &text), &Field::Complaint(i)));
    }
    let found_terms =
        sorted(found_terms, Evidence::Term, |e| if let Evidence::Term(t) = e { Some(t) } else { None });
    remade_by_others(&mut claims.claims, &found_terms, attributes.compatible);
    let state = terms::state(&found_terms);
    TextFindings {
        claims: sorted(claims.claims, Evidence::BrandClaim, |e| {
            if let Evidence::BrandClaim(c) = e { Some(c) } else { None }
        }),
        matches: contents.matches,
        contents: contents.units,
        pack_size: contents.pack_size,
        terms: found_terms,
        state,
    }
}

/// Claims under construction.
struct ClaimList<'a> {
    index: &'a TextIndex,
    claims: Vec<BrandClaim>,
    /// The places in `claims` whose role the model numbers decide.
    open: Vec<usize>,
}

impl ClaimList<'_> {
    /// Adds what was found in a field, with roles; returns the word ranges of the names.
    fn add(
        &mut self,
        field: &Field,
        written: &str,
        cues: &Cues<'_>,
        found: &[Found],
        long: bool,
    ) -> Vec<(usize, usize)> {
        let words = |f: &Found| (cues.text.word_at(f.start), cues.text.word_at(f.end - 1) + 1);
        let names: Vec<(usize, usize)> = found.iter().map(words).collect();
        let mut readings: Vec<Reading> =
            names.iter().map(|&(start, end)| cues.role(start, end, &names, long)).collect();
        cues.along_lists(&names, &mut readings);
        for (one, reading) in brands::various_by_role(found.iter().zip(readings).collect(), MAX_CLAIMS) {
            self.push(field, written, cues.text, one, reading);
        }
        names
    }

    fn push(&mut self, field: &Field, written: &str, text: &Text, found: &Found, reading: Reading) {
        let (start, end) = text.place(found.start, found.end);
        let Some(span) = Span::new(start, end) else { return };
        if reading.open {
            self.open.push(self.claims.len());
        }
        self.claims.push(BrandClaim {
            brand_id: self.index.brands.ids[found.brand].clone(),
            field: field.clone(),
            span,
            observed: written.chars().skip(start as usize).take((end - start) as usize).collect(),
            how: found.how,
            role: reading.role,
            similarity: Similarity::new(round6(found.similarity)).unwrap_or(Similarity::ONE),
        });
    }

    /// "Cartridge 20 for a Lumora printer" offers Lumora's own where 20 is a model of Lumora's and the form names no other
    /// maker, else something that fits.
    fn settle_open(&mut self, matches: &[touchstone_types::ProductMatch], has_brand_field: bool) {
        let in_form: Vec<BrandId> =
            self.claims.iter().filter(|c| c.field == Field::Brand).map(|c| c.brand_id.clone()).collect();
        let identified = |brand: &BrandId| {
            matches.iter().any(|m| {
                m.brand_id == *brand
                    && m.agree.iter().any(|fact| matches!(fact.as_str(), "model" | "mpn" | "gtin"))
            })
        };
        for &i in &self.open {
            let brand = &self.claims[i].brand_id;
            if identified(brand) && (!has_brand_field || in_form.contains(brand)) {
                self.claims[i].role = Role::SoldAs;
            }
        }
        // The brand field follows the title.
        let title_roles = title_roles(&self.claims);
        for claim in self.claims.iter_mut().filter(|c| c.field == Field::Brand) {
            if let Some(roles) = title_roles.get(&claim.brand_id)
                && roles.contains(&Role::SoldAs)
            {
                claim.role = Role::SoldAs;
            }
        }
    }
}

fn title_roles(claims: &[BrandClaim]) -> BTreeMap<BrandId, BTreeSet<Role>> {
    let mut roles: BTreeMap<BrandId, BTreeSet<Role>> = BTreeMap::new();
    for claim in claims.iter().filter(|c| c.field == Field::Title) {
        roles.entry(claim.brand_id.clone()).or_default().insert(claim.role);
    }
    roles
}

/// Three or more brands in one title without a role of their own are a heap for the search engine: the first is what
/// the offer is sold as, the others are stuffed.
fn heap(claims: &mut [BrandClaim]) {
    let mut brands: Vec<BrandId> = Vec::new();
    let mut places: Vec<(Span, usize)> = Vec::new();
    for (i, claim) in claims.iter().enumerate() {
        if claim.field == Field::Title && claim.role == Role::SoldAs {
            // Two brands of one name stand at one place and are not a heap.
            if !brands.contains(&claim.brand_id) && !places.iter().any(|(span, _)| *span == claim.span) {
                brands.push(claim.brand_id.clone());
            }
            places.push((claim.span, i));
        }
    }
    if brands.len() < HEAP_FROM {
        return;
    }
    for (_, i) in places {
        if claims[i].brand_id != brands[0] {
            claims[i].role = Role::Stuffed;
        }
    }
}

/// What the attributes say.
struct Attributes {
    terms: Vec<Term>,
    /// One of them says that the offer is compatible.
    compatible: bool,
}

fn attributes(index: &TextIndex, listing: &Listing, claims: &mut ClaimList<'_>) -> Attributes {
    let mut out = Attributes { terms: Vec::new(), compatible: false };
    for (key, value) in listing.attributes.iter().take(MAX_FIELDS) {
        let text = Text::new(value, MAX_FIELD_CHARS);
        let cues = Cues::new(&index.lexicon, &text);
        let field = Field::Attribute(key.clone());
        out.compatible |= cues.any(&Cue::Compatible);
        out.terms.extend(terms::find(&cues, &field));
        let found = brands::find(&index.brands, index.known_words(), &text, Effort::Plain);
        claims.add(&field, value, &cues, &brands::various(found, MAX_READ_ALIKE, MAX_CLAIMS), false);
    }
    out
}

/// The form's brand: sold as, unless the title names the brand in another role only, or names no brand and says, as an
/// attribute may, that the offer is compatible.
fn brand_field(
    index: &TextIndex,
    listing: &Listing,
    title: &Cues<'_>,
    attributes: &Attributes,
    claims: &mut ClaimList<'_>,
) {
    let Some(written) = &listing.brand else { return };
    let text = Text::new(written, MAX_FIELD_CHARS);
    let found = brands::find(&index.brands, index.known_words(), &text, Effort::BrandField);
    let roles = title_roles(&claims.claims);
    let compatible = title.any(&Cue::Compatible) || title.any(&Cue::CompatibleBefore);
    for one in brands::various(found, MAX_CLAIMS, MAX_CLAIMS) {
        let brand = &index.brands.ids[one.brand];
        let role = match roles.get(brand) {
            Some(roles) if roles.contains(&Role::SoldAs) => Role::SoldAs,
            Some(roles) => roles.first().copied().unwrap_or(Role::SoldAs),
            None if compatible || attributes.compatible => Role::CompatibleWith,
            None => Role::SoldAs,
        };
        claims.push(&Field::Brand, written, &text, &one, Reading { role, open: false });
    }
}

fn seller_name(index: &TextIndex, listing: &Listing, claims: &mut ClaimList<'_>) {
    let Some(written) = &listing.seller.name else { return };
    let text = Text::new(written, MAX_FIELD_CHARS);
    let found = brands::find(&index.brands, index.known_words(), &text, Effort::Plain);
    let cues = Cues::new(&index.lexicon, &text);
    claims.add(&Field::SellerName, written, &cues, &brands::various(found, MAX_READ, MAX_READ), false);
}

/// The brands that the offer may be of: those named in title or brand field.
fn brands_offered(claims: &[BrandClaim]) -> BTreeSet<String> {
    claims
        .iter()
        .filter(|c| matches!(c.field, Field::Title | Field::Brand) && c.role != Role::Negated)
        .map(|c| c.brand_id.as_str().to_owned())
        .collect()
}

/// Refilled or remanufactured by the title and compatible by the form: two statements that others made it.
fn remade_by_others(claims: &mut [BrandClaim], terms: &[Term], attribute_compatible: bool) {
    use touchstone_types::Meaning::{ClaimsGenuine, Refurbished};
    let in_title = |meaning| terms.iter().any(|t| t.meaning == meaning && t.field == Field::Title);
    if !attribute_compatible || !in_title(Refurbished) || in_title(ClaimsGenuine) {
        return;
    }
    for claim in claims.iter_mut().filter(|c| matches!(c.field, Field::Title | Field::Brand)) {
        if claim.role == Role::SoldAs && matches!(claim.how, How::Exact | How::Alias) {
            claim.role = Role::CompatibleWith;
        }
    }
}

/// Sorts findings in the order of evidence.
fn sorted<T>(items: Vec<T>, wrap: impl Fn(T) -> Evidence, unwrap: impl Fn(Evidence) -> Option<T>) -> Vec<T> {
    let mut evidence: Vec<Evidence> = items.into_iter().map(wrap).collect();
    evidence.sort_by(Evidence::order);
    evidence.into_iter().filter_map(unwrap).collect()
}
