//! Listings long unheard of are forgotten, but for open flags and rulings.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use touchstone_kafka::Record;
use touchstone_testkit::wait_until;
use touchstone_types::{Decision, Reason, Ruling};

use super::market::{Offer, Trait};
use super::single::Single;
use crate::support::LIMIT;

const DAY_MS: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_unheard_of_is_forgotten_unless_it_is_flagged_or_ruled() -> Result<()> {
    let mut on = Single::start("[limits]\nstate_days = 1\n").await?;
    let recent = Offer::new("EX-recent", 0, &[]).at(5);
    let flagged = Offer::new("EX-flagged", 0, &[Trait::Slang]).at(5);
    let dismissed = Offer::new("EX-dismissed", 1, &[Trait::Slang]).at(5);
    let unheard_of: Vec<Offer> =
        (0..8).map(|n| Offer::new(format!("EX-unheard-{n}"), 0, &[]).at(5)).collect();
    // Written long ago, judged now: it was heard of now.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    on.offer_at(&recent, i64::try_from(now.as_millis())? - 3 * DAY_MS)?;
    for offer in unheard_of.iter().chain([&flagged, &dismissed]) {
        on.post(&offer.id, &[Some(offer.json())])?;
    }
    on.wait_sent(0)?;
    on.rule("EX-dismissed", 5, 1, Ruling::Dismiss)?;
    on.wait_verdicts("EX-dismissed", 2)?;
    let old: Vec<&str> =
        unheard_of.iter().chain([&flagged, &dismissed]).map(|offer| offer.id.as_str()).collect();
    let mut on = on.aged_by(2 * DAY_MS, &old).await?;

    let last = |id: &str| -> Result<Record> {
        let records = on.stage.records(&on.stage.topics().state)?;
        let last = records.into_iter().rev().find(|record| record.key.as_deref() == Some(id.as_bytes()));
        last.with_context(|| format!("no state of {id}"))
    };
    // A whole partition is looked at in one go. So after these the others, in the same partitions, were looked at too.
    let mut partitions = BTreeSet::new();
    for offer in &unheard_of {
        wait_until("a listing to be forgotten", LIMIT, || Ok(last(&offer.id)?.value.is_none()))?;
        partitions.insert(last(&offer.id)?.at.partition);
    }
    for id in ["EX-recent", "EX-flagged", "EX-dismissed"] {
        let last = last(id)?;
        assert!(last.value.is_some() && partitions.contains(&last.at.partition), "{id}");
    }

    // An earlier version is the first one of a listing that is not known, and else comes too late.
    for offer in unheard_of.iter().chain([&recent, &flagged, &dismissed]) {
        on.post(&offer.id, &[Some(offer.clone().at(4).json())])?;
    }
    on.wait_sent(0)?;
    for offer in unheard_of.iter().chain([&recent, &flagged, &dismissed]) {
        let found = on.verdicts(&offer.id)?;
        let last = &found.last().context("no verdict")?.verdict;
        if offer.id.starts_with("EX-unheard") {
            assert_eq!((last.decision, last.revision), (Decision::Clear, 1), "{}", offer.id);
        } else {
            let stale = (Decision::Abstain, &[Reason::StaleVersion][..]);
            assert_eq!((last.decision, &*last.reasons), stale, "{}", offer.id);
        }
    }
    on.stop().await
}
