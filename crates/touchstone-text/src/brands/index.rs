//! The names of all brands, compiled.

use std::collections::{BTreeMap, HashSet};

use aho_corasick::AhoCorasick;
use touchstone_types::{BrandId, BrandRecord, How};

use super::squeeze::squeeze;
use super::typo::TypoIndex;
use crate::fold::{STYLED, fold};
use crate::lexicon::Lexicon;

/// The longest name that is searched, in characters.
const MAX_NAME_CHARS: usize = 100;

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
    /// How many words it has.
    pub n_words: usize,
}

impl Name {
    /// The letters as one text.
    pub(super) fn plain(&self) -> String {
        self.letters.iter().collect()
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
    /// Words of the catalog's product titles: neither misspelt nor leet.
    pub(super) catalog_words: HashSet<String>,
}

impl BrandIndex {
    /// Compiles the names; `brands` may come in any order, the last record of a repeated id counts.
    pub(crate) fn build<'a>(
        lexicon: &Lexicon,
        brands: impl IntoIterator<Item = &'a BrandRecord>,
        catalog_words: HashSet<String>,
    ) -> Self {
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
                    // A name of few digits alone would be found in every number.
                    let signs = name.gaps.iter().filter(|&&gap| gap != NameGap::None).count();
                    let searchable = name.letters.iter().any(|c| c.is_alphabetic()) || signs >= 2;
                    if searchable && seen.insert((name.letters.clone(), name.gaps.clone())) {
                        names.push(name);
                    }
                }
            }
        }
        names.sort();
        let mut patterns: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut names_by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (idx, name) in names.iter().enumerate() {
            patterns.entry(squeeze(&fold(&name.written, MAX_NAME_CHARS)).text).or_default().push(idx);
            names_by_length.entry(name.letters.len()).or_default().push(idx);
        }
        let automaton = AhoCorasick::new(patterns.keys()).expect(
            "brand names are far shorter together than the two Gi states that the automaton can hold",
        );
        Self {
            ids: brands.keys().map(|&id| id.clone()).collect(),
            typos: TypoIndex::build(&names),
            names,
            automaton,
            names_of_pattern: patterns.into_values().collect(),
            names_by_length,
            catalog_words,
        }
    }

    /// Whether a folded word is of daily trade or of the catalog, and so neither a misspelt brand nor one in leet.
    pub(super) fn is_known_word(&self, lexicon: &Lexicon, word: &str) -> bool {
        lexicon.known_words.contains(word) || self.catalog_words.contains(word)
    }
}

fn name_of(lexicon: &Lexicon, brand: usize, how: How, written: &str) -> Name {
    let chars = fold(written, MAX_NAME_CHARS);
    let mut name = Name {
        brand,
        how,
        letters: Vec::new(),
        raws: Vec::new(),
        gaps: Vec::new(),
        written: written.to_owned(),
        styled: false,
        ordinary: false,
        n_words: 0,
    };
    let mut gap = NameGap::None;
    for folded in chars {
        if folded.c.is_alphanumeric() {
            name.gaps.push(if name.letters.is_empty() { NameGap::None } else { gap });
            name.letters.push(folded.c);
            name.raws.push(folded.raw);
            name.styled |= folded.flags & STYLED != 0;
            gap = NameGap::None;
        } else {
            gap = gap.max(if folded.c == ' ' { NameGap::Space } else { NameGap::Sign });
        }
    }
    name.n_words = 1 + name.gaps.iter().filter(|&&gap| gap != NameGap::None).count();
    name.ordinary = name.n_words == 1 && lexicon.known_words.contains(&name.plain());
    name
}
