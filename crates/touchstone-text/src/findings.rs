//! What the text stage found in one listing.

use touchstone_types::{BrandClaim, BrandId, ProductId, ProductMatch, Term};

/// Everything that the text of one listing says.
#[derive(Debug, Clone, PartialEq)]
pub struct TextFindings {
    /// Brands named or imitated, in every field, sorted as evidence is sorted.
    pub claims: Vec<BrandClaim>,
    /// The products that the offer holds, the one named first in front; several for a mixed bundle, none where nothing
    /// in the catalog fits.
    pub matches: Vec<ProductMatch>,
    /// What the offer holds, as far as it is known: one entry for each of `matches`, in the same order.
    pub contents: Vec<Unit>,
    /// How many units are sold together, at least 1.
    pub pack_size: u32,
    /// Terms of the lexicon, sorted as evidence is sorted.
    pub terms: Vec<Term>,
    /// In which state the text says that the thing is.
    pub state: State,
}

/// A number of units of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The brand.
    pub brand_id: BrandId,
    /// The product.
    pub product_id: ProductId,
    /// How many of it, at least 1.
    pub count: u32,
}

/// In which state the text says that the thing is, with the place of the deciding term in [`TextFindings::terms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// New, or nothing said.
    #[default]
    New,
    /// Second hand, or past its date.
    Used {
        /// The place of the deciding term.
        term_idx: usize,
    },
    /// Repaired, refilled or remanufactured.
    Refurbished {
        /// The place of the deciding term.
        term_idx: usize,
    },
    /// Without its contents.
    Empty {
        /// The place of the deciding term.
        term_idx: usize,
    },
    /// Sold to be refilled.
    ForRefilling {
        /// The place of the deciding term.
        term_idx: usize,
    },
}

impl State {
    /// Whether the text says nothing that takes the thing for anything but new.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::New)
    }

    /// The place of the deciding term in [`TextFindings::terms`]; `None` where nothing was said.
    pub const fn term_idx(self) -> Option<usize> {
        match self {
            Self::New => None,
            Self::Used { term_idx }
            | Self::Refurbished { term_idx }
            | Self::Empty { term_idx }
            | Self::ForRefilling { term_idx } => Some(term_idx),
        }
    }
}

/// A product near a free text.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The brand.
    pub brand_id: BrandId,
    /// The product.
    pub product_id: ProductId,
    /// How near, 0 to 1; higher is nearer.
    pub score: f64,
}
