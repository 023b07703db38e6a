//! The `evidence` entries of a verdict.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listing::word;
use crate::{
    Alteration, Bank, BrandId, CatalogKey, Contribution, Field, HammingDistance, How, Meaning, Overlay,
    ParseError, PhotoFailure, Probability, ProductId, Quality, Reference, Role, SellerAuthorisation,
    Similarity, Span, round6,
};

/// One finding of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Evidence {
    /// Findings in text.
    Text(TextEvidence),
    /// Findings in photos.
    Image(ImageEvidence),
    /// Findings in facts.
    Facts(FactEvidence),
    /// What moved the classifier.
    Classifier(ClassifierEvidence),
}

/// A finding in text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TextEvidence {
    /// A brand is named or imitated.
    BrandClaim {
        /// The brand.
        brand_id: String,
        /// Where.
        field: String,
        /// `[start, end)` in Unicode scalar values.
        span: [u32; 2],
        /// The text at the span, as written.
        observed: String,
        /// How it names the brand.
        how: String,
        /// In which role.
        role: String,
        /// 0 to 1.
        similarity: f64,
    },
    /// The genuine product that the listing is about.
    ProductMatch {
        /// The brand.
        brand_id: String,
        /// The product.
        product_id: String,
        /// 0 to 1.
        probability: f64,
        /// The facts that agree.
        agree: Vec<String>,
        /// The facts that differ.
        differ: Vec<String>,
    },
    /// A term of the lexicon.
    Term {
        /// The term as the lexicon has it.
        term: String,
        /// What it means.
        meaning: String,
        /// Where.
        field: String,
        /// `[start, end)` in Unicode scalar values.
        span: [u32; 2],
    },
}

/// A finding in photos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageEvidence {
    /// A photo is a copy of a reference photo.
    PhotoMatch {
        /// The place of the photo in the listing, from 0.
        image: usize,
        /// `<catalog key>#<image>`.
        reference: String,
        /// `genuine`, `fake` or `benign`.
        bank: String,
        /// Differing bits, 0 to 256.
        distance: u16,
        /// What was done to the reference.
        transform: String,
        /// The quality of the listing's photo, 0 to 100.
        quality: u8,
        /// The calibrated probability that it is a copy, 0 to 1; absent where hashes alone were compared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        score: Option<f64>,
        /// The part of the reference that is shown: left, top, right, bottom as shares of its sides.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<[f64; 4]>,
        /// Where the reference's corners, clockwise from the top left, lie in the photo: x and y as shares of its sides.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corners: Option<[[f64; 2]; 4]>,
        /// A reference that matches better, and of which this one is nearly a copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        near_duplicate_of: Option<String>,
    },
}

/// A finding in facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FactEvidence {
    /// The price of one unit against the catalog.
    UnitPrice {
        /// The price of one unit.
        listed: String,
        /// The list price of one unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list_price: Option<String>,
        /// The brand's floor for one unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price_floor: Option<String>,
        /// `listed` / `list_price`; absent in different currencies.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ratio: Option<f64>,
        /// How many units the offer holds.
        pack_size: u32,
        /// The currency of `listed`.
        currency: String,
        /// The currency of the catalog's prices, where it is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list_currency: Option<String>,
    },
    /// Whether the brand lists the seller.
    SellerAuthorisation {
        /// The brand.
        brand_id: String,
        /// Whether it lists the seller.
        authorised: bool,
    },
    /// Two parts of the listing say different things.
    Contradiction {
        /// The form field that the text contradicts.
        field: String,
        /// What the field says.
        says: String,
        /// The field that says otherwise.
        against: String,
        /// What that one says.
        but: String,
    },
    /// What an edit changed of a listing that was flagged.
    Edit {
        /// The field.
        field: String,
        /// What it said, cut to 200 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
        /// What it says now, cut likewise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// A photo that could not be fetched, however often it was tried.
    PhotoUnreachable {
        /// The place of the photo in the listing, from 0.
        image: usize,
        /// How the last try ended.
        failure: String,
    },
}

/// What moved the classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClassifierEvidence {
    /// What one feature did to the probability.
    Contribution {
        /// The feature's name.
        feature: String,
        /// Its value.
        value: f64,
        /// p(x) − p(x with the feature missing).
        delta: f64,
    },
}

impl From<&crate::Evidence> for Evidence {
    fn from(evidence: &crate::Evidence) -> Self {
        match evidence {
            crate::Evidence::BrandClaim(e) => Self::Text(TextEvidence::BrandClaim {
                brand_id: e.brand_id.to_string(),
                field: e.field.to_string(),
                span: [e.span.start(), e.span.end()],
                observed: e.observed.clone(),
                how: e.how.to_string(),
                role: e.role.to_string(),
                similarity: round6(e.similarity.get()),
            }),
            crate::Evidence::ProductMatch(e) => Self::Text(TextEvidence::ProductMatch {
                brand_id: e.brand_id.to_string(),
                product_id: e.product_id.to_string(),
                probability: round6(e.probability.get()),
                agree: e.agree.clone(),
                differ: e.differ.clone(),
            }),
            crate::Evidence::Term(e) => Self::Text(TextEvidence::Term {
                term: e.term.clone(),
                meaning: e.meaning.to_string(),
                field: e.field.to_string(),
                span: [e.span.start(), e.span.end()],
            }),
            crate::Evidence::PhotoMatch(e) => Self::Image(ImageEvidence::PhotoMatch {
                image: e.image_idx,
                reference: e.reference.to_string(),
                bank: e.bank.to_string(),
                distance: e.distance.bits(),
                transform: e.transform.to_string(),
                quality: e.quality.get(),
                score: e.score.map(|score| round6(score.get())),
                shown: e.overlay.map(|o| o.shown.map(|v| f64::from(v) / 1000.0)),
                corners: e.overlay.map(|o| o.corners.map(|corner| corner.map(|v| f64::from(v) / 1000.0))),
                near_duplicate_of: e.near_duplicate_of.as_ref().map(ToString::to_string),
            }),
            crate::Evidence::UnitPrice(e) => Self::Facts(unit_price(e)),
            crate::Evidence::SellerAuthorisation(e) => Self::Facts(FactEvidence::SellerAuthorisation {
                brand_id: e.brand_id.to_string(),
                authorised: e.authorised,
            }),
            crate::Evidence::Contradiction(e) => Self::Facts(FactEvidence::Contradiction {
                field: e.field.clone(),
                says: e.says.clone(),
                against: e.against.to_string(),
                but: e.but.clone(),
            }),
            crate::Evidence::Edit(e) => Self::Facts(FactEvidence::Edit {
                field: e.field.clone(),
                before: e.before.clone(),
                after: e.after.clone(),
            }),
            crate::Evidence::PhotoUnreachable(e) => Self::Facts(FactEvidence::PhotoUnreachable {
                image: e.image_idx,
                failure: e.failure.to_string(),
            }),
            crate::Evidence::Contribution(e) => Self::Classifier(ClassifierEvidence::Contribution {
                feature: e.feature.clone(),
                value: round6(e.value),
                delta: round6(e.delta),
            }),
        }
    }
}

fn unit_price(e: &crate::UnitPrice) -> FactEvidence {
    let catalog_currency = e.list_price.or(e.price_floor).map(|m| m.currency());
    FactEvidence::UnitPrice {
        listed: e.listed.amount().to_string(),
        list_price: e.list_price.map(|m| m.amount().to_string()),
        price_floor: e.price_floor.map(|m| m.amount().to_string()),
        ratio: e.ratio.map(round6),
        pack_size: e.pack_size,
        currency: e.listed.currency().as_str().to_owned(),
        list_currency: catalog_currency.filter(|c| *c != e.listed.currency()).map(|c| c.as_str().to_owned()),
    }
}

impl TryFrom<Evidence> for crate::Evidence {
    type Error = ParseError;

    fn try_from(wire: Evidence) -> Result<Self, ParseError> {
        match wire {
            Evidence::Text(text) => text.parse(),
            Evidence::Image(image) => image.parse(),
            Evidence::Facts(fact) => fact.parse(),
            Evidence::Classifier(ClassifierEvidence::Contribution { feature, value, delta }) => {
                Ok(Self::Contribution(Contribution { feature, value, delta }))
            }
        }
    }
}

impl TextEvidence {
    fn parse(self) -> Result<crate::Evidence, ParseError> {
        Ok(match self {
            Self::BrandClaim { brand_id, field, span: at, observed, how, role, similarity } => {
                crate::Evidence::BrandClaim(crate::BrandClaim {
                    brand_id: brand(brand_id)?,
                    field: place("field", &field)?,
                    span: span(at)?,
                    observed,
                    how: word("how", &how, How::parse, How::ALL)?,
                    role: word("role", &role, Role::parse, Role::ALL)?,
                    similarity: Similarity::new(similarity).ok_or_else(|| {
                        ParseError::field("similarity", format!("{similarity} is outside 0 to 1"))
                    })?,
                })
            }
            Self::ProductMatch { brand_id, product_id, probability, agree, differ } => {
                crate::Evidence::ProductMatch(crate::ProductMatch {
                    brand_id: brand(brand_id)?,
                    product_id: ProductId::new(product_id).map_err(|e| ParseError::field("product_id", e))?,
                    probability: Probability::new(probability).ok_or_else(|| {
                        ParseError::field("probability", format!("{probability} is outside 0 to 1"))
                    })?,
                    agree,
                    differ,
                })
            }
            Self::Term { term, meaning, field, span: at } => crate::Evidence::Term(crate::Term {
                term,
                meaning: word("meaning", &meaning, Meaning::parse, Meaning::ALL)?,
                field: place("field", &field)?,
                span: span(at)?,
            }),
        })
    }
}

impl ImageEvidence {
    fn parse(self) -> Result<crate::Evidence, ParseError> {
        let Self::PhotoMatch {
            image,
            reference,
            bank,
            distance,
            transform,
            quality,
            score,
            shown,
            corners,
            near_duplicate_of,
        } = self;
        let score = score.map(|score| {
            Probability::new(score)
                .ok_or_else(|| ParseError::field("score", format!("{score} is outside 0 to 1")))
        });
        Ok(crate::Evidence::PhotoMatch(crate::PhotoMatch {
            image_idx: image,
            reference: photo("reference", &reference)?,
            bank: word("bank", &bank, Bank::parse, Bank::ALL)?,
            distance: HammingDistance::new(distance)
                .ok_or_else(|| ParseError::field("distance", format!("{distance} is outside 0 to 256")))?,
            transform: Alteration::parse(&transform)
                .ok_or_else(|| ParseError::field("transform", format!("\"{transform}\" is no transform")))?,
            quality: Quality::new(quality)
                .ok_or_else(|| ParseError::field("quality", format!("{quality} is outside 0 to 100")))?,
            score: score.transpose()?,
            overlay: overlay(shown, corners)?,
            near_duplicate_of: near_duplicate_of.map(|text| photo("near_duplicate_of", &text)).transpose()?,
        }))
    }
}

fn photo(name: &'static str, text: &str) -> Result<Reference, ParseError> {
    Reference::parse(text)
        .filter(|r| !matches!(r.key, CatalogKey::Brand(_)))
        .ok_or_else(|| ParseError::field(name, format!("\"{text}\" is no reference")))
}

fn overlay(shown: Option<[f64; 4]>, corners: Option<[[f64; 2]; 4]>) -> Result<Option<Overlay>, ParseError> {
    let (Some(shown), Some(corners)) = (shown, corners) else { return Ok(None) };
    if !shown.iter().all(|share| (0.0..=1.0).contains(share)) {
        return Err(ParseError::field("shown", format!("{shown:?} is outside 0 to 1")));
    }
    if !corners.iter().flatten().all(|share| (-1e3..=1e3).contains(share)) {
        return Err(ParseError::field("corners", format!("{corners:?} is outside -1000 to 1000")));
    }
    let thousandths = |share: f64| (share * 1000.0).round();
    Ok(Some(Overlay {
        shown: shown.map(|share| thousandths(share) as u16),
        corners: corners.map(|corner| corner.map(|share| thousandths(share) as i32)),
    }))
}

impl FactEvidence {
    fn parse(self) -> Result<crate::Evidence, ParseError> {
        Ok(match self {
            Self::UnitPrice {
                listed,
                list_price,
                price_floor,
                ratio,
                pack_size,
                currency,
                list_currency,
            } => {
                let money = |field: &str, amount: &str, currency: &str| {
                    crate::Money::parse(amount, currency).map_err(|e| ParseError::field(field, e))
                };
                let catalog = list_currency.as_deref().unwrap_or(&currency);
                crate::Evidence::UnitPrice(crate::UnitPrice {
                    listed: money("listed", &listed, &currency)?,
                    list_price: list_price.map(|a| money("list_price", &a, catalog)).transpose()?,
                    price_floor: price_floor.map(|a| money("price_floor", &a, catalog)).transpose()?,
                    ratio,
                    pack_size,
                })
            }
            Self::SellerAuthorisation { brand_id, authorised } => {
                crate::Evidence::SellerAuthorisation(SellerAuthorisation {
                    brand_id: brand(brand_id)?,
                    authorised,
                })
            }
            Self::Contradiction { field, says, against, but } => {
                crate::Evidence::Contradiction(crate::Contradiction {
                    field,
                    says,
                    against: place("against", &against)?,
                    but,
                })
            }
            Self::Edit { field, before, after } => {
                crate::Evidence::Edit(crate::Edit { field, before, after })
            }
            Self::PhotoUnreachable { image, failure } => {
                let failure = word("failure", &failure, PhotoFailure::parse, PhotoFailure::ALL)?;
                crate::Evidence::PhotoUnreachable(crate::PhotoUnreachable { image_idx: image, failure })
            }
        })
    }
}

fn brand(id: String) -> Result<BrandId, ParseError> {
    BrandId::new(id).map_err(|e| ParseError::field("brand_id", e))
}

fn place(name: &str, field: &str) -> Result<Field, ParseError> {
    Field::parse(field)
        .ok_or_else(|| ParseError::field(name, format!("\"{field}\" is no field of a listing")))
}

fn span([start, end]: [u32; 2]) -> Result<Span, ParseError> {
    Span::new(start, end)
        .ok_or_else(|| ParseError::field("span", format!("[{start}, {end}] ends before it starts")))
}
