//! The settings of the decision table: thresholds per brand and category, read from `config/policy.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use touchstone_types::{BrandId, HammingDistance};

/// The policy that stands in `config/policy.toml`.
const BUILTIN: &str = include_str!("../../../config/policy.toml");

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is not TOML of the expected form: a mistyped key, a wrong type.
    #[error("policy {name}: {message}")]
    Form {
        /// The file.
        name: String,
        /// What is wrong, with the line.
        message: String,
    },
    /// A value is out of its range.
    #[error("policy {name}: {key} is {found}, it must be {expected}")]
    Range {
        /// The file.
        name: String,
        /// The key.
        key: String,
        /// The value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
}

/// What becomes of offers that are presented as similar to a brand's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InspiredBy {
    /// They are let pass.
    Clear,
    /// A person looks.
    Review,
}

/// The settings in force for one brand and category.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// From this probability on, rows 6 and 7 ask for review; 0 to 1.
    pub review: f64,
    /// From this probability on, a flag may be a takedown; 0 to 1.
    pub takedown: f64,
    /// Whether takedowns are proposed at all.
    pub automation: bool,
    /// A unit price under this part of the list price is far below; 0 to 1.
    pub far_below: f64,
    /// What becomes of offers presented as similar.
    pub inspired_by: InspiredBy,
    /// The share of counterfeits in this market, above 0 and below 1, for which probabilities shall be right; `None` for that of the
    /// model's training.
    pub base_rate: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    #[serde(skip_serializing_if = "Option::is_none")]
    review_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    takedown_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automation: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    far_below: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspired_by: Option<InspiredBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_rate: Option<f64>,
}

/// The settings of a brand: a [`Layer`] and the categories beside it. The keys are repeated, because serde cannot refuse
/// unknown keys through a flattened struct.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Brand {
    #[serde(skip_serializing_if = "Option::is_none")]
    review_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    takedown_threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automation: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    far_below: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspired_by: Option<InspiredBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    categories: BTreeMap<String, Layer>,
}

impl Brand {
    fn own(&self) -> Layer {
        Layer {
            review_threshold: self.review_threshold,
            takedown_threshold: self.takedown_threshold,
            automation: self.automation,
            far_below: self.far_below,
            inspired_by: self.inspired_by,
            base_rate: self.base_rate,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Photos {
    max_distance: u16,
    max_images: usize,
    /// Not named in the canonical form unless it is set: policies of before keep their hash.
    #[serde(skip_serializing_if = "PhotosSearched::is_all")]
    search: PhotosSearched,
}

/// Which reference photos a listing's photo is held against closely.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhotosSearched {
    #[default]
    All,
    Proposed,
}

impl PhotosSearched {
    fn is_all(&self) -> bool {
        *self == Self::All
    }
}

impl Default for Photos {
    fn default() -> Self {
        Self { max_distance: 31, max_images: 16, search: PhotosSearched::All }
    }
}

/// The settings of the decision table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    default: Layer,
    #[serde(default)]
    photos: Photos,
    #[serde(default)]
    brands: BTreeMap<String, Brand>,
}

impl Policy {
    /// The policy compiled in.
    pub fn builtin() -> Self {
        Self::parse("builtin", BUILTIN).expect("a test reads the compiled-in policy")
    }

    /// Reads a policy; `name` is the file's, for messages.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value of the wrong type or out of range.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let form = |e: toml::de::Error| PolicyError::Form { name: name.to_owned(), message: e.to_string() };
        let policy: Self = toml::from_str(text).map_err(form)?;
        policy.check().map_err(|(key, found, expected)| PolicyError::Range {
            name: name.to_owned(),
            key,
            found,
            expected,
        })?;
        Ok(policy)
    }

    /// The settings for one brand and category: the category's, else the brand's, else the default's.
    pub fn thresholds(&self, brand: &BrandId, category: Option<&str>) -> Thresholds {
        let brand = self.brands.get(brand.as_str());
        let category = brand.zip(category).and_then(|(b, c)| b.categories.get(c));
        Self::layered([category.copied(), brand.map(Brand::own), Some(self.default)])
    }

    /// The settings where no brand is concerned.
    pub fn default_thresholds(&self) -> Thresholds {
        Self::layered([None, None, Some(self.default)])
    }

    fn layered(layers: [Option<Layer>; 3]) -> Thresholds {
        Thresholds {
            review: first(layers, |l| l.review_threshold).unwrap_or(0.5),
            takedown: first(layers, |l| l.takedown_threshold).unwrap_or(0.97),
            automation: first(layers, |l| l.automation).unwrap_or(false),
            far_below: first(layers, |l| l.far_below).unwrap_or(0.5),
            inspired_by: first(layers, |l| l.inspired_by).unwrap_or(InspiredBy::Clear),
            base_rate: first(layers, |l| l.base_rate),
        }
    }

    /// This policy with these thresholds, 0 to 1, where no brand or category has its own.
    pub fn with_thresholds(&self, review: f64, takedown: f64) -> Self {
        let default =
            Layer { review_threshold: Some(review), takedown_threshold: Some(takedown), ..self.default };
        Self { default, ..self.clone() }
    }

    /// This policy with takedowns switched on or off, where no brand or category says otherwise.
    pub fn with_automation(&self, automation: bool) -> Self {
        Self { default: Layer { automation: Some(automation), ..self.default }, ..self.clone() }
    }

    /// This policy with takedowns switched off for every brand and category.
    pub fn without_automation(&self) -> Self {
        let mut policy = self.with_automation(false);
        for brand in policy.brands.values_mut() {
            brand.automation = None;
            brand.categories.values_mut().for_each(|layer| layer.automation = None);
        }
        policy
    }

    /// The brands that have a threshold of their own, or one for a category.
    pub fn brands_with_thresholds(&self) -> impl Iterator<Item = &str> {
        let has_own = |layer: &Layer| layer.review_threshold.is_some() || layer.takedown_threshold.is_some();
        self.brands
            .iter()
            .filter(move |(_, brand)| has_own(&brand.own()) || brand.categories.values().any(has_own))
            .map(|(name, _)| name.as_str())
    }

    /// This policy with takedowns on and all thresholds at 0, for every brand and category: verdicts then show which decisions are
    /// open to a listing at any threshold.
    pub fn with_every_decision_open(&self) -> Self {
        let open = |layer: Layer| Layer {
            review_threshold: None,
            takedown_threshold: None,
            automation: None,
            ..layer
        };
        let brands = self.brands.iter().map(|(name, brand)| {
            let Layer { far_below, inspired_by, base_rate, .. } = brand.own();
            let categories =
                brand.categories.iter().map(|(name, layer)| (name.clone(), open(*layer))).collect();
            let brand = Brand { far_below, inspired_by, base_rate, categories, ..Brand::default() };
            (name.clone(), brand)
        });
        Self { brands: brands.collect(), ..self.with_thresholds(0.0, 0.0).with_automation(true) }
    }

    /// How many bits may differ between a photo and its copy where nothing but the hash of the reference is known.
    pub fn photo_radius(&self) -> HammingDistance {
        HammingDistance::new(self.photos.max_distance).expect("checked when the policy was read")
    }

    /// How many photos of a listing are looked at; the rest are `not_fetched`.
    pub fn max_images(&self) -> usize {
        self.photos.max_images
    }

    /// Whether a listing's photo is held closely only against the photos of products that its text is about, and against those near
    /// by hash.
    pub fn only_proposed_photos(&self) -> bool {
        self.photos.search == PhotosSearched::Proposed
    }

    /// The settings in a canonical form: what is hashed into `versions.policy`, so that comments and layout do not count.
    pub fn canonical(&self) -> String {
        toml::to_string(self).expect("a policy has only string keys and plain values")
    }

    fn check(&self) -> Result<(), (String, String, &'static str)> {
        let brands = self.brands.iter().flat_map(|(name, brand)| {
            let categories = brand.categories.iter();
            let categories =
                categories.map(move |(c, layer)| (format!("brands.{name}.categories.{c}"), *layer));
            std::iter::once((format!("brands.{name}"), brand.own())).chain(categories)
        });
        for (path, layer) in std::iter::once(("default".to_owned(), self.default)).chain(brands) {
            for (key, value) in [
                ("review_threshold", layer.review_threshold),
                ("takedown_threshold", layer.takedown_threshold),
                ("far_below", layer.far_below),
            ] {
                if let Some(value) = value
                    && !(0.0..=1.0).contains(&value)
                {
                    return Err((format!("{path}.{key}"), value.to_string(), "from 0 to 1"));
                }
            }
            if let Some(rate) = layer.base_rate
                && !(rate > 0.0 && rate < 1.0)
            {
                return Err((format!("{path}.base_rate"), rate.to_string(), "above 0 and below 1"));
            }
        }
        if HammingDistance::new(self.photos.max_distance).is_none() {
            return Err((
                "photos.max_distance".into(),
                self.photos.max_distance.to_string(),
                "from 0 to 256",
            ));
        }
        Ok(())
    }
}

fn first<T>(layers: [Option<Layer>; 3], key: fn(Layer) -> Option<T>) -> Option<T> {
    layers.into_iter().flatten().find_map(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thresholds(text: &str, brand: &str, category: Option<&str>) -> Thresholds {
        Policy::parse("test", text).unwrap().thresholds(&BrandId::new(brand).unwrap(), category)
    }

    #[test]
    fn photos_are_searched_widely_unless_the_policy_says_otherwise() {
        let policy = |text: &str| Policy::parse("policy.toml", text).unwrap();
        assert!(!policy("").only_proposed_photos() && !Policy::builtin().only_proposed_photos());
        assert!(policy("[photos]\nsearch = \"proposed\"").only_proposed_photos());
        assert!(Policy::parse("policy.toml", "[photos]\nsearch = \"some\"").is_err());
    }

    #[test]
    fn the_narrowest_layer_that_says_something_counts() {
        let text = "[default]\nreview_threshold = 0.6\n[brands.a]\nautomation = true\n\
                    [brands.a.categories.ink]\nreview_threshold = 0.3\n";
        assert_eq!(thresholds(text, "a", Some("ink")).review, 0.3);
        assert!(thresholds(text, "a", Some("ink")).automation);
        assert_eq!(thresholds(text, "a", None).review, 0.6);
        assert!(!thresholds(text, "b", Some("ink")).automation);
        assert_eq!(thresholds("", "b", None).far_below, 0.5);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, part: &str| {
            let error = Policy::parse("test", text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("[default]\nreview_treshold = 0.5", "review_treshold");
        check("[brands.a]\nautomaton = true", "automaton");
        check("[brands.a.categories.x]\nfar = 1", "far");
        check("[default]\nreview_threshold = 1.5", "default.review_threshold is 1.5, it must be from 0 to 1");
        check("[default]\nfar_below = nan", "default.far_below is NaN");
        check("[brands.a]\nbase_rate = 0.0", "brands.a.base_rate is 0, it must be above 0 and below 1");
        check("[photos]\nmax_distance = 257", "photos.max_distance is 257");
        check("[default]\ninspired_by = \"maybe\"", "maybe");
    }

    #[test]
    fn every_decision_is_open_to_every_brand_and_nothing_else_changes() {
        let text = "[default]\nreview_threshold = 0.6\n[brands.a]\nfar_below = 0.4\ntakedown_threshold = 0.99\n\
                    [brands.a.categories.ink]\nautomation = false\nbase_rate = 0.2\n";
        let open = Policy::parse("test", text).unwrap().with_every_decision_open();
        let found = open.thresholds(&BrandId::new("a").unwrap(), Some("ink"));
        assert_eq!((found.review, found.takedown, found.automation), (0.0, 0.0, true));
        assert_eq!((found.far_below, found.base_rate), (0.4, Some(0.2)));
        let tuned = Policy::parse("test", text).unwrap().with_thresholds(0.3, 0.9);
        assert_eq!(tuned.thresholds(&BrandId::new("a").unwrap(), None).takedown, 0.99, "a brand's own stays");
        assert_eq!(Policy::parse("again", &tuned.canonical()).unwrap(), tuned);
        assert_eq!(tuned.brands_with_thresholds().collect::<Vec<_>>(), ["a"]);
        let off =
            Policy::parse("test", "[default]\nautomation = true\n[brands.a]\nautomation = true").unwrap();
        assert!(!off.without_automation().thresholds(&BrandId::new("a").unwrap(), None).automation);
    }

    #[test]
    fn comments_and_layout_do_not_change_the_canonical_form() {
        let canonical = |text: &str| Policy::parse("test", text).unwrap().canonical();
        assert_eq!(canonical("[default]\nautomation=true # on"), canonical("default.automation = true"));
        assert_ne!(canonical("[default]\nautomation=true"), canonical(""));
        assert_eq!(Policy::builtin(), Policy::parse("again", BUILTIN).unwrap());
    }
}
