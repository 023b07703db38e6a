//! Which words two records share, which of the others can be explained, and what that weighs.

use super::canon::{CLASSES, Class};
use super::prepare::{Kind, MAX_WORDS, Prepared, Word};
use super::rarity::Rarity;
use super::sheet::Sheet;
use super::similarity::ratio;

/// Words longer than this are compared letter by letter with words of a like beginning.
const MIN_SOFT: usize = 3;
/// Two words are variants of each other from this likeness on.
const SOFT: f32 = 0.75;

/// One side of a comparison.
pub(crate) struct Side<'a> {
    pub record: &'a Prepared,
    pub weight: [f32; MAX_WORDS + 1],
    /// For each word its place on the other side plus one, or 0.
    pub twin: [u8; MAX_WORDS + 1],
    /// For each word how well it is accounted for on the other side, in [0, 1].
    pub explained: [f32; MAX_WORDS + 1],
}

impl<'a> Side<'a> {
    fn new(record: &'a Prepared, rarity: &Rarity) -> Self {
        let mut weight = [0.0; MAX_WORDS + 1];
        for (weight, word) in weight.iter_mut().zip(record.words()) {
            *weight = rarity.weight(word.hash);
        }
        Self { record, weight, twin: [0; MAX_WORDS + 1], explained: [0.0; MAX_WORDS + 1] }
    }

    fn words(&self) -> impl Iterator<Item = (usize, &'a Word)> {
        self.record.words().iter().enumerate()
    }
}

/// Both sides with what they share.
pub(crate) struct Overlap<'a> {
    pub left: Side<'a>,
    pub right: Side<'a>,
}

impl<'a> Overlap<'a> {
    pub(crate) fn new(a: &'a Prepared, b: &'a Prepared, rarity: &Rarity) -> Self {
        let mut both = Self { left: Side::new(a, rarity), right: Side::new(b, rarity) };
        both.pair_equal();
        explain_joins(&mut both.left, &mut both.right);
        explain_joins(&mut both.right, &mut both.left);
        explain_variants(&mut both.left, &mut both.right);
        both
    }

    fn pair_equal(&mut self) {
        let (left, right) = (&mut self.left, &mut self.right);
        let mut table = [0_u8; 512];
        for (place, word) in left.words() {
            let mut slot = word.hash as usize >> 1 & 511;
            while table[slot] != 0 {
                slot = (slot + 1) & 511;
            }
            table[slot] = u8::try_from(place + 1).expect("at most 255 words");
        }
        for (place, word) in right.record.words().iter().enumerate() {
            let mut slot = word.hash as usize >> 1 & 511;
            while table[slot] != 0 {
                let other = usize::from(table[slot]) - 1;
                if left.record.words()[other].hash == word.hash {
                    left.twin[other] = u8::try_from(place + 1).expect("at most 255 words");
                    right.twin[place] = table[slot];
                    left.explained[other] = 1.0;
                    right.explained[place] = 1.0;
                    break;
                }
                slot = (slot + 1) & 511;
            }
        }
    }

    /// Words of the left in `x` and of the right in `y`: `true` is the head alone, `false` all.
    pub(crate) fn block(&self, x: bool, y: bool, name: &'static str, sheet: &mut impl Sheet) {
        let left = Summary::of(&self.left, &self.right, x, y);
        let right = Summary::of(&self.right, &self.left, y, x);
        let mut put = |feature, value| sheet.put(name, feature, value);
        let union = left.n + right.n - left.n_shared;
        let cover = |s: &Summary| s.shared / (s.all + 1e-6);
        let soft = |s: &Summary| s.soft / (s.all + 1e-6);
        let (cover_left, cover_right) = (cover(&left), cover(&right));
        let (soft_left, soft_right) = (soft(&left), soft(&right));
        put("n_shared", left.n_shared);
        put("jaccard", left.n_shared / (union + 1e-6));
        put("weighted_jaccard", left.shared / (left.all + right.all - left.shared + 1e-6));
        put("cover_left", cover_left);
        put("cover_right", cover_right);
        put("cover_min", cover_left.min(cover_right));
        put("cover_max", cover_left.max(cover_right));
        put("cosine", left.shared_squares / ((left.squares * right.squares).sqrt() + 1e-6));
        put("soft_left", soft_left);
        put("soft_right", soft_right);
        put("soft_min", soft_left.min(soft_right));
        put("soft_max", soft_left.max(soft_right));
        put("shared_weight", left.shared);
        put("max_shared", left.max_shared);
        for (side, names) in [(&left, SIDE_NAMES[0]), (&right, SIDE_NAMES[1])] {
            put(names[0], side.max_unshared);
            put(names[1], side.max_unexplained);
            put(names[2], side.all - side.soft);
            put(names[3], side.n);
            put(names[4], side.unexplained[0]);
            put(names[5], side.unexplained[1]);
            put(names[6], side.unexplained[2]);
        }
        put("max_unexplained_min", left.max_unexplained.min(right.max_unexplained));
        put("max_unexplained_max", left.max_unexplained.max(right.max_unexplained));
        put("unexplained_min", (left.all - left.soft).min(right.all - right.soft));
        put("unexplained_max", (left.all - left.soft).max(right.all - right.soft));
        put("shared_mixed", left.shared_kinds[2]);
        put("shared_digits", left.shared_kinds[1]);
    }

    /// How facts of each known class agree.
    pub(crate) fn classes(&self, sheet: &mut impl Sheet) {
        let mut counts = [[0.0_f32; 3]; CLASSES.len()];
        let class_of = |word: &Word| CLASSES.iter().position(|(class, _)| *class == word.class);
        let mut heads = [[0.0_f32; 2]; CLASSES.len()];
        for (side, own) in [&self.left, &self.right].into_iter().enumerate() {
            for (place, word) in own.words() {
                if word.class == Class::None {
                    continue;
                }
                let Some(class) = class_of(word) else { continue };
                if own.twin[place] > 0 {
                    counts[class][0] += 0.5;
                } else {
                    counts[class][1 + side] += 1.0;
                    if word.in_head {
                        heads[class][side] += 1.0;
                    }
                }
            }
        }
        for ((_, name), ([shared, left, right], [head_left, head_right])) in
            CLASSES.iter().zip(counts.into_iter().zip(heads))
        {
            sheet.put(name, "shared", shared);
            sheet.put(name, "only_left", left);
            sheet.put(name, "only_right", right);
            sheet.put(name, "conflict", head_left.min(head_right));
            sheet.put(name, "lopsided", (head_left - head_right).abs());
        }
    }
}

const SIDE_NAMES: [[&str; 7]; 2] = [
    [
        "max_unshared_left",
        "max_unexplained_left",
        "unexplained_left",
        "n_left",
        "letters_left",
        "digits_left",
        "mixed_left",
    ],
    [
        "max_unshared_right",
        "max_unexplained_right",
        "unexplained_right",
        "n_right",
        "letters_right",
        "digits_right",
        "mixed_right",
    ],
];

/// Sums over the words of one side.
#[derive(Default)]
struct Summary {
    n: f32,
    n_shared: f32,
    all: f32,
    shared: f32,
    soft: f32,
    squares: f32,
    shared_squares: f32,
    max_shared: f32,
    max_unshared: f32,
    max_unexplained: f32,
    /// Weight that nothing on the other side accounts for, by [`Kind`].
    unexplained: [f32; 3],
    shared_kinds: [f32; 3],
}

impl Summary {
    fn of(own: &Side<'_>, other: &Side<'_>, own_head: bool, other_head: bool) -> Self {
        let mut sums = Self::default();
        let others = other.record.words();
        for (place, word) in own.words() {
            if own_head && !word.in_head {
                continue;
            }
            let weight = own.weight[place];
            sums.n += 1.0;
            sums.all += weight;
            sums.squares += weight * weight;
            let twin = usize::from(own.twin[place]);
            if twin > 0 && (!other_head || others[twin - 1].in_head) {
                sums.n_shared += 1.0;
                sums.shared += weight;
                sums.soft += weight;
                sums.shared_squares += weight * weight;
                sums.max_shared = sums.max_shared.max(weight);
                sums.shared_kinds[word.kind as usize] += weight;
                continue;
            }
            let explained = if twin > 0 { 0.0 } else { own.explained[place] };
            sums.soft += weight * explained;
            sums.max_unshared = sums.max_unshared.max(weight);
            let left = weight * (1.0 - explained);
            sums.max_unexplained = sums.max_unexplained.max(left);
            sums.unexplained[word.kind as usize] += left;
        }
        sums
    }
}

/// `cush top` accounts for `cushtop`.
fn explain_joins(whole: &mut Side<'_>, parts: &mut Side<'_>) {
    for (place, word) in whole.record.words().iter().enumerate() {
        if whole.twin[place] > 0 {
            continue;
        }
        for &(hash, first, second) in parts.record.joins() {
            if hash == word.hash {
                whole.explained[place] = 1.0;
                parts.explained[usize::from(first)] = 1.0;
                parts.explained[usize::from(second)] = 1.0;
            }
        }
    }
}

/// Misspelt, shortened and inflected words account for each other.
fn explain_variants(left: &mut Side<'_>, right: &mut Side<'_>) {
    let mut open = [0_u8; 32];
    let mut n_open = 0;
    for (place, word) in right.words() {
        if right.explained[place] == 0.0 && word.kind != Kind::Digits && n_open < open.len() {
            open[n_open] = u8::try_from(place).expect("at most 255 words");
            n_open += 1;
        }
    }
    let open = &open[..n_open];
    let mut n_compared = 0;
    for (place, word) in left.record.words().iter().enumerate() {
        if left.explained[place] > 0.0 || word.kind == Kind::Digits {
            continue;
        }
        n_compared += 1;
        if n_compared > 32 {
            break;
        }
        let text = left.record.word_text(word);
        if text.len() < MIN_SOFT {
            continue;
        }
        for &other in open {
            let other = usize::from(other);
            let other_word = &right.record.words()[other];
            let other_text = right.record.word_text(other_word);
            if other_text.len() < MIN_SOFT || text[..2] != other_text[..2] {
                continue;
            }
            let likeness = variant(text, other_text);
            if likeness > left.explained[place] {
                left.explained[place] = likeness;
            }
            if likeness > right.explained[other] {
                right.explained[other] = likeness;
            }
        }
    }
}

/// How likely two words of a like beginning are one, in [0, 1]; 0 below [`SOFT`].
fn variant(a: &[u8], b: &[u8]) -> f32 {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let likeness = ratio(a, b);
    let likeness = if long.starts_with(short) { likeness.max(0.8) } else { likeness };
    if likeness >= SOFT { likeness } else { 0.0 }
}
