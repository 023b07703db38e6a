//! The fast scorer: all trees in one array of eight-byte nodes, walked eight trees at a time without a branch.

use super::tree::{Node, Tree};

/// A node: `x > threshold` goes to the node after `left`, else to `left`. A leaf has an infinite threshold and is its own left child, so
/// walking on stays there.
#[derive(Debug, Clone, Copy, PartialEq)]
struct FlatNode {
    threshold: f32,
    /// Which value of the doubled row is compared.
    feature: u16,
    /// The left child, counted from the tree's first node.
    left: u16,
}

/// How many trees are walked side by side: a walk waits for memory at every step, and the waits of several overlap.
const LANES: usize = 8;

/// Trees laid out for scoring.
///
/// A row is first doubled: once with −∞ for what is missing, once with +∞. A node that sends missing values left reads the first half, one
/// that sends them right the second, so a plain comparison does what three would.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flat {
    n_features: usize,
    nodes: Vec<FlatNode>,
    /// One a node; 0 where it is no leaf.
    values: Vec<i32>,
    /// For each group of [`LANES`] trees of like depth their first nodes and the steps that the deepest needs.
    groups: Vec<([u32; LANES], u32)>,
}

impl Flat {
    pub(crate) fn new(trees: &[Tree], n_features: usize) -> Self {
        let mut order: Vec<&Tree> = trees.iter().collect();
        order.sort_by_key(|tree| tree.depth());
        let mut flat = Self { n_features, nodes: Vec::new(), values: Vec::new(), groups: Vec::new() };
        // The tree that fills a group up: a leaf that says nothing.
        flat.nodes.push(FlatNode { threshold: f32::INFINITY, feature: 0, left: 0 });
        flat.values.push(0);
        for group in order.chunks(LANES) {
            let mut starts = [0; LANES];
            for (start, tree) in starts.iter_mut().zip(group) {
                *start = u32::try_from(flat.nodes.len()).expect("fewer than 2³² nodes");
                flat.push(tree);
            }
            let depth = group.last().map_or(0, |tree| tree.depth());
            flat.groups.push((starts, u32::try_from(depth).expect("a depth is small")));
        }
        flat
    }

    fn push(&mut self, tree: &Tree) {
        for (at, node) in tree.nodes.iter().enumerate() {
            let own = u16::try_from(at).expect("a tree has at most 511 nodes");
            let (node, value) = match *node {
                Node::Leaf(value) => (FlatNode { threshold: f32::INFINITY, feature: 0, left: own }, value),
                Node::Split { split, left } => {
                    let half = if split.missing_left { 0 } else { self.n_features };
                    let feature = u16::try_from(split.feature + half).expect("at most 32,767 features");
                    let left = u16::try_from(left).expect("a tree has at most 511 nodes");
                    (FlatNode { threshold: split.threshold, feature, left }, 0)
                }
            };
            self.nodes.push(node);
            self.values.push(value);
        }
    }

    /// The sum of all trees over a row, in their unit. `doubled` is room for the doubled row.
    pub(crate) fn sum(&self, row: &[f32], doubled: &mut Vec<f32>) -> i64 {
        doubled.clear();
        doubled.extend(row.iter().map(|&x| if x.is_nan() { f32::NEG_INFINITY } else { x }));
        doubled.extend(row.iter().map(|&x| if x.is_nan() { f32::INFINITY } else { x }));
        let doubled = doubled.as_slice();
        let mut sum = 0;
        for (starts, depth) in &self.groups {
            let mut at = *starts;
            for _ in 0..*depth {
                for (at, start) in at.iter_mut().zip(starts) {
                    let node = self.nodes[*at as usize];
                    let right = doubled[usize::from(node.feature)] > node.threshold;
                    *at = start + u32::from(node.left) + u32::from(right);
                }
            }
            for at in at {
                sum += i64::from(self.values[at as usize]);
            }
        }
        sum
    }
}
