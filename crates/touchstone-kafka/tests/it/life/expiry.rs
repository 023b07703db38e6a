//! Listings long unheard of are forgotten, but for open flags and rulings.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use touchstone_testkit::wait_until;
use touchstone_types::{Decision, Reason, Ruling};

use super::market::{Offer, Trait};
use super::single::Single;
use crate::support::LIMIT;

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_unheard_of_is_forgotten_unless_it_is_flagged_or_ruled() -> Result<()> {
    let mut on = Single::start("[limits]\nstate_days = 1\n").await?;
    let clean = Offer::new("EX-clean", 0, &[]).at(5);
    let recent = Offer::new("EX-recent", 0, &[]).at(5);
    let flagged = Offer::new("EX-flagged", 0, &[Trait::Slang]).at(5);
    let dismissed = Offer::new("EX-dismissed", 1, &[Trait::Slang]).at(5);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let long_ago = i64::try_from((now - Duration::from_secs(3 * 86_400)).as_millis())?;
    on.offer_at(&flagged, long_ago)?;
    on.offer_at(&dismissed, long_ago)?;
    on.rule("EX-dismissed", 5, 1, Ruling::Dismiss)?;
    on.wait_verdicts("EX-dismissed", 2)?;
    on.offers(std::slice::from_ref(&recent))?;
    // Last, so that the walk that forgets it has gone past the others.
    on.offer_at(&clean, long_ago)?;

    let forgotten = |id: &str| -> Result<bool> {
        let records = on.stage.records(&on.stage.topics().state)?;
        let last = records.iter().rev().find(|record| record.key.as_deref() == Some(id.as_bytes()));
        Ok(last.context("no state")?.value.is_none())
    };
    wait_until("the clean listing to be forgotten", LIMIT, || forgotten("EX-clean"))?;
    for id in ["EX-recent", "EX-flagged", "EX-dismissed"] {
        assert!(!forgotten(id)?, "{id}");
    }

    // An earlier version is the first one of a listing that is not known, and else comes too late.
    for offer in [&clean, &recent, &flagged, &dismissed] {
        on.offers(&[offer.clone().at(4)])?;
        let found = on.verdicts(&offer.id)?;
        let last = &found.last().context("no verdict")?.verdict;
        match offer.id.as_str() {
            "EX-clean" => assert_eq!((last.decision, last.revision), (Decision::Clear, 1)),
            id => assert_eq!(
                (last.decision, &*last.reasons),
                (Decision::Abstain, &[Reason::StaleVersion][..]),
                "{id}"
            ),
        }
    }
    on.stop().await
}
