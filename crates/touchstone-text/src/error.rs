//! What can be wrong with a lexicon, and with a segment of products.

/// Why a lexicon cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LexiconError {
    /// The file is not TOML, or a key in it is unknown or of the wrong type.
    #[error("{file}: {message}")]
    Toml {
        /// The file.
        file: String,
        /// What the parser found, with line, column and key.
        message: String,
    },
    /// A phrase has no letter or digit left after folding, or is too long.
    #[error("{file}: {key}: {phrase:?} must have 1 to {max} letters or digits after folding", max = crate::lexicon::MAX_PHRASE_CHARS)]
    Phrase {
        /// The file.
        file: String,
        /// The key whose list holds it.
        key: String,
        /// The phrase.
        phrase: String,
    },
    /// The folder has no file.
    #[error("lexicon folder {folder} has no .toml file: copy config/lexicon and add to it")]
    NoFiles {
        /// The folder.
        folder: String,
    },
    /// No file of the folder has some of the tables, without which slang, roles or ordinary words go unseen.
    #[error("lexicon folder {folder} has nothing in {tables}: copy config/lexicon and add to it")]
    Missing {
        /// The folder.
        folder: String,
        /// The tables.
        tables: String,
    },
}

/// Why the bytes of a product segment cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// They do not begin as a segment does.
    #[error("these bytes are no product segment")]
    Magic,
    /// They were written by a version that lays them out otherwise: build the segment anew.
    #[error("the segment has layout {found}, this version reads {known}: build it anew from the catalog")]
    Version {
        /// The layout of the bytes.
        found: u32,
        /// The layout that is known.
        known: u32,
    },
    /// They end before what they announce.
    #[error("the segment is cut off after {bytes} bytes")]
    Truncated {
        /// How many bytes there are.
        bytes: usize,
    },
    /// A checksum or a length does not fit.
    #[error("the {part} of the segment is damaged: build it anew from the catalog")]
    Damaged {
        /// Which part: `header`, `sections` or `body`.
        part: &'static str,
    },
    /// They were compiled with another lexicon, which reads titles differently.
    #[error(
        "the segment was built with lexicon {found}, in use is {expected}: build it anew from the catalog"
    )]
    Lexicon {
        /// The lexicon of the bytes.
        found: String,
        /// The lexicon in use.
        expected: String,
    },
}
