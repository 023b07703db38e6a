//! The form of a booster in a model file.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::tree::{MAX_VALUE, Node, Split, Tree};
use super::{Booster, MAX_FEATURES, MAX_LEAVES};
use crate::features::FeatureNames;

/// The bound on the log-odds before the first tree.
const MAX_BASE: f64 = 100.0;

/// The most trees a file may hold.
const MAX_TREES: usize = 10_000;

/// A booster without the names of its features, as whole numbers wherever possible: short, and exact.
///
/// A tree is a list of nodes of two numbers each, the root first. A split is `feature, 2 × cut + missing_left`, where `cut` counts the
/// feature's thresholds in `cuts`; its children follow at the next free pair of places. A leaf is `-1, value`, in millionths of a log-odd.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoosterPart {
    base: f64,
    /// For each feature the thresholds that occur, increasing.
    cuts: Vec<Vec<f32>>,
    trees: Vec<Vec<i32>>,
}

impl From<&Booster> for BoosterPart {
    fn from(booster: &Booster) -> Self {
        let cuts = cuts(booster);
        let trees = booster.trees.iter().map(|tree| written(tree, &cuts)).collect();
        Self { base: booster.base, cuts, trees }
    }
}

fn cuts(booster: &Booster) -> Vec<Vec<f32>> {
    // Finite numbers of one sign order as their bits do; the order among signs is set right below.
    let mut bits: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); booster.names.len()];
    for node in booster.trees.iter().flat_map(|tree| &tree.nodes) {
        if let Node::Split { split, .. } = node {
            bits[split.feature].insert(split.threshold.to_bits());
        }
    }
    let sorted = |bits: BTreeSet<u32>| {
        let mut cuts: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        cuts.sort_by(f32::total_cmp);
        cuts
    };
    bits.into_iter().map(sorted).collect()
}

/// Children are numbered anew, breadth first, so that no link needs to be written.
fn written(tree: &Tree, cuts: &[Vec<f32>]) -> Vec<i32> {
    let small = |n: usize| i32::try_from(n).expect("features and cuts are few");
    let mut order = vec![0];
    let mut numbers = Vec::with_capacity(2 * tree.nodes.len());
    let mut next = 0;
    while let Some(&at) = order.get(next) {
        next += 1;
        match tree.nodes[at] {
            Node::Leaf(value) => numbers.extend([-1, value]),
            Node::Split { split, left } => {
                let known = &cuts[split.feature];
                let cut = known.partition_point(|c| c.total_cmp(&split.threshold).is_lt());
                numbers.extend([small(split.feature), small(2 * cut + usize::from(split.missing_left))]);
                order.extend([left, left + 1]);
            }
        }
    }
    numbers
}

impl BoosterPart {
    /// The booster over these features.
    ///
    /// # Errors
    /// In words: a number that is not finite or out of range, a tree whose nodes do not add up, a feature or threshold that does not exist.
    pub fn booster(&self, names: &FeatureNames) -> Result<Booster, String> {
        if !(-MAX_BASE..=MAX_BASE).contains(&self.base) {
            return Err(format!("the base {} is not a number within ±100", self.base));
        }
        if self.cuts.len() != names.len() || names.len() > MAX_FEATURES {
            return Err(format!("{} features are named, the trees read {}", names.len(), self.cuts.len()));
        }
        if self.trees.len() > MAX_TREES {
            return Err(format!("it has {} trees, more than {MAX_TREES}", self.trees.len()));
        }
        for (feature, cuts) in self.cuts.iter().enumerate() {
            if !cuts.iter().all(|cut| cut.is_finite()) || !cuts.is_sorted() {
                return Err(format!("the thresholds of feature {feature} are not increasing finite numbers"));
            }
        }
        let read = |(idx, numbers): (usize, &Vec<i32>)| {
            self.tree(numbers).map_err(|problem| format!("tree {idx}: {problem}"))
        };
        let trees = self.trees.iter().enumerate().map(read).collect::<Result<Vec<Tree>, String>>()?;
        Ok(Booster::new(names.clone(), self.base, trees))
    }

    fn tree(&self, numbers: &[i32]) -> Result<Tree, String> {
        let (nodes, rest) = numbers.as_chunks::<2>();
        if nodes.is_empty() || !rest.is_empty() || nodes.len() >= 2 * MAX_LEAVES {
            return Err(format!("{} numbers cannot be its nodes", numbers.len()));
        }
        let mut read = Vec::with_capacity(nodes.len());
        let mut next_child = 1;
        for (at, &[feature, number]) in nodes.iter().enumerate() {
            if at >= next_child {
                return Err(format!("node {at} is nobody's child"));
            }
            let Ok(feature) = usize::try_from(feature) else {
                if feature != -1 || !(-MAX_VALUE..=MAX_VALUE).contains(&number) {
                    return Err(format!("node {at} is no leaf: {feature}, {number}"));
                }
                read.push(Node::Leaf(number));
                continue;
            };
            let split = self.split(feature, number).ok_or_else(|| {
                format!("node {at} asks for a feature or threshold that does not exist: {feature}, {number}")
            })?;
            read.push(Node::Split { split, left: next_child });
            next_child += 2;
        }
        if next_child != nodes.len() {
            return Err(format!("it has {} nodes, its splits need {next_child}", nodes.len()));
        }
        Ok(Tree { nodes: read })
    }

    fn split(&self, feature: usize, number: i32) -> Option<Split> {
        let number = usize::try_from(number).ok()?;
        let threshold = *self.cuts.get(feature)?.get(number / 2)?;
        Some(Split { feature, threshold, missing_left: number % 2 == 1 })
    }
}
