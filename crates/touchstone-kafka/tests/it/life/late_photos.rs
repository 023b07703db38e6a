//! Photos that come late or never: what is written down to try again, and what becomes of it.

use anyhow::{Context as _, Result};
use touchstone_kafka::Record;
use touchstone_kafka::verify::Violation;
use touchstone_testkit::wait_until;
use touchstone_types::{Completeness, Decision, Evidence, PhotoFailure, PhotoUnreachable, Reason, Verdict};

use super::host::{Host, When};
use super::market::{self, Offer, Trait};
use super::single::{Single, with};
use crate::support::LIMIT;

async fn single(host: &Host, rechecks: &str) -> Result<Single> {
    let origin = host.origin();
    Single::start(&format!(
        "[photos]\ntest_origins = [\"{origin}\"]\ndeadline_ms = 20000\nrecheck_after_s = {rechecks}\n"
    ))
    .await
}

fn offer(id: &str, host: &Host, when: When) -> Offer {
    let mut offer = Offer::new(id, 1, &[Trait::Slang, Trait::Cheap]);
    offer.urls.push(format!("{}{}", host.origin(), when.path(1)));
    offer
}

/// The tries that were written down for a listing.
fn rechecks(on: &Single, id: &str) -> Result<Vec<Record>> {
    let records = on.stage.records(&on.stage.topics().recheck)?;
    Ok(records.into_iter().filter(|record| record.key.as_deref() == Some(id.as_bytes())).collect())
}

/// Checks the record of one try and its headers.
fn check(record: &Record, sent: &Record, attempt: u32, source: &str, delay_ms: i64) -> Result<()> {
    assert_eq!((&record.key, &record.value), (&sent.key, &sent.value));
    assert_eq!(record.at.partition, sent.at.partition);
    assert_eq!(record.header("touchstone-kind"), Some("recheck"));
    assert_eq!(record.header("touchstone-source"), Some(source));
    assert_eq!(record.header("touchstone-attempts"), Some(attempt.to_string().as_str()));
    assert_eq!(record.header("touchstone-revision"), Some("1"));
    let due: i64 = record.header("touchstone-due").context("no due time")?.parse()?;
    let written = record.timestamp_ms.context("no time")?;
    assert!((due - written - delay_ms).abs() < 5_000, "due {due}, written {written}");
    Ok(())
}

/// The verdict on a photo that never came.
fn after_the_last_try(on: &Single, offer: &Offer) -> Verdict {
    let fact = PhotoUnreachable { image_idx: 0, failure: PhotoFailure::Status };
    let last = on.pure(offer, &[Err(PhotoFailure::Status)], 2);
    let mut last = with(last, Evidence::PhotoUnreachable(fact));
    last.reasons.push(Reason::PhotoUnreachable);
    last.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight()));
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_comes_late_makes_a_better_verdict() -> Result<()> {
    let host = Host::start()?;
    let mut on = single(&host, "[1, 1, 2, 2, 2, 2, 2, 2]").await?;
    let offer = offer("EX-late", &host, When::Gate(0));
    on.offers(std::slice::from_ref(&offer))?;
    let partial = on.pure(&offer, &[Err(PhotoFailure::Status)], 1);
    assert_eq!((partial.decision, partial.completeness), (Decision::Review, Completeness::Partial));
    on.expect("EX-late", std::slice::from_ref(&partial))?;
    host.open(1);

    let full = on.pure(&offer, &[Ok(market::PHOTOS[1].clone())], 2);
    assert!(full.reasons.contains(&Reason::PhotoOfGenuineProduct) && full.completeness == Completeness::Full);
    let found = on.expect("EX-late", &[partial, full])?;

    let tries = rechecks(&on, "EX-late")?;
    let sent = &on.stage.records(&on.stage.topics().listings)?[0];
    check(&tries[0], sent, 1, &sent.at.to_string(), 1_000)?;
    assert_eq!(found[1].source(), tries.last().context("no try")?.at.to_string());
    on.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_that_never_comes_is_a_fact_in_the_end() -> Result<()> {
    let host = Host::start()?;
    let mut on = single(&host, "[1, 2]").await?;
    let offer = offer("EX-never", &host, When::Never);
    on.offers(std::slice::from_ref(&offer))?;
    let partial = on.pure(&offer, &[Err(PhotoFailure::Status)], 1);
    let found = on.expect("EX-never", &[partial, after_the_last_try(&on, &offer)])?;

    let tries = rechecks(&on, "EX-never")?;
    assert_eq!(tries.len(), 2);
    let sent = &on.stage.records(&on.stage.topics().listings)?[0];
    check(&tries[0], sent, 1, &sent.at.to_string(), 1_000)?;
    check(&tries[1], sent, 2, &tries[0].at.to_string(), 2_000)?;
    assert_eq!(found[1].source(), tries[1].at.to_string());
    on.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_for_a_version_that_is_gone_says_nothing() -> Result<()> {
    let host = Host::start()?;
    let mut on = single(&host, "[1, 1]").await?;
    let before = offer("EX-gone", &host, When::Never);
    let mut after = before.clone().at(2);
    after.urls.clear();
    on.offers(&[before.clone(), after.clone()])?;
    // The tries of another listing, sent later, are over: so are its own.
    let other = offer("EX-other", &host, When::Never);
    on.offers(std::slice::from_ref(&other))?;
    wait_until("the tries of the other listing", LIMIT, || {
        Ok(on.review("EX-other")?.iter().any(|flag| flag.reasons.contains(&Reason::PhotoUnreachable)))
    })?;
    let found = on.verdicts("EX-gone")?;
    let seen: Vec<_> = found.iter().map(|f| (f.verdict.listing_version, f.verdict.revision)).collect();
    assert_eq!(seen, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(rechecks(&on, "EX-gone")?.len(), 1);
    on.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_among_the_tries_says_nothing() -> Result<()> {
    let host = Host::start()?;
    let mut on = single(&host, "[3600]\n[limits]\nnull_value = \"removed\"").await?;
    let offer = offer("EX-awaited", &host, When::Never);
    on.offers(std::slice::from_ref(&offer))?;
    let partial = on.pure(&offer, &[Err(PhotoFailure::Status)], 1);
    on.expect("EX-awaited", std::slice::from_ref(&partial))?;
    let partition = rechecks(&on, "EX-awaited")?[0].at.partition;

    // A removal, another listing, one of which nothing is known, and none at all; each says that it is the try that is awaited.
    let unknown = Offer::new("EX-unknown", 1, &[Trait::Slang]).json();
    on.write_recheck(partition, "EX-awaited", None)?;
    on.write_recheck(partition, "EX-awaited", Some(&unknown))?;
    on.write_recheck(partition, "EX-unknown", Some(&unknown))?;
    on.write_recheck(partition, "EX-awaited", Some(b"{"))?;
    on.write_recheck(partition, "", None)?;
    // The try itself, an hour early, comes after all of them.
    on.write_recheck(partition, "EX-awaited", Some(&offer.json()))?;
    on.expect("EX-awaited", &[partial, after_the_last_try(&on, &offer)])?;
    on.expect("EX-unknown", &[])?;
    assert!(on.stage.records(&on.stage.topics().dead_letters)?.is_empty());
    let wrong = on.end().await?;
    assert!(wrong.len() == 6 && wrong.iter().all(|w| matches!(w, Violation::BadRecheck { .. })), "{wrong:?}");
    Ok(())
}
