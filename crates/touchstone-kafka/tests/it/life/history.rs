//! A seeded history of a market in phases: what may be sent at once stands in one phase, what must wait in the next.
//!
//! - `Listings`: messages on different listings commute, those on one listing keep their order.
//! - `Catalog`: ONE record, so that no sweep can see half of a change, and every revision follows from the history.
//! - `Rulings`: at most one on a listing. Guards come last: listings of which the ruling shows, so that whoever sees them retracted
//!   knows that the rulings before them were taken in, also those that nothing shows of.
//! - `Open`: photos that could not be fetched can be from now on.
//!
//! The oracle goes along, because a ruling names the flag and the revision that a reviewer would see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use touchstone_types::{CatalogKey, CatalogRecord, ReviewDecision, Ruling, flag_id};

use super::host::When;
use super::market::{self, Offer, PRODUCTS, STABLE, Trait};
use super::oracle::{Line, Oracle};
use crate::seeded::Seeded;

/// How many guards are in a phase of rulings: so many that every partition has some.
const N_GUARDS: usize = 48;

/// The changes of the catalog that withdraw a brand.
const BRAND_2: usize = 1;
const BRAND_0: usize = 7;

/// Listings that may have a ruling in one phase.
const N_RULED: usize = 60;

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) value: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    Listings(Vec<Message>),
    Catalog(CatalogKey, Option<Box<CatalogRecord>>),
    Rulings(Vec<ReviewDecision>),
    /// So many gates of the photo host are open.
    Open(usize),
}

/// How large a history is.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    pub(crate) n_rounds: usize,
    /// Events on listings in one phase.
    pub(crate) n_events: usize,
    /// About how many listings there are.
    pub(crate) n_listings: usize,
}

pub(crate) struct History {
    pub(crate) phases: Vec<Phase>,
    pub(crate) oracle: Oracle,
    /// How often each kind of event came.
    pub(crate) counts: BTreeMap<&'static str, usize>,
}

impl History {
    /// The history that follows from a seed; photos stand at `origin`.
    pub(crate) fn new(seed: u64, size: &Size, origin: &str) -> Self {
        let mut making = Making {
            seeded: Seeded::new(seed),
            origin: origin.to_owned(),
            n_listings: size.n_listings,
            offers: Vec::new(),
            phases: Vec::new(),
            oracle: Oracle::new(market::catalog()),
            counts: BTreeMap::new(),
            guards: Vec::new(),
            away: BTreeSet::new(),
            changes: Vec::new(),
            n_gates: 0,
        };
        for _ in 0..size.n_rounds {
            making.round(size.n_events);
        }
        making.oracle.give_up();
        let Making { phases, oracle, counts, .. } = making;
        Self { phases, oracle, counts }
    }

    pub(crate) fn n_messages(&self) -> usize {
        let n = |phase: &Phase| if let Phase::Listings(messages) = phase { messages.len() } else { 0 };
        self.phases.iter().map(n).sum()
    }
}

struct Making {
    seeded: Seeded,
    origin: String,
    n_listings: usize,
    /// The last version that the marketplace has sent of each listing.
    offers: Vec<Offer>,
    phases: Vec<Phase>,
    oracle: Oracle,
    counts: BTreeMap<&'static str, usize>,
    /// Guards with an open flag.
    guards: Vec<String>,
    /// Changes of the catalog that hold, by name.
    away: BTreeSet<usize>,
    /// Changes that are still to come before any comes again.
    changes: Vec<usize>,
    n_gates: usize,
}

impl Making {
    fn round(&mut self, n_events: usize) {
        self.listings(n_events);
        self.rulings();
        self.listings(n_events);
        self.catalog();
        self.catalog();
        self.listings(n_events);
        self.photos();
        self.catalog();
        self.listings(n_events);
        self.catalog();
        self.catalog();
    }

    /// Messages of every kind; the last of them are new guards.
    fn listings(&mut self, n: usize) {
        let mut messages = Vec::with_capacity(n + N_GUARDS);
        for _ in 0..n {
            messages.push(self.event());
        }
        self.add_guards(&mut messages);
        self.send(messages);
    }

    fn add_guards(&mut self, messages: &mut Vec<Message>) {
        for number in self.guards.len()..N_GUARDS {
            let guard =
                Offer::new(format!("EX-guard-{}-{number}", self.phases.len()), STABLE, &[Trait::Slang]);
            messages.push(message(&guard));
            self.guards.push(guard.id);
        }
    }

    fn send(&mut self, messages: Vec<Message>) {
        self.oracle.phase = self.phases.len();
        for message in &messages {
            self.oracle.message(&message.id, message.value.as_deref());
        }
        self.phases.push(Phase::Listings(messages));
    }

    fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    fn event(&mut self) -> Message {
        let is_new = self.offers.len() < self.n_listings && self.seeded.below(100) < 30;
        if self.offers.is_empty() || is_new {
            self.count("new");
            return self.new_listing();
        }
        let at = self.seeded.below(self.offers.len() as u64) as usize;
        let before = self.offers[at].clone();
        let mut offer = before.clone();
        let draw = self.seeded.below(100);
        let kind = match draw {
            0..12 => {
                offer.version += 1;
                offer.traits.clear();
                "edit that cleans"
            }
            12..28 => {
                offer.version += 1;
                offer.note += 1;
                "edit of another field"
            }
            28..46 => {
                offer.version += 1;
                offer.traits.insert(self.any_trait());
                "edit that adds"
            }
            46..51 => {
                offer.version += 2;
                let last = offer.traits.pop_last();
                offer.note += u64::from(last.is_none());
                "edit that takes away"
            }
            51..62 => "same bytes",
            62..67 => {
                offer.note += 1;
                "same version, another note"
            }
            67..72 => {
                offer.traits.insert(self.any_trait());
                "same version, more"
            }
            72..76 => {
                offer.traits.clear();
                "same version, clean"
            }
            76..84 => {
                let stale = offer.clone().at(before.version.saturating_sub(1 + self.seeded.below(2)).max(1));
                self.count("earlier version");
                return message(&stale);
            }
            84..89 => {
                offer.version += u64::from(self.seeded.below(3) > 0);
                offer.removed = true;
                self.count("removed");
                self.offers[at] = offer.clone();
                return message(&offer);
            }
            89..93 => {
                self.count("null value");
                return Message { id: offer.id, value: None };
            }
            93..95 => {
                self.count("unknown null value");
                return Message { id: format!("EX-unknown-{}", self.seeded.below(1_000)), value: None };
            }
            _ => {
                self.count("dead letter");
                return Message { id: offer.id, value: Some(b"{broken".to_vec()) };
            }
        };
        if before.removed && offer.version > before.version {
            offer.removed = false;
            self.count("on sale again");
        }
        self.count(kind);
        self.offers[at] = offer.clone();
        message(&offer)
    }

    fn new_listing(&mut self) -> Message {
        let product = self.seeded.below(PRODUCTS.len() as u64) as usize;
        let traits: Vec<Trait> = match self.seeded.below(100) {
            0..35 => Vec::new(),
            35..60 => vec![Trait::Photo, Trait::Cheap],
            60..75 => vec![Trait::Slang],
            75..85 => vec![Trait::LookAlike],
            _ => vec![self.any_trait(), self.any_trait()],
        };
        let offer = Offer::new(format!("EX-{}", self.offers.len()), product, &traits);
        self.offers.push(offer.clone());
        message(&offer)
    }

    fn any_trait(&mut self) -> Trait {
        Trait::ALL[self.seeded.below(Trait::ALL.len() as u64) as usize]
    }

    /// One record comes, goes or changes.
    fn catalog(&mut self) {
        let change = self.next_change();
        let was_away = !self.away.insert(change);
        if was_away {
            self.away.remove(&change);
        }
        let back = |record: CatalogRecord, was_away: bool| (record.key(), was_away.then_some(record));
        let gone = |record: CatalogRecord, was_away: bool| (record.key(), (!was_away).then_some(record));
        let put = |record: CatalogRecord| (record.key(), Some(record));
        let (name, (key, record)) = match change {
            0 => ("product withdrawn", back(market::product(0), was_away)),
            BRAND_2 => ("brand withdrawn", back(market::brand_of(2), was_away)),
            2 if was_away => ("price back", put(market::product(1))),
            2 => ("list price without floor", put(market::product_at(1, "20.00"))),
            3 if was_away => ("another price back", put(market::product(2))),
            3 => ("lower list price", put(market::product_at(2, "30.00"))),
            4 => ("benign photo", gone(self.benign_photo(), was_away)),
            5 => ("benign text", gone(benign_text(), was_away)),
            6 => ("another brand", gone(market::brand("ovanta", "Ovanta"), was_away)),
            BRAND_0 => ("large brand withdrawn", back(market::brand_of(0), was_away)),
            _ => panic!("no such change: {change}"),
        };
        self.count(name);
        self.oracle.phase = self.phases.len();
        self.oracle.catalog(&key, record.as_ref());
        self.phases.push(Phase::Catalog(key, record.map(Box::new)));
    }

    /// A brand that is away comes back at once, else there is little left to flag; otherwise every change comes before one comes again.
    fn next_change(&mut self) -> usize {
        if let Some(brand) = [BRAND_2, BRAND_0].into_iter().find(|change| self.away.contains(change)) {
            return brand;
        }
        if self.changes.is_empty() {
            self.changes = (0..8).collect();
            self.seeded.shuffle(&mut self.changes);
        }
        self.changes.pop().unwrap()
    }

    fn benign_photo(&self) -> CatalogRecord {
        let record = market::record(&json!({"kind": "benign", "id": "placeholder", "note": "a stock photo"}));
        market::with_photo(record, 1)
    }

    /// Rulings of every kind on listings that have or had a flag, and then the guards.
    fn rulings(&mut self) {
        let guards: BTreeSet<String> = std::mem::take(&mut self.guards).into_iter().collect();
        let is_ruled = |(id, lines): (&String, &Vec<Line>)| {
            let is_flagged = lines.iter().any(Line::is_open_flag);
            let waits = id.starts_with("EX-guard") || id.starts_with("EX-never");
            (is_flagged && !waits).then(|| id.clone())
        };
        let mut ids: Vec<String> = self.oracle.lines.iter().filter_map(is_ruled).collect();
        self.seeded.shuffle(&mut ids);
        ids.truncate(N_RULED);
        let mut rulings: Vec<ReviewDecision> = ids.iter().map(|id| self.ruling(id)).collect();
        rulings.extend(guards.iter().map(|id| market::ruling(id, self.last_flag(id), Ruling::Dismiss)));
        self.oracle.phase = self.phases.len();
        for ruling in &rulings {
            self.oracle.ruling(ruling);
        }
        self.phases.push(Phase::Rulings(rulings));
    }

    fn ruling(&mut self, id: &str) -> ReviewDecision {
        let (version, revision) = self.last_flag(id);
        let is_open = self.oracle.known[id].flag.is_some();
        let first = self.flags(id)[0];
        let (name, seen, ruling) = match self.seeded.below(100) {
            0..45 => ("dismiss", (version, revision), Ruling::Dismiss),
            45..60 if first.0 != version => ("dismiss an earlier version", first, Ruling::Dismiss),
            45..60 if first != (version, revision) => ("dismiss an earlier revision", first, Ruling::Dismiss),
            45..70 => ("uphold", (version, revision), Ruling::Uphold),
            70..85 => ("escalate", (version, revision), Ruling::Escalate),
            _ => {
                self.count("ruling on another flag");
                let mut ruling = market::ruling(id, (version, revision), Ruling::Dismiss);
                ruling.flag_id = flag_id("another", &ruling.listing_id, version);
                return ruling;
            }
        };
        self.count(name);
        if !is_open {
            self.count("ruling without an open flag");
        }
        market::ruling(id, seen, ruling)
    }

    /// Version and revision of each flag that a listing had.
    fn flags(&self, id: &str) -> Vec<(u64, u64)> {
        let lines = self.oracle.lines[id].iter().filter(|line| line.is_open_flag());
        lines.map(|line| (line.version, line.revision)).collect()
    }

    fn last_flag(&self, id: &str) -> (u64, u64) {
        *self.flags(id).last().unwrap()
    }

    /// Listings whose photos cannot be fetched; some are edited, removed or dismissed meanwhile; then the photos come. Others never
    /// have theirs.
    fn photos(&mut self) {
        let gate = self.n_gates;
        self.n_gates += 1;
        let address = |when: When, product: usize| format!("{}{}", self.origin, when.path(product));
        let mut late = Vec::new();
        for number in 0..30 {
            let product = number % PRODUCTS.len();
            let traits: &[Trait] = match number / 4 {
                0 | 1 => &[Trait::Cheap],
                2 => &[],
                3 => &[Trait::Slang],
                4 => &[Trait::Slang, Trait::Photo],
                5 => &[Trait::LookAlike, Trait::Cheap],
                _ => &[Trait::Slang, Trait::Cheap],
            };
            let mut offer = Offer::new(format!("EX-late-{gate}-{number}"), product, traits);
            offer.urls.push(address(When::Gate(gate), product));
            late.push(offer);
        }
        let mut never = Vec::new();
        for number in 0..6 {
            let traits: &[Trait] = if number % 2 == 0 { &[Trait::Slang] } else { &[] };
            let mut offer = Offer::new(format!("EX-never-{gate}-{number}"), STABLE, traits);
            offer.urls.push(address(When::Never, STABLE));
            if number >= 4 {
                offer.urls.push(address(When::Gate(gate), STABLE));
            }
            never.push(offer);
        }
        // A dismissed listing gets a photo that comes late: evidence of a new kind.
        let is_dismissed = |offer: &&mut Offer| {
            self.oracle.known.get(&offer.id).is_some_and(|known| known.dismissed.is_some() && !known.removed)
                && !offer.has(Trait::Photo)
        };
        let mut dismissed = Vec::new();
        for offer in self.offers.iter_mut().filter(is_dismissed).take(8) {
            let mut edited = offer.clone().at(offer.version + 1);
            edited.traits.extend([Trait::Cheap]);
            edited.removed = false;
            edited.urls.push(format!("{}{}", self.origin, When::Gate(gate).path(edited.product)));
            dismissed.push(message(&edited));
            // Its later versions are without that photo.
            offer.version += 1;
        }
        for _ in &dismissed {
            self.count("late photo of a dismissed listing");
        }
        let mut messages: Vec<Message> = late.iter().chain(&never).map(message).collect();
        messages.extend(dismissed);
        self.add_guards(&mut messages);
        self.send(messages);
        let edit = |number: usize, change: fn(&mut Offer)| {
            let mut offer = late[number].clone().at(2);
            change(&mut offer);
            message(&offer)
        };
        self.send(vec![
            edit(0, |offer| offer.urls.clear()),
            edit(1, |offer| offer.removed = true),
            edit(12, |offer| offer.urls.clear()),
            edit(13, |offer| offer.removed = true),
            edit(14, |offer| offer.note += 1),
            Message { id: late[15].id.clone(), value: None },
            message(&late[16]),
        ]);
        // A brand that is withdrawn just now has no flags.
        let ids = [17, 24, 25, 26, 27].map(|number| late[number].id.clone());
        let flagged: Vec<String> = ids.into_iter().filter(|id| !self.flags(id).is_empty()).collect();
        self.dismiss_and_open(&flagged);
    }

    fn dismiss_and_open(&mut self, ids: &[String]) {
        let guards = std::mem::take(&mut self.guards);
        let dismiss = |id: &String| market::ruling(id, self.last_flag(id), Ruling::Dismiss);
        let rulings: Vec<ReviewDecision> = ids.iter().chain(&guards).map(dismiss).collect();
        self.oracle.phase = self.phases.len();
        for ruling in &rulings {
            self.oracle.ruling(ruling);
        }
        self.phases.push(Phase::Rulings(rulings));
        self.oracle.phase = self.phases.len();
        self.oracle.open(self.n_gates);
        self.phases.push(Phase::Open(self.n_gates));
    }
}

fn message(offer: &Offer) -> Message {
    Message { id: offer.id.clone(), value: Some(offer.json()) }
}

fn benign_text() -> CatalogRecord {
    market::record(&json!({"kind": "benign", "id": "phrase", "text": "pronta entrega"}))
}
