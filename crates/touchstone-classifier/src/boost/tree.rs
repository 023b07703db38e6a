//! A tree as it is grown and stored, and scored the plain way.

/// Log-odds in a leaf are whole numbers of this unit, so that adding trees up is exact in any order.
pub(crate) const VALUE_UNIT: f64 = 1e-6;

/// The bound on what one leaf says, in units: a log-odd of ±100, which no training reaches.
pub(crate) const MAX_VALUE: i32 = 100_000_000;

/// A question to a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// Which value is compared.
    pub feature: usize,
    /// At most this goes left.
    pub threshold: f32,
    /// Where a missing value goes.
    pub missing_left: bool,
}

/// A node: a question with two children, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Node {
    /// The right child stands right after the left one.
    Split {
        /// The question.
        split: Split,
        /// The left child, always after this node.
        left: usize,
    },
    /// Log-odds in units of [`VALUE_UNIT`].
    Leaf(i32),
}

/// A binary tree; node 0 is the root, and children stand after their parents, so there can be no cycle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    pub nodes: Vec<Node>,
}

impl Tree {
    pub(super) fn leaf(value: f64) -> Self {
        Self { nodes: vec![Node::Leaf(in_units(value))] }
    }

    /// Turns a leaf into a split; gives the place of its left child.
    pub(super) fn split(&mut self, node: usize, split: Split, values: [f64; 2]) -> usize {
        let left = self.nodes.len();
        self.nodes[node] = Node::Split { split, left };
        self.nodes.extend(values.map(|value| Node::Leaf(in_units(value))));
        left
    }

    /// What the tree says of a row, in units of [`VALUE_UNIT`].
    pub(crate) fn value(&self, row: &[f32]) -> i32 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf(value) => return value,
                Node::Split { split, left } => {
                    let x = row[split.feature];
                    let goes_left = if x.is_nan() { split.missing_left } else { x <= split.threshold };
                    at = if goes_left { left } else { left + 1 };
                }
            }
        }
    }

    /// The most splits on a way from the root to a leaf.
    pub(crate) fn depth(&self) -> usize {
        let mut depth_of = vec![0; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            if let Node::Split { left, .. } = node {
                depth_of[*left] = depth_of[at] + 1;
                depth_of[left + 1] = depth_of[at] + 1;
            }
        }
        depth_of.into_iter().max().unwrap_or(0)
    }
}

fn in_units(value: f64) -> i32 {
    let bound = f64::from(MAX_VALUE);
    (value / VALUE_UNIT).round().clamp(-bound, bound) as i32
}
