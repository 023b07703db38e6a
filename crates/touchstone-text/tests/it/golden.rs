//! Real listings of ink cartridges against a golden that people read line by line (`fixtures/golden`).

use std::collections::BTreeMap;
use std::time::Instant;

use touchstone_text::{State, TextFindings, analyse};
use touchstone_types::{CatalogRecord, Field, Listing, Role};

use crate::data;

const GOLDEN: &str = include_str!("../../../../fixtures/golden/ink-cartridges.tsv");

/// The role of the brand in the offer: that of the title, else of the brand field, else of any other field.
fn role(findings: &TextFindings) -> Option<Role> {
    let rank = |field: &Field| match field {
        Field::Title => 0,
        Field::Brand => 1,
        _ => 2,
    };
    let first = findings.claims.iter().map(|c| rank(&c.field)).min()?;
    let mut roles: Vec<Role> =
        findings.claims.iter().filter(|c| rank(&c.field) == first).map(|c| c.role).collect();
    roles.sort_unstable();
    roles.first().copied()
}

fn state(findings: &TextFindings) -> &'static str {
    match findings.state {
        State::New => "new",
        State::Used { .. } => "used",
        State::Refurbished { .. } => "remanufactured",
        State::Empty { .. } => "empty",
        State::ForRefilling { .. } => "for_refilling",
    }
}

/// "8x2,7" as units by product row; alternatives are separated by a bar.
fn contents(text: &str) -> Vec<Vec<(usize, u32)>> {
    text.split('|')
        .map(|one| {
            one.split(',')
                .filter(|unit| !unit.is_empty())
                .map(|unit| {
                    let (row, count) = unit.split_once('x').unwrap_or((unit, "1"));
                    (row.parse().unwrap(), count.parse().unwrap())
                })
                .collect()
        })
        .collect()
}

#[test]
fn real_ink_cartridges_agree_with_the_golden() {
    let (Some(catalog), Some(listings)) = (
        data::read("listings/ink-cartridges/catalog.jsonl"),
        data::read("listings/ink-cartridges/listings.jsonl"),
    ) else {
        return;
    };
    let index = data::index(&catalog);
    let rows: BTreeMap<(String, String), usize> = catalog
        .lines()
        .enumerate()
        .filter_map(|(row, line)| match CatalogRecord::from_json(line.as_bytes()).unwrap() {
            CatalogRecord::Product(p) => {
                Some(((p.brand_id.as_str().into(), p.product_id.as_str().into()), row))
            }
            _ => None,
        })
        .collect();
    let listings: Vec<Listing> =
        listings.lines().map(|line| Listing::from_json(line.as_bytes()).unwrap()).collect();
    // (right, of) for every column, sure rows first.
    let mut score: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let verbose = std::env::var_os("TOUCHSTONE_VERBOSE").is_some();
    for line in GOLDEN.lines().skip(1).filter(|l| !l.is_empty()) {
        let columns: Vec<&str> = line.split('\t').collect();
        let row: usize = columns[0].parse().unwrap();
        let found = analyse(&index, &listings[row]);
        let units: Vec<(usize, u32)> = found
            .contents
            .iter()
            .map(|u| (rows[&(u.brand_id.as_str().to_owned(), u.product_id.as_str().to_owned())], u.count))
            .collect();
        let wanted = contents(columns[2]);
        let wanted_state = if columns[4] == "expired" { "used" } else { columns[4] };
        let role = role(&found).map_or("none", Role::as_str);
        for (column, right) in [
            ("pack_size", found.pack_size.to_string() == columns[1]),
            ("products", wanted.contains(&units)),
            ("role", role == columns[3]),
            ("state", state(&found) == wanted_state),
        ] {
            let entry = score.entry((column, columns[5])).or_default();
            entry.0 += usize::from(right);
            entry.1 += 1;
            if !right && verbose {
                eprintln!(
                    "row {row} {column} ({}): pack {} units {units:?} role {role} state {} matches {:?}",
                    columns[1..6].join(" "),
                    found.pack_size,
                    state(&found),
                    found
                        .matches
                        .iter()
                        .map(|m| (m.probability.get(), &m.agree, &m.differ))
                        .collect::<Vec<_>>(),
                );
            }
        }
    }
    eprintln!("ink cartridges, golden: {score:?}");
    // Every row of which the readers were sure is right; the others are reported only.
    for column in ["pack_size", "products", "role", "state"] {
        let (right, of) = score[&(column, "y")];
        assert_eq!(right, of, "{column}");
    }
    let start = Instant::now();
    for _ in 0..20 {
        for listing in &listings {
            std::hint::black_box(analyse(&index, listing));
        }
    }
    eprintln!("{:.0} listings/s", 20.0 * listings.len() as f64 / start.elapsed().as_secs_f64());
}
