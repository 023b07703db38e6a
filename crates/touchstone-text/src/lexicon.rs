//! The lexicon: what the words around a brand's name mean, in several languages.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use touchstone_types::Meaning;

use crate::LexiconError;
use crate::words::{PhraseHit, Text};

mod phrases;
mod schema;

use phrases::{FUNCTION, KNOWN, ORDINARY, Phrases};

/// The longest phrase, in folded characters.
pub(crate) const MAX_PHRASE_CHARS: usize = 64;

/// The fewest letters of a slang word that may be in leet or pulled apart.
const MIN_DISGUISED: usize = 6;
/// The fewest letters of a word of a cue that may be misspelt.
const MIN_MISSPELT: usize = 8;

/// What a phrase tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cue {
    /// The brand after it is one that the offer fits: "compatible with".
    CompatibleBefore,
    /// The offer fits the brand near it: "compatible".
    Compatible,
    /// A preposition that may say what the offer fits: "for".
    ForUse,
    /// A thing that is made for another: "case".
    Accessory,
    /// A device that other things are made for: "printer".
    Device,
    /// The brand after it is the maker: "by".
    Maker,
    /// The brand after it is the model that the offer follows: "inspired by".
    InspiredBefore,
    /// The brand before it is the model that the offer follows: "style".
    InspiredAfter,
    /// The offer is not of the brand after it: "not a".
    NotBefore,
    /// Turns what follows into its contrary: "not".
    Negation,
    /// A term with a meaning.
    Term {
        /// What it means.
        meaning: Meaning,
        /// The fields in which it counts.
        place: TermPlace,
        /// Words that take the meaning away when they stand anywhere in the field, folded.
        unless: BTreeSet<String>,
    },
    /// A word for several units sold together: "kit".
    Kit,
    /// Two units sold together: "twin pack".
    Two,
    /// A word for one unit, after a number: "units".
    CountUnit,
    /// The buyer chooses: "or".
    Choice,
    /// Joins two items: "and".
    And,
    /// What follows lists what is in the box: "contains".
    Contents,
    /// What follows is a present and not counted: "free gift".
    Gift,
    /// A colour, by the number of its class in [`Lexicon::colours`].
    Colour(u16),
    /// A letter group that makes another capacity of the number before it: "XL".
    Capacity,
    /// A unit of measure: the number before it counts no pieces.
    Measure,
    /// An ordinary word: never a misspelt brand.
    Ordinary,
    /// A little word between others: "the".
    Function,
    /// A word of everyday language: never a misspelt brand, but a brand of that name needs no more evidence.
    Everyday,
}

/// Where a term counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TermPlace {
    /// In the title, the description and the attributes.
    Anywhere,
    /// In the title, and where the description opens with it.
    Title,
    /// In the description.
    Description,
    /// In complaints.
    Complaint,
}

/// Cues by role, slang, complaint phrases, condition words, words for counts and colours, compiled for search.
#[derive(Debug)]
pub struct Lexicon {
    id: String,
    /// What the phrases tell, by number.
    pub(crate) phrases: Vec<Phrase>,
    compiled: Phrases,
    pub(crate) colours: Vec<String>,
    /// Long words of the cues for roles, by their first letter: these may be misspelt.
    long_words: BTreeMap<u8, Vec<LongWord>>,
    /// Slang of one long word by its squeezed letters: it may be in leet or pulled apart.
    slang: BTreeMap<String, String>,
}

/// A word that may be misspelt.
#[derive(Debug)]
struct LongWord {
    text: String,
    /// Which letters it has: one mistake changes two bits at most.
    letters: u32,
}

/// One phrase with everything it tells.
#[derive(Debug)]
pub(crate) struct Phrase {
    /// The phrase as the lexicon has it.
    pub text: String,
    /// What it tells.
    pub cues: Vec<Cue>,
}

impl Lexicon {
    /// The lexicon compiled in: the files under `config/lexicon/`.
    pub fn builtin() -> Self {
        Self::parse(&[
            ("roles.toml", include_str!("../../../config/lexicon/roles.toml")),
            ("terms.toml", include_str!("../../../config/lexicon/terms.toml")),
            ("offer.toml", include_str!("../../../config/lexicon/offer.toml")),
            ("words.toml", include_str!("../../../config/lexicon/words.toml")),
        ])
        .expect("a test reads the files that are compiled in")
    }

    /// Reads lexicon files, each given as a name for messages and its text in TOML. Any file may hold any of the tables;
    /// all are joined. Every phrase is folded as listings are, so case and accents do not matter.
    ///
    /// # Errors
    /// Text that is not TOML, an unknown key, a value of the wrong type (the message names file and key), or a phrase
    /// without any letter or digit.
    ///
    /// ```
    /// use touchstone_text::Lexicon;
    /// assert!(Lexicon::parse(&[("mine.toml", "[roles.nl]\ncompatible = ['passend']")]).is_ok());
    /// let error = Lexicon::parse(&[("mine.toml", "[roles.nl]\ncompatibel = []")]).unwrap_err();
    /// assert!(error.to_string().contains("mine.toml") && error.to_string().contains("compatibel"));
    /// ```
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, LexiconError> {
        let mut table = PhraseTable::default();
        let mut hash = Sha256::new();
        let mut sorted = files.to_vec();
        sorted.sort_unstable();
        for (name, text) in sorted {
            hash.update(name.as_bytes());
            hash.update([0]);
            hash.update(text.as_bytes());
            hash.update([0]);
            schema::read(name, text, &mut table)?;
        }
        let id = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(table.compile(id))
    }

    /// Reads the files of a deployment, which stand in place of those compiled in: as [`Lexicon::parse`], and refuses a set
    /// of files that would leave a part of the stage blind.
    ///
    /// # Errors
    /// As [`Lexicon::parse`], and [`LexiconError::Missing`] where no file has any of the tables `[roles.*]`, `[terms.*]`
    /// or `[words.*]`.
    pub fn parse_folder(folder: &str, files: &[(&str, &str)]) -> Result<Self, LexiconError> {
        if files.is_empty() {
            return Err(LexiconError::NoFiles { folder: folder.to_owned() });
        }
        let lexicon = Self::parse(files)?;
        let missing = schema::missing(files);
        if missing.is_empty() {
            return Ok(lexicon);
        }
        Err(LexiconError::Missing { folder: folder.to_owned(), tables: missing.join(", ") })
    }

    /// The number of the phrase that folds to `folded`.
    pub(crate) fn phrase_of(&self, folded: &str) -> Option<usize> {
        self.compiled.phrase_of(folded)
    }

    /// Whether a folded word is of daily trade or language, and so never a misspelt brand.
    pub(crate) fn is_known(&self, word: &str) -> bool {
        self.compiled.is(word, KNOWN)
    }

    /// Whether a folded word is of daily trade, so that a brand of that name needs more evidence.
    pub(crate) fn is_ordinary(&self, word: &str) -> bool {
        self.compiled.is(word, ORDINARY)
    }

    /// Whether a folded word is a little one that may stand between a cue and a name.
    pub(crate) fn is_function(&self, word: &str) -> bool {
        self.compiled.is(word, FUNCTION)
    }

    /// The phrases in a text, in order of place: the longest of those that lie in one another, and none that a clause's end
    /// cuts in two. Long words of the cues for roles may be misspelt.
    pub(crate) fn phrases_in(&self, text: &Text) -> Vec<PhraseHit> {
        let mut hits =
            self.compiled.find(text, |word| self.mended(word).or_else(|| self.slang_in_leet(word)));
        self.add_pulled_apart(text, &mut hits);
        hits
    }

    /// The slang that a word with digits in it is written for: "r3plica".
    fn slang_in_leet(&self, word: &str) -> Option<&str> {
        if word.len() < MIN_DISGUISED || !word.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        self.slang.get(&squeezed(word)).map(String::as_str)
    }

    /// Slang whose letters stand one by one: "r e p l i c a".
    fn add_pulled_apart(&self, text: &Text, hits: &mut Vec<PhraseHit>) {
        let single = |w: &usize| text.words.get(*w).is_some_and(|word| word.end - word.start == 1);
        let mut start = 0;
        while start < text.words.len() {
            let n = (start..).take_while(single).count();
            if (MIN_DISGUISED..=MAX_PHRASE_CHARS).contains(&n) {
                let letters: String = (start..start + n).map(|w| text.word(w)).collect();
                let slang = self.slang.get(&squeezed(&letters));
                if let Some(phrase) = slang.and_then(|word| self.phrase_of(word)) {
                    let end = start + n;
                    hits.retain(|hit| hit.end <= start || hit.start >= end);
                    let at = hits.partition_point(|hit| hit.start < start);
                    hits.insert(at, PhraseHit { phrase, start, end });
                }
            }
            start += n.max(1);
        }
    }

    /// The word of a role's cue that `word`, which is not of daily trade, is a misspelling of: one letter too many, too few,
    /// wrong or swapped with the next ("conpatible"). Short words are nobody's misspelling.
    fn mended(&self, word: &str) -> Option<&str> {
        if word.len() < MIN_MISSPELT - 1 || !word.is_ascii() {
            return None;
        }
        let near = self.long_words.get(&word.as_bytes()[0])?;
        let letters = letters_of(word);
        near.iter()
            .filter(|right| (right.letters ^ letters).count_ones() <= 2)
            .find(|right| is_one_edit(word.as_bytes(), right.text.as_bytes()))
            .map(|right| right.text.as_str())
    }

    /// A SHA-256 over names and texts of the files, as 64 hex digits: two lexicons with one id read texts alike.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Phrases under construction, by their folded form.
#[derive(Debug, Default)]
pub(crate) struct PhraseTable {
    phrases: BTreeMap<String, (String, Vec<Cue>)>,
    colours: Vec<String>,
}

impl PhraseTable {
    /// Adds what a phrase tells.
    fn add(&mut self, file: &str, key: &str, phrase: &str, cue: Cue) -> Result<(), LexiconError> {
        let text = Text::new(phrase, MAX_PHRASE_CHARS + 1);
        if text.words.is_empty() || text.chars.len() > MAX_PHRASE_CHARS {
            let (file, key, phrase) = (file.to_owned(), key.to_owned(), phrase.to_owned());
            return Err(LexiconError::Phrase { file, key, phrase });
        }
        let entry = self.phrases.entry(text.joined).or_insert_with(|| (phrase.to_owned(), Vec::new()));
        if !entry.1.contains(&cue) {
            entry.1.push(cue);
        }
        Ok(())
    }

    /// The number of a colour class.
    fn colour(&mut self, class: &str) -> u16 {
        let idx = self.colours.iter().position(|c| c == class).unwrap_or_else(|| {
            self.colours.push(class.to_owned());
            self.colours.len() - 1
        });
        u16::try_from(idx).expect("a file of phrases holds fewer than 65,536 colours")
    }

    fn compile(self, id: String) -> Lexicon {
        let mut compiled = Phrases::new();
        let mut searched = Vec::new();
        for (folded, (text, mut cues)) in self.phrases {
            folded.split(' ').for_each(|word| compiled.mark(word, KNOWN));
            if cues.iter().any(|cue| *cue != Cue::Everyday) {
                folded.split(' ').for_each(|word| compiled.mark(word, ORDINARY));
            }
            if cues.contains(&Cue::Function) {
                compiled.mark(&folded, FUNCTION);
            }
            // Ordinary and little words are looked up one by one; as phrases they would hit everywhere.
            cues.retain(|cue| !matches!(cue, Cue::Ordinary | Cue::Function | Cue::Everyday));
            if !cues.is_empty() {
                cues.sort();
                searched.push((folded, Phrase { text, cues }));
            }
        }
        let is_role = |cue: &Cue| {
            matches!(cue, Cue::CompatibleBefore | Cue::Compatible | Cue::InspiredBefore | Cue::InspiredAfter)
        };
        let roles = searched.iter().filter(|(_, phrase)| phrase.cues.iter().any(is_role));
        let long = roles.flat_map(|(folded, _)| folded.split(' '));
        let mut long_words: BTreeMap<u8, Vec<LongWord>> = BTreeMap::new();
        for word in long.filter(|w| w.len() >= MIN_MISSPELT && w.is_ascii()).collect::<BTreeSet<_>>() {
            let long = LongWord { text: word.to_owned(), letters: letters_of(word) };
            long_words.entry(word.as_bytes()[0]).or_default().push(long);
        }
        let is_slang = |cue: &Cue| matches!(cue, Cue::Term { meaning: Meaning::CounterfeitSlang, .. });
        let long =
            |folded: &str| folded.len() >= MIN_DISGUISED && folded.bytes().all(|b| b.is_ascii_alphabetic());
        let slang =
            searched.iter().filter(|(folded, phrase)| long(folded) && phrase.cues.iter().any(is_slang));
        let slang = slang.map(|(folded, _)| (squeezed(folded), folded.clone())).collect();
        compiled.compile(searched.iter().map(|(folded, _)| folded.as_str()));
        let phrases = searched.into_iter().map(|(_, phrase)| phrase).collect();
        Lexicon { id, phrases, compiled, colours: self.colours, long_words, slang }
    }
}

fn squeezed(word: &str) -> String {
    word.chars().map(crate::brands::representative).collect()
}

/// One bit for each letter that an ASCII word has; some share one.
fn letters_of(word: &str) -> u32 {
    word.bytes().fold(0, |letters, c| letters | 1 << (c & 31))
}

/// Whether one letter inserted, left out, replaced or swapped with the next makes `a` into `b`.
fn is_one_edit(a: &[u8], b: &[u8]) -> bool {
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = |x: &[u8], y: &[u8]| x.iter().rev().zip(y.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[head..], &b[head..]);
    let shared = tail(a, b);
    match (&a[..a.len() - shared], &b[..b.len() - shared]) {
        ([_], []) | ([], [_]) | ([_], [_]) => true,
        ([p, q], [r, s]) => p == s && q == r,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_edit_is_what_the_distance_says() {
        let words = [
            "compatible",
            "conpatible",
            "compatibel",
            "compatble",
            "compattible",
            "competibel",
            "cmopatible",
            "kompatible",
            "a",
            "",
        ];
        for (a, b) in words.iter().flat_map(|a| words.iter().map(move |b| (a, b))) {
            let expected = strsim::osa_distance(a, b) == 1;
            assert_eq!(is_one_edit(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_files_compiled_in_are_sound() {
        let lexicon = Lexicon::builtin();
        assert_eq!(lexicon.id().len(), 64);
        assert!(lexicon.phrases.len() > 500);
    }

    #[test]
    fn mistakes_name_file_and_key() {
        for (text, part) in [
            ("[roles.en]\nfitting = []", "fitting"),
            ("[rolls.en]", "rolls"),
            ("[terms.en]\nused = [1]", "used"),
            ("[terms.en]\nused = ['!!']", "terms.en.used"),
            ("[terms.english]\nused = []", "english"),
            ("not toml", "mine.toml"),
            ("[terms.en]\nused = [{ phrase = 'worn', unles = ['new'] }]", "unles"),
            ("[terms.en]\nused = [{ phrase = 'worn', unles = ['new'] }]", "`phrase` or `unless`"),
            ("[terms.en]\nused = [{ phrase = 'worn' }]", "missing field `unless`"),
            ("[terms.en]\nused = [{ phrase = 'worn', unless = [''] }]", "terms.en.used.unless"),
            ("[terms.en]\nused = [{ phrase = 'worn', unless = ['new', '?!'] }]", "terms.en.used.unless"),
        ] {
            let error = Lexicon::parse(&[("mine.toml", text)]).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("mine.toml"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_would_blind_the_stage_is_refused() {
        let whole =
            "[roles.en]\ncompatible = ['fits']\n[terms.en]\nused = ['worn']\n[words.en]\nordinary = 'bag'";
        assert!(Lexicon::parse_folder("lex", &[("a.toml", whole)]).is_ok());
        let check = |files: &[(&str, &str)], parts: &[&str]| {
            let error = Lexicon::parse_folder("my/lex", files).unwrap_err().to_string();
            for part in parts.iter().chain(&["my/lex", "config/lexicon"]) {
                assert!(error.contains(part), "{error}");
            }
        };
        check(&[], &["no .toml file"]);
        check(&[("a.toml", "")], &["[roles.*]", "[terms.*]", "[words.*]"]);
        check(&[("a.toml", "[roles.en]\ncompatible = ['fits']\n[words.en]")], &["[terms.*]"]);
        check(&[("a.toml", "[roles.en]\n[terms.en]\n[words.en]")], &["[roles.*], [terms.*], [words.*]"]);
    }

    #[test]
    fn the_id_depends_on_content_and_not_on_order() {
        let one = ("a.toml", "[words.en]\nordinary = 'cotton'");
        let two = ("b.toml", "[words.en]\nordinary = 'summer'");
        let id = |files: &[(&str, &str)]| Lexicon::parse(files).unwrap().id().to_owned();
        assert_eq!(id(&[one, two]), id(&[two, one]));
        assert_ne!(id(&[one]), id(&[two]));
    }
}
