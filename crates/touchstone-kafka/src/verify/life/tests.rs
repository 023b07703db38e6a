use proptest::prelude::*;

use super::*;
use crate::verify::Report;
use crate::verify::ledger::{Body, Partition, check};
use crate::verify::model::{Model, STATE_DAYS, Says};
use crate::verify::sources::SideTopic;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// The ways of listings 0 and 1 through everything that can happen to a flag.
fn eventful() -> Model {
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    model.listing(0, 1, Says::Takedown);
    model.listing(0, 2, Says::Review);
    model.listing(1, 1, Says::Clear);
    model.sweep(0, Says::Takedown);
    model.sweep(0, Says::Clear);
    model.recheck(0, Says::Review);
    model.listing(0, 3, Says::Clear);
    model.listing(0, 2, Says::Review);
    model.listing(1, 2, Says::Takedown);
    model.rule(1, true);
    model.listing(1, 2, Says::Takedown);
    model.listing(0, 4, Says::Takedown);
    model
}

/// The places of the retracts in `verdicts` by their reason.
fn retract(ledger: &Ledger, reason: Reason) -> usize {
    let is_it = |record: &OutputRecord| {
        record.kind == Some(RecordKind::Retract) && step(record).reason == Some(reason)
    };
    ledger.verdicts.iter().position(is_it).unwrap()
}

fn step(record: &OutputRecord) -> &Step {
    record.body.step().unwrap().1
}

/// Changes what a verdict says of its flag, and in the flag that repeats it too.
fn change(ledger: &mut Ledger, place: usize, change: impl Fn(&mut Step)) {
    let (source, before) = (ledger.verdicts[place].source.clone(), *step(&ledger.verdicts[place]));
    for record in ledger.verdicts.iter_mut().chain(&mut ledger.review) {
        if let Body::Flag { step, name, .. } = &mut record.body
            && (&record.source, &*step) == (&source, &before)
        {
            change(step);
            *name = format!("{} {}", step.flag_id, step.revision);
        } else if let Body::Plain { step, .. } = &mut record.body
            && (&record.source, &*step) == (&source, &before)
        {
            change(step);
        }
    }
}

/// Takes a verdict away, and the flag that repeats it.
fn remove(ledger: &mut Ledger, place: usize) {
    let gone = ledger.verdicts.remove(place);
    ledger.review.retain(|flag| (&flag.source, step(flag)) != (&gone.source, step(&gone)));
}

fn check_without_state(mut ledger: Ledger) -> Report {
    ledger.state = None;
    check(&ledger)
}

/// Puts a fault in and expects exactly one violation beside those of the state, of which `is_it` is true.
fn check_fault(fault: impl FnOnce(&mut Ledger), is_it: impl Fn(&Violation) -> bool) {
    let mut ledger = eventful().ledger;
    fault(&mut ledger);
    let violations = check_without_state(ledger).violations;
    assert!(violations.len() == 1 && is_it(&violations[0]), "{violations:#?}");
}

#[test]
fn an_eventful_history_is_whole_and_counted() {
    let report = check(&eventful().ledger);
    assert_eq!(report.violations, []);
    assert_eq!(report.unchecked, []);
    assert_eq!((report.n_inputs, report.n_verdicts, report.n_flags), (9, 9, 11));
    assert_eq!((report.n_open, report.n_retracts, report.n_rechecks, report.n_states), (1, 4, 1, 2));
}

#[test]
fn flag_ids_read_back_and_other_texts_are_none() {
    let text = "0a000000-0000-5000-8000-00000000001f";
    assert_eq!(FlagId::parse(text).unwrap().to_string(), text);
    for bad in ["", "x", "0a0000000000-5000-8000-00000000001f", "+a000000-0000-5000-8000-00000000001f"] {
        assert_eq!(FlagId::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_revision_skipped_or_repeated() {
    for wrong in [1, 3] {
        // The second verdict on version 1 of listing 0: revision 2, retracted by revision 3.
        check_fault(
            |ledger| {
                change(ledger, 1, |step| step.revision = wrong);
                let retract = retract(ledger, Reason::SupersededByFlag);
                change(ledger, retract, |step| step.revision = wrong + 1);
            },
            |v| matches!(v, Violation::Revision { revision, expected: 2, .. } if *revision == wrong),
        );
    }
    check_fault(
        |ledger| {
            // The only verdict on the last version.
            let last = ledger.verdicts.len() - 1;
            change(ledger, last, |step| step.revision = 2);
        },
        |v| matches!(v, Violation::Revision { revision: 2, expected: 1, .. }),
    );
}

#[test]
fn where_retention_cuts_the_first_revision_may_be_higher() {
    let mut model = eventful();
    let last = model.ledger.verdicts.len() - 1;
    change(&mut model.ledger, last, |step| step.revision = 7);
    model.ledger.verdict_starts = BTreeMap::from([(0, 1), (1, 0)]);
    assert_eq!(check_without_state(model.ledger).violations, []);
}

#[test]
fn revisions_begin_anew_only_where_the_state_may_have_been_forgotten() {
    let days = i64::from(STATE_DAYS);
    let mut model = Model::new();
    model.listing(0, 1, Says::Clear);
    model.wait(days);
    model.listing(0, 1, Says::Clear);
    assert_eq!(check(&model.ledger).violations, []);
    model.ledger.verdicts[0].timestamp_ms = model.ledger.verdicts[0].timestamp_ms.map(|ms| ms + HOUR_MS + 1);
    let violations = check(&model.ledger).violations;
    assert!(
        matches!(violations[..], [Violation::Revision { revision: 1, expected: 2, .. }]),
        "{violations:?}"
    );

    // A sweep is no message: what is forgotten follows from the listing before it.
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    model.wait(days - 1);
    model.sweep(0, Says::Clear);
    model.wait(1);
    model.listing(0, 1, Says::Clear);
    assert_eq!(check(&model.ledger).violations, []);

    // A flag that was open when it began anew.
    let mut model = Model::new();
    model.listing(0, 1, Says::Clear);
    model.wait(days);
    model.listing(0, 1, Says::Clear);
    model.ledger.state = None;
    change(&mut model.ledger, 0, |step| step.decision = Decision::Review);
    let (wrong, mut violations) = (BTreeSet::new(), Vec::new());
    check_revisions(&model.ledger, &wrong, &mut violations);
    assert!(matches!(violations[..], [Violation::Revision { .. }]), "{violations:?}");
}

#[test]
fn revision_0_is_for_stale_versions_and_they_abstain() {
    let stale = |ledger: &Ledger| ledger.verdicts.iter().position(|v| step(v).revision == 0).unwrap();
    let faults: [fn(&mut Step); 3] = [
        |step| step.revision = 1,
        |step| step.reason = Some(Reason::NothingFound),
        |step| step.decision = Decision::Clear,
    ];
    for fault in faults {
        check_fault(
            |ledger| {
                let stale = stale(ledger);
                change(ledger, stale, fault);
            },
            |v| matches!(v, Violation::Stale { .. }),
        );
    }
}

#[test]
fn two_open_flags() {
    check_fault(
        |ledger| {
            let superseded = retract(ledger, Reason::SupersededByFlag);
            remove(ledger, superseded);
        },
        |v| matches!(v, Violation::TwoOpen { listing_id, .. } if listing_id == "EX-0"),
    );
}

#[test]
fn a_retract_stands_before_the_flag_that_takes_its_place() {
    let mut ledger = eventful().ledger;
    let at = ledger.review.iter().position(|flag| step(flag).decision == Decision::Retract).unwrap();
    ledger.review.swap(at, at + 1);
    let violations = check_without_state(ledger).violations;
    let [Violation::TwoOpen { .. }, Violation::RetractWithoutFlag { .. }] = &violations[..] else {
        panic!("{violations:#?}");
    };
}

#[test]
fn a_retract_of_a_flag_that_is_not_open() {
    // The flag of listing 1 was never more than a clear verdict, which its dismissal cannot take back.
    check_fault(
        |ledger| {
            let flag = ledger.review.iter().position(|flag| flag.key.as_deref() == Some("EX-1")).unwrap();
            let flag = ledger.review.remove(flag);
            let verdict = ledger.verdicts.iter_mut().find(|v| v.source == flag.source).unwrap();
            let (_, step) = flag.body.step().unwrap();
            let step = Step { decision: Decision::Clear, ..*step };
            verdict.body = Body::Plain { listing_id: "EX-1".into(), step };
        },
        |v| matches!(v, Violation::RetractWithoutFlag { .. }),
    );
}

#[test]
fn a_retract_whose_flag_retention_has_cut() {
    let mut ledger = eventful().ledger;
    ledger
        .review
        .retain(|flag| flag.key.as_deref() != Some("EX-1") || step(flag).decision == Decision::Retract);
    ledger.verdicts.retain(|v| v.key.as_deref() != Some("EX-1") || step(v).decision == Decision::Retract);
    ledger.inputs.remove(&1);
    ledger.verdict_starts.insert(1, 1);
    let mut violations = Vec::new();
    follow(&ledger, &BTreeSet::new(), &mut violations);
    assert!(matches!(violations[..], [Violation::RetractWithoutFlag { .. }]), "{violations:?}");
    ledger.review_starts.insert(1, 1);
    assert_eq!(check_without_state(ledger).violations, []);
}

#[test]
fn every_retract_has_its_cause() {
    let other = FlagId::parse("00000000-0000-5000-8000-0000000000ff");
    type Fault = fn(&mut Step, Option<FlagId>);
    let faults: [(Reason, Fault); 12] = [
        (Reason::SupersededByFlag, |step, _| step.reason = None),
        (Reason::SupersededByFlag, |step, _| step.reason = Some(Reason::NothingFound)),
        (Reason::SupersededByFlag, |step, _| step.reason = Some(Reason::Edited)),
        (Reason::SupersededByFlag, |step, other| step.replaced_by = other),
        (Reason::SupersededByFlag, |step, _| step.replaced_by = None),
        (Reason::Edited, |step, _| step.reason = Some(Reason::SupersededByFlag)),
        (Reason::Edited, |step, _| step.replaced_by = None),
        (Reason::Edited, |step, _| step.reason = Some(Reason::Dismissed)),
        (Reason::EvidenceChanged, |step, other| step.replaced_by = other),
        (Reason::EvidenceChanged, |step, _| step.reason = Some(Reason::Edited)),
        (Reason::Dismissed, |step, other| step.replaced_by = other),
        (Reason::Dismissed, |step, _| step.reason = Some(Reason::EvidenceChanged)),
    ];
    for (reason, fault) in faults {
        check_fault(
            |ledger| {
                let place = retract(ledger, reason);
                change(ledger, place, |step| fault(step, other));
            },
            |v| matches!(v, Violation::RetractWithoutCause { .. }),
        );
    }
}

#[test]
fn the_cause_of_a_retract_follows_it() {
    // The clear verdict after the sweep names another change of the catalog.
    check_fault(
        |ledger| {
            let place = retract(ledger, Reason::EvidenceChanged);
            ledger.verdicts[place + 1].source = Some(Source::parse("catalog/0@0").unwrap());
        },
        |v| matches!(v, Violation::RetractWithoutCause { .. }),
    );
    let mut ledger = eventful().ledger;
    let place = retract(&ledger, Reason::Edited);
    ledger.verdicts.swap(place, place + 1);
    let offset = ledger.verdicts[place].at.offset;
    ledger.verdicts[place].at.offset = ledger.verdicts[place + 1].at.offset;
    ledger.verdicts[place + 1].at.offset = offset;
    let violations = check_without_state(ledger).violations;
    let [Violation::NotTakenBack { .. }, Violation::RetractWithoutCause { .. }] = &violations[..] else {
        panic!("{violations:#?}");
    };
}

#[test]
fn a_flag_that_a_clear_verdict_leaves_open() {
    let is_it = |violations: &[Violation]| matches!(violations, [Violation::NotTakenBack { listing_id, .. }] if listing_id == "EX-0");
    // Revisions rise by one, and the flag goes on later as if nothing had been.
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    model.sweep(0, Says::Clear);
    model.listing(0, 1, Says::Review);
    let mut ledger = model.ledger;
    remove(&mut ledger, 1);
    change(&mut ledger, 1, |step| step.revision = 2);
    change(&mut ledger, 2, |step| step.revision = 3);
    let violations = check_without_state(ledger).violations;
    assert!(is_it(&violations), "{violations:#?}");

    // The flag of an earlier version.
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    model.listing(0, 2, Says::Clear);
    model.listing(0, 2, Says::Clear);
    let mut ledger = model.ledger;
    remove(&mut ledger, 1);
    let violations = check_without_state(ledger).violations;
    assert!(is_it(&violations), "{violations:#?}");
}

#[test]
fn a_listing_that_moved_to_an_added_partition_leaves_its_flag_behind() {
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    model.sweep(0, Says::Takedown);
    model.sweep(0, Says::Clear);
    model.listing(0, 2, Says::Clear);
    let mut ledger = model.ledger;
    // The later version came before the sweeps, in another partition.
    let mut moved = ledger.verdicts.pop().unwrap();
    moved.source = Source::parse("listings/7@0");
    ledger.verdicts.insert(1, moved);
    let input = ledger.inputs.get_mut(&0).unwrap();
    input.offsets.pop();
    input.checksums.pop();
    let input = Partition { offsets: vec![0], checksums: vec![0], ..Partition::default() };
    ledger.inputs.insert(7, input);
    assert_eq!(check_without_state(ledger).violations, []);
}

#[test]
fn older_versions_keep_a_listing_remembered() {
    let days = i64::from(STATE_DAYS);
    let mut model = Model::new();
    model.listing(0, 2, Says::Clear);
    model.wait(days - 1);
    model.listing(0, 1, Says::Clear);
    model.wait(days - 1);
    // It is still known, and should be.
    assert_eq!(check(&model.ledger).violations, []);
    let mut forgotten = model.ledger.clone();
    forgotten.state.as_mut().unwrap().entries.clear();
    let violations = check(&forgotten).violations;
    assert!(matches!(violations[..], [Violation::StateDiffers { .. }]), "{violations:#?}");
    model.listing(0, 2, Says::Clear);
    let mut ledger = model.ledger;
    assert_eq!(check(&ledger).violations, []);
    let last = ledger.verdicts.len() - 1;
    change(&mut ledger, last, |step| step.revision = 1);
    let violations = check_without_state(ledger).violations;
    assert!(matches!(violations[..], [Violation::Revision { expected: 2, .. }]), "{violations:#?}");
}

/// Kafka cuts `verdicts` and `review` at different places.
#[test]
fn a_flag_whose_partner_retention_has_cut_is_not_checked() {
    let mut model = Model::new();
    for version in 1..=4 {
        model.listing(0, version, Says::Review);
        model.wait(1);
    }
    let whole = model.ledger;
    let cut = |mut ledger: Ledger, is_verdicts: bool, n: usize| {
        let (records, starts) = if is_verdicts {
            (&mut ledger.verdicts, &mut ledger.verdict_starts)
        } else {
            (&mut ledger.review, &mut ledger.review_starts)
        };
        records.drain(..n);
        starts.insert(0, records.first().map_or(99, |first| first.at.offset));
        ledger.verdict_starts.entry(0).or_insert(0);
        ledger.review_starts.entry(0).or_insert(0);
        // Listings are kept for a shorter time than verdicts.
        let input = ledger.inputs.get_mut(&0).unwrap();
        input.start = 99;
        (input.offsets, input.checksums) = (Vec::new(), Vec::new());
        ledger
    };
    let n = whole.verdicts.len();
    for is_verdicts in [true, false] {
        for n_gone in 1..=n {
            let report = check(&cut(whole.clone(), is_verdicts, n_gone));
            assert_eq!(report.violations, [], "{n_gone} of {n} are gone, of verdicts: {is_verdicts}");
            let notes: Vec<String> = report.unchecked.iter().map(ToString::to_string).collect();
            let expected = format!("not checked: {n_gone} of {n} flags for the verdict that they repeat");
            assert!(notes.iter().any(|note| note.starts_with(&expected)), "{notes:?}");
        }
    }
    // What is missing in the middle was not cut.
    let mut ledger = cut(whole.clone(), true, 1);
    ledger.review.retain(|flag| step(flag).version != 3);
    let missing = check_without_state(ledger).violations;
    assert!(missing.iter().any(|v| matches!(v, Violation::FlagMissing { .. })), "{missing:#?}");
    let mut ledger = cut(whole, true, 1);
    ledger.verdicts.retain(|verdict| step(verdict).version != 3);
    let missing = check_without_state(ledger).violations;
    assert!(missing.iter().any(|v| matches!(v, Violation::FlagWithoutVerdict { .. })), "{missing:#?}");
}

#[test]
fn a_dismissal_names_a_ruling_on_its_listing() {
    let ruling = |ledger: &mut Ledger| {
        let records = ledger.decisions.records.as_mut().unwrap();
        records.values_mut().next().unwrap().as_mut().unwrap().clone()
    };
    let set = |ledger: &mut Ledger, ruling| {
        *ledger.decisions.records.as_mut().unwrap().values_mut().next().unwrap() = ruling;
    };
    let is_it = |v: &Violation| matches!(v, Violation::RetractWithoutCause { .. });
    check_fault(
        |ledger| {
            let mut uphold = ruling(ledger);
            uphold.is_dismissal = false;
            set(ledger, Some(uphold));
        },
        is_it,
    );
    check_fault(
        |ledger| {
            let mut other = ruling(ledger);
            other.listing_id = "EX-0".into();
            set(ledger, Some(other));
        },
        is_it,
    );
    check_fault(|ledger| set(ledger, None), is_it);
    // Both the retract in `verdicts` and the one in `review` name it.
    let mut ledger = eventful().ledger;
    ledger.decisions.records.as_mut().unwrap().clear();
    let violations = check_without_state(ledger).violations;
    let of_decisions =
        |v: &Violation| matches!(v, Violation::NoSource { source, .. } if &*source.topic == "decisions");
    assert!(violations.len() == 2 && violations.iter().all(of_decisions), "{violations:#?}");
    let mut ledger = eventful().ledger;
    ledger.decisions.records.as_mut().unwrap().clear();
    ledger.decisions.bounds.as_mut().unwrap().insert(0, (1, 1));
    assert_eq!(check(&ledger).violations, []);
}

/// Nothing more follows from a record that is wrong in itself.
#[test]
fn a_doubled_verdict_and_a_doubled_flag_are_reported_once() {
    let again = |record: &OutputRecord| {
        let mut again = record.clone();
        again.at.offset += 1000;
        again
    };
    let mut ledger = eventful().ledger;
    for place in [0, 1] {
        let again = again(&ledger.verdicts[place]);
        ledger.verdicts.push(again);
    }
    let again = again(&ledger.review[0]);
    ledger.review.push(again);
    let violations = check(&ledger).violations;
    let n_doubled = violations.iter().filter(|v| matches!(v, Violation::Doubled { .. })).count();
    let n_flags = violations.iter().filter(|v| matches!(v, Violation::FlagDoubled { .. })).count();
    assert_eq!((n_doubled, n_flags), (2, 1), "{violations:#?}");
    let n_other = violations.iter().filter(|v| !matches!(v, Violation::Reordered { .. })).count();
    assert_eq!(n_other, 3, "{violations:#?}");
}

#[test]
fn a_kind_that_is_not_the_decision() {
    check_fault(
        |ledger| {
            let is_recheck = |v: &&mut OutputRecord| &*v.source.as_ref().unwrap().topic == "recheck";
            let verdict = ledger.verdicts.iter_mut().find(is_recheck).unwrap();
            verdict.kind = Some(RecordKind::Retract);
        },
        |v| matches!(v, Violation::RetractWithoutCause { problem: "has another kind than decision", .. }),
    );
}

#[test]
fn what_old_releases_wrote_is_not_held_against_them() {
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    let mut ledger = model.ledger;
    // The flag of another version, and nothing was taken back.
    for records in [&mut ledger.verdicts, &mut ledger.review] {
        let mut next = records[0].clone();
        next.at.offset += 1;
        next.source.as_mut().unwrap().offset += 1;
        if let Body::Flag { step, name, .. } = &mut next.body {
            step.flag_id = FlagId(7);
            *name = "other".into();
        }
        records.push(next);
    }
    let input = ledger.inputs.get_mut(&0).unwrap();
    input.offsets.push(1);
    input.checksums.push(0);
    let report = check_without_state(ledger.clone());
    assert_eq!(report.violations, []);
    assert_eq!(
        report.unchecked[0].to_string(),
        "not checked: 2 of 2 verdicts for the life of their flags: no worker that keeps a state has written here"
    );
    // A state shows that somebody should have taken it back.
    let violations = check(&ledger).violations;
    assert!(violations.iter().any(|v| matches!(v, Violation::TwoOpen { .. })), "{violations:?}");
}

#[test]
fn topics_that_are_missing_are_noted() {
    let mut ledger = eventful().ledger;
    ledger.decisions = SideTopic { name: "decisions".into(), ..SideTopic::default() };
    ledger.recheck = SideTopic { name: "recheck".into(), ..SideTopic::default() };
    ledger.state = None;
    let report = check(&ledger);
    assert_eq!(report.violations, []);
    let notes: Vec<String> = report.unchecked.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "not checked: 4 of 27 verdicts, flags and dead letters for their source: \
             the topic that they name is missing or empty",
            "not checked: 2 of 2 listings for their state: the state topic is missing or empty",
        ]
    );
}

#[test]
fn a_recheck_explains_itself_and_is_judged_once() {
    let is_bad = |v: &Violation| matches!(v, Violation::BadRecheck { .. });
    fn recheck(ledger: &mut Ledger) -> &mut crate::verify::RecheckRecord {
        ledger.recheck.records.as_mut().unwrap().values_mut().next().unwrap()
    }
    check_fault(|ledger| recheck(ledger).problem = Some("is no listing"), is_bad);
    check_fault(|ledger| recheck(ledger).source = None, is_bad);
    for source in ["listings/0@999", "listings/1@0", "catalog/0@0"] {
        check_fault(|ledger| recheck(ledger).source = Source::parse(source), is_bad);
    }
    check_fault(
        |ledger| {
            let is_recheck = |v: &&OutputRecord| &*v.source.as_ref().unwrap().topic == "recheck";
            let mut again = ledger.verdicts.iter().find(is_recheck).unwrap().clone();
            again.at.offset = 999;
            ledger.verdicts.push(again);
        },
        |v| matches!(v, Violation::Doubled { source, .. } if &*source.topic == "recheck"),
    );
}

type Op = (u8, u8, u8);

fn play(ops: &[Op]) -> Model {
    let mut model = Model::new();
    for (what, number, more) in ops {
        let (number, says) = (number % 3, Says::ALL[usize::from(more % 4)]);
        let version = model.version(number);
        match what % 8 {
            0 | 1 => model.listing(number, version + 1, says),
            2 => model.listing(number, version.max(1), says),
            3 => model.listing(number, version.saturating_sub(1).max(1), says),
            4 => model.sweep(number, says),
            5 => model.recheck(number, says),
            6 => model.rule(number, more % 2 == 0),
            _ => model.wait(i64::from(*more) % 120),
        }
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(7), failure_persistence: None, cases: 1000, ..Default::default()
    })]

    #[test]
    fn whole_histories_have_no_violations(ops in prop::collection::vec(any::<Op>(), 0..80)) {
        let report = check(&play(&ops).ledger);
        prop_assert_eq!(report.violations, vec![]);
        prop_assert_eq!(report.unchecked, vec![]);
    }

    #[test]
    fn a_retract_that_goes_missing_is_noticed(
        ops in prop::collection::vec(any::<Op>(), 0..80),
        n: prop::sample::Index,
    ) {
        let mut ledger = play(&ops).ledger;
        let is_retract = |(_, record): &(usize, &OutputRecord)| record.kind == Some(RecordKind::Retract);
        let places: Vec<usize> =
            ledger.verdicts.iter().enumerate().filter(is_retract).map(|(place, _)| place).collect();
        if !places.is_empty() {
            remove(&mut ledger, places[n.index(places.len())]);
            prop_assert_ne!(check(&ledger).violations, vec![]);
        }
    }
}
