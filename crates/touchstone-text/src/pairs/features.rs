//! The features of a pair, in a fixed order with fixed names.

use std::sync::LazyLock;

use super::overlap::Overlap;
use super::prepare::{Code, MAX_CODES, Number, Prepared};
use super::rarity::{Rarity, RarityCounter};
use super::record::PairRecord;
use super::sheet::{Names, Sheet, Values};
use super::similarity::ratio;

/// How many features a pair has.
pub const N_PAIR_FEATURES: usize = 246;

/// The names of the features, in their order.
pub fn pair_feature_names() -> &'static [String] {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let empty = Prepared::new(&PairRecord::default());
        let mut names = Names::default();
        write(&empty, &empty, &RarityCounter::default().finish(), &mut names);
        names.0
    });
    &NAMES
}

/// The features of an offer `a` and a product `b`; NaN is missing.
pub fn pair_features(a: &Prepared, b: &Prepared, rarity: &Rarity) -> [f32; N_PAIR_FEATURES] {
    let mut values = [f32::NAN; N_PAIR_FEATURES];
    write(a, b, rarity, &mut Values { values: &mut values, next: 0 });
    values
}

fn write(a: &Prepared, b: &Prepared, rarity: &Rarity, sheet: &mut impl Sheet) {
    let overlap = Overlap::new(a, b, rarity);
    overlap.block(true, true, "head", sheet);
    overlap.block(false, false, "all", sheet);
    overlap.block(true, false, "head_in_all", sheet);
    overlap.block(false, true, "all_in_head", sheet);
    overlap.classes(sheet);
    strings(a, b, sheet);
    order(&overlap, sheet);
    codes(a, b, sheet);
    numbers(a, b, sheet);
    fields(a, b, sheet);
}

/// The titles as strings of letters.
fn strings(a: &Prepared, b: &Prepared, sheet: &mut impl Sheet) {
    let mut put = |name, value| sheet.put("string", name, value);
    let (shared, n_a, n_b) = a.shared_grams(b);
    let (shared, n_a, n_b) = (shared as f32, n_a as f32, n_b as f32);
    put("gram_cosine", shared / ((n_a * n_b).sqrt() + 1e-6));
    put("gram_in_shorter", shared / (n_a.min(n_b) + 1e-6));
    put("ratio", ratio(a.head(), b.head()));
    put("sorted_ratio", ratio(a.sorted_head(), b.sorted_head()));
    put(
        "length_ratio",
        a.head().len().min(b.head().len()) as f32 / (a.head().len().max(b.head().len()) as f32 + 1e-6),
    );
    let prefix = a.head().iter().zip(b.head()).take_while(|(x, y)| x == y).count();
    put("prefix", prefix as f32);
}

/// How the words of the heads follow each other.
fn order(overlap: &Overlap<'_>, sheet: &mut impl Sheet) {
    let (a, b) = (overlap.left.record.sequence(), overlap.right.record.sequence());
    let twin = |place: u8| overlap.left.twin[usize::from(place)];
    let weight = |place: u8| overlap.left.weight[usize::from(place)];
    let same = |i: usize, j: usize| twin(a[i]) == b[j] + 1;
    // The longest run of words in both, by weight.
    let (mut best_run, mut best_weight, mut n_bigrams) = (0.0_f32, 0.0_f32, 0.0_f32);
    for i in 0..a.len() {
        let Some(other) = twin(a[i]).checked_sub(1) else { continue };
        for j in (0..b.len()).filter(|&j| b[j] == other) {
            if i > 0 && j > 0 && same(i - 1, j - 1) {
                n_bigrams += 1.0;
                continue;
            }
            let run = (0..a.len() - i).take_while(|&k| j + k < b.len() && same(i + k, j + k)).count();
            best_run = best_run.max(run as f32);
            best_weight = best_weight.max((i..i + run).map(|k| weight(a[k])).sum());
        }
    }
    let prefix = (0..a.len().min(b.len())).take_while(|&k| same(k, k)).count();
    let mut put = |name, value| sheet.put("order", name, value);
    put("run", best_run);
    put("run_weight", best_weight);
    put("bigrams", n_bigrams);
    put("bigram_share", n_bigrams / ((a.len().min(b.len()) as f32 - 1.0).max(1.0)));
    put("prefix", prefix as f32);
    // Where the first word that the other side lacks stands, on each side.
    let first = |own: &super::overlap::Side<'_>, words: &[u8]| {
        words.iter().position(|&w| own.explained[usize::from(w)] == 0.0).unwrap_or(words.len()) as f32
    };
    put("first_unexplained_left", first(&overlap.left, a));
    put("first_unexplained_right", first(&overlap.right, b));
    let explained_first = |own: &super::overlap::Side<'_>, words: &[u8]| {
        words.first().map_or(f32::NAN, |&w| own.explained[usize::from(w)])
    };
    put("first_word_left", explained_first(&overlap.left, a));
    put("first_word_right", explained_first(&overlap.right, b));
}

/// Model codes and article numbers.
fn codes(a: &Prepared, b: &Prepared, sheet: &mut impl Sheet) {
    for (block, head) in [("code", false), ("head_code", true)] {
        let of = |record: &Prepared| Codes::of(record.codes().iter().filter(|code| !head || code.in_head));
        let (x, y) = (of(a), of(b));
        let (x, y) = (x.as_slice(), y.as_slice());
        let has = |codes: &[Code], code: &Code| codes.iter().any(|other| other.hash == code.hash);
        let (mut shared, mut longest, mut shared_lettered) = (0.0_f32, 0.0_f32, 0.0_f32);
        for code in x.iter().filter(|code| has(y, code)) {
            shared += 1.0;
            longest = longest.max(a.code_text(code).len() as f32);
            shared_lettered += f32::from(u8::from(code.has_letter));
        }
        let only_left = Codes::of(x.iter().filter(|code| !has(y, code)));
        let only_right = Codes::of(y.iter().filter(|code| !has(x, code)));
        let (only_left, only_right) = (only_left.as_slice(), only_right.as_slice());
        let (mut best, mut prefix, mut within, mut near) = (f32::NAN, f32::NAN, 0.0_f32, 0.0_f32);
        for code in only_left.iter().take(8) {
            let p = a.code_text(code);
            for other in only_right.iter().take(8) {
                let q = b.code_text(other);
                let (short, long) = if p.len() <= q.len() { (p, q) } else { (q, p) };
                let common = p.iter().zip(q).take_while(|(c, d)| c == d).count();
                let likeness = if common > 0 || p.len() > 4 { ratio(p, q) } else { 0.0 };
                best = best.max(likeness);
                prefix = prefix.max(common as f32 / short.len() as f32);
                if short.len() >= 4 && (long.starts_with(short) || contains(long, short)) {
                    within = within.max(short.len() as f32 / long.len() as f32);
                }
                if likeness >= 0.7 {
                    near += 1.0;
                }
            }
        }
        let mut put = |name, value| sheet.put(block, name, value);
        put("shared", shared);
        put("shared_lettered", shared_lettered);
        put("longest_shared", longest);
        put("only_left", only_left.len() as f32);
        put("only_right", only_right.len() as f32);
        put("only_min", only_left.len().min(only_right.len()) as f32);
        let lettered = |codes: &[Code]| codes.iter().filter(|code| code.has_letter).count() as f32;
        put("only_left_lettered", lettered(only_left));
        put("only_right_lettered", lettered(only_right));
        put("best_likeness", best);
        put("best_prefix", prefix);
        put("within", within);
        put("near", near);
        let longest_of = |record: &Prepared, codes: &[Code]| {
            codes.iter().map(|code| record.code_text(code).len()).max().unwrap_or(0) as f32
        };
        put("longest_left", longest_of(a, only_left));
        put("longest_right", longest_of(b, only_right));
    }
    // A code of one side written anywhere in the other's codes and words, run together.
    let mut found = [0.0_f32; 2];
    for (found, (own, other)) in found.iter_mut().zip([(a, b), (b, a)]) {
        for code in own.codes().iter().filter(|code| code.in_head) {
            let text = own.code_text(code);
            if text.len() < 4 {
                continue;
            }
            let hit = other.joins().iter().any(|&(hash, ..)| hash == code.hash)
                || other.codes().iter().any(|c| contains(other.code_text(c), text))
                || (other.mpn.len() >= 4 && contains(&other.mpn, text));
            if hit {
                *found = found.max(text.len() as f32);
            }
        }
    }
    sheet.put("code", "left_found", found[0]);
    sheet.put("code", "right_found", found[1]);
}

/// Some of a record's codes, without a heap.
struct Codes {
    all: [Code; MAX_CODES],
    n: usize,
}

impl Codes {
    fn of<'a>(codes: impl Iterator<Item = &'a Code>) -> Self {
        let mut found = Self { all: [Code::default(); MAX_CODES], n: 0 };
        for code in codes.take(MAX_CODES) {
            found.all[found.n] = *code;
            found.n += 1;
        }
        found
    }

    fn as_slice(&self) -> &[Code] {
        &self.all[..self.n]
    }
}

/// Numbers by their unit.
fn numbers(a: &Prepared, b: &Prepared, sheet: &mut impl Sheet) {
    for (block, head) in [("number", false), ("head_number", true)] {
        let (of_a, of_b) = (Counts::of(a, b, head), Counts::of(b, a, head));
        let ([shared_plain, shared_unit], [left_plain, left_unit]) = (of_a.shared, of_a.own);
        let [right_plain, right_unit] = of_b.own;
        let mut put = |name, value| sheet.put(block, name, value);
        put("shared_unit", shared_unit);
        put("shared_plain", shared_plain);
        put("left_plain", left_plain);
        put("right_plain", right_plain);
        put("left_unit", left_unit);
        put("right_unit", right_unit);
        put("plain_conflict", left_plain.min(right_plain));
        put(
            "share",
            (shared_unit + shared_plain) / (of_a.all() + of_b.all() - shared_unit - shared_plain + 1e-6),
        );
        // A unit that both name with no value in common.
        let (mut agree, mut conflict) = (0.0_f32, 0.0_f32);
        let mut seen = 0_u32;
        for x in a.numbers().iter().filter(|x| x.unit > 0 && (!head || x.in_head)) {
            if seen & 1 << x.unit != 0 {
                continue;
            }
            seen |= 1 << x.unit;
            let of = |record: &'_ Prepared| -> Vec4 {
                let mut found = Vec4::default();
                for n in record.numbers().iter().filter(|n| n.unit == x.unit && (!head || n.in_head)) {
                    found.push(n.value);
                }
                found
            };
            let (p, q) = (of(a), of(b));
            if q.n == 0 {
                continue;
            }
            if p.values().iter().any(|v| q.values().iter().any(|w| near(*v, *w))) {
                agree += 1.0;
            } else {
                conflict += 1.0;
            }
        }
        put("unit_agree", agree);
        put("unit_conflict", conflict);
        let year = |record: &Prepared, other: &Prepared| {
            let is_year =
                |n: &&Number| n.unit == 0 && (1990.0..2030.0).contains(&n.value) && n.value.fract() == 0.0;
            record
                .numbers()
                .iter()
                .filter(is_year)
                .filter(|n| !other.numbers().iter().any(|m| m.value == n.value))
                .count() as f32
        };
        if !head {
            put("year_left", year(a, b));
            put("year_right", year(b, a));
            let small = |record: &Prepared| {
                record
                    .numbers()
                    .iter()
                    .filter(|n| n.in_head && n.unit == 0 && n.value < 100.0)
                    .map(|n| n.value)
                    .next()
            };
            put(
                "version_gap",
                match (small(a), small(b)) {
                    (Some(x), Some(y)) => (x - y).abs(),
                    _ => f32::NAN,
                },
            );
        }
    }
}

/// How many numbers of one side the other has too, and how many not: first without a unit, then with one.
#[derive(Default)]
struct Counts {
    shared: [f32; 2],
    own: [f32; 2],
}

impl Counts {
    fn of(record: &Prepared, other: &Prepared, head: bool) -> Self {
        let mut counts = Self::default();
        for n in record.numbers().iter().filter(|n| !head || n.in_head) {
            let known = other.numbers().iter().any(|m| same_number(n, m) && (!head || m.in_head));
            let of = if known { &mut counts.shared } else { &mut counts.own };
            of[usize::from(n.unit > 0)] += 1.0;
        }
        counts
    }

    fn all(&self) -> f32 {
        self.shared.iter().chain(&self.own).sum()
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    (a.unit == b.unit || a.unit == 0 || b.unit == 0) && near(a.value, b.value)
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 0.005 * a.max(b)
}

#[derive(Default)]
struct Vec4 {
    all: [f32; 4],
    n: usize,
}

impl Vec4 {
    fn push(&mut self, value: f32) {
        if self.n < 4 {
            self.all[self.n] = value;
            self.n += 1;
        }
    }

    fn values(&self) -> &[f32] {
        &self.all[..self.n]
    }
}

/// What stands in fields of its own.
fn fields(a: &Prepared, b: &Prepared, sheet: &mut impl Sheet) {
    let (gap, log_ratio) = match (a.price, b.price) {
        (Some(x), Some(y)) => ((x - y).abs() / x.max(y), libm::logf(x / y)),
        _ => (f32::NAN, f32::NAN),
    };
    sheet.put("price", "gap", gap);
    sheet.put("price", "log_ratio", log_ratio);
    let both = |x: &[u8], y: &[u8]| if x.is_empty() || y.is_empty() { f32::NAN } else { ratio(x, y) };
    sheet.put("brand", "likeness", both(&a.brand_text, &b.brand_text));
    sheet.put("mpn", "likeness", both(&a.mpn, &b.mpn));
    let prefix = a.mpn.iter().zip(&b.mpn).take_while(|(x, y)| x == y).count() as f32;
    sheet.put("mpn", "prefix", if a.mpn.is_empty() || b.mpn.is_empty() { f32::NAN } else { prefix });
    let inside = |own: &[u32], other: &Prepared| {
        if own.is_empty() {
            return f32::NAN;
        }
        let found = own.iter().filter(|&&hash| other.words().iter().any(|word| word.hash == hash)).count();
        found as f32 / own.len() as f32
    };
    sheet.put("brand", "left_in_right", inside(&a.brand, b));
    sheet.put("brand", "right_in_left", inside(&b.brand, a));
    sheet.put("category", "left_in_right", inside(&a.category, b));
    sheet.put("category", "right_in_left", inside(&b.category, a));
    let shared = a.category.iter().filter(|hash| b.category.contains(hash)).count() as f32;
    let union = (a.category.len() + b.category.len()) as f32 - shared;
    sheet.put(
        "category",
        "jaccard",
        if a.category.is_empty() || b.category.is_empty() { f32::NAN } else { shared / union },
    );
    let mpn_in = |own: &Prepared, other: &Prepared| {
        if own.mpn.len() < 3 {
            return f32::NAN;
        }
        let hit = other.codes().iter().any(|code| {
            let text = other.code_text(code);
            contains(text, &own.mpn) || (text.len() >= 4 && contains(&own.mpn, text))
        });
        f32::from(u8::from(hit))
    };
    sheet.put("mpn", "left_in_right", mpn_in(a, b));
    sheet.put("mpn", "right_in_left", mpn_in(b, a));
}

fn contains(long: &[u8], short: &[u8]) -> bool {
    long.len() >= short.len() && long.windows(short.len()).any(|window| window == short)
}
