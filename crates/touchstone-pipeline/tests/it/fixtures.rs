//! The invented listings of `fixtures/` against what a careful person expects of them.

use std::fmt::Write as _;
use std::fs;

use touchstone_pipeline::judge;

use crate::support::{catalog, context, listings, root};

/// `expected.tsv` was written from the decision table before there was a pipeline: listing, decisions that are right, row,
/// a reason that must be given. Alternatives are joined by a bar.
#[test]
fn fixtures_are_judged_as_a_person_would() {
    let context = context(catalog().records().cloned());
    let expected = fs::read_to_string(root().join("fixtures/expected.tsv")).unwrap();
    let mut wrong = String::new();
    let mut rows = expected.lines().skip(1);
    for (listing, photos) in listings() {
        let row: Vec<&str> = rows.next().expect("one row for each listing").split('\t').collect();
        assert_eq!(row[0], listing.listing_id.as_str(), "rows stand in the order of the listings");
        let verdict = judge(&listing, &photos, &context).verdict;
        let table_row = verdict.row.map_or("-".to_owned(), |r| r.to_string());
        let reasons: Vec<&str> = verdict.reasons.iter().map(|r| r.as_str()).collect();
        let decision = verdict.decision.as_str();
        let right = row[1].split('|').any(|d| d == decision)
            && (row[2].is_empty() || row[2] == "-" || row[2].split('|').any(|r| r == table_row))
            && row[3].split('|').any(|r| reasons.contains(&r));
        if !right {
            let probability = verdict.probability.map_or(-1.0, |p| p.get());
            writeln!(
                wrong,
                "{} {:?}: {decision} row {table_row} p {probability:.3} {reasons:?}, expected {} row {} with {} ({})",
                row[0], listing.title, row[1], row[2], row[3], row[4]
            )
            .unwrap();
        }
    }
    assert!(rows.next().is_none(), "a row without a listing");
    assert!(wrong.is_empty(), "\n{wrong}");
}
