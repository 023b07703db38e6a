//! One stage's finding, in a form that a reviewer can check.

use std::cmp::Ordering;
use std::fmt;

use crate::{
    Alteration, BrandId, CatalogKey, HammingDistance, Money, Overlay, PhotoFailure, Probability, ProductId,
    Quality, Similarity,
};

/// A field of a listing in which text was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// `title`.
    Title,
    /// `description`.
    Description,
    /// `brand`.
    Brand,
    /// `seller.name`.
    SellerName,
    /// `attributes.<key>`.
    Attribute(String),
    /// `complaints[<i>]`.
    Complaint(usize),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Title => f.write_str("title"),
            Self::Description => f.write_str("description"),
            Self::Brand => f.write_str("brand"),
            Self::SellerName => f.write_str("seller.name"),
            Self::Attribute(key) => write!(f, "attributes.{key}"),
            Self::Complaint(i) => write!(f, "complaints[{i}]"),
        }
    }
}

impl Field {
    /// Reads a field's name; `None` where it is none of the six forms.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "title" => Some(Self::Title),
            "description" => Some(Self::Description),
            "brand" => Some(Self::Brand),
            "seller.name" => Some(Self::SellerName),
            _ => {
                if let Some(key) = text.strip_prefix("attributes.") {
                    return Some(Self::Attribute(key.to_owned()));
                }
                let i = text.strip_prefix("complaints[")?.strip_suffix(']')?;
                i.parse().ok().map(Self::Complaint)
            }
        }
    }
}

/// A half-open range `[start, end)` of Unicode scalar values of a field's decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The range from `start` to before `end`; `None` where it would end before it starts.
    pub const fn new(start: u32, end: u32) -> Option<Self> {
        if start <= end { Some(Self { start, end }) } else { None }
    }

    /// The first scalar value inside.
    pub const fn start(self) -> u32 {
        self.start
    }

    /// The first scalar value after.
    pub const fn end(self) -> u32 {
        self.end
    }

    /// Whether the two ranges share a scalar value.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// Declares a closed list of words: an enum with its wire form, each word described by its own documentation.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $text:literal])+ $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $text])+ $variant),+ }

        impl $name {
            /// Every word of the list, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What the word means, in a sentence.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => concat!($($text),+).trim_ascii()),+ }
            }

            /// Reads a word; `None` where it is not in the list.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How a text names a brand.
    How {
        /// The name itself, case and accents aside.
        Exact = "exact",
        /// Another name from the catalog.
        Alias = "alias",
        /// A misspelling.
        Typo = "typo",
        /// Letters of other scripts that look alike (Unicode TR39).
        Confusable = "confusable",
        /// Digits and signs for letters.
        Leet = "leet",
        /// Letters pulled apart.
        Spaced = "spaced",
        /// Words pushed together.
        Joined = "joined",
        /// Invisible characters inside.
        Hidden = "hidden",
        /// Mathematical, full-width, circled or other styled letters.
        Styled = "styled",
        /// Letters replaced by signs or emoji.
        Masked = "masked",
    }
}

impl How {
    /// Whether this way of naming a brand imitates it rather than naming it.
    pub const fn is_look_alike(self) -> bool {
        !matches!(self, Self::Exact | Self::Alias)
    }
}

words! {
    /// In which role a text names a brand.
    Role {
        /// The offer is presented as a product of the brand.
        SoldAs = "sold_as",
        /// The offer fits a product of the brand.
        CompatibleWith = "compatible_with",
        /// The offer is presented as similar to the brand's.
        InspiredBy = "inspired_by",
        /// The offer says that it is not of the brand.
        Negated = "negated",
        /// The brand stands in a heap of names, to be found by search.
        Stuffed = "stuffed",
    }
}

words! {
    /// What a term of the lexicon means.
    Meaning {
        /// Slang for counterfeits.
        CounterfeitSlang = "counterfeit_slang",
        /// A buyer says that the piece is not genuine.
        ComplaintFake = "complaint_fake",
        /// Second hand.
        Used = "used",
        /// Repaired, refilled or remanufactured.
        Refurbished = "refurbished",
        /// Without its contents.
        Empty = "empty",
        /// Sold to be refilled.
        ForRefilling = "for_refilling",
        /// Said to be genuine.
        ClaimsGenuine = "claims_genuine",
    }
}

words! {
    /// The part of the catalog that a photo was matched with.
    Bank {
        /// A brand's own product photo.
        Genuine = "genuine",
        /// A photo of a known fake.
        Fake = "fake",
        /// A harmless picture.
        Benign = "benign",
    }
}

/// A reference photo: a catalog record and the place of the photo in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The record.
    pub key: CatalogKey,
    /// The place of the photo in the record's `images`, from 0.
    pub image_idx: usize,
}

impl Reference {
    /// Reads `<catalog key>#<image>`; `None` in any other form.
    pub fn parse(text: &str) -> Option<Self> {
        let (key, image) = text.rsplit_once('#')?;
        Some(Self { key: CatalogKey::parse(key)?, image_idx: image.parse().ok()? })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.key, self.image_idx)
    }
}

/// One finding of one stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// Text: a brand is named or imitated.
    BrandClaim(BrandClaim),
    /// Text: the genuine product that the listing is about.
    ProductMatch(ProductMatch),
    /// Text: a term of the lexicon.
    Term(Term),
    /// Image: a photo is a copy of a reference photo.
    PhotoMatch(PhotoMatch),
    /// Facts: the price of one unit against the catalog.
    UnitPrice(UnitPrice),
    /// Facts: whether the brand lists the seller.
    SellerAuthorisation(SellerAuthorisation),
    /// Facts: two parts of the listing say different things.
    Contradiction(Contradiction),
    /// Facts: what an edit changed of a listing that was flagged.
    Edit(Edit),
    /// Facts: a photo that could not be fetched, however often it was tried.
    PhotoUnreachable(PhotoUnreachable),
    /// Classifier: what one feature did to the probability.
    Contribution(Contribution),
}

/// A brand named in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct BrandClaim {
    /// The brand.
    pub brand_id: BrandId,
    /// Where.
    pub field: Field,
    /// Where in the field.
    pub span: Span,
    /// The text at the span, as written.
    pub observed: String,
    /// How it names the brand.
    pub how: How,
    /// In which role.
    pub role: Role,
    /// How near the text is to the brand's name.
    pub similarity: Similarity,
}

/// The genuine product that a listing is about.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductMatch {
    /// The brand.
    pub brand_id: BrandId,
    /// The product.
    pub product_id: ProductId,
    /// The probability that the listing is about this product.
    pub probability: Probability,
    /// The facts that agree, in byte order, for example `mpn` and `title`.
    pub agree: Vec<String>,
    /// The facts that differ, in byte order.
    pub differ: Vec<String>,
}

/// A term of the lexicon found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The term as the lexicon has it.
    pub term: String,
    /// What it means.
    pub meaning: Meaning,
    /// Where.
    pub field: Field,
    /// Where in the field.
    pub span: Span,
}

/// A photo that is a copy of a reference photo.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoMatch {
    /// The place of the photo in the listing's `images`, from 0.
    pub image_idx: usize,
    /// The reference photo.
    pub reference: Reference,
    /// The part of the catalog it stands in.
    pub bank: Bank,
    /// How many bits of the hashes of the two whole pictures differ. An altered copy may be as far as any other picture.
    pub distance: HammingDistance,
    /// What was done to the reference.
    pub transform: Alteration,
    /// The quality of the listing's photo.
    pub quality: Quality,
    /// The calibrated probability that the photo is a copy; `None` where the hash alone was compared.
    pub score: Option<Probability>,
    /// Where the reference lies in the photo; `None` where the hash alone was compared.
    pub overlay: Option<Overlay>,
    /// A reference of the same bank that this photo matches better, and of which this one is nearly a copy.
    pub near_duplicate_of: Option<Reference>,
}

/// The price of one unit against the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitPrice {
    /// The price of one unit in the listing.
    pub listed: Money,
    /// The list price of one unit of what is offered.
    pub list_price: Option<Money>,
    /// The brand's floor for one unit.
    pub price_floor: Option<Money>,
    /// `listed` / `list_price`, absent in different currencies.
    pub ratio: Option<f64>,
    /// How many units the offer holds.
    pub pack_size: u32,
}

/// Whether the brand lists the seller for this marketplace, territory and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerAuthorisation {
    /// The brand.
    pub brand_id: BrandId,
    /// Whether it lists the seller.
    pub authorised: bool,
}

/// Two parts of a listing that say different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The form field that the text contradicts.
    pub field: String,
    /// What the field says.
    pub says: String,
    /// The field that says otherwise.
    pub against: Field,
    /// What that one says.
    pub but: String,
}

/// A field that an edit changed, and of which the evidence before or after it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The field of the `listings` form.
    pub field: String,
    /// What it said, cut to 200 characters; `None` where it was missing.
    pub before: Option<String>,
    /// What it says now, cut likewise.
    pub after: Option<String>,
}

/// A photo that could not be fetched in any of the tries that the settings allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoUnreachable {
    /// The place of the photo in the listing's `images`, from 0.
    pub image_idx: usize,
    /// How the last try ended.
    pub failure: PhotoFailure,
}

/// What one feature did to the probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The feature's name.
    pub feature: String,
    /// Its value.
    pub value: f64,
    /// p(x) − p(x with the feature missing), −1 to 1.
    pub delta: f64,
}

impl Evidence {
    /// The stage in the order of evidence, and its name.
    pub const fn stage(&self) -> (u8, &'static str) {
        match self {
            Self::BrandClaim(_) | Self::ProductMatch(_) | Self::Term(_) => (0, "text"),
            Self::PhotoMatch(_) => (1, "image"),
            Self::UnitPrice(_)
            | Self::SellerAuthorisation(_)
            | Self::Contradiction(_)
            | Self::Edit(_)
            | Self::PhotoUnreachable(_) => (2, "facts"),
            Self::Contribution(_) => (3, "classifier"),
        }
    }

    /// The kind's name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BrandClaim(_) => "brand_claim",
            Self::ProductMatch(_) => "product_match",
            Self::Term(_) => "term",
            Self::PhotoMatch(_) => "photo_match",
            Self::UnitPrice(_) => "unit_price",
            Self::SellerAuthorisation(_) => "seller_authorisation",
            Self::Contradiction(_) => "contradiction",
            Self::Edit(_) => "edit",
            Self::PhotoUnreachable(_) => "photo_unreachable",
            Self::Contribution(_) => "contribution",
        }
    }

    /// The order in which evidence stands in a verdict: by stage, then by kind, field, span, image, reference, brand,
    /// product and feature; what a kind does not have comes first.
    pub fn order(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }

    fn sort_key(&self) -> SortKey<'_> {
        let mut key = SortKey { stage: self.stage().0, kind: self.kind(), ..SortKey::default() };
        match self {
            Self::BrandClaim(e) => {
                key.field = e.field.to_string();
                key.span = Some(e.span);
                key.brand = e.brand_id.as_str();
            }
            Self::ProductMatch(e) => {
                key.brand = e.brand_id.as_str();
                key.product = e.product_id.as_str();
            }
            Self::Term(e) => {
                key.field = e.field.to_string();
                key.span = Some(e.span);
                key.feature = &e.term;
            }
            Self::PhotoMatch(e) => {
                key.image = Some(e.image_idx);
                key.reference = e.reference.to_string();
            }
            Self::UnitPrice(_) => {}
            Self::SellerAuthorisation(e) => key.brand = e.brand_id.as_str(),
            Self::Contradiction(e) => key.field.clone_from(&e.field),
            Self::Edit(e) => key.field.clone_from(&e.field),
            Self::PhotoUnreachable(e) => key.image = Some(e.image_idx),
            Self::Contribution(e) => key.feature = &e.feature,
        }
        key
    }
}

#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct SortKey<'a> {
    stage: u8,
    kind: &'static str,
    field: String,
    span: Option<Span>,
    image: Option<usize>,
    reference: String,
    brand: &'a str,
    product: &'a str,
    feature: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_references_read_back_as_they_were_written() {
        for field in [
            Field::Title,
            Field::Description,
            Field::Brand,
            Field::SellerName,
            Field::Attribute("color".into()),
            Field::Complaint(3),
        ] {
            assert_eq!(Field::parse(&field.to_string()), Some(field));
        }
        assert_eq!(Field::parse("complaints[x]"), None);
        let reference = Reference::parse("product/lumora/LM%2320#1").unwrap();
        assert_eq!(reference.image_idx, 1);
        assert_eq!(reference.to_string(), "product/lumora/LM%2320#1");
    }

    #[test]
    fn spans_touching_do_not_overlap() {
        let span = |start, end| Span::new(start, end).unwrap();
        assert!(!span(0, 2).overlaps(span(2, 3)));
        assert!(span(0, 3).overlaps(span(2, 3)));
        assert_eq!(Span::new(2, 1), None);
    }
}
