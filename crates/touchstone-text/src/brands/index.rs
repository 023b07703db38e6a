//! The names of all brands, compiled.

use std::collections::{BTreeMap, HashSet};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use touchstone_types::{BrandId, BrandRecord, How};

use super::squeeze::{is_letter_sign, representative};
use super::typo::TypoIndex;
use crate::fold::{FoldedChar, STYLED, UPPER, fold};
use crate::lexicon::Lexicon;
use crate::products::ProductIndex;

/// Up to so many letters a name is short.
const MAX_SHORT: usize = 3;
/// The longest name that is searched, in characters.
const MAX_NAME_CHARS: usize = 100;
/// Up to so many letters in all names their automaton is one large table, faster to read than the compact form: 256 bytes a
/// letter, so 25 MB at most.
const MAX_DFA_LETTERS: usize = 100_000;

/// What stands before a letter of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum NameGap {
    /// Nothing.
    None,
    /// A hyphen, full stop, apostrophe, ampersand without white space.
    Sign,
    /// White space.
    Space,
}

/// One way of naming a brand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The place of the brand in [`BrandIndex::ids`].
    pub brand: usize,
    /// [`How::Exact`] for the name, [`How::Alias`] for every other.
    pub how: How,
    /// Its folded letters and digits.
    pub letters: Vec<char>,
    /// The same before look-alikes were replaced.
    pub raws: Vec<char>,
    /// What stands before each letter.
    pub gaps: Vec<NameGap>,
    /// As its owner writes it.
    pub written: String,
    /// Whether its owner writes it with styled letters.
    pub styled: bool,
    /// Whether it is one word of daily trade, which needs more evidence.
    pub ordinary: bool,
    /// Whether it has so few letters that chance writes it too, and needs more evidence for a disguise.
    pub short: bool,
    /// Which letters its owner writes as capitals.
    pub uppers: Vec<bool>,
    /// How many words it has.
    pub n_words: usize,
}

impl Name {
    /// The letters as one text.
    pub(super) fn plain(&self) -> String {
        self.letters.iter().collect()
    }

    /// Whether its owner begins a new part of one word with a capital at this letter: the R of "MoraRivo".
    pub(super) fn has_seam(&self, letter: usize) -> bool {
        letter > 0 && self.gaps[letter] == NameGap::None && self.uppers[letter] && !self.uppers[letter - 1]
    }

    /// Whether its owner writes it without any capital.
    pub(super) fn is_lower_case(&self) -> bool {
        !self.uppers.contains(&true)
    }
}

/// All names of all brands.
#[derive(Debug)]
pub(crate) struct BrandIndex {
    /// The brands, sorted.
    pub ids: Vec<BrandId>,
    pub(super) names: Vec<Name>,
    pub(super) automaton: AhoCorasick,
    /// For each pattern of the automaton the names that squeeze to it.
    pub(super) names_of_pattern: Vec<Vec<usize>>,
    pub(super) typos: TypoIndex,
    /// The names by the number of their letters.
    pub(super) names_by_length: BTreeMap<usize, Vec<usize>>,
}

impl BrandIndex {
    /// Compiles the names; `brands` may come in any order, the last record of a repeated id counts.
    pub(crate) fn build<'a>(lexicon: &Lexicon, brands: impl IntoIterator<Item = &'a BrandRecord>) -> Self {
        let brands: BTreeMap<&BrandId, &BrandRecord> = brands.into_iter().map(|b| (&b.brand_id, b)).collect();
        let mut names = Vec::new();
        for (brand, record) in brands.values().enumerate() {
            let mut seen = HashSet::new();
            let aliases = record.aliases.iter().chain(record.marks.iter().map(|mark| &mark.text));
            let written = std::iter::once((How::Exact, &record.name)).chain(aliases.map(|a| (How::Alias, a)));
            for (how, written) in written {
                let with_and = written.contains('&').then(|| written.replace('&', " and "));
                for variant in std::iter::once(written.clone()).chain(with_and) {
                    let name = name_of(lexicon, brand, how, &variant);
                    if is_searchable(&name.letters, &name.gaps)
                        && seen.insert((name.letters.clone(), name.gaps.clone()))
                    {
                        names.push(name);
                    }
                }
            }
        }
        names.sort();
        let mut patterns: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut names_by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (idx, name) in names.iter().enumerate() {
            let pattern = name.letters.iter().map(|&c| representative(c)).collect();
            patterns.entry(pattern).or_default().push(idx);
            names_by_length.entry(name.letters.len()).or_default().push(idx);
        }
        let n_letters: usize = patterns.keys().map(String::len).sum();
        let kind = (n_letters <= MAX_DFA_LETTERS).then_some(AhoCorasickKind::DFA);
        let automaton = AhoCorasick::builder().kind(kind).build(patterns.keys()).expect(
            "brand names are far shorter together than the two Gi states that the automaton can hold",
        );
        Self {
            ids: brands.keys().map(|&id| id.clone()).collect(),
            typos: TypoIndex::build(&names),
            names,
            automaton,
            names_of_pattern: patterns.into_values().collect(),
            names_by_length,
        }
    }
}

/// The words that are neither misspelt brands nor brands in leet: those of daily trade and those of product titles. The
/// products are asked at search time, so that a change of products never touches the brand index, nor the other way round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownWords<'a> {
    /// The words of daily trade.
    pub lexicon: &'a Lexicon,
    /// The catalog's products.
    pub products: &'a ProductIndex,
}

impl KnownWords<'_> {
    /// Whether a folded word is of daily trade or of the catalog.
    pub(super) fn contains(&self, word: &str) -> bool {
        self.lexicon.is_known(word) || self.in_catalog(word)
    }

    /// Whether a product's title or attributes have the folded word.
    pub(super) fn in_catalog(&self, word: &str) -> bool {
        self.products.has_word(word)
    }
}

/// Whether a text can be searched for a name: a name of few digits alone would be found in every number.
fn is_searchable(letters: &[char], gaps: &[NameGap]) -> bool {
    let signs = gaps.iter().filter(|&&gap| gap != NameGap::None).count();
    letters.iter().any(|c| c.is_alphabetic()) || signs >= 2
}

/// Whether texts can be searched for a brand of this name: false of `***`, which has no letter, and of `7`.
pub fn can_be_found(name: &str) -> bool {
    let (letters, gaps) = letters_of(&fold(name, MAX_NAME_CHARS));
    is_searchable(&letters.iter().map(|c| c.c).collect::<Vec<_>>(), &gaps)
}

/// The letters of a folded name, and what stands before each.
fn letters_of(chars: &[FoldedChar]) -> (Vec<FoldedChar>, Vec<NameGap>) {
    let (mut letters, mut gaps) = (Vec::new(), Vec::new());
    let mut gap = NameGap::None;
    for (i, folded) in chars.iter().enumerate() {
        let letter_follows = || chars.get(i + 1).is_some_and(|next| next.c.is_alphanumeric());
        if folded.c.is_alphanumeric() || (is_letter_sign(folded.c) && letter_follows()) {
            gaps.push(if letters.is_empty() { NameGap::None } else { gap });
            letters.push(*folded);
            gap = NameGap::None;
        } else {
            gap = gap.max(if folded.c == ' ' { NameGap::Space } else { NameGap::Sign });
        }
    }
    (letters, gaps)
}

fn name_of(lexicon: &Lexicon, brand: usize, how: How, written: &str) -> Name {
    let (letters, gaps) = letters_of(&fold(written, MAX_NAME_CHARS));
    let mut name = Name {
        brand,
        how,
        letters: letters.iter().map(|c| c.c).collect(),
        raws: letters.iter().map(|c| c.raw).collect(),
        gaps,
        written: written.to_owned(),
        styled: letters.iter().any(|c| c.flags & STYLED != 0),
        ordinary: false,
        short: false,
        uppers: letters.iter().map(|c| c.flags & UPPER != 0).collect(),
        n_words: 0,
    };
    name.n_words = 1 + name.gaps.iter().filter(|&&gap| gap != NameGap::None).count();
    name.short = name.letters.len() <= MAX_SHORT && name.letters.iter().all(char::is_ascii_alphanumeric);
    let plain = name.plain();
    name.ordinary = name.n_words == 1 && !name.short && lexicon.is_ordinary(&plain);
    name
}
