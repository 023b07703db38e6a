//! What follows from a judgement or a ruling, given what is remembered of the listing: a pure function.
//!
//! `docs/flag-lifecycle.md` draws it. A flag is open from the verdict that raises it to the retract that takes it back; a listing
//! has at most one open flag; revisions of a flag rise by one.

use touchstone_types::{
    Decision, Evidence, Flag, KeptPhoto, Listing, ListingId, ListingStatus, Missing, PhotoFailure,
    PhotoUnreachable, Reason, ReviewDecision, Ruling, Verdict, flag_id,
};

use super::StateError;
use super::edits::edits;
use super::entry::{Entry, Lasting, Ruled, Waiting, is_of_life, kinds};

/// A listing as it was judged.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// What the pipeline says, which knows nothing of earlier verdicts.
    pub(crate) verdict: Verdict,
    /// The listing without inline picture bytes.
    pub(crate) listing: Listing,
    /// The photos that were judged, where the verdict is a flag.
    pub(crate) kept: Vec<KeptPhoto>,
}

/// Why a listing was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A message came.
    Listing,
    /// A re-check was due.
    Recheck(Token),
    /// The catalog has changed. The flag was at this revision when it was taken up.
    Sweep(Token),
}

/// What a re-check or a sweep of a version was begun for: if this is no longer what is remembered, it is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) revision: u64,
    /// Of a re-check: which one, from 1.
    pub(crate) attempt: u32,
}

/// What settling needs to know beside what was and what happened.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// How often photos that are missing for a passing cause are tried again.
    pub(crate) n_rechecks: u32,
    /// Whether everything in the catalog that a verdict stands on is still there.
    pub(crate) stands: &'a dyn Fn(&Verdict) -> bool,
}

/// What is to be written, in this order: retract, verdict, re-check, and what is remembered.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The open flag, taken back.
    pub(crate) retract: Option<Flag>,
    pub(crate) verdict: Option<Spoken>,
    /// The re-check that is to be written, from 1.
    pub(crate) recheck: Option<Waiting>,
    /// What is remembered from now on; `None` if nothing changed.
    pub(crate) next: Option<Entry>,
    /// The flag that this opens, or goes on with.
    pub(crate) flag: Option<Flag>,
    /// A sweep found the open flag as it stands.
    pub(crate) is_confirmed: bool,
}

/// The verdict to be written.
#[derive(Debug)]
pub(crate) enum Spoken {
    /// What the pipeline said.
    AsJudged,
    /// With another revision, or other words.
    Changed(Box<Verdict>),
}

/// What follows from a judgement.
///
/// # Errors
/// An open flag that cannot be read.
pub(crate) fn settle(
    prior: Option<&Entry>,
    case: &Case,
    cause: Cause,
    seen_ms: i64,
    rules: Rules<'_>,
) -> Result<Settled, StateError> {
    if !is_current(prior, &case.verdict, cause) {
        return Ok(Settled::default());
    }
    match prior {
        Some(prior) if case.verdict.listing_version < prior.version => {
            Ok(stale(&case.verdict, prior, seen_ms))
        }
        _ => Step::new(prior, case, cause, rules)?.settle(seen_ms),
    }
}

/// Whether what was begun is still wanted.
fn is_current(prior: Option<&Entry>, judged: &Verdict, cause: Cause) -> bool {
    let is_same =
        |prior: &Entry| (prior.version, &prior.marketplace) == (judged.listing_version, &judged.marketplace);
    match (cause, prior) {
        (Cause::Listing, _) => true,
        (Cause::Recheck(token), Some(prior)) => {
            let waiting = prior.recheck.as_ref().map(|waiting| (waiting.attempt, waiting.revision));
            is_same(prior) && waiting == Some((token.attempt, token.revision))
        }
        (Cause::Sweep(token), Some(prior)) => {
            prior.is_open() && is_same(prior) && prior.revision == token.revision
        }
        (_, None) => false,
    }
}

/// How far apart older versions are noted as news of their listing.
const STALE_NOTED_MS: i64 = 10 * 60 * 1000;

/// An older version than one that was judged before: the later one stands.
fn stale(judged: &Verdict, prior: &Entry, seen_ms: i64) -> Settled {
    let mut verdict = judged.clone();
    verdict.decision = Decision::Abstain;
    verdict.revision = 0;
    verdict.reasons = vec![Reason::StaleVersion];
    verdict.evidence.clear();
    (verdict.row, verdict.probability, verdict.priority) = (None, None, 0);
    (verdict.brand_id, verdict.product_id) = (None, None);
    let is_noted = prior.may_expire() && seen_ms.saturating_sub(prior.seen_ms) > STALE_NOTED_MS;
    let mut next = is_noted.then(|| prior.clone());
    next.iter_mut().for_each(|next| next.seen_ms = seen_ms);
    Settled { verdict: Some(Spoken::Changed(Box::new(verdict))), next, ..Settled::default() }
}

/// One judgement on its way.
struct Step<'a> {
    prior: Option<&'a Entry>,
    case: &'a Case,
    cause: Cause,
    rules: Rules<'a>,
    /// The open flag.
    open: Option<Flag>,
    /// Whether the flag is the one judged last: that of the same version on the same marketplace.
    is_same: bool,
}

impl<'a> Step<'a> {
    fn new(
        prior: Option<&'a Entry>,
        case: &'a Case,
        cause: Cause,
        rules: Rules<'a>,
    ) -> Result<Self, StateError> {
        let open = prior.map_or(Ok(None), Entry::flag)?;
        let of_flag = |prior: &Entry| (prior.version, prior.marketplace == case.verdict.marketplace);
        let is_same = prior.is_some_and(|prior| of_flag(prior) == (case.verdict.listing_version, true));
        Ok(Self { prior, case, cause, rules, open, is_same })
    }

    fn settle(self, seen_ms: i64) -> Result<Settled, StateError> {
        let missing = missing(&self.case.verdict);
        if !matches!(self.cause, Cause::Recheck(_)) {
            let waiting = self.waiting(missing);
            return self.conclude(waiting, Vec::new(), seen_ms);
        }
        let before = self.prior.and_then(|prior| prior.recheck.as_ref()).map_or(&[][..], |w| &w.missing);
        let has_come = before.iter().any(|image_idx| !missing.contains(image_idx));
        let has_lost = self.has_lost(before);
        let is_better = if has_lost { self.has_news() } else { has_come };
        let waiting = self.waiting(if is_better { missing } else { before.to_vec() });
        if let Some(waiting) = waiting.as_ref().filter(|_| !is_better) {
            let mut next = self.prior.cloned();
            next.iter_mut().for_each(|next| next.recheck = Some(waiting.clone()));
            return Ok(Settled { recheck: Some(waiting.clone()), next, ..Settled::default() });
        }
        // After the last try it is a fact that what was awaited cannot be fetched.
        let given_up = match &waiting {
            Some(_) => Vec::new(),
            None => unreached(&self.case.verdict).filter(|p| before.contains(&p.image_idx)).collect(),
        };
        // What the photos showed when they could be fetched is not undone by a host that answers no more.
        let as_before = match (&self.open, self.prior) {
            (Some(open), Some(prior)) if has_lost && !is_better => {
                let (verdict, listing) = (open.verdict().clone(), open.listing().clone());
                Some(Case { verdict, listing, kept: prior.photos()? })
            }
            _ => None,
        };
        match &as_before {
            Some(case) => Step { case, ..self }.conclude(waiting, given_up, seen_ms),
            None => self.conclude(waiting, given_up, seen_ms),
        }
    }

    /// Whether a photo is missing that was there before, for whatever cause. `before` are those that were awaited; of others that
    /// were missing only an open flag knows.
    fn has_lost(&self, before: &[usize]) -> bool {
        let lacked_before = |image_idx: &usize| {
            let lacks = |open: &Flag| {
                open.verdict().missing.iter().any(|m| matches!(m, Missing::Image(i, _) if i == image_idx))
            };
            before.contains(image_idx) || self.open.as_ref().is_some_and(lacks)
        };
        self.case.verdict.missing.iter().any(|missing| match missing {
            Missing::Image(image_idx, failure) => {
                (self.open.is_some() || may_pass(*failure)) && !lacked_before(image_idx)
            }
            _ => false,
        })
    }

    /// Whether this is a flag with evidence of a kind that the open one, if there is any, has not, and that nobody dismissed.
    fn has_news(&self) -> bool {
        let dismissed = self.prior.and_then(Entry::dismissed).unwrap_or_default();
        let is_open = |kind: &str| self.open.iter().flat_map(|open| kinds(open.verdict())).any(|k| k == kind);
        let is_new = |kind: &str| !is_open(kind) && !dismissed.iter().any(|d| d == kind);
        self.case.verdict.decision.is_flag() && kinds(&self.case.verdict).any(is_new)
    }

    /// What follows from a judgement that counts.
    fn conclude(
        self,
        waiting: Option<Waiting>,
        given_up: Vec<PhotoUnreachable>,
        seen_ms: i64,
    ) -> Result<Settled, StateError> {
        let mut verdict = self.case.verdict.clone();
        give_up(&mut verdict, given_up);
        self.dismiss(&mut verdict);
        self.carry(&mut verdict);
        if self.is_confirmed(&verdict) {
            return Ok(Settled { is_confirmed: true, ..Settled::default() });
        }
        let last = if self.is_same { self.prior.map_or(0, |prior| prior.revision) } else { 0 };
        let is_taken_back = self.open.is_some() && !(self.is_same && verdict.decision.is_flag());
        verdict.revision = last + 1 + u64::from(self.is_same && is_taken_back);
        let retract = if is_taken_back { self.retract(&mut verdict) } else { None };
        let waiting = match self.cause {
            Cause::Sweep(_) => self.prior.and_then(|prior| prior.recheck.clone()),
            _ => waiting.map(|waiting| Waiting { revision: verdict.revision, ..waiting }),
        };
        let mut next = self.remembered(&verdict, seen_ms);
        next.recheck.clone_from(&waiting);
        let flag = self.flag(&verdict);
        if let Some(flag) = &flag {
            next.open(flag, &self.case.kept)?;
        }
        if let Some(prior) = self.prior {
            next.keep_upheld(prior);
        }
        let recheck = waiting.filter(|_| !matches!(self.cause, Cause::Sweep(_)));
        let is_as_judged = verdict == self.case.verdict;
        let spoken = if is_as_judged { Spoken::AsJudged } else { Spoken::Changed(Box::new(verdict)) };
        Ok(Settled { retract, verdict: Some(spoken), recheck, next: Some(next), flag, is_confirmed: false })
    }

    /// The next re-check, if photos are awaited and tries are left.
    fn waiting(&self, missing: Vec<usize>) -> Option<Waiting> {
        let attempt = match self.cause {
            Cause::Listing => 1,
            Cause::Recheck(token) => token.attempt + 1,
            Cause::Sweep(_) => return None,
        };
        let revision = match self.cause {
            Cause::Recheck(token) => token.revision,
            _ => 0,
        };
        let has_tries = attempt <= self.rules.n_rechecks;
        (has_tries && !missing.is_empty()).then_some(Waiting { attempt, revision, missing })
    }

    /// What a person dismissed stays clear until evidence of a new kind appears.
    fn dismiss(&self, verdict: &mut Verdict) {
        let Some(dismissed) = self.prior.and_then(Entry::dismissed) else { return };
        let is_new = |kind: &str| !dismissed.iter().any(|d| d == kind);
        let stands = verdict.decision.is_flag() && kinds(verdict).any(is_new);
        if self.case.listing.status == ListingStatus::Active && !stands {
            verdict.decision = Decision::Clear;
            verdict.reasons = vec![Reason::Dismissed];
            (verdict.row, verdict.priority) = (None, 0);
            verdict.evidence.retain(|e| !matches!(e, Evidence::Contribution(_)));
        }
    }

    /// Gives a flag that takes the place of an open one what belongs to its life: what the edit between them changed, or, at the
    /// same version, what was noted before.
    fn carry(&self, verdict: &mut Verdict) {
        let Some(open) = self.open.as_ref().filter(|_| verdict.decision.is_flag()) else { return };
        if self.is_same {
            let noted = |e: &&Evidence| match e {
                Evidence::PhotoUnreachable(_) => matches!(self.cause, Cause::Sweep(_)),
                other => is_of_life(other),
            };
            let is_new = |e: &&Evidence| noted(e) && !verdict.evidence.contains(e);
            let noted: Vec<Evidence> = open.verdict().evidence.iter().filter(is_new).cloned().collect();
            if noted.iter().any(|e| matches!(e, Evidence::PhotoUnreachable(_))) {
                add_reason(verdict, Reason::PhotoUnreachable);
            }
            verdict.evidence.extend(noted);
        } else {
            let after = (&self.case.listing, &*verdict);
            let edits = edits((open.listing(), open.verdict()), after);
            verdict.evidence.extend(edits.into_iter().map(Evidence::Edit));
        }
        verdict.evidence.sort_by(Evidence::order);
    }

    /// Whether a sweep found nothing new.
    fn is_confirmed(&self, verdict: &Verdict) -> bool {
        let Some(open) = self.open.as_ref().filter(|_| matches!(self.cause, Cause::Sweep(_))) else {
            return false;
        };
        let (revision, versions) = (open.verdict().revision, open.verdict().versions.clone());
        // As they are written: what is remembered has been rounded.
        Verdict { revision, versions, ..verdict.clone() }.to_json() == open.verdict().to_json()
    }

    /// The open flag, taken back for the sake of `verdict`.
    fn retract(&self, verdict: &mut Verdict) -> Option<Flag> {
        let open = self.open.as_ref()?;
        let is_removed = self.case.listing.status == ListingStatus::Removed;
        let reason = match (self.is_same, verdict.decision.is_flag()) {
            _ if is_removed => Reason::Removed,
            (false, true) => Reason::SupersededByFlag,
            (false, false) => Reason::Edited,
            (true, _) if (self.rules.stands)(open.verdict()) => Reason::EvidenceChanged,
            (true, _) => Reason::CatalogWithdrawn,
        };
        let mut retract = retracted(open, reason);
        if !self.is_same {
            retract.replaced_by = Some(verdict.flag_id);
        }
        if reason == Reason::Edited {
            let edits = edits((open.listing(), open.verdict()), (&self.case.listing, verdict));
            retract.evidence.retain(|e| !matches!(e, Evidence::Edit(_)));
            retract.evidence.extend(edits.into_iter().map(Evidence::Edit));
            retract.evidence.sort_by(Evidence::order);
        }
        open.clone().with_verdict(retract)
    }

    /// What is remembered after this verdict, but for its flag.
    fn remembered(&self, verdict: &Verdict, seen_ms: i64) -> Entry {
        // Consumers remember a flag that was closed just now.
        let closes = self.open.is_some() && !verdict.decision.is_flag();
        let seen_ms = match self.prior {
            Some(prior) if !closes && !matches!(self.cause, Cause::Listing) => prior.seen_ms,
            _ => seen_ms,
        };
        let mut next = Entry::of(verdict, seen_ms);
        next.removed = self.case.listing.status == ListingStatus::Removed;
        if let Some(prior) = self.prior {
            next.kinds.clone_from(&prior.kinds);
            next.ruling.clone_from(&prior.ruling);
        }
        next
    }

    fn flag(&self, verdict: &Verdict) -> Option<Flag> {
        if !verdict.decision.is_flag() {
            return None;
        }
        let photos = self.case.kept.iter().map(KeptPhoto::judged).collect();
        Flag::new(verdict.clone(), self.case.listing.clone(), photos)
    }
}

/// A flag's verdict, taken back.
fn retracted(open: &Flag, reason: Reason) -> Verdict {
    let mut verdict = open.verdict().clone();
    verdict.decision = Decision::Retract;
    verdict.revision += 1;
    verdict.reasons = vec![reason];
    verdict
}

/// The places of the photos that are missing for a cause that may pass, ascending.
fn missing(verdict: &Verdict) -> Vec<usize> {
    let mut missing: Vec<usize> = unreached(verdict).map(|photo| photo.image_idx).collect();
    missing.sort_unstable();
    missing
}

/// The photos of a verdict that are missing for a cause that may pass.
fn unreached(verdict: &Verdict) -> impl Iterator<Item = PhotoUnreachable> {
    verdict.missing.iter().filter_map(|missing| match missing {
        Missing::Image(image_idx, failure) if may_pass(*failure) => {
            Some(PhotoUnreachable { image_idx: *image_idx, failure: *failure })
        }
        _ => None,
    })
}

/// Notes the photos for which nobody tries any more.
fn give_up(verdict: &mut Verdict, photos: Vec<PhotoUnreachable>) {
    if !photos.is_empty() {
        verdict.evidence.extend(photos.into_iter().map(Evidence::PhotoUnreachable));
        add_reason(verdict, Reason::PhotoUnreachable);
        verdict.evidence.sort_by(Evidence::order);
    }
}

const fn may_pass(failure: PhotoFailure) -> bool {
    matches!(failure, PhotoFailure::Timeout | PhotoFailure::Refused | PhotoFailure::Status)
}

fn add_reason(verdict: &mut Verdict, reason: Reason) {
    verdict.reasons.push(reason);
    verdict.reasons.sort_by_key(|r| (std::cmp::Reverse(r.weight()), r.as_str()));
    verdict.reasons.dedup();
}

/// What follows from a ruling; nothing where it is not about a flag of this listing.
///
/// # Errors
/// An open flag that cannot be read.
pub(crate) fn settle_ruling(
    prior: &Entry,
    listing_id: &ListingId,
    decision: &ReviewDecision,
) -> Result<Settled, StateError> {
    let (version, revision) = (decision.listing_version, decision.revision);
    let seen = (version, revision);
    let ruling = match decision.ruling {
        // Nobody can have seen it.
        _ if seen > (prior.version, prior.revision) => None,
        // A later ruling stands.
        _ if prior.ruling.as_ref().is_some_and(|ruled| seen < (ruled.version, ruled.revision)) => None,
        _ if decision.flag_id != flag_id(&prior.marketplace, listing_id, version) => None,
        Ruling::Escalate => None,
        Ruling::Uphold => Some(Lasting::Uphold),
        Ruling::Dismiss => Some(Lasting::Dismiss),
    };
    let Some(ruling) = ruling else { return Ok(Settled::default()) };
    let mut next = prior.clone();
    let mut dismissed = Vec::new();
    if ruling == Lasting::Dismiss {
        dismissed.extend(prior.dismissed().into_iter().flatten().cloned());
        let was_seen = prior.kinds.iter().filter(|kind| (kind.version, kind.revision) <= seen);
        dismissed.extend(was_seen.map(|seen| seen.kind.clone()));
        dismissed.sort();
        dismissed.dedup();
    }
    next.ruling = Some(Ruled { ruling, version, revision, kinds: dismissed.clone() });
    if ruling == Lasting::Dismiss {
        next.upheld = None;
    }
    let open = prior.flag()?.filter(|_| ruling == Lasting::Dismiss);
    let is_covered = |flag: &Flag| kinds(flag.verdict()).all(|kind| dismissed.iter().any(|d| d == kind));
    let retract = open.filter(is_covered).and_then(|open| {
        let verdict = retracted(&open, Reason::Dismissed);
        next.revision = verdict.revision;
        next.close();
        open.with_verdict(verdict)
    });
    Ok(Settled { retract, next: Some(next), ..Settled::default() })
}

#[cfg(test)]
mod tests;
