//! Open flags are judged again when the catalog has changed, at a limited rate, and listings long unheard of are forgotten.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use touchstone_types::ListingId;

use crate::Error;
use crate::book::Book;
use crate::catalog_follower::News;
use crate::gate::Gate;
use crate::health::Health;
use crate::metrics::{Metrics, Remembered};
use crate::outcome::{Outcome, Work};
use crate::queue::WorkQueue;
use crate::stage::{Again, CurrentBench, Desk, Task};
use crate::state::{Open, hash_of, hash_of_record};

/// How often flags are taken up while any are due, and else.
const STEP: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_millis(200);

/// How often everything is looked over.
const LOOK: Duration = Duration::from_secs(1);

/// So many open flags are passed in one step at most.
const MAX_PASSED: usize = 20_000;

/// How many listings are looked at for their age, at least, at each look; all of them within an hour.
const AGED: usize = 100;
const LOOKS_AN_HOUR: usize = 3_600;

/// After so long without its result a flag is taken up again.
const GIVEN_UP: Duration = Duration::from_secs(30);

/// A partition may come from a worker that had read more of the catalog. So the catalog must be known to be complete this long after
/// the state was read, before flags are judged again with it.
const CATALOG_MARGIN: Duration = Duration::from_secs(2);

/// What the sweeper shares with the rest of the worker.
pub(crate) struct SweeperParts {
    pub(crate) bench: Arc<ArcSwap<CurrentBench>>,
    pub(crate) news: Arc<News>,
    pub(crate) queue: Arc<WorkQueue<Task>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) per_second: u32,
}

/// An open flag by its partition and listing.
type Place = (i32, Arc<str>);

/// Belongs to the committer, like the state that it walks over.
pub(crate) struct Sweeper {
    parts: SweeperParts,
    /// How many flags may be taken up now.
    allowance: f64,
    last_step: Instant,
    last_look: Instant,
    /// The catalog in use when flags were last taken up.
    catalog: u64,
    /// Flags whose evidence names a record that has changed: they go first.
    first: BTreeSet<Place>,
    /// Where the walk over all open flags is.
    walk: Option<Place>,
    n_due: usize,
    /// Flags taken up whose result is not back, with the catalog in use then.
    in_hand: HashMap<Place, (u64, Instant)>,
    /// Where the walk over all listings is.
    aging: Option<(i32, Vec<u8>)>,
}

impl Sweeper {
    pub(crate) fn new(parts: SweeperParts) -> Self {
        let now = Instant::now();
        Self {
            parts,
            allowance: 0.0,
            last_step: now,
            last_look: now,
            catalog: 0,
            first: BTreeSet::new(),
            walk: None,
            n_due: 0,
            in_hand: HashMap::new(),
            aging: None,
        }
    }

    /// Takes up what is due and may be. Returns when to be called again at the latest.
    pub(crate) fn step(&mut self, book: &Book, desk: &Arc<Desk>) -> Result<Duration, Error> {
        if desk.board.is_flushing() {
            return Ok(STEP);
        }
        let current = self.parts.bench.load_full();
        let catalog = if current.bench.catalog.is_empty() { 0 } else { hash_of(&current.bench.catalog) };
        if catalog != self.catalog {
            self.catalog = catalog;
            self.take_news(book);
            self.look(book);
        }
        if self.last_look.elapsed() >= LOOK {
            self.last_look = Instant::now();
            let n_listings = self.look(book);
            self.age(book, desk, n_listings)?;
        }
        let elapsed = self.last_step.elapsed();
        if elapsed >= STEP {
            self.last_step = Instant::now();
            let per_second = f64::from(self.parts.per_second);
            self.allowance =
                (self.allowance + elapsed.as_secs_f64() * per_second).min((per_second / 4.0).max(1.0));
            if self.n_due > 0 {
                self.take_up(book, desk)?;
            }
        }
        Ok(if self.n_due > 0 { STEP } else { IDLE })
    }

    /// The flags that stand on what has changed go first.
    fn take_news(&mut self, book: &Book) {
        for key in self.parts.news.take() {
            let record = hash_of_record(&key);
            for (partition, held) in book.shelf.iter() {
                self.first.extend(held.state.standing_on(record).map(|id| (partition, Arc::clone(id))));
            }
        }
    }

    /// Counts what is due, and forgets what was given up. Returns how many listings are remembered.
    fn look(&mut self, book: &Book) -> usize {
        self.in_hand.retain(|_, (catalog, since)| *catalog == self.catalog && since.elapsed() < GIVEN_UP);
        let mut now = Remembered::default();
        for (_, held) in book.shelf.iter() {
            now.n_listings += held.state.len();
            now.n_open += held.state.open_flags().len();
            now.memory_bytes += held.state.memory_bytes();
            let is_due = |open: &&Open| self.catalog != 0 && open.catalog != self.catalog;
            now.n_due += held.state.open_flags().values().filter(is_due).count();
        }
        self.n_due = now.n_due;
        self.parts.metrics.set_remembered(now);
        now.n_listings
    }

    fn take_up(&mut self, book: &Book, desk: &Arc<Desk>) -> Result<(), Error> {
        let mut n_passed = 0;
        while self.allowance >= 1.0 && !self.parts.gate.is_full() && n_passed < MAX_PASSED {
            let place = match self.first.pop_first() {
                Some(place) => place,
                None => match next_open(book, self.walk.as_ref()) {
                    Some(place) => self.walk.insert(place).clone(),
                    // The next look says whether another round is wanted.
                    None => {
                        (self.walk, self.n_due) = (None, 0);
                        return Ok(());
                    }
                },
            };
            n_passed += 1;
            if self.is_wanted(book, &place) && self.send(book, desk, &place)? {
                self.in_hand.insert(place, (self.catalog, Instant::now()));
                self.allowance -= 1.0;
            }
        }
        Ok(())
    }

    fn is_wanted(&self, book: &Book, place: &Place) -> bool {
        let Some(held) = book.shelf.held(place.0) else { return false };
        let is_due = held.state.open_flags().get(&place.1).is_some_and(|open| open.catalog != self.catalog);
        let is_known = self.parts.health.catalog_age() + CATALOG_MARGIN <= held.restored.elapsed();
        is_due && is_known && !self.in_hand.contains_key(place)
    }

    fn send(&self, book: &Book, desk: &Arc<Desk>, (partition, id): &Place) -> Result<bool, Error> {
        let Some(held) = book.shelf.held(*partition) else { return Ok(false) };
        let case = held.state.case(id).map_err(|source| book.error(*partition, source))?;
        let slot = desk.board.side_slot(*partition, held.epoch);
        let (Some((flag, kept, token)), Some(slot)) = (case, slot) else { return Ok(false) };
        let bytes = kept.len() * size_of_val(kept.as_slice()) + flag.listing().title.len() + 4_096;
        let charge = self.parts.gate.enter(bytes);
        let again = Again { slot, flag: Box::new(flag), kept, token, charge, desk: Arc::clone(desk) };
        self.parts.queue.push(Task::Again(again));
        Ok(true)
    }

    /// Goes on with the walk over all listings in search of those that have expired.
    fn age(&mut self, book: &Book, desk: &Arc<Desk>, n_listings: usize) -> Result<(), Error> {
        let n = AGED.max(n_listings / LOOKS_AN_HOUR);
        let last = self.aging.take();
        let from = last.as_ref().map_or(i32::MIN, |(partition, _)| *partition);
        let Some((partition, held)) = book.shelf.iter().find(|(partition, _)| *partition >= from) else {
            return Ok(());
        };
        let key = last.filter(|(of, _)| *of == partition).map(|(_, key)| key);
        let found = held.state.after(key.as_deref(), n);
        let found = found.map_err(|source| book.error(partition, source))?;
        self.aging = match found.last() {
            Some((key, _)) => Some((partition, key.clone())),
            None => partition.checked_add(1).map(|next| (next, Vec::new())),
        };
        let expired = found.iter().filter(|(_, entry)| book.has_expired(entry));
        let ids: Vec<ListingId> = expired
            .filter_map(|(key, _)| ListingId::new(String::from_utf8(key.clone()).ok()?).ok())
            .collect();
        if let Some(slot) = desk.board.side_slot(partition, held.epoch).filter(|_| !ids.is_empty()) {
            let current = self.parts.bench.load();
            let source = current.last_record.clone();
            desk.board.complete_side(&slot, Outcome::beside(Work::Expiry(ids), source, &current, None));
        }
        Ok(())
    }
}

/// The open flag after `last`, in the order of partitions and listings.
fn next_open(book: &Book, last: Option<&Place>) -> Option<Place> {
    let from = last.map_or(i32::MIN, |(partition, _)| *partition);
    book.shelf.iter().filter(|(partition, _)| *partition >= from).find_map(|(partition, held)| {
        let after = match last.filter(|(of, _)| *of == partition) {
            Some((_, id)) => Bound::Excluded(Arc::clone(id)),
            None => Bound::Unbounded,
        };
        let (id, _) = held.state.open_flags().range((after, Bound::Unbounded)).next()?;
        Some((partition, Arc::clone(id)))
    })
}
