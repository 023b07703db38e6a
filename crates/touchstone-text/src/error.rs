//! What can be wrong with a lexicon.

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
}
