//! Which message comes next: a pure function of the templates, the settings and the seed.

use std::collections::VecDeque;

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};

use super::pictures::PhotoMix;
use super::poison::Poison;
use super::template::Template;

/// Over how many of the last listings a repeated one is drawn.
const RECENT: usize = 64;
/// By how many messages at most an older version comes later than the newer one.
const MAX_DELAY: u64 = 8;

/// What the messages are like. Shares are of all messages, 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct MixSettings {
    /// The same seed gives the same messages. It is part of every listing id, so another seed gives other listings.
    pub seed: u64,
    /// How many messages there are.
    pub n_messages: u64,
    /// On how many listing ids; `None` is a new id for each listing.
    pub n_ids: Option<u32>,
    /// The exponent of the Zipf law by which ids are drawn: 0 draws them evenly, at 1 the first comes twice as often as the
    /// second. Without effect where each listing has a new id.
    pub skew: f64,
    /// The share of messages that repeat one of the latest, byte for byte.
    pub duplicates: f64,
    /// The share of messages that are an older version of a listing, sent after the newer one.
    pub reorder: f64,
    /// The share of messages that cannot be judged.
    pub poison: f64,
    /// The photos, in place of the templates' own.
    pub photos: Option<PhotoMix>,
}

impl Default for MixSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            n_messages: 10_000,
            n_ids: None,
            skew: 0.0,
            duplicates: 0.0,
            reorder: 0.0,
            poison: 0.0,
            photos: None,
        }
    }
}

impl MixSettings {
    /// Whether there can be such a mix.
    ///
    /// # Errors
    /// Settings out of range.
    pub fn check(&self) -> Result<(), MixError> {
        let photos = self.photos.as_ref();
        let shares = [
            ("duplicates", self.duplicates),
            ("reorder", self.reorder),
            ("poison", self.poison),
            ("photo-slow", photos.map_or(0.0, |photos| photos.slow)),
            ("photo-dead", photos.map_or(0.0, |photos| photos.dead)),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(MixError::Setting { name, value: share.to_string(), allowed: "a share, 0 to 1" });
            }
        }
        let sum = self.poison + self.duplicates + 2.0 * self.reorder;
        if sum > 1.0 {
            return Err(MixError::TooMuch { sum: sum.to_string() });
        }
        if let Some(sum) = photos.map(|photos| photos.slow + photos.dead).filter(|sum| *sum > 1.0) {
            let allowed = "1 at most together";
            return Err(MixError::Setting {
                name: "photo-slow + photo-dead",
                value: sum.to_string(),
                allowed,
            });
        }
        if !(0.0..=10.0).contains(&self.skew) {
            return Err(skew_error(self));
        }
        if self.n_ids == Some(0) {
            return Err(MixError::Setting { name: "ids", value: "0".to_owned(), allowed: "at least 1" });
        }
        Ok(())
    }
}

/// Why there can be no such mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// There is nothing to send.
    #[error("there are no listings to send")]
    NoTemplates,
    /// A setting outside its range.
    #[error("{name} = {value}: must be {allowed}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The shares leave no room for each other.
    #[error(
        "poison, duplicates and twice reorder make {sum}: must be 1 at most, since each older version needs its newer one"
    )]
    TooMuch {
        /// Their sum.
        sum: String,
    },
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A listing, or its next version.
    Fresh,
    /// The very bytes of an earlier message.
    Duplicate,
    /// An older version than has been sent already.
    Late,
    /// No listing at all.
    Poison(Poison),
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The listing id.
    pub key: Vec<u8>,
    /// The listing's JSON, or whatever is sent in its place.
    pub value: Option<Vec<u8>>,
    /// What it is.
    pub kind: Kind,
}

/// The messages, one after the other.
///
/// Listing `number` is template `number` of those there are, taken round and round; its version rises by one each time the
/// number comes again (by two where the version between is sent late).
#[derive(Debug, Clone)]
pub struct Mix {
    settings: MixSettings,
    templates: Vec<Template>,
    rng: ChaCha8Rng,
    zipf: Option<Zipf<f64>>,
    /// The last version of each number; empty where each listing has a new number.
    versions: Vec<u32>,
    n_made: u64,
    n_numbers: u64,
    recent: VecDeque<(u64, u64)>,
    /// When it is due, its number and its version.
    late: VecDeque<(u64, u64, u64)>,
}

impl Mix {
    /// A mix of these templates.
    ///
    /// # Errors
    /// No templates, or settings out of range.
    pub fn new(templates: Vec<Template>, settings: MixSettings) -> Result<Self, MixError> {
        settings.check()?;
        if templates.is_empty() {
            return Err(MixError::NoTemplates);
        }
        let n_ids = settings.n_ids.unwrap_or(0);
        let zipf = match (n_ids, settings.skew > 0.0) {
            (0, _) | (_, false) => None,
            (n, true) => Some(Zipf::new(f64::from(n), settings.skew).map_err(|_| skew_error(&settings))?),
        };
        Ok(Self {
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            zipf,
            versions: vec![0; n_ids as usize],
            settings,
            templates,
            n_made: 0,
            n_numbers: 0,
            recent: VecDeque::with_capacity(RECENT),
            late: VecDeque::new(),
        })
    }

    fn number(&mut self) -> u64 {
        let Some(n_ids) = self.settings.n_ids else {
            self.n_numbers += 1;
            return self.n_numbers - 1;
        };
        match &self.zipf {
            Some(zipf) => (zipf.sample(&mut self.rng) as u64).clamp(1, n_ids.into()) - 1,
            None => self.rng.random_range(0..n_ids).into(),
        }
    }

    /// The next version of a listing, after skipping `n_skipped`.
    fn version(&mut self, number: u64, n_skipped: u32) -> u64 {
        match usize::try_from(number).ok().and_then(|idx| self.versions.get_mut(idx)) {
            Some(last) => {
                *last += n_skipped + 1;
                u64::from(*last)
            }
            None => u64::from(n_skipped) + 1,
        }
    }

    fn template(&self, number: u64) -> &Template {
        &self.templates[(number % self.templates.len() as u64) as usize]
    }

    fn listing(&mut self, kind: Kind, number: u64, version: u64) -> Message {
        if kind != Kind::Duplicate {
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back((number, version));
        }
        let (id, value) = self.stamped(number, version);
        Message { key: id.into_bytes(), value: Some(value), kind }
    }

    fn stamped(&self, number: u64, version: u64) -> (String, Vec<u8>) {
        let (template, seed) = (self.template(number), self.settings.seed);
        let photos = self.settings.photos.as_ref().map(|photos| photos.urls(seed, number));
        let id = template.id(seed, number);
        let value = template.stamp(&id, version, &photos.unwrap_or_default());
        (id, value)
    }

    fn fresh(&mut self) -> Message {
        let number = self.number();
        let version = self.version(number, 0);
        self.listing(Kind::Fresh, number, version)
    }

    /// Sends a version ahead of the one before it, which follows a few messages later.
    fn ahead(&mut self) -> Message {
        let number = self.number();
        let version = self.version(number, 1);
        let due = self.n_made + self.rng.random_range(1..=MAX_DELAY);
        self.late.push_back((due, number, version - 1));
        self.listing(Kind::Fresh, number, version)
    }

    fn duplicate(&mut self) -> Message {
        let recent: &[(u64, u64)] = self.recent.make_contiguous();
        match recent.choose(&mut self.rng).copied() {
            Some((number, version)) => self.listing(Kind::Duplicate, number, version),
            None => self.fresh(),
        }
    }

    fn poison(&mut self) -> Message {
        let number = self.number();
        let poison = *Poison::ALL.choose(&mut self.rng).unwrap_or(&Poison::NullValue);
        let (id, good) = self.stamped(number, 1);
        let value = poison.value(&id, good);
        Message { key: id.into_bytes(), value, kind: Kind::Poison(poison) }
    }
}

impl Iterator for Mix {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        if self.n_made == self.settings.n_messages {
            return None;
        }
        self.n_made += 1;
        if let Some(&(_, number, version)) = self.late.front().filter(|(due, ..)| *due <= self.n_made) {
            self.late.pop_front();
            return Some(self.listing(Kind::Late, number, version));
        }
        // A late message takes the place of a draw, so that draws are fewer than messages, and their shares larger.
        let MixSettings { duplicates, reorder, poison, .. } = self.settings;
        let draw = self.rng.random::<f64>() * (1.0 - reorder);
        Some(match draw {
            d if d < poison => self.poison(),
            d if d < poison + duplicates => self.duplicate(),
            d if d < poison + duplicates + reorder => self.ahead(),
            _ => self.fresh(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.settings.n_messages - self.n_made).ok();
        (left.unwrap_or(usize::MAX), left)
    }
}

fn skew_error(settings: &MixSettings) -> MixError {
    MixError::Setting { name: "skew", value: settings.skew.to_string(), allowed: "0 to 10" }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use touchstone_types::Listing;

    use super::*;

    fn templates(n: usize) -> Vec<Template> {
        let json =
            |n| format!(r#"{{"listing_id":"EX-{n}","title":"Lumora {n}","seller":{{"seller_id":"S-1"}}}}"#);
        (0..n).map(|n| Template::from_json(json(n).as_bytes()).unwrap()).collect()
    }

    fn settings() -> MixSettings {
        MixSettings { n_messages: 20_000, ..MixSettings::default() }
    }

    fn mix(settings: MixSettings) -> Vec<Message> {
        Mix::new(templates(3), settings).unwrap().collect()
    }

    fn share(messages: &[Message], is: impl Fn(Kind) -> bool) -> f64 {
        messages.iter().filter(|message| is(message.kind)).count() as f64 / messages.len() as f64
    }

    fn parsed(message: &Message) -> Listing {
        Listing::from_json(message.value.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn the_seed_decides_everything() {
        let of =
            |seed| mix(MixSettings { seed, n_ids: Some(50), duplicates: 0.1, poison: 0.1, ..settings() });
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        let keys = |seed| of(seed).into_iter().map(|message| message.key).collect::<BTreeSet<_>>();
        assert!(keys(1).is_disjoint(&keys(2)));
    }

    #[test]
    fn without_a_word_every_listing_is_new_and_templates_go_round() {
        let messages = mix(settings());
        let keys: BTreeSet<&[u8]> = messages.iter().map(|message| message.key.as_slice()).collect();
        assert_eq!(keys.len(), 20_000);
        for (idx, message) in messages.iter().enumerate() {
            let listing = parsed(message);
            assert_eq!((listing.version, message.kind), (1, Kind::Fresh));
            assert_eq!(listing.listing_id.as_str().as_bytes(), message.key);
            assert_eq!(listing.title, format!("Lumora {}", idx % 3));
        }
    }

    #[test]
    fn shares_are_as_set() {
        let messages =
            mix(MixSettings { n_ids: Some(500), duplicates: 0.05, reorder: 0.1, poison: 0.02, ..settings() });
        assert_eq!(messages.len(), 20_000);
        let near = |found: f64, set: f64| (found - set).abs() < 0.007;
        assert!(near(share(&messages, |kind| kind == Kind::Duplicate), 0.05));
        assert!(near(share(&messages, |kind| kind == Kind::Late), 0.1));
        assert!(near(share(&messages, |kind| matches!(kind, Kind::Poison(_))), 0.02));
        for poison in Poison::ALL {
            let found = share(&messages, |kind| kind == Kind::Poison(poison));
            assert!((found - 0.02 / 6.0).abs() < 0.0015, "{poison:?}: {found}");
        }
    }

    #[test]
    fn versions_rise_by_one_and_ids_come_evenly() {
        let mut versions: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for message in mix(MixSettings { n_ids: Some(100), ..settings() }) {
            let last = versions.entry(message.key.clone()).or_default();
            assert_eq!(parsed(&message).version, *last + 1);
            *last += 1;
        }
        assert_eq!(versions.len(), 100);
        assert!(versions.values().all(|n| (130..=270).contains(n)), "{versions:?}");
    }

    #[test]
    fn skewed_ids_follow_zipf() {
        let mut counts: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        for message in mix(MixSettings { n_ids: Some(1_000), skew: 1.0, ..settings() }) {
            *counts.entry(message.key).or_default() += 1.0;
        }
        let count = |number: usize| counts[format!("EX-{}.1.{number}", number % 3).as_bytes()];
        // The sum of 1/k up to 1,000 is 7.485.
        for rank in [1, 2, 10] {
            let expected = 20_000.0 / 7.485 / rank as f64;
            assert!((count(rank - 1) / expected - 1.0).abs() < 0.15, "{} of {expected}", count(rank - 1));
        }
    }

    #[test]
    fn a_late_version_is_older_than_one_sent_shortly_before_and_comes_once() {
        for n_ids in [None, Some(40)] {
            let mut newest: BTreeMap<Vec<u8>, (u64, usize)> = BTreeMap::new();
            let mut seen = BTreeSet::new();
            for (idx, message) in mix(MixSettings { n_ids, reorder: 0.1, ..settings() }).iter().enumerate() {
                let version = parsed(message).version;
                assert!(seen.insert((message.key.clone(), version)));
                let (last, at) = newest.get(&message.key).copied().unwrap_or_default();
                if message.kind == Kind::Late {
                    assert!(
                        version < last && idx - at <= 2 * MAX_DELAY as usize,
                        "{version} {last} {idx} {at}"
                    );
                } else {
                    assert!(version == last + 1 || version == last + 2);
                    newest.insert(message.key.clone(), (version, idx));
                }
            }
        }
    }

    #[test]
    fn a_duplicate_repeats_a_recent_message_byte_for_byte() {
        let messages = mix(MixSettings { n_ids: Some(40), duplicates: 0.2, reorder: 0.1, ..settings() });
        for (idx, message) in messages.iter().enumerate().filter(|(_, m)| m.kind == Kind::Duplicate) {
            let before = &messages[idx.saturating_sub(3 * RECENT)..idx];
            assert!(before.iter().any(|m| (&m.key, &m.value) == (&message.key, &message.value)));
        }
    }

    #[test]
    fn poison_cannot_be_judged_and_everything_else_can() {
        for message in mix(MixSettings { poison: 0.3, ..settings() }) {
            match (message.kind, message.value.as_deref().map(Listing::from_json)) {
                (Kind::Poison(poison), None) => assert_eq!(poison, Poison::NullValue),
                (Kind::Poison(poison), Some(Err(error))) => assert_eq!(error.word(), poison.reason()),
                (Kind::Poison(poison), Some(Ok(_))) => panic!("{poison:?} was read"),
                (_, read) => assert!(read.unwrap().is_ok()),
            }
        }
    }

    #[test]
    fn photos_are_the_same_in_every_version() {
        let photos = PhotoMix {
            origin: "http://127.0.0.1:9".into(),
            n_per_listing: 2,
            n_pictures: 50,
            slow: 0.1,
            dead: 0.1,
        };
        let mut urls: BTreeMap<Vec<u8>, Vec<Option<String>>> = BTreeMap::new();
        for message in mix(MixSettings { n_ids: Some(20), photos: Some(photos), ..settings() }) {
            let of_listing: Vec<_> = parsed(&message).images.into_iter().map(|image| image.url).collect();
            assert_eq!(of_listing.len(), 2);
            assert_eq!(urls.entry(message.key).or_insert_with(|| of_listing.clone()), &of_listing);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_and_the_bounds_themselves_are_not() {
        let check = |settings: MixSettings| Mix::new(templates(1), settings).map(drop);
        let ok = [
            MixSettings { poison: 1.0, ..settings() },
            MixSettings { reorder: 0.5, ..settings() },
            MixSettings { skew: 10.0, n_ids: Some(1), ..settings() },
        ];
        ok.into_iter().for_each(|settings| check(settings).unwrap());
        for share in [-0.1, 1.1, f64::NAN] {
            let error = check(MixSettings { duplicates: share, ..settings() }).unwrap_err();
            assert!(error.to_string().contains("duplicates") && error.to_string().contains("0 to 1"));
        }
        assert!(matches!(check(MixSettings { reorder: 0.6, ..settings() }), Err(MixError::TooMuch { .. })));
        assert!(check(MixSettings { skew: f64::NAN, ..settings() }).is_err());
        assert!(check(MixSettings { n_ids: Some(0), ..settings() }).is_err());
        assert_eq!(Mix::new(Vec::new(), settings()).err(), Some(MixError::NoTemplates));
    }
}
