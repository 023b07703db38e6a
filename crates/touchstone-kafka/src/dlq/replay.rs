//! Sending dead letters again.
//!
//! A letter goes back to the partition that its input came from, with the key, bytes and headers of the input, and with two
//! more: [`ATTEMPTS`](headers::ATTEMPTS) says how often it was tried, and [`REPLAYED_FROM`](headers::REPLAYED_FROM) names the
//! letter. The second is the memory that keeps a letter from being sent twice by accident: what was sent again stands in
//! that one partition, behind the input. If the input is still there, so is everything behind it, and reading that tells.
//! If the input is gone, nobody can tell, and the letter is left alone.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::message::Message as _;

use super::DeadLetter;
use crate::Error;
use crate::headers::{self, HeaderList, Source};
use crate::reader::{Record, bounds, consumer, read_from, read_topic};
use crate::send::Sender;
use crate::settings::Settings;

/// Which dead letters are sent again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayOptions {
    /// Only those with this reason, a word.
    pub reason: Option<String>,
    /// Only these, if any are named: by the letter's own place, or by that of its input.
    pub from: Vec<Source>,
    /// Of those only so many, the latest.
    pub last: Option<usize>,
    /// Also letters that were sent again before, or of which nobody can tell.
    pub again: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What became of a letter that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing stands in the way; in a dry run that is all.
    Ready,
    /// It was sent again.
    Sent,
    /// It was sent again before, and is not now.
    ReplayedBefore,
    /// Its input has left the topic of listings, and with it the memory of whether it was sent again.
    InputGone,
    /// Only its beginning was kept.
    Truncated,
    /// Its input came from another topic than the listings of the settings, or it does not say from where.
    OtherTopic,
}

impl Fate {
    /// A word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Sent => "sent",
            Self::ReplayedBefore => "replayed_before",
            Self::InputGone => "input_gone",
            Self::Truncated => "truncated",
            Self::OtherTopic => "other_topic",
        }
    }
}

/// A letter that was chosen, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The letter.
    pub letter: DeadLetter,
    /// What became of it.
    pub fate: Fate,
}

/// What a replay did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// The letters that were chosen, oldest first.
    pub letters: Vec<Replayed>,
    /// What [`ReplayOptions::from`] names and no letter is.
    pub not_found: Vec<Source>,
}

/// Sends dead letters again, in the order in which they stand in each partition, and waits until all are acknowledged.
///
/// Two replays at the same time do not see each other; one after the other do, also if the first was killed.
///
/// # Errors
/// Those of [`read_topic`] and [`Sender::finish`]. What was sent before the error is remembered in the topic.
pub fn replay(settings: &Settings, options: &ReplayOptions) -> Result<Replay, Error> {
    let letters = chosen(settings, options)?;
    let is_named = |named: &Source| letters.iter().any(|letter| is_at(letter, named));
    let not_found = options.from.iter().filter(|named| !is_named(named)).cloned().collect();
    let mut letters: Vec<Replayed> = letters
        .into_iter()
        .map(|letter| Replayed { fate: readable(&letter, &settings.topics.listings), letter })
        .collect();
    if !options.again {
        leave_out_replayed(settings, &mut letters)?;
    }
    if !options.dry_run {
        send(settings, &mut letters)?;
    }
    Ok(Replay { letters, not_found })
}

fn chosen(settings: &Settings, options: &ReplayOptions) -> Result<Vec<DeadLetter>, Error> {
    let mut letters = Vec::new();
    read_topic(settings, &settings.topics.dead_letters, |record| {
        let letter = DeadLetter::of(&record);
        let has_reason = options.reason.as_deref().is_none_or(|reason| letter.reason() == reason);
        let is_meant = options.from.is_empty() || options.from.iter().any(|named| is_at(&letter, named));
        if has_reason && is_meant {
            letters.push(letter);
        }
    })?;
    letters.sort_by_key(|letter| (letter.timestamp_ms, letter.at.clone()));
    let n_left_out = options.last.map_or(0, |last| letters.len().saturating_sub(last));
    letters.drain(..n_left_out);
    Ok(letters)
}

fn is_at(letter: &DeadLetter, named: &Source) -> bool {
    letter.at == *named || letter.source.as_ref() == Some(named)
}

fn readable(letter: &DeadLetter, listings: &str) -> Fate {
    match &letter.source {
        Some(source) if *source.topic == *listings && letter.is_truncated => Fate::Truncated,
        Some(source) if *source.topic == *listings => Fate::Ready,
        _ => Fate::OtherTopic,
    }
}

/// Marks the letters that were sent again before, and those of which nobody can tell.
fn leave_out_replayed(settings: &Settings, letters: &mut [Replayed]) -> Result<(), Error> {
    let topic = &settings.topics.listings;
    if !letters.iter().any(|replayed| replayed.fate == Fate::Ready) {
        return Ok(());
    }
    let bounds = bounds(&consumer(settings, topic)?, topic)?;
    let mut starts: BTreeMap<i32, i64> = BTreeMap::new();
    for replayed in letters.iter_mut().filter(|replayed| replayed.fate == Fate::Ready) {
        let Some(Source { partition, offset, .. }) = replayed.letter.source else { continue };
        // An offset beyond the end is one of an earlier topic of that name.
        if bounds.get(&partition).is_some_and(|(start, end)| (*start..*end).contains(&offset)) {
            let start = starts.entry(partition).or_insert(offset);
            *start = offset.min(*start);
        } else {
            replayed.fate = Fate::InputGone;
        }
    }
    let mut before: BTreeSet<Source> = BTreeSet::new();
    read_from(settings, topic, &starts, |message| {
        let list = headers::copy(message.headers());
        before.extend(headers::last(&list, headers::REPLAYED_FROM).and_then(Source::parse));
    })?;
    for replayed in letters.iter_mut().filter(|replayed| replayed.fate == Fate::Ready) {
        if before.contains(&replayed.letter.at) {
            replayed.fate = Fate::ReplayedBefore;
        }
    }
    Ok(())
}

/// Reads the letters a second time, since their bytes need not fit into memory together, and sends them on.
fn send(settings: &Settings, letters: &mut [Replayed]) -> Result<(), Error> {
    let mut starts: BTreeMap<i32, i64> = BTreeMap::new();
    let mut ready: BTreeMap<(i32, i64), &mut Replayed> = BTreeMap::new();
    for replayed in letters.iter_mut().filter(|replayed| replayed.fate == Fate::Ready) {
        let (partition, offset) = (replayed.letter.at.partition, replayed.letter.at.offset);
        let start = starts.entry(partition).or_insert(offset);
        *start = offset.min(*start);
        ready.insert((partition, offset), replayed);
    }
    if ready.is_empty() {
        return Ok(());
    }
    let mut sender = Sender::new(settings)?;
    let mut failure = None;
    let mut sent = Vec::new();
    read_from(settings, &settings.topics.dead_letters, &starts, |message| {
        let place = (message.partition(), message.offset());
        if failure.is_some() || !ready.contains_key(&place) {
            return;
        }
        match send_one(&mut sender, &Record::of(message), &ready[&place].letter) {
            Ok(()) => sent.push(place),
            Err(error) => failure = Some(error),
        }
    })?;
    sender.finish()?;
    if let Some(error) = failure {
        return Err(error);
    }
    for place in sent {
        if let Some(replayed) = ready.get_mut(&place) {
            replayed.fate = Fate::Sent;
        }
    }
    Ok(())
}

fn send_one(sender: &mut Sender, record: &Record, letter: &DeadLetter) -> Result<(), Error> {
    let Some(source) = &letter.source else { return Ok(()) };
    let headers = headers_again(&record.headers, letter);
    let place = (&*source.topic, source.partition);
    sender.record_to(place, record.key.as_deref(), record.value.as_deref(), &headers)
}

/// The input's own headers, how often it was tried, and the letter it comes from. A letter's own headers stand behind the
/// input's and begin with [`SOURCE`](headers::SOURCE).
fn headers_again(of_letter: &HeaderList, letter: &DeadLetter) -> HeaderList {
    let n_own = of_letter.iter().rposition(|(name, _)| name == headers::SOURCE).unwrap_or(of_letter.len());
    let is_of_replay = |name: &str| [headers::ATTEMPTS, headers::REPLAYED_FROM].contains(&name);
    let own = of_letter[..n_own].iter().filter(|(name, _)| !is_of_replay(name)).cloned();
    let text = |name: &str, value: String| (name.to_owned(), Some(value.into_bytes()));
    let more = [
        text(headers::ATTEMPTS, letter.attempts.to_string()),
        text(headers::REPLAYED_FROM, letter.at.to_string()),
    ];
    own.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(at: i64, headers: &[(&str, &str)]) -> (HeaderList, DeadLetter) {
        let list = headers.iter().map(|(name, value)| ((*name).into(), Some((*value).into()))).collect();
        let at = Source { topic: "listings.dlq".into(), partition: 0, offset: at };
        let record = Record { at, timestamp_ms: None, key: None, value: None, headers: list };
        (record.headers.clone(), DeadLetter::of(&record))
    }

    const OWN: [(&str, &str); 8] = [
        ("touchstone-source", "listings/3@41"),
        ("touchstone-kind", "dead_letter"),
        ("touchstone-catalog-offsets", "0:7"),
        ("touchstone-error", "json: no"),
        ("touchstone-topic", "listings"),
        ("touchstone-partition", "3"),
        ("touchstone-offset", "41"),
        ("touchstone-attempts", "1"),
    ];

    fn check(of_input: &[(&str, &str)], attempts: &str, expected: &[(&str, &str)]) {
        let mut all = [of_input, &OWN].concat();
        all.last_mut().unwrap().1 = attempts;
        let (headers, letter) = letter(9, &all);
        let again = headers_again(&headers, &letter);
        let again: Vec<(&str, &str)> = again
            .iter()
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.as_deref().unwrap()).unwrap()))
            .collect();
        assert_eq!(again, expected);
    }

    #[test]
    fn what_the_dead_letter_added_is_taken_off_and_the_count_goes_on() {
        let marks = |n| [("touchstone-attempts", n), ("touchstone-replayed-from", "listings.dlq/0@9")];
        check(&[], "1", &marks("1"));
        check(&[("traceparent", "00-1")], "1", &[&[("traceparent", "00-1")][..], &marks("1")].concat());
        // The marks of an earlier replay are renewed; a header of the input that only looks like ours is the input's.
        let earlier = [("touchstone-attempts", "1"), ("touchstone-replayed-from", "listings.dlq/0@3")];
        check(&earlier, "2", &marks("2"));
        let forged = [("touchstone-source", "forged/0@0"), ("touchstone-x", "y")];
        check(&forged, "1", &[&forged[..], &marks("1")].concat());
    }

    #[test]
    fn letters_that_are_cut_or_from_elsewhere_are_not_ready() {
        let (_, whole) = letter(1, &OWN);
        assert_eq!(readable(&whole, "listings"), Fate::Ready);
        assert_eq!(readable(&whole, "offers"), Fate::OtherTopic);
        let (_, cut) = letter(1, &[&OWN[..], &[("touchstone-truncated", "99")]].concat());
        assert_eq!(readable(&cut, "listings"), Fate::Truncated);
        let (_, nameless) = letter(1, &OWN[1..]);
        assert_eq!(readable(&nameless, "listings"), Fate::OtherTopic);
    }

    #[test]
    fn letters_are_named_by_their_own_place_or_by_their_inputs() {
        let (_, letter) = letter(9, &OWN);
        for (name, is_meant) in [("listings.dlq/0@9", true), ("listings/3@41", true), ("listings/3@9", false)]
        {
            assert_eq!(is_at(&letter, &Source::parse(name).unwrap()), is_meant, "{name}");
        }
    }
}
