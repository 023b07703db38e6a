use serde_json::json;

use super::*;

fn at(topic: &str, partition: i32, offset: i64) -> Source {
    Source { topic: topic.into(), partition, offset }
}

/// A verdict on an input, which has a flag of its own.
fn value(listing_id: &str, decision: &str, source: &Source) -> Value {
    let flag_id = format!("00000000-0000-5000-{:04x}-{:012x}", source.partition, source.offset);
    json!({"listing_id": listing_id, "decision": decision, "flag_id": flag_id, "revision": 1,
        "listing_version": 1, "priority": 7})
}

fn output(at: Source, key: &str, source: Source, kind: RecordKind, body: Body) -> OutputRecord {
    OutputRecord {
        at,
        timestamp_ms: Some(0),
        key: Some(key.into()),
        kind: Some(kind),
        source: Some(source),
        body,
    }
}

fn letter(checksum: u32) -> Body {
    Body::DeadLetter { lacks: None, checksum: Some(checksum) }
}

/// Two partitions of ten inputs each, with gaps between offsets; listing `EX-<n % 4>`; each fifth a dead letter, each
/// third a flag.
fn good() -> Ledger {
    let mut ledger = Ledger { input_topic: "listings".into(), ..Ledger::default() };
    for partition in 0..2 {
        let offsets: Vec<i64> = (0..10).map(|n| n * 2 + i64::from(partition)).collect();
        let committed = offsets.last().map(|last| last + 1);
        for (n, offset) in offsets.iter().enumerate() {
            let (source, key) = (at("listings", partition, *offset), format!("EX-{}", n % 4));
            if n % 5 == 0 {
                let place = at("listings.dlq", 0, ledger.dead_letters.len() as i64);
                ledger.dead_letters.push(output(
                    place,
                    &key,
                    source,
                    RecordKind::DeadLetter,
                    letter(n as u32),
                ));
                continue;
            }
            let decision = if n % 3 == 0 { "review" } else { "clear" };
            let mut value = value(&key, decision, &source);
            let body = |value: &Value| Body::of_verdict(Some(value.to_string().as_bytes()));
            let place = at("verdicts", 0, ledger.verdicts.len() as i64);
            ledger.verdicts.push(output(place, &key, source.clone(), RecordKind::Verdict, body(&value)));
            if decision == "review" {
                value["listing"] = json!({"title": "Lumora 20"});
                value["photos"] = json!([]);
                let place = at("review", 0, ledger.review.len() as i64);
                ledger.review.push(output(place, &key, source, RecordKind::Verdict, body(&value)));
            }
        }
        ledger
            .inputs
            .insert(partition, Partition { start: 0, offsets, checksums: (0..10).collect(), committed });
    }
    ledger
}

/// Puts a fault in and expects exactly one violation, of which `is_it` is true.
fn check_fault(fault: impl FnOnce(&mut Ledger), is_it: impl Fn(&Violation) -> bool) {
    let mut ledger = good();
    fault(&mut ledger);
    let report = check(&ledger);
    assert!(!report.is_exact());
    assert!(report.violations.len() == 1 && is_it(&report.violations[0]), "{:#?}", report.violations);
}

#[test]
fn a_good_ledger_is_exact() {
    let report = check(&good());
    assert_eq!(report.violations, []);
    assert_eq!((report.n_inputs, report.n_verdicts, report.n_dead_letters, report.n_flags), (20, 16, 4, 6));
    assert_eq!((report.n_pending, report.n_expired), (0, 0));
}

#[test]
fn one_loss() {
    let plain =
        |ledger: &Ledger| ledger.verdicts.iter().position(|v| matches!(v.body, Body::Plain { .. })).unwrap();
    check_fault(
        |ledger| {
            ledger.verdicts.remove(plain(ledger));
        },
        |v| matches!(v, Violation::Lost { source } if source.to_string() == "listings/0@2"),
    );
    check_fault(
        |ledger| {
            ledger.dead_letters.pop();
        },
        |v| matches!(v, Violation::Lost { .. }),
    );
}

#[test]
fn one_double() {
    let doubled = |v: &Violation| matches!(v, Violation::Doubled { at, .. } if at.len() == 2);
    check_fault(
        |ledger| {
            let mut again = ledger.verdicts.last().unwrap().clone();
            again.at.offset += 1;
            ledger.verdicts.push(again);
        },
        doubled,
    );
    check_fault(
        |ledger| {
            let mut letter = ledger.dead_letters[0].clone();
            letter.source = ledger.verdicts[0].source.clone();
            letter.body = Body::DeadLetter { lacks: None, checksum: None };
            ledger.dead_letters.push(letter);
        },
        doubled,
    );
}

#[test]
fn one_reorder() {
    check_fault(
        |ledger| {
            // The first and the second verdict on one listing of one partition change places.
            let of = |n: usize, ledger: &Ledger| {
                let same = ledger.verdicts.iter().enumerate().filter(|(_, v)| {
                    v.key.as_deref() == Some("EX-1") && v.source.as_ref().unwrap().partition == 0
                });
                same.map(|(place, _)| place).nth(n).unwrap()
            };
            let (first, second) = (of(0, ledger), of(1, ledger));
            ledger.verdicts.swap(first, second);
        },
        |v| matches!(v, Violation::Reordered { listing_id, .. } if listing_id == "EX-1"),
    );
}

#[test]
fn a_flag_that_differs_is_named_with_its_fields() {
    check_fault(
        |ledger| {
            let Body::Flag { content, .. } = &mut ledger.review[0].body else { panic!("a flag") };
            *content = content.replace("\"priority\":7", "\"priority\":8");
        },
        |v| matches!(v, Violation::FlagDiffers { fields, .. } if fields == &["priority"]),
    );
}

#[test]
fn flags_and_verdicts_belong_together_one_to_one() {
    check_fault(
        |ledger| {
            ledger.review.pop();
        },
        |v| matches!(v, Violation::FlagMissing { .. }),
    );
    check_fault(
        |ledger| ledger.review.push(ledger.review[0].clone()),
        |v| matches!(v, Violation::FlagDoubled { .. }),
    );
    check_fault(
        |ledger| {
            let mut stray =
                ledger.verdicts.iter().find(|v| matches!(v.body, Body::Plain { .. })).unwrap().clone();
            stray.at = at("review", 0, 99);
            ledger.review.push(stray);
        },
        |v| matches!(v, Violation::FlagWithoutVerdict { .. }),
    );
}

#[test]
fn an_output_without_an_input() {
    check_fault(
        |ledger| {
            let mut ghost = ledger.dead_letters[0].clone();
            ghost.source = Some(at("listings", 0, 1));
            ledger.dead_letters.push(ghost);
        },
        |v| matches!(v, Violation::NoSource { source, .. } if source.offset == 1),
    );
    check_fault(
        |ledger| {
            let mut nameless = ledger.dead_letters[0].clone();
            nameless.source = None;
            ledger.dead_letters.push(nameless);
        },
        |v| matches!(v, Violation::Unsourced { .. }),
    );
    check_fault(
        |ledger| {
            let mut misplaced = ledger.dead_letters[0].clone();
            misplaced.kind = Some(RecordKind::Verdict);
            ledger.dead_letters.push(misplaced);
        },
        |v| matches!(v, Violation::Unsourced { .. }),
    );
}

#[test]
fn an_output_of_another_topic_is_not_the_output_of_an_input() {
    check_fault(
        |ledger| {
            let mut foreign = ledger.dead_letters[0].clone();
            foreign.source = Some(at("other", 0, 0));
            ledger.dead_letters.push(foreign);
        },
        |v| matches!(v, Violation::NoSource { source, .. } if &*source.topic == "other"),
    );
}

#[test]
fn an_input_passed_over_is_lost_whatever_is_committed() {
    check_fault(
        |ledger| {
            let plain = |v: &OutputRecord| matches!(v.body, Body::Plain { .. });
            let place = ledger.verdicts.iter().position(plain).unwrap();
            ledger.verdicts.remove(place);
            ledger.inputs.get_mut(&0).unwrap().committed = Some(0);
        },
        |v| matches!(v, Violation::Lost { source } if source.to_string() == "listings/0@2"),
    );
}

#[test]
fn a_wrong_key_and_an_unreadable_value() {
    let plain = |ledger: &mut Ledger| {
        ledger.verdicts.iter().position(|v| matches!(v.body, Body::Plain { .. })).unwrap()
    };
    check_fault(
        |ledger| {
            let place = plain(ledger);
            ledger.verdicts[place].key = Some("EX-other".into());
        },
        |v| matches!(v, Violation::WrongKey { .. }),
    );
    check_fault(
        |ledger| {
            let place = plain(ledger);
            ledger.verdicts[place].body = Body::of_verdict(Some(b"{}"));
        },
        |v| matches!(v, Violation::Unreadable { .. }),
    );
}

#[test]
fn a_dead_letter_repeats_its_input_and_explains_itself() {
    let is_bad = |v: &Violation| matches!(v, Violation::BadDeadLetter { at, .. } if at.offset == 1);
    check_fault(|ledger| ledger.dead_letters[1].body = letter(77), is_bad);
    let mute = Body::DeadLetter { lacks: Some("lacks a header"), checksum: None };
    check_fault(|ledger| ledger.dead_letters[1].body = mute, is_bad);
    let mut ledger = good();
    ledger.dead_letters[1].body = Body::DeadLetter { lacks: None, checksum: None };
    assert_eq!(check(&ledger).violations, []);
}

#[test]
fn what_is_not_committed_is_pending_and_what_has_expired_is_not_checked() {
    let mut ledger = good();
    let input = ledger.inputs.get_mut(&1).unwrap();
    input.offsets.extend([100, 101]);
    let input = ledger.inputs.get_mut(&0).unwrap();
    input.offsets.drain(..2);
    input.checksums.drain(..2);
    input.start = 4;
    let report = check(&ledger);
    assert_eq!(report.violations, []);
    assert_eq!((report.n_pending, report.n_expired), (2, 2));
    // Where no group is known, everything must be there.
    ledger.inputs.get_mut(&1).unwrap().committed = None;
    assert_eq!(check(&ledger).violations.len(), 2);
}
