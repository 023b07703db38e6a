use super::*;
use crate::verify::ledger::check as check_ledger;
use crate::verify::model::{Model, STATE_DAYS, Says, flag_id};

/// Listing 0 has an open flag, listing 1 has none; the last verdict on each is young.
fn model() -> Model {
    let mut model = Model::new();
    model.listing(0, 1, Says::Review);
    model.listing(0, 2, Says::Takedown);
    model.listing(1, 4, Says::Clear);
    model
}

fn entry<'a>(ledger: &'a mut Ledger, listing_id: &str) -> &'a mut StateEntry {
    let partitions = ledger.state.as_mut().unwrap().entries.get_mut(listing_id).unwrap();
    partitions.values_mut().next().unwrap().entry.as_mut().unwrap()
}

fn entries(ledger: &mut Ledger) -> &mut BTreeMap<String, BTreeMap<i32, StateRecord>> {
    &mut ledger.state.as_mut().unwrap().entries
}

/// Puts a fault in and expects that the state of exactly this listing differs.
fn check_fault(listing: &str, fault: impl FnOnce(&mut Ledger), text: &str) {
    let mut ledger = model().ledger;
    fault(&mut ledger);
    let violations = check_ledger(&ledger).violations;
    let [found @ Violation::StateDiffers { listing_id, .. }] = &violations[..] else {
        panic!("{violations:#?}");
    };
    assert_eq!(listing_id, listing);
    assert!(found.to_string().contains(text), "{found}");
    assert!(found.may_pass());
}

#[test]
fn a_state_that_agrees_is_counted() {
    let report = check_ledger(&model().ledger);
    assert_eq!(report.violations, []);
    assert_eq!(report.n_states, 2);
}

#[test]
fn a_state_that_says_something_else() {
    check_fault("EX-1", |ledger| entry(ledger, "EX-1").version = 3, "says version 3, revision 1, and");
    check_fault("EX-1", |ledger| entry(ledger, "EX-1").revision = 2, "version 4, revision 2, and");
    check_fault("EX-0", |ledger| entry(ledger, "EX-0").flag = None, "it has no open flag, and review has");
    check_fault(
        "EX-0",
        |ledger| entry(ledger, "EX-0").flag.as_mut().unwrap().1 = 2,
        "revision 2, and review",
    );
    let flag = FlagId::parse(&flag_id(1, 4)).map(|id| (id, 1));
    check_fault("EX-1", |ledger| entry(ledger, "EX-1").flag = flag, "and review has no open flag");
    check_fault(
        "EX-1",
        |ledger| entries(ledger).get_mut("EX-1").unwrap().get_mut(&1).unwrap().entry = None,
        "state/1@",
    );
    let ghost = |ledger: &mut Ledger| {
        let of = entries(ledger)["EX-1"].clone();
        entries(ledger).insert("EX-9".into(), of);
    };
    check_fault("EX-9", ghost, "there is no verdict on it");
}

#[test]
fn a_state_in_another_partition() {
    let move_it = |ledger: &mut Ledger| {
        let latest = entries(ledger).get_mut("EX-1").unwrap().get_mut(&1).unwrap().clone();
        entries(ledger).get_mut("EX-1").unwrap().insert(0, latest);
    };
    check_fault("EX-1", move_it, "state/0@0 of listing EX-1: its last listing came from partition 1");
}

#[test]
fn a_state_that_is_missing() {
    check_fault(
        "EX-0",
        |ledger| drop(entries(ledger).remove("EX-0")),
        "nothing is remembered, but review has",
    );
    check_fault("EX-1", |ledger| drop(entries(ledger).remove("EX-1")), "nothing is remembered of the last");
}

#[test]
fn a_state_may_be_forgotten_in_time_but_not_with_an_open_flag() {
    let mut model = model();
    model.wait(i64::from(STATE_DAYS));
    model.listing(2, 1, Says::Clear);
    assert!(!entries(&mut model.ledger).contains_key("EX-1"));
    assert_eq!(check_ledger(&model.ledger).violations, []);
    entries(&mut model.ledger).remove("EX-0");
    assert_eq!(check_ledger(&model.ledger).violations.len(), 1);
}

#[test]
fn where_retention_has_cut_the_history_the_state_is_believed() {
    let mut ledger = model().ledger;
    let flag = FlagId::parse(&flag_id(1, 4)).map(|id| (id, 1));
    entry(&mut ledger, "EX-1").flag = flag;
    ledger.review_starts = BTreeMap::from([(0, 0), (1, 1)]);
    let report = check_ledger(&ledger);
    assert_eq!(report.violations, []);
    assert_eq!(
        report.unchecked[0].to_string(),
        "not checked: 1 of 2 listings for their state: retention has cut their history"
    );
}

fn record(key: &[u8], offset: i64, value: Option<&str>) -> Record {
    let at = Source { topic: "state".into(), partition: 0, offset };
    let value = value.map(|value| value.as_bytes().to_vec());
    Record { at, timestamp_ms: None, key: Some(key.to_vec()), value, headers: Vec::new() }
}

#[test]
fn the_last_value_counts_and_null_deletes() {
    let mut states = States::default();
    states.take(record(CURSORS_KEY, 0, Some(r#"{"decisions":{"0":12}}"#)));
    states.take(record(b"EX-1", 1, Some(r#"{"version":1,"revision":1}"#)));
    let flag = format!(
        r#"{{"version":2,"revision":3,"seen_ms":5,"flag":{{"flag_id":"{}","revision":3,"listing":{{}}}}}}"#,
        flag_id(1, 2)
    );
    states.take(record(b"EX-1", 2, Some(&flag)));
    states.take(record(b"EX-2", 3, Some(r#"{"version":1,"revision":1}"#)));
    states.take(record(b"EX-2", 4, None));
    states.take(record(b"EX-3", 5, Some("{")));
    states.take(record(b"\xff\xfe", 6, Some("{}")));
    let flag = FlagId::parse(&flag_id(1, 2)).map(|id| (id, 3));
    let entry = Some(StateEntry { version: 2, revision: 3, flag });
    let latest = |offset, entry| BTreeMap::from([(0, StateRecord { offset, entry })]);
    let expected =
        BTreeMap::from([("EX-1".to_owned(), latest(2, entry)), ("EX-3".to_owned(), latest(5, None))]);
    assert_eq!(states.entries, expected);
    assert_eq!(states.strays.len(), 1);
    assert_eq!(states.n_entries(), 2);
}
