//! A reviewer's word holds: a dismissed listing comes back only with evidence of a new kind.

use anyhow::Result;
use touchstone_testkit::wait_until;
use touchstone_types::{Decision, Reason, Ruling};

use super::market::{self, Offer, Trait};
use super::single::{Single, retract};
use crate::support::LIMIT;

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_listing_comes_back_only_with_a_new_kind_of_evidence() -> Result<()> {
    let mut on = Single::start("[limits]\nsweep_per_second = 2000\n").await?;
    let id = "EX-dismissed";
    let offer = Offer::new(id, 0, &[Trait::Slang]);
    on.offers(std::slice::from_ref(&offer))?;
    let flag = on.pure(&offer, &[], 1);
    assert!(flag.decision.is_flag());
    on.rule(id, 1, 1, Ruling::Dismiss)?;
    let dismissed = [flag.clone(), retract(&flag, Reason::Dismissed, None)];
    on.expect(id, &dismissed)?;

    // Two in three are a next version, one is the same again; the catalog changes with each tenth.
    let mut version = 1;
    for round in 0..100 {
        let mut values = Vec::new();
        for number in 0..10 {
            version += u64::from(number % 3 != 0);
            let mut next = offer.clone().at(version);
            next.note = round * 10 + number;
            values.push(Some(next.json()));
        }
        change(&mut on, round)?;
        on.post(id, &values)?;
        if round % 5 == 4 {
            on.wait_verdicts(id, 2 + 10 * (round as usize + 1))?;
        }
    }
    on.wait_sent(0)?;
    wait_for_catalog(&mut on)?;
    let found = on.verdicts(id)?;
    assert_eq!(found.len(), 2 + 1_000);
    for found in &found[2..] {
        let verdict = &found.verdict;
        assert_eq!((verdict.decision, &*verdict.reasons), (Decision::Clear, &[Reason::Dismissed][..]));
        assert!(verdict.evidence.iter().all(|evidence| evidence.kind() != "contribution"));
    }
    assert_eq!(on.review(id)?.len(), 2, "it came back");

    // Evidence of a new kind: one flag, however often it is sent.
    let mut next = offer.clone().at(version + 1);
    next.traits.insert(Trait::LookAlike);
    on.offers(&[next.clone(), next.clone()])?;
    let mut expected = dismissed.to_vec();
    expected.extend([on.pure(&next, &[], 1), on.pure(&next, &[], 2)]);
    let json = |verdict: &touchstone_types::Verdict| super::oracle::comparable(verdict);
    let review: Vec<String> = on.review(id)?.iter().map(json).collect();
    assert_eq!(review, expected.iter().map(json).collect::<Vec<_>>());

    // And it goes when that goes.
    let back = offer.clone().at(version + 2);
    on.offers(std::slice::from_ref(&back))?;
    let review = on.review(id)?;
    let last = review.last().unwrap();
    assert_eq!((last.decision, last.revision, &*last.reasons), (Decision::Retract, 3, &[Reason::Edited][..]));
    on.stop().await
}

/// A change that has nothing to do with the listing.
fn change(on: &mut Single, round: u64) -> Result<()> {
    let record = match round % 3 {
        0 => market::brand(&format!("other-{round}"), &format!("Ovanta{round}")),
        1 => market::product_at(2, &format!("{}.00", 100 + round)),
        _ => market::product_at(3, &format!("{}.00", 150 + round)),
    };
    on.change(&record.key(), Some(&record))
}

/// Until a verdict says that the whole catalog was read.
fn wait_for_catalog(on: &mut Single) -> Result<()> {
    let n = on.stage.records(&on.stage.topics().catalog)?.len();
    let mut version = 0;
    wait_until("the worker to follow the catalog", LIMIT, || {
        version += 1;
        on.offers(&[Offer::new("EX-probe", 3, &[]).at(version)])?;
        let found = on.verdicts("EX-probe")?;
        let offsets = found.last().and_then(|found| found.record.header("touchstone-catalog-offsets"));
        Ok(offsets == Some(format!("0:{n}").as_str()))
    })
}
