//! The ordered list of features that a model and its caller must agree on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::ClassifierError;

/// An ordered list of feature names: value `i` of every row is the feature named `i`.
///
/// Names are distinct and not empty, and there is at least one. Copies share the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureNames(Arc<[String]>);

impl FeatureNames {
    /// Checks a list of names.
    ///
    /// # Errors
    /// [`ClassifierError::BadFeatureNames`] for an empty list, an empty name or a name that stands twice.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, ClassifierError> {
        let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        let bad = |problem: String| Err(ClassifierError::BadFeatureNames { problem });
        if names.is_empty() {
            return bad("the list is empty".to_owned());
        }
        let mut seen = BTreeSet::new();
        for (idx, name) in names.iter().enumerate() {
            if name.is_empty() {
                return bad(format!("name {idx} is empty"));
            }
            if !seen.insert(name) {
                return bad(format!("\"{name}\" stands twice"));
            }
        }
        Ok(Self(names))
    }

    /// How many features there are, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a list of features is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The name of feature `idx`, if there are so many.
    pub fn get(&self, idx: usize) -> Option<&str> {
        self.0.get(idx).map(String::as_str)
    }

    /// The place of the feature of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known == name)
    }

    /// How this list (a model's) differs from that of the running build, in words; `None` if they are equal.
    pub fn difference(&self, build: &Self) -> Option<String> {
        if self == build {
            return None;
        }
        let only_here = self.absent_from(build);
        let only_there = build.absent_from(self);
        let mut said = Vec::new();
        if !only_here.is_empty() {
            said.push(format!("only in the model: {}", only_here.join(", ")));
        }
        if !only_there.is_empty() {
            said.push(format!("only in this build: {}", only_there.join(", ")));
        }
        if said.is_empty() {
            // Both hold the same names, so some place must hold two different ones.
            let moved = self.iter().zip(build.iter()).enumerate().find(|(_, (here, there))| here != there);
            let (idx, (here, there)) = moved.expect("equal sets of distinct names in different order");
            said.push(format!("feature {idx} is {here} in the model and {there} in this build"));
        }
        Some(said.join("; "))
    }

    fn absent_from<'a>(&'a self, other: &Self) -> Vec<&'a str> {
        let known: BTreeSet<&str> = other.iter().collect();
        self.iter().filter(|name| !known.contains(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> FeatureNames {
        FeatureNames::new(list.iter().copied()).unwrap()
    }

    #[test]
    fn empty_and_repeated_names_are_refused() {
        let problem = |list: &[&str]| FeatureNames::new(list.iter().copied()).unwrap_err().to_string();
        assert!(problem(&[]).contains("the list is empty"));
        assert!(problem(&["a", ""]).contains("name 1 is empty"));
        assert!(problem(&["a", "b", "a"]).contains("\"a\" stands twice"));
    }

    #[test]
    fn a_difference_names_the_features() {
        let model = names(&["price", "age", "old"]);
        assert_eq!(model.difference(&model), None);
        let build = names(&["price", "age", "new", "newer"]);
        let said = model.difference(&build).unwrap();
        assert_eq!(said, "only in the model: old; only in this build: new, newer");
        let swapped = names(&["price", "old", "age"]);
        assert_eq!(
            model.difference(&swapped).unwrap(),
            "feature 1 is age in the model and old in this build"
        );
    }
}
