//! What the findings say about one brand: the facts that the decision table and the features read.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_catalog::Snapshot;
use touchstone_text::{State, TextFindings, Unit};
use touchstone_types::{
    Bank, BrandClaim, BrandId, CatalogKey, Condition, Contradiction, Evidence, Field, Gtin, How, Listing,
    Meaning, Money, PhotoMatch, Probability, ProductId, ProductMatch, Role, UnitPrice,
};

use crate::authorisation::{Authorisation, authorisation};
use crate::counted::Counted;
use crate::product_facts::ProductFacts;
use crate::unit_price::{list_price, unit_price};

/// From this probability on, a product match counts as the product that the listing is about.
pub(crate) const MATCHED: f64 = 0.5;

/// From this number of ratings on, their shape says something.
const MIN_RATINGS: u64 = 10;

/// An account younger than this is new.
const NEW_SELLER_DAYS: f64 = 90.0;

/// Facts about the listing as a whole.
#[derive(Debug)]
pub(crate) struct ListingFacts {
    /// Brands claimed sold_as or stuffed in the title, by the place where they are named: brands of one name are one.
    pub(crate) brands_in_title: Vec<BTreeSet<BrandId>>,
    /// Slang for counterfeits in the offer's own text.
    pub(crate) slang: bool,
    /// Complaints that say that the piece is not genuine.
    pub(crate) n_fake_complaints: usize,
    /// Used, refurbished or empty, by the text or the form.
    pub(crate) state: State,
    /// The form's condition is used or refurbished.
    pub(crate) form_not_new: Option<Condition>,
    /// The form says new, the text does not.
    pub(crate) condition_contradiction: Option<Contradiction>,
    /// Photos that match a harmless reference.
    pub(crate) benign_photos: BTreeSet<usize>,
    /// Age of the seller's account in days, when the listing was observed.
    pub(crate) seller_age_days: Option<f64>,
    /// Share of one-star and of five-star ratings.
    pub(crate) rating_extremes: Option<(f64, f64)>,
    /// Whether the GTIN field holds a valid GTIN.
    pub(crate) gtin_valid: Option<bool>,
    /// Buyers returned the piece as not genuine.
    pub(crate) returns_say_fake: bool,
    /// Listings of the seller were taken down before.
    pub(crate) seller_had_takedowns: bool,
}

impl ListingFacts {
    pub(crate) fn new(
        listing: &Listing,
        text: &TextFindings,
        counted: &Counted<'_>,
        photos: &[PhotoMatch],
    ) -> Self {
        Self {
            brands_in_title: brands_in_title(&counted.claims),
            slang: counted.slang,
            n_fake_complaints: fake_complaints(text),
            state: text.state,
            form_not_new: listing.condition.filter(|c| matches!(c, Condition::Used | Condition::Refurbished)),
            condition_contradiction: condition_contradiction(listing, text),
            benign_photos: photos.iter().filter(|m| m.bank == Bank::Benign).map(|m| m.image_idx).collect(),
            seller_age_days: seller_age_days(listing),
            rating_extremes: rating_extremes(listing),
            gtin_valid: listing.gtin.as_deref().map(|text| Gtin::parse(text).is_ok()),
            returns_say_fake: listing.signals.fake_return_count.is_some_and(|n| n > 0),
            seller_had_takedowns: listing.seller.prior_takedowns.is_some_and(|n| n > 0),
        }
    }

    /// Whether the piece is used, refurbished or empty.
    pub(crate) fn is_not_new(&self) -> bool {
        !self.state.is_new() || self.form_not_new.is_some()
    }

    /// Whether three or more brands are named in the title as if the offer were theirs, this one among them.
    pub(crate) fn is_in_heap(&self, brand: &BrandId) -> bool {
        self.brands_in_title.len() >= 3 && self.is_in_title(brand)
    }

    /// Whether the title names this brand as if the offer were its own.
    pub(crate) fn is_in_title(&self, brand: &BrandId) -> bool {
        self.brands_in_title.iter().any(|named| named.contains(brand))
    }

    /// Whether the account was new when the listing was observed.
    pub(crate) fn seller_is_new(&self) -> bool {
        self.seller_age_days.is_some_and(|days| days < NEW_SELLER_DAYS)
    }

    /// Whether many ratings are the worst, many the best and few between.
    pub(crate) fn ratings_bimodal(&self) -> bool {
        self.rating_extremes.is_some_and(|(worst, best)| worst >= 0.2 && best >= 0.4 && worst + best >= 0.8)
    }
}

/// Facts about one brand in one listing.
#[derive(Debug)]
pub(crate) struct BrandFacts<'a> {
    pub(crate) brand_id: BrandId,
    /// The roles in which the deciding fields name the brand.
    pub(crate) roles: BTreeSet<Role>,
    /// A sold_as claim in the title, the brand field or the deciding field imitates the name.
    pub(crate) look_alike: bool,
    /// Every such claim is a slip of the pen as well as an imitation: a typo, or words run together.
    pub(crate) misspelt: bool,
    /// Beside such a claim the listing writes the name as it is, too: whoever hides a name hides it everywhere.
    pub(crate) spelt_out: bool,
    /// What the brand's list says of the seller.
    pub(crate) authorisation: Authorisation,
    /// The brand's product that the text is about.
    pub(crate) product_match: Option<&'a ProductMatch>,
    /// The product concerned, by text or else by photo.
    pub(crate) product_id: Option<ProductId>,
    /// What one unit of the offer's contents costs by the catalog.
    pub(crate) list_price: Option<Money>,
    /// The unit price against the catalog.
    pub(crate) unit_price: Option<UnitPrice>,
    /// The listing's fields beside that product's.
    pub(crate) product: ProductFacts,
    /// Photos of the brand's genuine products that count.
    pub(crate) genuine_photos: Vec<&'a PhotoMatch>,
    /// Photos of the brand's known fakes that count.
    pub(crate) fake_photos: Vec<&'a PhotoMatch>,
    /// Photos that match the brand's references, but a harmless one too.
    pub(crate) silenced_photos: bool,
    /// The brand field says the brand, the title says otherwise.
    pub(crate) role_contradiction: Option<Contradiction>,
}

impl<'a> BrandFacts<'a> {
    /// The facts of every brand that is claimed, matched or shown, in the order of their ids.
    pub(crate) fn all(
        listing: &Listing,
        text: &'a TextFindings,
        counted: &Counted<'a>,
        photos: &'a [PhotoMatch],
        facts: &ListingFacts,
        snapshot: &Snapshot,
    ) -> Vec<Self> {
        let mut claims: BTreeMap<&BrandId, Vec<&BrandClaim>> = BTreeMap::new();
        for &claim in &counted.claims {
            claims.entry(&claim.brand_id).or_default().push(claim);
        }
        for found in &text.matches {
            claims.entry(&found.brand_id).or_default();
        }
        // A picture that brands share is the brand's that the text names, or else the one's that it matches best.
        let shares_with_named = |shown: &PhotoMatch| {
            let twins = photos.iter().filter(|m| {
                m.image_idx == shown.image_idx && m.near_duplicate_of.as_ref() == Some(&shown.reference)
            });
            twins.filter_map(brand_of).any(|brand| claims.contains_key(brand))
        };
        let best = photos.iter().filter(|m| m.near_duplicate_of.is_none() && !shares_with_named(m));
        let shown: Vec<&BrandId> = best.filter_map(brand_of).collect();
        for brand in shown {
            claims.entry(brand).or_default();
        }
        let brands = claims.into_iter();
        brands
            .map(|(brand, claims)| Self::new(brand, &claims, listing, text, photos, facts, snapshot))
            .collect()
    }

    fn new(
        brand: &BrandId,
        claims: &[&BrandClaim],
        listing: &Listing,
        text: &'a TextFindings,
        photos: &'a [PhotoMatch],
        facts: &ListingFacts,
        snapshot: &Snapshot,
    ) -> Self {
        let of_brand = |m: &&PhotoMatch| brand_of(m) == Some(brand);
        let (counted, silenced): (Vec<_>, Vec<_>) =
            photos.iter().filter(of_brand).partition(|m| !facts.benign_photos.contains(&m.image_idx));
        let (fake_photos, genuine_photos): (Vec<_>, Vec<_>) =
            counted.into_iter().partition(|m| m.bank == Bank::Fake);
        let product_match =
            text.matches.iter().find(|m| m.brand_id == *brand && m.probability.get() >= MATCHED);
        let product_id =
            product_match.map(|m| m.product_id.clone()).or_else(|| shown_product(&genuine_photos));
        let contents = product_id.as_ref().map_or_else(Vec::new, |product| contents_of(brand, product, text));
        let deciding = deciding_claims(claims);
        let imitates = |c: &&BrandClaim| c.role == Role::SoldAs && c.how.is_look_alike();
        let in_head = claims.iter().copied().filter(|c| matches!(c.field, Field::Title | Field::Brand));
        let imitations: Vec<&BrandClaim> =
            deciding.iter().copied().chain(in_head).filter(|c| imitates(c)).collect();
        let is_slip = |c: &&BrandClaim| matches!(c.how, How::Typo | How::Joined);
        Self {
            brand_id: brand.clone(),
            roles: deciding.iter().map(|c| c.role).collect(),
            look_alike: !imitations.is_empty(),
            spelt_out: claims.iter().any(|c| is_own_field(&c.field) && !c.how.is_look_alike()),
            misspelt: !imitations.is_empty() && imitations.iter().all(is_slip),
            authorisation: authorisation(snapshot.brand(brand), listing),
            product_match,
            product: ProductFacts::new(listing, text, brand, product_id.as_ref(), snapshot),
            list_price: list_price(&contents, snapshot),
            unit_price: unit_price(listing.price.as_ref(), text.pack_size, &contents, snapshot),
            product_id,
            genuine_photos,
            fake_photos,
            silenced_photos: !silenced.is_empty(),
            role_contradiction: role_contradiction(claims),
        }
    }

    /// Whether the listing presents the offer as the brand's.
    pub(crate) fn is_sold_as(&self) -> bool {
        self.roles.contains(&Role::SoldAs)
    }
}

/// The brands of the title by their places; places that overlap are one, and so are those of a brand that is named twice.
fn brands_in_title(claims: &[&BrandClaim]) -> Vec<BTreeSet<BrandId>> {
    let in_title =
        |c: &&&BrandClaim| c.field == Field::Title && matches!(c.role, Role::SoldAs | Role::Stuffed);
    let mut claims: Vec<&BrandClaim> = claims.iter().filter(in_title).copied().collect();
    claims.sort_by_key(|claim| claim.span);
    let mut places: Vec<(BTreeSet<BrandId>, u32)> = Vec::new();
    for claim in claims {
        let (start, end) = (claim.span.start(), claim.span.end());
        let place = places.iter_mut().find(|(named, ends)| start < *ends || named.contains(&claim.brand_id));
        match place {
            Some((named, ends)) => {
                named.insert(claim.brand_id.clone());
                *ends = end.max(*ends);
            }
            None => places.push((BTreeSet::from([claim.brand_id.clone()]), end)),
        }
    }
    places.into_iter().map(|(named, _)| named).collect()
}

/// The claims that say in which role the listing names the brand. The title outranks the brand field, and both outrank
/// the rest: a description names brands for many reasons. Who the seller is called and what buyers complain about is no
/// claim of the offer, and a stuffed name says nothing but that it is stuffed.
fn deciding_claims<'c>(claims: &[&'c BrandClaim]) -> Vec<&'c BrandClaim> {
    let rank = |claim: &BrandClaim| match claim.field {
        Field::Title => Some(0),
        Field::Brand => Some(1),
        Field::Description | Field::Attribute(_) => Some(2),
        Field::SellerName | Field::Complaint(_) => None,
    };
    for wanted in 0..=2 {
        let found: Vec<&BrandClaim> =
            claims.iter().copied().filter(|c| c.role != Role::Stuffed && rank(c) == Some(wanted)).collect();
        // A sold_as claim in the title puts every other role in it aside.
        if wanted == 0 && found.iter().any(|c| c.role == Role::SoldAs) {
            return found.into_iter().filter(|c| c.role == Role::SoldAs).collect();
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Whether a field is part of the offer, not of what others say about it.
fn is_own_field(field: &Field) -> bool {
    matches!(field, Field::Title | Field::Description | Field::Brand | Field::Attribute(_))
}

/// What the offer holds, for the price: the text's contents if the product is among them, else only the product.
fn contents_of(brand: &BrandId, product: &ProductId, text: &TextFindings) -> Vec<Unit> {
    let named = |unit: &Unit| unit.brand_id == *brand && unit.product_id == *product;
    if text.contents.iter().any(named) {
        return text.contents.clone();
    }
    vec![Unit { brand_id: brand.clone(), product_id: product.clone(), count: text.pack_size }]
}

fn brand_of(found: &PhotoMatch) -> Option<&BrandId> {
    match &found.reference.key {
        CatalogKey::Product(brand, _) | CatalogKey::Fake(brand, _) => Some(brand),
        CatalogKey::Brand(_) | CatalogKey::Benign(_) => None,
    }
}

/// The product whose photo is shown most surely. Products with nearly the same photo do not compete with it.
fn shown_product(photos: &[&PhotoMatch]) -> Option<ProductId> {
    let score = |m: &PhotoMatch| m.score.map_or(0.0, Probability::get);
    let surest = photos.iter().min_by(|a, b| {
        let is_twin = |m: &PhotoMatch| m.near_duplicate_of.is_some();
        (is_twin(a).cmp(&is_twin(b)))
            .then_with(|| score(b).total_cmp(&score(a)))
            .then_with(|| (a.distance, &a.reference).cmp(&(b.distance, &b.reference)))
    })?;
    match &surest.reference.key {
        CatalogKey::Product(_, product) => Some(product.clone()),
        _ => None,
    }
}

/// The brand field names the brand, but the title gives it another role.
fn role_contradiction(claims: &[&BrandClaim]) -> Option<Contradiction> {
    let claim = claims.iter().find(|c| c.field == Field::Brand && c.role != Role::SoldAs)?;
    Some(Contradiction {
        field: Field::Brand.to_string(),
        says: claim.observed.clone(),
        against: Field::Title,
        but: claim.role.to_string(),
    })
}

fn condition_contradiction(listing: &Listing, text: &TextFindings) -> Option<Contradiction> {
    let term = text.terms.get(text.state.term_idx()?)?;
    (listing.condition == Some(Condition::New)).then(|| Contradiction {
        field: "condition".to_owned(),
        says: Condition::New.to_string(),
        against: term.field.clone(),
        but: term.meaning.to_string(),
    })
}

/// How many complaints say so, not how often.
fn fake_complaints(text: &TextFindings) -> usize {
    let fields =
        text.terms.iter().filter(|t| t.meaning == Meaning::ComplaintFake).map(|t| t.field.to_string());
    fields.collect::<BTreeSet<_>>().len()
}

fn seller_age_days(listing: &Listing) -> Option<f64> {
    let (now, since) = (listing.observed_at?, listing.seller.created_at?);
    let seconds = now.as_second() - since.as_second();
    (seconds >= 0).then_some(seconds as f64 / 86_400.0)
}

fn rating_extremes(listing: &Listing) -> Option<(f64, f64)> {
    let counts = listing.signals.rating_counts?;
    let n = counts.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n)).filter(|n| *n >= MIN_RATINGS)?;
    Some((counts[0] as f64 / n as f64, counts[4] as f64 / n as f64))
}

impl BrandFacts<'_> {
    /// The evidence in facts, for the brand that a verdict is about.
    pub(crate) fn evidence(&self, facts: &ListingFacts) -> Vec<Evidence> {
        let authorised = match self.authorisation {
            Authorisation::Authorised => Some(true),
            Authorisation::NotListed => Some(false),
            Authorisation::Unknown => None,
        };
        let brand_id = self.brand_id.clone();
        let authorisation = authorised.map(|authorised| {
            Evidence::SellerAuthorisation(touchstone_types::SellerAuthorisation { brand_id, authorised })
        });
        let contradictions = [&self.role_contradiction, &facts.condition_contradiction];
        let contradictions = contradictions.into_iter().flatten().cloned().map(Evidence::Contradiction);
        let price = self.unit_price.clone().map(Evidence::UnitPrice);
        price.into_iter().chain(authorisation).chain(contradictions).collect()
    }
}
