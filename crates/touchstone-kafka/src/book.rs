//! From what was found to what is written: each piece of a burst is settled with what is remembered of its listing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use touchstone_pipeline::foundations;
use touchstone_types::{Listing, ListingId, ReviewDecision, Verdict};

use crate::Error;
use crate::board::BurstItem;
use crate::clock::now_ms;
use crate::dead_letter::{Rejection, dead_letter};
use crate::headers::{self, RecordKind};
use crate::metrics::{LifeEvent, Metrics};
use crate::outcome::{Ending, OutputRecord, OutputTopic, Work, verdict_records};
use crate::settings::Settings;
use crate::stage::CurrentBench;
use crate::state::{
    CURSORS_KEY, Case, Cause, Change, Cursors, Entry, Open, Rules, Settled, Shelf, Spoken, StateError,
    Waiting, hash_of, settle, settle_ruling,
};

/// After so many rulings without effect, how far they were read is written down all the same.
const RULINGS_UNSAVED: i64 = 1_000;

/// What is written for one piece of work, and what is remembered when that is committed.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) records: Vec<OutputRecord>,
    /// Of an input: what became of it.
    pub(crate) ending: Option<Ending>,
    changes: Vec<Change>,
    cursors: Option<Cursors>,
    /// An open flag that stands as it is with this catalog.
    confirmed: Option<(ListingId, u64)>,
    events: Vec<LifeEvent>,
}

/// What earlier pieces of a burst make of a listing.
type Overlay = HashMap<(i32, Vec<u8>), Option<Entry>>;

/// Settles bursts. Belongs to the committer.
pub(crate) struct Book {
    pub(crate) shelf: Shelf,
    topic: Arc<str>,
    recheck_after: Vec<Duration>,
    expiry_ms: i64,
    max_dead_letter_bytes: usize,
}

impl Book {
    pub(crate) fn new(settings: &Settings, max_dead_letter_bytes: usize) -> Self {
        Self {
            shelf: Shelf::default(),
            topic: settings.topics.state.as_str().into(),
            recheck_after: settings.photos.recheck_after(),
            expiry_ms: i64::from(settings.limits.state_days) * 86_400_000,
            max_dead_letter_bytes,
        }
    }

    /// What is to be written for each piece of a burst, in its order.
    pub(crate) fn prepare(&self, burst: &[BurstItem]) -> Result<Vec<Prepared>, Error> {
        let (mut overlay, mut cursors) = (Overlay::new(), HashMap::new());
        let mut prepared = Vec::with_capacity(burst.len());
        for item in burst {
            let wrong = |source| self.error(item.partition, source);
            prepared.push(self.item(item, &mut overlay, &mut cursors).map_err(wrong)?);
        }
        Ok(prepared)
    }

    pub(crate) fn error(&self, partition: i32, source: StateError) -> Error {
        Error::State { topic: self.topic.to_string(), partition, source }
    }

    fn item(
        &self,
        item: &BurstItem,
        overlay: &mut Overlay,
        cursors: &mut HashMap<i32, Cursors>,
    ) -> Result<Prepared, StateError> {
        let outcome = &*item.outcome;
        match &outcome.work {
            Work::DeadLetter(reason) => Ok(Prepared {
                records: outcome.records.clone(),
                ending: Some(Ending::DeadLetter(reason)),
                ..Prepared::default()
            }),
            Work::Dropped => Ok(Prepared { events: vec![LifeEvent::RecheckDropped], ..Prepared::default() }),
            Work::Judged { case, cause, current } => self.judged(item, case, *cause, current, overlay),
            Work::Null { listing_id, current } => self.null(item, listing_id, current, overlay),
            Work::Ruling(decision) => self.ruling(item, decision.as_deref(), overlay, cursors),
            Work::Expiry(listings) => self.expiry(item, listings, overlay),
        }
    }

    fn judged(
        &self,
        item: &BurstItem,
        case: &Case,
        cause: Cause,
        current: &CurrentBench,
        overlay: &mut Overlay,
    ) -> Result<Prepared, StateError> {
        let id = &case.verdict.listing_id;
        let prior = self.entry(item, id, overlay)?;
        let stands = |verdict: &Verdict| stands(verdict, current);
        let n_rechecks = u32::try_from(self.recheck_after.len()).unwrap_or(u32::MAX);
        let rules = Rules { n_rechecks, stands: &stands };
        let settled = settle(prior.as_ref(), case, cause, now_ms(), rules)?;
        let mut prepared = self.written(item, &settled, Some(case));
        prepared.ending = matches!(cause, Cause::Listing).then(|| ending(&settled, case));
        prepared.events.extend(event(cause, &settled));
        if settled.is_confirmed {
            let catalog = hash_of(&case.verdict.versions.catalog);
            prepared.confirmed = Some((id.clone(), catalog));
        }
        self.remember(item, id, settled, overlay, &mut prepared)?;
        Ok(prepared)
    }

    /// The listing was removed, as a version after the last one. Of a listing of which nothing is remembered, neither marketplace
    /// nor seller is known, so there is no verdict on it.
    fn null(
        &self,
        item: &BurstItem,
        id: &ListingId,
        current: &CurrentBench,
        overlay: &mut Overlay,
    ) -> Result<Prepared, StateError> {
        let outcome = &*item.outcome;
        let listing = self.entry(item, id, overlay)?.and_then(|prior| removed_listing(id, &prior));
        let Some(listing) = listing else {
            let rejection = Rejection::NullValue;
            let letter =
                dead_letter(outcome.raw.clone(), &outcome.origin, &rejection, self.max_dead_letter_bytes);
            return Ok(Prepared {
                records: vec![letter],
                ending: Some(Ending::Unknown),
                ..Prepared::default()
            });
        };
        let verdict = (current.bench.judge)(&listing, &[]).verdict;
        let case = Case { verdict, listing, kept: Vec::new() };
        self.judged(item, &case, Cause::Listing, current, overlay)
    }

    fn ruling(
        &self,
        item: &BurstItem,
        decision: Option<&ReviewDecision>,
        overlay: &mut Overlay,
        cursors: &mut HashMap<i32, Cursors>,
    ) -> Result<Prepared, StateError> {
        let source = &item.outcome.origin.source;
        let mut prepared = Prepared::default();
        if let Some(decision) = decision
            && let Some(prior) = self.entry(item, &decision.listing_id, overlay)?
        {
            let settled = settle_ruling(&prior, &decision.listing_id, decision)?;
            prepared = self.written(item, &settled, None);
            let is_ignored = settled.next.is_none();
            prepared.events.push(if is_ignored {
                LifeEvent::RulingIgnored
            } else {
                LifeEvent::RulingApplied
            });
            self.remember(item, &decision.listing_id, settled, overlay, &mut prepared)?;
        }
        let known = self.shelf.get(item.partition, item.epoch).map(|state| state.cursors().clone());
        let cursors = cursors.entry(item.partition).or_insert_with(|| known.unwrap_or_default());
        let last = cursors.decisions.insert(source.partition, source.offset + 1).unwrap_or(0);
        if !prepared.changes.is_empty() || last / RULINGS_UNSAVED != (source.offset + 1) / RULINGS_UNSAVED {
            prepared.records.push(self.state_record(item, CURSORS_KEY.to_vec(), Some(cursors.to_json())));
        }
        prepared.cursors = Some(cursors.clone());
        Ok(prepared)
    }

    /// Forgets listings of which nothing was heard for long.
    fn expiry(
        &self,
        item: &BurstItem,
        listings: &[ListingId],
        overlay: &mut Overlay,
    ) -> Result<Prepared, StateError> {
        let mut prepared = Prepared::default();
        for id in listings {
            let entry = self.entry(item, id, overlay)?;
            if !entry.is_some_and(|entry| self.has_expired(&entry)) {
                continue;
            }
            let key = id.as_str().as_bytes().to_vec();
            overlay.insert((item.partition, key.clone()), None);
            prepared.records.push(self.state_record(item, key.clone(), None));
            prepared.changes.push(Change { key, value: None, open: None });
            prepared.events.push(LifeEvent::Expired);
        }
        Ok(prepared)
    }

    pub(crate) fn has_expired(&self, entry: &Entry) -> bool {
        entry.may_expire() && entry.seen_ms.saturating_add(self.expiry_ms) < now_ms()
    }

    fn entry(
        &self,
        item: &BurstItem,
        id: &ListingId,
        overlay: &Overlay,
    ) -> Result<Option<Entry>, StateError> {
        let key = (item.partition, id.as_str().as_bytes().to_vec());
        match overlay.get(&key) {
            Some(entry) => Ok(entry.clone()),
            None => self.shelf.get(item.partition, item.epoch).map_or(Ok(None), |state| state.entry(&key.1)),
        }
    }

    /// The records of what was settled, but for the state.
    fn written(&self, item: &BurstItem, settled: &Settled, case: Option<&Case>) -> Prepared {
        let outcome = &*item.outcome;
        let mut prepared = Prepared::default();
        if let Some(retract) = &settled.retract {
            let (verdict, kind) = (retract.verdict(), RecordKind::Retract);
            prepared.records.extend(verdict_records(verdict, Some(retract), &outcome.origin, kind));
            prepared.events.push(LifeEvent::Retract);
        }
        match (&settled.verdict, case) {
            (Some(Spoken::AsJudged), _) if !outcome.records.is_empty() => {
                prepared.records.extend(outcome.records.iter().cloned());
            }
            (Some(spoken), Some(case)) => {
                let verdict = match spoken {
                    Spoken::AsJudged => &case.verdict,
                    Spoken::Changed(verdict) => verdict,
                };
                let (flag, kind) = (settled.flag.as_ref(), RecordKind::Verdict);
                prepared.records.extend(verdict_records(verdict, flag, &outcome.origin, kind));
            }
            _ => {}
        }
        if let (Some(waiting), Some(case)) = (&settled.recheck, case) {
            prepared.records.push(self.recheck_record(item, case, waiting));
            prepared.events.push(LifeEvent::RecheckWritten);
        }
        prepared
    }

    fn recheck_record(&self, item: &BurstItem, case: &Case, waiting: &Waiting) -> OutputRecord {
        let outcome = &*item.outcome;
        let place = usize::try_from(waiting.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self.recheck_after.get(place).copied().unwrap_or_default();
        let due = now_ms().saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        let mut headers = outcome.origin.headers(RecordKind::Recheck);
        for (name, value) in [
            (headers::ATTEMPTS, waiting.attempt.to_string()),
            (headers::DUE, due.to_string()),
            (headers::REVISION, waiting.revision.to_string()),
        ] {
            headers.push((name.to_owned(), Some(value.into_bytes())));
        }
        OutputRecord {
            topic: OutputTopic::Recheck,
            partition: Some(item.partition),
            key: Some(case.verdict.listing_id.as_str().into()),
            payload: outcome.raw.payload.clone(),
            headers,
        }
    }

    fn state_record(&self, item: &BurstItem, key: Vec<u8>, payload: Option<Vec<u8>>) -> OutputRecord {
        let (topic, partition) = (OutputTopic::State, Some(item.partition));
        OutputRecord { topic, partition, key: Some(key), payload, headers: Vec::new() }
    }

    /// Notes what is remembered from now on: in the burst, in the state topic, and, once that is committed, on the shelf.
    fn remember(
        &self,
        item: &BurstItem,
        id: &ListingId,
        settled: Settled,
        overlay: &mut Overlay,
        prepared: &mut Prepared,
    ) -> Result<(), StateError> {
        let Some(next) = settled.next else { return Ok(()) };
        let key = id.as_str().as_bytes().to_vec();
        let open = match settled.flag {
            Some(flag) => Some(Open::of(&flag)),
            None => next.flag()?.as_ref().map(Open::of),
        };
        let value = next.to_json();
        prepared.records.push(self.state_record(item, key.clone(), Some(value.clone())));
        prepared.changes.push(Change { key: key.clone(), value: Some(value), open });
        overlay.insert((item.partition, key), Some(next));
        Ok(())
    }

    /// What was prepared has been committed.
    pub(crate) fn committed(
        &mut self,
        burst: &[BurstItem],
        prepared: Vec<Prepared>,
        metrics: &Metrics,
    ) -> Result<(), Error> {
        let mut changes: HashMap<(i32, u64), Vec<Change>> = HashMap::new();
        for (item, prepared) in burst.iter().zip(prepared) {
            prepared.events.iter().for_each(|event| metrics.life(*event));
            let place = (item.partition, item.epoch);
            changes.entry(place).or_default().extend(prepared.changes);
            let Some(state) = self.shelf.get_mut(item.partition, item.epoch) else { continue };
            prepared.cursors.into_iter().for_each(|cursors| state.set_cursors(cursors));
            if let Some((id, catalog)) = prepared.confirmed {
                state.confirm(id.as_str(), catalog);
            }
        }
        for ((partition, epoch), changes) in changes {
            let Some(state) = self.shelf.get_mut(partition, epoch) else { continue };
            let applied = state.apply(changes);
            applied.map_err(|source| Error::State { topic: self.topic.to_string(), partition, source })?;
        }
        Ok(())
    }
}

/// Whether every catalog record that a flag stands on is still there.
fn stands(verdict: &Verdict, current: &CurrentBench) -> bool {
    foundations(verdict).iter().all(|key| (current.bench.is_live)(key))
}

/// What became of an input, for the metrics.
fn ending(settled: &Settled, case: &Case) -> Ending {
    match &settled.verdict {
        Some(Spoken::Changed(verdict)) => Ending::Judged(verdict.decision),
        _ => Ending::Judged(case.verdict.decision),
    }
}

fn event(cause: Cause, settled: &Settled) -> Option<LifeEvent> {
    match (cause, &settled.verdict) {
        (Cause::Listing, _) => None,
        (Cause::Recheck(_), Some(_)) => Some(LifeEvent::Rechecked),
        (Cause::Recheck(_), None) if settled.recheck.is_some() => None,
        (Cause::Recheck(_), None) => Some(LifeEvent::RecheckDropped),
        (Cause::Sweep(_), Some(_)) => Some(LifeEvent::SweepChanged),
        (Cause::Sweep(_), None) if settled.is_confirmed => Some(LifeEvent::SweepConfirmed),
        // Out of date: the flag is still due, if its catalog is not the one in use.
        (Cause::Sweep(_), None) => None,
    }
}

/// The listing that a message without a value stands for.
fn removed_listing(id: &ListingId, prior: &Entry) -> Option<Listing> {
    let version = prior.version.saturating_add(u64::from(!prior.removed));
    let json = serde_json::json!({
        "listing_id": id.as_str(), "version": version, "status": "removed", "marketplace": prior.marketplace,
        "title": id.as_str(), "seller": {"seller_id": prior.seller_id},
    });
    Listing::from_json(json.to_string().as_bytes()).ok()
}
