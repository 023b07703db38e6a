//! The headers of every record that the worker writes, and the name of an input offset.

use std::fmt;
use std::sync::Arc;

use rdkafka::message::{Header, Headers, OwnedHeaders};

/// Names the input that an output was made from.
pub const SOURCE: &str = "touchstone-source";
/// Says what an output is; see [`RecordKind`].
pub const KIND: &str = "touchstone-kind";
/// How far each partition of the catalog had been read: `partition:next offset`, joined by commas.
pub const CATALOG_OFFSETS: &str = "touchstone-catalog-offsets";
/// What was wrong with an input, and where.
pub const ERROR: &str = "touchstone-error";
/// The topic of the input of a dead letter.
pub const TOPIC: &str = "touchstone-topic";
/// The partition of the input of a dead letter.
pub const PARTITION: &str = "touchstone-partition";
/// The offset of the input of a dead letter.
pub const OFFSET: &str = "touchstone-offset";
/// How often the input of a dead letter was tried; on an input that is sent again, how often it was tried before.
pub const ATTEMPTS: &str = "touchstone-attempts";
/// When a re-check is due, in milliseconds of Unix time.
pub const DUE: &str = "touchstone-due";
/// The revision of the verdict that a re-check is to better.
pub const REVISION: &str = "touchstone-revision";
/// Names the dead letter that an input was made from, when it was sent again.
pub const REPLAYED_FROM: &str = "touchstone-replayed-from";
/// The length of the input in bytes, where a dead letter holds only its beginning.
pub const TRUNCATED: &str = "touchstone-truncated";
/// The trace context that is passed on (W3C Trace Context).
pub(crate) const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// The place of one record: `<topic>/<partition>@<offset>`. Ordered by topic, partition, offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition, from 0.
    pub partition: i32,
    /// The offset, from 0.
    pub offset: i64,
}

impl Source {
    /// Reads the form that `Display` writes; `None` for any other text.
    ///
    /// ```
    /// use touchstone_kafka::Source;
    /// let source = Source::parse("listings/3@1041").unwrap();
    /// assert_eq!((source.partition, source.offset), (3, 1041));
    /// assert_eq!(Source::parse("listings/3"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (place, offset) = text.rsplit_once('@')?;
        let (topic, partition) = place.rsplit_once('/')?;
        let partition = partition.parse().ok().filter(|p| *p >= 0)?;
        let offset = offset.parse().ok().filter(|o| *o >= 0)?;
        (!topic.is_empty()).then(|| Self { topic: topic.into(), partition, offset })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// The verdict on an input, or the flag that repeats it.
    Verdict,
    /// An earlier flag is taken back.
    Retract,
    /// A listing is to be judged again.
    Recheck,
    /// An input that could not be judged.
    DeadLetter,
}

impl RecordKind {
    /// The word of the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Retract => "retract",
            Self::Recheck => "recheck",
            Self::DeadLetter => "dead_letter",
        }
    }

    /// Reads the word of the header.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Verdict, Self::Retract, Self::Recheck, Self::DeadLetter]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// Headers in the order written; names may repeat, values may be absent.
pub type HeaderList = Vec<(String, Option<Vec<u8>>)>;

/// Copies the headers of a record.
pub(crate) fn copy<H: Headers>(headers: Option<&H>) -> HeaderList {
    let Some(headers) = headers else { return Vec::new() };
    headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
}

/// The headers as the client library wants them.
pub(crate) fn owned(headers: &HeaderList) -> OwnedHeaders {
    let start = OwnedHeaders::new_with_capacity(headers.len());
    headers.iter().fold(start, |list, (key, value)| list.insert(Header { key, value: value.as_deref() }))
}

/// The text of the last header of that name. The last, because the worker's own stand behind whatever the input had.
pub(crate) fn last<'a>(headers: &'a HeaderList, name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().rev().find(|(key, _)| key == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_read_back_and_other_texts_are_none() {
        for text in ["listings/0@0", "a.b-c_d/12@9223372036854775807"] {
            assert_eq!(Source::parse(text).unwrap().to_string(), text);
        }
        for bad in
            ["", "listings", "listings/1", "listings@1", "/1@1", "listings/-1@1", "listings/1@-1", "l/1@x"]
        {
            assert_eq!(Source::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn kinds_read_back() {
        for kind in [RecordKind::Verdict, RecordKind::Retract, RecordKind::Recheck, RecordKind::DeadLetter] {
            assert_eq!(RecordKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RecordKind::parse("flag"), None);
    }

    #[test]
    fn headers_survive_the_library_and_the_last_of_a_name_counts() {
        let list: HeaderList = vec![
            (SOURCE.into(), Some(b"forged/0@0".to_vec())),
            ("empty".into(), None),
            (SOURCE.into(), Some(b"listings/0@7".to_vec())),
        ];
        let back = copy(Some(&owned(&list)));
        assert_eq!(back, list);
        assert_eq!(last(&back, SOURCE), Some("listings/0@7"));
        assert_eq!(last(&back, "empty"), None);
    }
}
