//! One tree, grown leaf by leaf: always the leaf whose best split gains most.

use super::BoostSettings;
use super::bins::{Binned, MISSING};
use super::histogram::{Histogram, Layout, Sum};
use super::tree::{Split, Tree};

/// The longest step of a leaf in log-odds. Where nearly all rows of a leaf are called the opposite of what they are, its curvature is
/// next to nothing and Newton's step would be hundreds.
const MAX_STEP: f64 = 8.0;

/// A leaf that may still be split.
struct Open {
    node: usize,
    depth: usize,
    rows: Vec<u32>,
    sum: Sum,
    histogram: Histogram,
    best: Option<Candidate>,
}

/// The best split of a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    gain: f64,
    column: usize,
    bin: u8,
    missing_left: bool,
}

/// Grows a tree on these rows and columns. `row_sums` holds each row's gradient and curvature.
pub(super) fn grow(
    binned: &Binned,
    layout: &Layout,
    rows: Vec<u32>,
    row_sums: &[Sum],
    settings: &BoostSettings,
) -> Tree {
    let histogram = Histogram::count(layout, binned, &rows, row_sums);
    let sum = rows.iter().fold(Sum::default(), |sum, &row| sum.plus(row_sums[row as usize]));
    // Rows that are all but certain have no curvature left: a step would go anywhere.
    if sum.curvature() < settings.min_leaf_weight {
        return Tree::leaf(0.0);
    }
    let mut tree = Tree::leaf(leaf_value(sum, settings));
    let mut open =
        vec![opened(binned, layout, settings, Open { node: 0, depth: 0, rows, sum, histogram, best: None })];
    let mut n_leaves = 1;
    while n_leaves < settings.max_leaves {
        let Some((leaf, split)) = take_best(&mut open) else { break };
        let (left, right) = divide(binned, row_sums, &leaf, split);
        let threshold = binned.columns[split.column].cuts[usize::from(split.bin)];
        let place = tree.split(
            leaf.node,
            Split { feature: split.column, threshold, missing_left: split.missing_left },
            [leaf_value(left.1, settings), leaf_value(right.1, settings)],
        );
        n_leaves += 1;
        // The smaller side is counted, the larger one is the difference.
        let Open { histogram: mut rest, depth, .. } = leaf;
        let small_is_left = left.0.len() <= right.0.len();
        let (small, large) = if small_is_left { (left, right) } else { (right, left) };
        let counted = Histogram::count(layout, binned, &small.0, row_sums);
        rest.subtract(&counted);
        let nodes = if small_is_left { [place, place + 1] } else { [place + 1, place] };
        for (node, (rows, sum), histogram) in [(nodes[0], small, counted), (nodes[1], large, rest)] {
            let leaf = Open { node, depth: depth + 1, rows, sum, histogram, best: None };
            open.push(opened(binned, layout, settings, leaf));
        }
    }
    tree
}

/// The step that a leaf makes: Newton's, drawn in by L2, bounded and shrunk.
fn leaf_value(sum: Sum, settings: &BoostSettings) -> f64 {
    let step = -sum.gradient() / (sum.curvature() + settings.l2);
    settings.learning_rate * step.clamp(-MAX_STEP, MAX_STEP)
}

fn opened(binned: &Binned, layout: &Layout, settings: &BoostSettings, mut leaf: Open) -> Open {
    if leaf.depth < settings.max_depth && leaf.sum.n_rows() >= 2 * settings.min_leaf_rows as u64 {
        leaf.best = best_split(binned, layout, settings, &leaf);
    }
    leaf
}

/// Takes the leaf with the largest gain out; among equals the one made first.
fn take_best(open: &mut Vec<Open>) -> Option<(Open, Candidate)> {
    let mut found: Option<(usize, Candidate)> = None;
    for (idx, leaf) in open.iter().enumerate() {
        let Some(split) = leaf.best else { continue };
        let better = found.is_none_or(|(other, best)| {
            split.gain > best.gain || (split.gain == best.gain && leaf.node < open[other].node)
        });
        if better {
            found = Some((idx, split));
        }
    }
    found.map(|(idx, split)| (open.swap_remove(idx), split))
}

/// The split of largest gain; among equals the first column, then the lowest threshold, then missing to the right.
fn best_split(binned: &Binned, layout: &Layout, settings: &BoostSettings, leaf: &Open) -> Option<Candidate> {
    let whole = score(leaf.sum, settings.l2);
    let mut best: Option<Candidate> = None;
    for &(column, place) in &layout.columns {
        let n_bins = binned.columns[column].cuts.len() + 1;
        let bins = &leaf.histogram.sums[place..place + n_bins];
        let missing = leaf.histogram.sums[place + n_bins];
        let mut left = Sum::default();
        for (bin, &sum) in bins[..n_bins - 1].iter().enumerate() {
            left = left.plus(sum);
            // An empty bin ends where the one before it did.
            if sum.n_rows() == 0 && bin > 0 {
                continue;
            }
            for missing_left in [false, true] {
                if missing_left && missing.n_rows() == 0 {
                    continue;
                }
                let left = if missing_left { left.plus(missing) } else { left };
                let right = leaf.sum.minus(left);
                if !(settings.allows(left) && settings.allows(right)) {
                    continue;
                }
                let gain = score(left, settings.l2) + score(right, settings.l2) - whole;
                if gain > best.map_or(settings.min_gain, |b| b.gain) {
                    let bin = u8::try_from(bin).expect("at most 254 cuts");
                    // Where nothing was missing, what is missing later is taken for the usual.
                    let usual_is_left = missing.n_rows() == 0 && left.n_rows() > right.n_rows();
                    best = Some(Candidate { gain, column, bin, missing_left: missing_left || usual_is_left });
                }
            }
        }
    }
    best
}

/// What a leaf takes off the loss, doubled.
fn score(sum: Sum, l2: f64) -> f64 {
    sum.gradient() * sum.gradient() / (sum.curvature() + l2)
}

type Part = (Vec<u32>, Sum);

fn divide(binned: &Binned, row_sums: &[Sum], leaf: &Open, split: Candidate) -> (Part, Part) {
    let bins = &binned.columns[split.column].bins;
    let (mut left, mut right): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut sum = Sum::default();
    for &row in &leaf.rows {
        let bin = bins[row as usize];
        let goes_left = if bin == MISSING { split.missing_left } else { bin <= split.bin };
        if goes_left {
            left.push(row);
            sum = sum.plus(row_sums[row as usize]);
        } else {
            right.push(row);
        }
    }
    let rest = leaf.sum.minus(sum);
    ((left, sum), (right, rest))
}
