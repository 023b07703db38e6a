//! Inputs that cannot be judged, and the rule that too many of them stop the worker.

use std::collections::VecDeque;

use touchstone_types::ParseError;

use crate::Error;
use crate::headers::{self, HeaderList, RecordKind};
use crate::outcome::{Origin, OutputRecord, OutputTopic};

/// How much is kept of an input that is too long for the dead-letter topic.
pub(crate) const TRUNCATED_BYTES: usize = 64 << 10;

/// Over how many inputs the share of dead letters is counted.
const WINDOW: usize = 10_000;

/// Why an input became a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("null_value: the message has no value")]
    NullValue,
    #[error("too_large: the listing has {bytes} bytes, `limits.max_listing_bytes` allows {max_bytes}")]
    TooLarge { bytes: usize, max_bytes: usize },
    #[error("{}: {_0}", _0.word())]
    Unreadable(ParseError),
    #[error("panic: {message}")]
    Panic { message: String },
    #[error("output_too_large: the {topic} record has {bytes} bytes, the topic allows {max_bytes}")]
    OutputTooLarge { topic: &'static str, bytes: usize, max_bytes: usize },
    #[error("refused: Kafka refused the output: {message}")]
    Refused { message: String },
}

impl Rejection {
    /// The word of the metrics' label `reason`, which also opens the header.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::NullValue => "null_value",
            Self::TooLarge { .. } => "too_large",
            Self::Unreadable(error) => error.word(),
            Self::Panic { .. } => "panic",
            Self::OutputTooLarge { .. } => "output_too_large",
            Self::Refused { .. } => "refused",
        }
    }

    /// Every word, so that the metrics show zeros from the start.
    pub(crate) const WORDS: [&'static str; 10] = [
        "null_value",
        "too_large",
        "not_utf8",
        "not_an_object",
        "too_deep",
        "json",
        "field",
        "panic",
        "output_too_large",
        "refused",
    ];
}

/// The input as it came: what a dead letter preserves.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawInput {
    pub(crate) key: Option<Vec<u8>>,
    /// The value; only its first [`TRUNCATED_BYTES`] where the poller knew that more would never be used.
    pub(crate) payload: Option<Vec<u8>>,
    /// The length of the whole value.
    pub(crate) payload_bytes: usize,
    pub(crate) headers: HeaderList,
}

impl RawInput {
    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + len(value)).sum();
        len(&self.key) + len(&self.payload) + headers
    }
}

/// The dead letter of an input. Whatever would make it longer than `max_bytes` is cut: first the value, then, as a last
/// resort, the input's own headers and key, so that no input can be impossible to reject.
pub(crate) fn dead_letter(
    input: RawInput,
    origin: &Origin,
    rejection: &Rejection,
    max_bytes: usize,
) -> OutputRecord {
    let RawInput { key, payload, payload_bytes, headers: input_headers, .. } = input;
    let is_cut = payload.as_ref().is_some_and(|p| p.len() < payload_bytes);
    let own = own_headers(origin, rejection, attempts(&input_headers));
    let all_headers = input_headers.into_iter().chain(own.iter().cloned()).collect();
    let topic = OutputTopic::DeadLetters;
    let mut record = OutputRecord { topic, partition: None, key, payload, headers: all_headers };
    if !is_cut && record.bytes() <= max_bytes {
        return record;
    }
    let truncated = (headers::TRUNCATED.to_owned(), Some(payload_bytes.to_string().into_bytes()));
    record.headers.push(truncated.clone());
    if let Some(payload) = &mut record.payload {
        payload.truncate(TRUNCATED_BYTES);
    }
    if record.bytes() > max_bytes {
        record.key = None;
        record.headers = own.into_iter().chain([truncated]).collect();
    }
    if record.bytes() > max_bytes {
        record.payload = None;
    }
    record
}

/// How often the input has been tried with this time: one more than it says itself, as an input does that was sent again.
/// Whoever writes listings can write that header too, so it is read as a number or not at all.
fn attempts(input_headers: &HeaderList) -> u32 {
    let before = headers::last(input_headers, headers::ATTEMPTS).and_then(|text| text.parse::<u32>().ok());
    before.unwrap_or(0).saturating_add(1)
}

fn own_headers(origin: &Origin, rejection: &Rejection, attempts: u32) -> HeaderList {
    // The message of a panic may be as long as the listing that caused it.
    let error: String = rejection.to_string().chars().take(2_000).collect();
    let source = &origin.source;
    let text = |name: &str, value: String| (name.to_owned(), Some(value.into_bytes()));
    // The trace context stands among the input's own headers already.
    let mut list = Origin { trace: Vec::new(), ..origin.clone() }.headers(RecordKind::DeadLetter);
    list.extend([
        text(headers::ERROR, error),
        text(headers::TOPIC, source.topic.to_string()),
        text(headers::PARTITION, source.partition.to_string()),
        text(headers::OFFSET, source.offset.to_string()),
        text(headers::ATTEMPTS, attempts.to_string()),
    ]);
    list
}

/// Counts dead letters among the last inputs: one bad listing must pass, a bad release must not.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetterWindow {
    limit: usize,
    recent: VecDeque<bool>,
    n_dead: usize,
}

impl DeadLetterWindow {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, recent: VecDeque::with_capacity(WINDOW), n_dead: 0 }
    }

    /// Counts one input; an error if now more than the limit of the last 10,000 inputs (of all, if fewer) are dead
    /// letters.
    pub(crate) fn count(&mut self, dead_letter: Option<&'static str>) -> Result<(), Error> {
        if self.recent.len() == WINDOW && self.recent.pop_front() == Some(true) {
            self.n_dead -= 1;
        }
        self.recent.push_back(dead_letter.is_some());
        self.n_dead += usize::from(dead_letter.is_some());
        self.judge(dead_letter)
    }

    fn judge(&self, dead_letter: Option<&'static str>) -> Result<(), Error> {
        match dead_letter {
            Some(reason) if self.n_dead > self.limit => Err(Error::TooManyDeadLetters {
                n_dead_letters: self.n_dead,
                n_inputs: self.recent.len(),
                limit: self.limit,
                last_reason: reason.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::{Source, last};

    fn origin() -> Origin {
        let source = Source { topic: "listings".into(), partition: 3, offset: 41 };
        let trace = vec![("traceparent".into(), Some(b"00-1-2-01".to_vec()))];
        Origin { source, catalog_offsets: "0:7".into(), trace }
    }

    fn input(bytes: usize) -> RawInput {
        let headers = vec![("traceparent".into(), Some(b"00-1-2-01".to_vec())), ("other".into(), None)];
        RawInput {
            key: Some(b"EX-1".to_vec()),
            payload: Some(vec![b'x'; bytes]),
            payload_bytes: bytes,
            headers,
        }
    }

    #[test]
    fn the_input_is_untouched_and_the_headers_say_what_and_where() {
        let letter = dead_letter(input(10), &origin(), &Rejection::NullValue, 10_000);
        assert_eq!(letter.key.as_deref(), Some(&b"EX-1"[..]));
        assert_eq!(letter.payload.unwrap().len(), 10);
        assert_eq!(&letter.headers[..2], &input(0).headers[..]);
        let expected = [
            (headers::SOURCE, "listings/3@41"),
            (headers::KIND, "dead_letter"),
            (headers::CATALOG_OFFSETS, "0:7"),
            (headers::ERROR, "null_value: the message has no value"),
            (headers::TOPIC, "listings"),
            (headers::PARTITION, "3"),
            (headers::OFFSET, "41"),
            (headers::ATTEMPTS, "1"),
        ];
        for (name, value) in expected {
            assert_eq!(last(&letter.headers, name), Some(value), "{name}");
        }
        assert_eq!(last(&letter.headers, headers::TRUNCATED), None);
        assert_eq!(letter.headers.iter().filter(|(name, _)| name == "traceparent").count(), 1);
    }

    #[test]
    fn the_attempts_that_an_input_brings_along_are_counted_on_and_nonsense_is_none() {
        let cases: [(&[u8], &str); 7] = [
            (b"1", "2"),
            (b"41", "42"),
            (b"4294967295", "4294967295"),
            (b"4294967296", "1"),
            (b"-3", "1"),
            (b"many", "1"),
            (b"\xff", "1"),
        ];
        for (before, after) in cases {
            let mut input = input(10);
            input.headers.push((headers::ATTEMPTS.into(), Some(before.to_vec())));
            let letter = dead_letter(input, &origin(), &Rejection::NullValue, 10_000);
            assert_eq!(last(&letter.headers, headers::ATTEMPTS), Some(after), "{before:?}");
        }
    }

    #[test]
    fn too_long_inputs_are_cut_to_64_kib_and_say_their_length() {
        let letter = dead_letter(input(1 << 20), &origin(), &Rejection::NullValue, 100_000);
        assert_eq!(letter.payload.as_ref().unwrap().len(), TRUNCATED_BYTES);
        assert_eq!(last(&letter.headers, headers::TRUNCATED), Some("1048576"));
        assert!(letter.key.is_some() && letter.bytes() <= 100_000);
    }

    #[test]
    fn no_input_is_impossible_to_reject() {
        let mut huge = input(1 << 20);
        huge.headers.push(("big".into(), Some(vec![0; 200_000])));
        let letter = dead_letter(huge, &origin(), &Rejection::NullValue, 100_000);
        assert!(letter.bytes() <= 100_000);
        assert_eq!(last(&letter.headers, headers::SOURCE), Some("listings/3@41"));
        let letter = dead_letter(input(1 << 20), &origin(), &Rejection::NullValue, 2_000);
        assert!(letter.payload.is_none() && letter.bytes() <= 2_000);
    }

    #[test]
    fn the_limit_itself_passes_and_one_more_stops() {
        let mut window = DeadLetterWindow::new(2);
        window.count(Some("json")).unwrap();
        window.count(None).unwrap();
        window.count(Some("json")).unwrap();
        let error = window.count(Some("panic")).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().starts_with("3 of the last 4 inputs"), "{error}");
        assert!(error.to_string().contains("last reason: panic"), "{error}");
    }

    #[test]
    fn old_dead_letters_are_forgotten() {
        let mut window = DeadLetterWindow::new(1);
        for _ in 0..3 {
            window.count(Some("json")).unwrap();
            for _ in 0..WINDOW - 1 {
                window.count(None).unwrap();
            }
        }
        window.count(Some("json")).unwrap();
        assert!(window.count(Some("json")).is_err());
    }

    #[test]
    fn every_word_is_listed() {
        let all = [
            Rejection::NullValue,
            Rejection::TooLarge { bytes: 2, max_bytes: 1 },
            Rejection::Unreadable(ParseError::NotUtf8 { at: 0 }),
            Rejection::Panic { message: "oops".into() },
            Rejection::OutputTooLarge { topic: "review", bytes: 2, max_bytes: 1 },
            Rejection::Refused { message: "no".into() },
        ];
        for rejection in all {
            assert!(Rejection::WORDS.contains(&rejection.word()));
            assert!(rejection.to_string().starts_with(rejection.word()), "{rejection}");
        }
    }
}
