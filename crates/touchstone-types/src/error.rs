//! Why bytes are not a message of ours.

/// Why bytes could not be read as a listing, a catalog record, a verdict, a flag or a ruling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that does not belong.
        at: usize,
    },
    /// The message is not a JSON object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// What stands there instead.
        found: &'static str,
    },
    /// Arrays and objects are nested too deeply.
    #[error("nested deeper than {} levels at byte {at}", crate::wire::MAX_DEPTH)]
    TooDeep {
        /// The byte that opens the first level too many.
        at: usize,
    },
    /// The JSON is malformed, or a field is missing or mistyped.
    #[error("{path}{message}")]
    Json {
        /// The field, followed by `: `; empty for the message as a whole.
        path: String,
        /// What is wrong, with line and column.
        message: String,
    },
    /// A field is well-formed, but its value is not allowed.
    #[error("{field}: {problem}")]
    Field {
        /// The field's path.
        field: String,
        /// What is wrong with the value.
        problem: String,
    },
}

impl ParseError {
    /// The JSON is wrong at `path`, which is empty for the message as a whole.
    pub(crate) fn json(path: &str, message: impl std::fmt::Display) -> Self {
        let path = if path.is_empty() { String::new() } else { format!("{}: ", clipped(path)) };
        Self::Json { path, message: clipped(&message.to_string()) }
    }

    /// The value at `field` is not allowed, because of `problem`.
    pub(crate) fn field(field: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Field { field: field.into(), problem: clipped(&problem.to_string()) }
    }

    /// The same error, one level further out: `outer` is put before the field's path.
    pub(crate) fn within(self, outer: &str) -> Self {
        match self {
            Self::Field { field, problem } => Self::Field { field: format!("{outer}.{field}"), problem },
            other => other,
        }
    }

    /// A short word for metrics: `not_utf8`, `not_an_object`, `too_deep`, `json` or `field`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotAnObject { .. } => "not_an_object",
            Self::TooDeep { .. } => "too_deep",
            Self::Json { .. } => "json",
            Self::Field { .. } => "field",
        }
    }
}

/// The longest part of a message in characters. Errors go into headers and logs, and may quote what a stranger wrote.
const MAX_PART_CHARS: usize = 1000;

fn clipped(text: &str) -> String {
    match text.char_indices().nth(MAX_PART_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
