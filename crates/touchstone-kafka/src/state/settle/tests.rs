//! One rule of `docs/flag-lifecycle.md` a test.

use touchstone_types::{Completeness, Versions};

use super::*;

const STANDS: &dyn Fn(&Verdict) -> bool = &|_| true;
const WITHDRAWN: &dyn Fn(&Verdict) -> bool = &|_| false;

fn case(version: u64, decision: Decision, reasons: &[Reason]) -> Case {
    let json = format!(
        r#"{{"listing_id":"EX-1","version":{version},"title":"Lumora 20, {version}","price":{{"amount":"{version}","currency":"BRL"}},
            "seller":{{"seller_id":"S-1"}}}}"#
    );
    let listing = Listing::from_json(json.as_bytes()).unwrap();
    let verdict = Verdict {
        flag_id: flag_id("", &listing.listing_id, version),
        revision: 1,
        listing_id: listing.listing_id.clone(),
        listing_version: version,
        marketplace: String::new(),
        seller_id: listing.seller.seller_id.clone(),
        observed_at: None,
        decision,
        row: Some(2),
        probability: None,
        priority: 1,
        brand_id: None,
        product_id: None,
        reasons: reasons.to_vec(),
        evidence: Vec::new(),
        completeness: Completeness::Full,
        missing: Vec::new(),
        photo_search: None,
        versions: Versions { engine: "t".into(), catalog: "c".into(), model: None, policy: "p".into() },
        replaced_by: None,
    };
    Case { verdict, listing, kept: Vec::new() }
}

fn flagged(version: u64) -> Case {
    case(version, Review, &[CounterfeitSlang])
}

fn clear(version: u64) -> Case {
    case(version, Clear, &[NothingFound])
}

fn removed(version: u64) -> Case {
    let mut case = case(version, Clear, &[Reason::Removed]);
    case.listing.status = ListingStatus::Removed;
    case
}

fn lacking(mut case: Case, n_photos: usize) -> Case {
    case.verdict.missing = (0..n_photos).map(|idx| Missing::Image(idx, PhotoFailure::Timeout)).collect();
    case.verdict.completeness = Completeness::Partial;
    case
}

/// One listing, and everything that was written about it.
#[derive(Default)]
struct Life {
    now_ms: i64,
    entry: Option<Entry>,
    written: Vec<Verdict>,
}

impl Life {
    fn settle(&mut self, case: &Case, cause: Cause, stands: &dyn Fn(&Verdict) -> bool) -> Settled {
        let rules = Rules { n_rechecks: 2, stands };
        let settled = settle(self.entry.as_ref(), case, cause, self.now_ms, rules).unwrap();
        self.written.extend(settled.retract.iter().map(|flag| flag.verdict().clone()));
        match &settled.verdict {
            Some(Spoken::AsJudged) => self.written.push(case.verdict.clone()),
            Some(Spoken::Changed(verdict)) => self.written.push((**verdict).clone()),
            None => {}
        }
        if let Some(next) = &settled.next {
            // What is remembered goes through the topic.
            self.entry = Some(Entry::from_json(&next.to_json()).unwrap());
        }
        settled
    }

    fn message(&mut self, case: &Case) -> Settled {
        self.settle(case, Cause::Listing, STANDS)
    }

    fn sweep(&mut self, case: &Case, stands: &dyn Fn(&Verdict) -> bool) -> Settled {
        let entry = self.entry.as_ref().unwrap();
        let token = Token { revision: entry.revision, attempt: 0 };
        self.settle(case, Cause::Sweep(token), stands)
    }

    fn recheck(&mut self, case: &Case, attempt: u32, revision: u64) -> Settled {
        let token = Token { revision, attempt };
        self.settle(case, Cause::Recheck(token), STANDS)
    }

    fn rule(&mut self, ruling: Ruling, version: u64, revision: u64) -> Settled {
        let id = ListingId::new("EX-1").unwrap();
        let decision = ReviewDecision {
            flag_id: flag_id("", &id, version),
            revision,
            listing_id: id.clone(),
            listing_version: version,
            ruling,
            reason: None,
            reviewer: None,
            decided_at: None,
            note: None,
        };
        let settled = settle_ruling(self.entry.as_ref().unwrap(), &id, &decision).unwrap();
        self.written.extend(settled.retract.iter().map(|flag| flag.verdict().clone()));
        if let Some(next) = &settled.next {
            self.entry = Some(Entry::from_json(&next.to_json()).unwrap());
        }
        settled
    }

    /// Version, revision, decision and first reason of everything written since the last call.
    fn take(&mut self) -> Vec<(u64, u64, Decision, Reason)> {
        let short = |v: Verdict| (v.listing_version, v.revision, v.decision, v.reasons[0]);
        std::mem::take(&mut self.written).into_iter().map(short).collect()
    }

    fn is_open(&self) -> bool {
        self.entry.as_ref().is_some_and(Entry::is_open)
    }
}

use Decision::{Abstain, Clear, Retract, Review};
use Reason::{
    CatalogWithdrawn, CounterfeitSlang, Dismissed, Edited, EvidenceChanged, LookAlikeBrand, NothingFound,
    StaleVersion, SupersededByFlag,
};

#[test]
fn the_first_verdict_is_what_the_pipeline_says() {
    let mut life = Life::default();
    assert!(matches!(life.message(&flagged(3)).verdict, Some(Spoken::AsJudged)));
    assert!(life.is_open());
    assert_eq!(life.take(), [(3, 1, Review, CounterfeitSlang)]);
}

#[test]
fn an_older_version_abstains_and_changes_nothing() {
    let mut life = Life::default();
    life.message(&flagged(3));
    life.take();
    assert!(life.message(&clear(2)).next.is_none());
    assert_eq!(life.take(), [(2, 0, Abstain, StaleVersion)]);
    assert!(life.is_open());
}

#[test]
fn the_same_version_is_judged_again_with_the_next_revision() {
    let mut life = Life::default();
    for _ in 0..2 {
        life.message(&flagged(1));
    }
    life.message(&clear(1));
    life.message(&clear(1));
    let written = life.take();
    assert_eq!(written[..2], [(1, 1, Review, CounterfeitSlang), (1, 2, Review, CounterfeitSlang)]);
    assert_eq!(
        written[2..],
        [(1, 3, Retract, EvidenceChanged), (1, 4, Clear, NothingFound), (1, 5, Clear, NothingFound)]
    );
    assert!(!life.is_open());
}

#[test]
fn an_edit_takes_the_old_flag_back_and_says_what_it_changed() {
    let mut life = Life::default();
    let mut first = flagged(1);
    first.verdict.evidence = vec![Evidence::Term(touchstone_types::Term {
        term: "replica".into(),
        meaning: touchstone_types::Meaning::CounterfeitSlang,
        field: touchstone_types::Field::Title,
        span: touchstone_types::Span::new(0, 7).unwrap(),
    })];
    life.message(&first);
    let second = life.message(&flagged(2));
    let retract = second.retract.unwrap();
    assert_eq!(retract.verdict().replaced_by, Some(flagged(2).verdict.flag_id));
    assert_eq!(retract.listing().version, 1, "the listing as it was judged");
    let Some(Spoken::Changed(verdict)) = second.verdict else { panic!("the edit is not in the evidence") };
    let Evidence::Edit(edit) = &verdict.evidence[0] else { panic!("no edit") };
    assert_eq!((edit.field.as_str(), verdict.evidence.len()), ("title", 1), "the price is in no evidence");
    assert_eq!(edit.before.as_deref(), Some("Lumora 20, 1"));
    life.message(&clear(3));
    assert_eq!(
        life.take(),
        [
            (1, 1, Review, CounterfeitSlang),
            (1, 2, Retract, SupersededByFlag),
            (2, 1, Review, CounterfeitSlang),
            (2, 2, Retract, Edited),
            (3, 1, Clear, NothingFound),
        ]
    );
}

#[test]
fn a_listing_that_changes_its_marketplace_has_one_open_flag() {
    let mut life = Life::default();
    life.message(&flagged(1));
    let mut moved = flagged(1);
    moved.verdict.marketplace = "elsewhere".into();
    moved.verdict.flag_id = flag_id("elsewhere", &moved.listing.listing_id, 1);
    let retract = life.message(&moved).retract.unwrap();
    assert_eq!(retract.verdict().replaced_by, Some(moved.verdict.flag_id));
    assert_eq!(life.take()[1..], [(1, 2, Retract, SupersededByFlag), (1, 1, Review, CounterfeitSlang)]);
}

#[test]
fn a_removed_listing_takes_its_flag_back() {
    let mut life = Life::default();
    life.message(&flagged(1));
    life.message(&removed(2));
    life.message(&flagged(3));
    life.message(&removed(3));
    assert_eq!(
        life.take(),
        [
            (1, 1, Review, CounterfeitSlang),
            (1, 2, Retract, Reason::Removed),
            (2, 1, Clear, Reason::Removed),
            (3, 1, Review, CounterfeitSlang),
            (3, 2, Retract, Reason::Removed),
            (3, 3, Clear, Reason::Removed),
        ]
    );
    assert!(life.entry.unwrap().removed);
}

#[test]
fn a_sweep_says_nothing_where_nothing_changed() {
    let mut life = Life::default();
    life.message(&flagged(1));
    life.take();
    let mut again = flagged(1);
    again.verdict.versions.catalog = "another".into();
    again.verdict.probability = Some(touchstone_types::Probability::new(1.0 / 3.0).unwrap());
    life.sweep(&again, STANDS);
    life.take();
    let settled = life.sweep(&again, STANDS);
    assert!(settled.is_confirmed && settled.next.is_none() && life.take().is_empty());
    again.verdict.priority = 9;
    life.sweep(&again, STANDS);
    life.sweep(&clear(1), WITHDRAWN);
    assert_eq!(
        life.take(),
        [(1, 3, Review, CounterfeitSlang), (1, 4, Retract, CatalogWithdrawn), (1, 5, Clear, NothingFound)]
    );
}

#[test]
fn a_sweep_of_what_has_changed_meanwhile_is_dropped() {
    let mut life = Life::default();
    life.message(&flagged(1));
    let token = Token { revision: 1, attempt: 0 };
    life.message(&flagged(1));
    life.take();
    let settled = life.settle(&flagged(1), Cause::Sweep(token), STANDS);
    assert!(settled.next.is_none() && life.take().is_empty() && life.is_open());
    assert!(!settled.is_confirmed, "the flag may have been judged with an older catalog meanwhile");
}

#[test]
fn a_dismissed_listing_stays_clear_until_evidence_of_a_new_kind_appears() {
    let mut life = Life::default();
    life.message(&flagged(1));
    life.rule(Ruling::Dismiss, 1, 1);
    assert_eq!(life.take()[1..], [(1, 2, Retract, Dismissed)]);
    life.message(&flagged(1));
    life.message(&flagged(2));
    let weighty = case(3, Review, &[CounterfeitSlang, Reason::ModelAboveThreshold, Reason::SoldAsBrand]);
    life.message(&weighty);
    let dismissed = [(1, 3, Clear, Dismissed), (2, 1, Clear, Dismissed), (3, 1, Clear, Dismissed)];
    assert_eq!(life.take(), dismissed);
    life.message(&case(4, Review, &[CounterfeitSlang, LookAlikeBrand]));
    assert!(life.is_open());
    life.rule(Ruling::Dismiss, 4, 1);
    life.message(&case(5, Review, &[LookAlikeBrand]));
    assert_eq!(life.take()[1..], [(4, 2, Retract, Dismissed), (5, 1, Clear, Dismissed)]);
}

#[test]
fn a_ruling_covers_what_the_reviewer_saw() {
    let mut life = Life::default();
    life.message(&flagged(1));
    life.message(&case(1, Review, &[CounterfeitSlang, LookAlikeBrand]));
    life.rule(Ruling::Dismiss, 1, 1);
    assert!(life.is_open(), "the look-alike came after what was dismissed");
    life.rule(Ruling::Dismiss, 1, 2);
    assert!(!life.is_open());
}

#[test]
fn a_ruling_on_an_earlier_version_holds_for_the_later_one() {
    let mut life = Life::default();
    life.message(&flagged(1));
    life.message(&flagged(2));
    life.take();
    life.rule(Ruling::Dismiss, 1, 1);
    assert_eq!(life.take(), [(2, 2, Retract, Dismissed)]);
}

#[test]
fn upholding_ends_a_dismissal_and_other_rulings_change_nothing() {
    let mut life = Life::default();
    life.message(&flagged(1));
    assert!(life.rule(Ruling::Escalate, 1, 1).next.is_none());
    let id = ListingId::new("EX-1").unwrap();
    let stray = ReviewDecision {
        flag_id: flag_id("elsewhere", &id, 1),
        revision: 1,
        listing_id: id.clone(),
        listing_version: 1,
        ruling: Ruling::Dismiss,
        reason: None,
        reviewer: None,
        decided_at: None,
        note: None,
    };
    assert!(settle_ruling(life.entry.as_ref().unwrap(), &id, &stray).unwrap().next.is_none());
    life.rule(Ruling::Dismiss, 1, 1);
    life.rule(Ruling::Uphold, 1, 1);
    life.take();
    life.message(&flagged(1));
    assert_eq!(life.take(), [(1, 3, Review, CounterfeitSlang)]);
}

#[test]
fn photos_are_tried_again_until_they_come() {
    let mut life = Life::default();
    let first = life.message(&lacking(clear(1), 2)).recheck.unwrap();
    assert_eq!((first.attempt, first.revision, &*first.missing), (1, 1, &[0, 1][..]));
    life.take();
    let second = life.recheck(&lacking(clear(1), 2), 1, 1);
    assert!(second.verdict.is_none(), "no better than before");
    assert_eq!(second.recheck.unwrap().attempt, 2);
    assert!(life.recheck(&flagged(1), 1, 1).next.is_none(), "the first re-check again");
    assert!(life.recheck(&flagged(1), 2, 1).recheck.is_none());
    assert_eq!(life.take(), [(1, 2, Review, CounterfeitSlang)]);
    assert!(life.recheck(&clear(1), 2, 1).next.is_none(), "nothing is awaited any more");
}

#[test]
fn a_photo_that_never_comes_is_a_fact() {
    let mut life = Life::default();
    life.message(&lacking(case(1, Abstain, &[Reason::StageMissing]), 1));
    life.recheck(&lacking(case(1, Abstain, &[Reason::StageMissing]), 1), 1, 1);
    let last = life.recheck(&lacking(case(1, Abstain, &[Reason::StageMissing]), 1), 2, 1);
    let Some(Spoken::Changed(verdict)) = last.verdict else { panic!("no verdict") };
    assert_eq!(verdict.reasons, [Reason::StageMissing, Reason::PhotoUnreachable]);
    assert!(matches!(verdict.evidence[..], [Evidence::PhotoUnreachable(_)]));
    assert!(last.recheck.is_none() && life.entry.unwrap().recheck.is_none());
}

#[test]
fn a_new_message_begins_the_tries_anew() {
    let mut life = Life::default();
    life.message(&lacking(clear(1), 1));
    life.recheck(&lacking(clear(1), 1), 1, 1);
    let again = life.message(&lacking(clear(1), 1)).recheck.unwrap();
    assert_eq!((again.attempt, again.revision), (1, 2));
    assert!(life.recheck(&clear(1), 2, 1).next.is_none(), "the older re-check is out of date");
}

#[test]
fn a_listing_is_heard_of_when_it_is_sent_and_when_its_flag_closes() {
    let seen = |life: &Life| life.entry.as_ref().unwrap().seen_ms;
    let mut life = Life { now_ms: 1_000, ..Life::default() };
    life.message(&flagged(2));
    life.now_ms = 2_000;
    life.sweep(&case(2, Review, &[LookAlikeBrand]), STANDS);
    assert_eq!((seen(&life), life.take().len()), (1_000, 2));
    life.now_ms = 3_000;
    life.sweep(&clear(2), WITHDRAWN);
    assert_eq!((seen(&life), life.is_open()), (3_000, false));

    // An older version too, but not at each of many.
    life.now_ms += STALE_NOTED_MS;
    assert!(life.message(&flagged(1)).next.is_none());
    life.now_ms += 1;
    life.take();
    life.message(&flagged(1));
    assert_eq!((seen(&life), life.take()), (life.now_ms, vec![(1, 0, Abstain, StaleVersion)]));
    assert_eq!(life.entry.as_ref().unwrap().version, 2);
}

#[test]
fn what_is_remembered_of_a_listing_without_flag_is_small() {
    let mut life = Life::default();
    life.message(&clear(1));
    let json = life.entry.unwrap().to_json();
    assert!(json.len() < 100, "{}", String::from_utf8(json).unwrap());
}

/// The photos at these places are missing.
fn without(mut case: Case, places: &[usize]) -> Case {
    case.verdict.missing = places.iter().map(|idx| Missing::Image(*idx, PhotoFailure::Timeout)).collect();
    case.verdict.completeness = Completeness::Partial;
    case
}

#[test]
fn a_host_that_answers_no_more_takes_no_flag_back() {
    let mut life = Life::default();
    life.message(&without(flagged(1), &[1]));
    life.take();
    // It sees nothing now: another try, and at last the flag stands with what was known from the beginning.
    life.recheck(&without(clear(1), &[0, 1]), 1, 1);
    assert_eq!(life.take(), []);
    let last = life.recheck(&without(clear(1), &[0, 1]), 2, 1);
    let Some(Spoken::Changed(verdict)) = last.verdict else { panic!("nothing was said") };
    assert!(verdict.reasons.contains(&Reason::PhotoUnreachable), "{verdict:?}");
    let unreachable = verdict.evidence.iter().filter(|e| matches!(e, Evidence::PhotoUnreachable(_)));
    assert_eq!(unreachable.count(), 1, "only the photo that was never seen");
    assert_eq!((verdict.revision, verdict.decision), (2, Review));
    assert!(life.is_open() && last.retract.is_none() && last.recheck.is_none());
}

/// The photo at this place came, but is no picture.
fn spoilt(mut case: Case, place: usize) -> Case {
    case.verdict.missing.push(Missing::Image(place, PhotoFailure::Undecodable));
    case.verdict.completeness = Completeness::Partial;
    case
}

#[test]
fn a_photo_that_comes_back_as_no_picture_takes_no_flag_back() {
    let mut life = Life::default();
    life.message(&without(flagged(1), &[1]));
    life.take();
    // The other photo is there by now, so nothing is said of it.
    life.recheck(&spoilt(clear(1), 0), 1, 1);
    assert_eq!(life.take(), []);
    let last = life.recheck(&spoilt(clear(1), 0), 2, 1);
    assert_eq!(life.take(), [(1, 2, Review, CounterfeitSlang)]);
    assert!(life.is_open() && last.flag.unwrap().verdict().evidence.is_empty());
}

#[test]
fn a_photo_that_comes_counts_though_one_that_was_no_picture_is_late_now() {
    let mut life = Life::default();
    life.message(&spoilt(without(flagged(1), &[1]), 0));
    life.take();
    let settled = life.recheck(&without(case(1, Review, &[LookAlikeBrand]), &[0]), 1, 1);
    assert_eq!(life.take(), [(1, 2, Review, LookAlikeBrand)]);
    assert_eq!(settled.recheck.unwrap().missing, [0]);
}

#[test]
fn what_was_dismissed_is_no_news_of_a_later_try() {
    let mut life = Life::default();
    life.message(&without(flagged(1), &[1]));
    life.rule(Ruling::Dismiss, 1, 1);
    life.message(&without(flagged(1), &[1]));
    life.take();
    life.recheck(&without(flagged(1), &[0, 1]), 1, 3);
    assert_eq!(life.take(), []);
    life.recheck(&without(case(1, Review, &[LookAlikeBrand]), &[0]), 2, 3);
    assert_eq!(life.take(), [(1, 4, Review, LookAlikeBrand)]);
}

#[test]
fn a_photo_that_never_was_a_picture_is_not_lost() {
    for case in [flagged, clear] {
        let mut life = Life::default();
        life.message(&spoilt(without(case(1), &[1]), 0));
        life.take();
        life.recheck(&spoilt(case(1), 0), 1, 1);
        assert_eq!(life.take().iter().map(|written| written.1).collect::<Vec<_>>(), [2]);
    }
}

#[test]
fn one_photo_more_and_another_one_less_is_no_better() {
    let mut life = Life::default();
    life.message(&without(flagged(1), &[1, 2]));
    life.take();
    let settled = life.recheck(&without(clear(1), &[0]), 1, 1);
    assert_eq!((life.take(), settled.recheck.unwrap().missing), (vec![], vec![1, 2]));
    life.recheck(&without(flagged(1), &[2]), 2, 1);
    assert_eq!(life.take(), [(1, 2, Review, CounterfeitSlang)]);
}

#[test]
fn a_ruling_on_what_nobody_saw_or_on_less_than_the_last_one_changes_nothing() {
    let mut life = Life::default();
    life.message(&flagged(1));
    assert!(life.rule(Ruling::Dismiss, 1, 2).next.is_none());
    assert!(life.rule(Ruling::Dismiss, 900, 1).next.is_none());
    life.message(&flagged(2));
    life.rule(Ruling::Dismiss, 2, 1);
    assert!(life.rule(Ruling::Uphold, 1, 1).next.is_none(), "somebody was late");
    life.take();
    life.message(&flagged(3));
    assert_eq!(life.take(), [(3, 1, Clear, Dismissed)]);
}

#[test]
fn an_upheld_flag_is_kept_when_it_closes_until_it_is_dismissed() {
    let mut life = Life::default();
    life.message(&flagged(1));
    life.rule(Ruling::Uphold, 1, 1);
    life.message(&removed(2));
    life.message(&clear(3));
    let flags = |life: &Life| -> Vec<u64> {
        let flags = life.entry.as_ref().unwrap().flags().unwrap();
        flags.iter().map(|(flag, _)| flag.verdict().listing_version).collect()
    };
    assert_eq!(flags(&life), [1]);
    life.message(&flagged(4));
    assert_eq!(flags(&life), [4, 1]);
    life.rule(Ruling::Dismiss, 4, 1);
    assert!(flags(&life).is_empty());
}

#[test]
fn an_edit_of_what_a_reason_stands_on_is_named_and_photos_seen_once_are_no_edit() {
    let with_photo = |mut case: Case, sha256: Option<&str>| {
        let (url, sha256) = (Some("https://img.example/1.jpg".into()), sha256.map(str::to_owned));
        case.listing.images = vec![touchstone_types::ListingImage { url, sha256, ..Default::default() }];
        case.verdict.evidence = vec![Evidence::PhotoMatch(touchstone_types::PhotoMatch {
            image_idx: 0,
            reference: touchstone_types::Reference::parse("product/lumora/LM-20K#0").unwrap(),
            bank: touchstone_types::Bank::Genuine,
            distance: touchstone_types::HammingDistance::new(2).unwrap(),
            transform: touchstone_types::Transform::None.into(),
            quality: touchstone_types::Quality::new(90).unwrap(),
            score: None,
            overlay: None,
            near_duplicate_of: None,
        })];
        case
    };
    let mut first = with_photo(case(1, Review, &[Reason::SellerHadTakedowns]), Some("ab"));
    first.listing.seller.prior_takedowns = Some(3);
    let mut second = with_photo(clear(2), None);
    second.listing.title.clone_from(&first.listing.title);
    let mut life = Life::default();
    life.message(&first);
    let retract = life.message(&second).retract.unwrap();
    let edits: Vec<&str> = retract
        .verdict()
        .evidence
        .iter()
        .filter_map(|e| match e {
            Evidence::Edit(edit) => Some(edit.field.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(edits, ["seller.prior_takedowns"]);
}

#[test]
fn a_picture_that_nobody_could_read_makes_no_flag_unreadable() {
    let mut flagged = flagged(1);
    let inline = touchstone_types::ListingImage { data: Some(vec![0, 0, 0]), ..Default::default() };
    flagged.listing.images = vec![inline];
    flagged.listing = flagged.listing.judged(&[None]);
    let mut life = Life::default();
    life.message(&flagged);
    let flag = life.entry.unwrap().flag().unwrap().unwrap();
    assert_eq!(flag.listing().images[0].sha256.as_ref().map(String::len), Some(64));
}

#[test]
fn evidence_of_a_new_kind_counts_though_another_photo_is_gone() {
    let mut life = Life::default();
    life.message(&without(flagged(1), &[1]));
    life.take();
    life.recheck(&without(case(1, Review, &[LookAlikeBrand]), &[0]), 1, 1);
    assert_eq!(life.take(), [(1, 2, Review, LookAlikeBrand)]);
}
