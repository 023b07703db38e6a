//! Each event on a listing by itself, with every record that must come of it.

use anyhow::Result;
use touchstone_types::{Decision, Edit, Evidence, Listing, Reason, Ruling, Verdict};

use super::market::{self, Offer, Trait};
use super::single::{Single, retract, with};

const SETTINGS: &str = "[limits]\nnull_value = \"removed\"\ndead_letter_limit = 0\n";

fn slang(id: &str) -> Offer {
    Offer::new(id, 0, &[Trait::Slang])
}

fn removed(mut offer: Offer) -> Offer {
    offer.removed = true;
    offer
}

fn clean(mut offer: Offer) -> Offer {
    offer.traits.clear();
    offer
}

fn adding(mut offer: Offer, more: Trait) -> Offer {
    offer.traits.insert(more);
    offer
}

/// What an edit changed in one field.
fn edit(field: &str, before: &Offer, after: &Offer) -> Evidence {
    let text = |offer: &Offer| {
        let listing = Listing::from_json(&offer.json()).unwrap();
        if field == "title" { Some(listing.title) } else { listing.description }
    };
    Evidence::Edit(Edit { field: field.into(), before: text(before), after: text(after) })
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_take_flags_back_and_say_what_changed() -> Result<()> {
    let mut on = Single::start(SETTINGS).await?;

    // Cleaned: the retract says what was changed of the fields that its evidence speaks about.
    let (before, after) = (slang("EX-cleaned"), clean(slang("EX-cleaned")).at(2));
    on.offers(&[before.clone(), after.clone()])?;
    let (flag, clear) = (on.pure(&before, &[], 1), on.pure(&after, &[], 1));
    assert!(flag.decision.is_flag() && clear.decision == Decision::Clear);
    let taken_back = with(retract(&flag, Reason::Edited, Some(&clear)), edit("description", &before, &after));
    let found = on.expect("EX-cleaned", &[flag, taken_back, clear])?;
    assert_eq!(found[1].source(), found[2].source());
    assert_ne!(found[0].source(), found[1].source());

    // Still suspicious: the new flag takes the place of the old one, and says what was changed.
    let (before, mut after) = (slang("EX-kept"), slang("EX-kept").at(2));
    after.note = 7;
    on.offers(&[before.clone(), after.clone()])?;
    let (flag, next) = (on.pure(&before, &[], 1), on.pure(&after, &[], 1));
    let next = with(next, edit("description", &before, &after));
    let taken_back = retract(&flag, Reason::SupersededByFlag, Some(&next));
    on.expect("EX-kept", &[flag, taken_back, next])?;

    // A new kind of evidence in another field; the description is the same.
    let (before, after) = (slang("EX-more"), adding(slang("EX-more"), Trait::LookAlike).at(5));
    on.offers(&[before.clone(), after.clone()])?;
    let (flag, next) = (on.pure(&before, &[], 1), on.pure(&after, &[], 1));
    assert!(next.reasons.contains(&Reason::LookAlikeBrand));
    let next = with(next, edit("title", &before, &after));
    let taken_back = retract(&flag, Reason::SupersededByFlag, Some(&next));
    on.expect("EX-more", &[flag, taken_back, next])?;

    // Of a field that no evidence speaks about nothing is said.
    let (before, after) = (slang("EX-other"), slang("EX-other").at(2));
    let mut value: serde_json::Value = serde_json::from_slice(&after.json())?;
    value["url"] = "https://example.invalid/item/2".into();
    on.send("EX-other", &[Some(before.json()), Some(value.to_string().into_bytes())])?;
    let (flag, next) = (on.pure(&before, &[], 1), on.pure(&after, &[], 1));
    on.expect("EX-other", &[flag.clone(), retract(&flag, Reason::SupersededByFlag, Some(&next)), next])?;
    on.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn removals_and_null_values_take_flags_back() -> Result<()> {
    let mut on = Single::start(SETTINGS).await?;

    let (before, after) = (slang("EX-removed"), removed(slang("EX-removed")).at(2));
    on.offers(&[before.clone(), after.clone()])?;
    let (flag, gone) = (on.pure(&before, &[], 1), on.pure(&after, &[], 1));
    assert_eq!((gone.decision, &*gone.reasons), (Decision::Clear, &[Reason::Removed][..]));
    on.expect("EX-removed", &[flag.clone(), retract(&flag, Reason::Removed, Some(&gone)), gone])?;

    let (before, after) = (slang("EX-same-removed"), removed(slang("EX-same-removed")));
    on.offers(&[before.clone(), after.clone()])?;
    let (flag, gone) = (on.pure(&before, &[], 1), on.pure(&after, &[], 3));
    on.expect("EX-same-removed", &[flag.clone(), retract(&flag, Reason::Removed, None), gone])?;

    // A null value is the next version; a second one says the same of that version; then the marketplace's own next version, which
    // has the same number, brings the offer back.
    let (before, back) = (slang("EX-null"), slang("EX-null").at(2));
    on.send("EX-null", &[Some(before.json()), None, None, Some(back.json())])?;
    let (flag, back) = (on.pure(&before, &[], 1), on.pure(&back, &[], 3));
    let found = on.wait_verdicts("EX-null", 5)?;
    let gone = |verdict: &Verdict, revision: u64| {
        assert_eq!((verdict.listing_version, verdict.revision), (2, revision));
        assert_eq!((verdict.decision, &*verdict.reasons), (Decision::Clear, &[Reason::Removed][..]));
        assert_eq!((verdict.flag_id, verdict.seller_id.as_str()), (back.flag_id, "S-0"));
        assert_eq!((verdict.marketplace.as_str(), verdict.evidence.len()), ("example", 0));
    };
    gone(&found[2].verdict, 1);
    gone(&found[3].verdict, 2);
    let expected = [
        flag.clone(),
        retract(&flag, Reason::Removed, Some(&back)),
        found[2].verdict.clone(),
        found[3].verdict.clone(),
        back,
    ];
    on.expect("EX-null", &expected)?;

    // A dead letter, but nothing is wrong with it: none is allowed here, and the worker goes on.
    on.send("EX-never-seen", &[None, None])?;
    on.expect("EX-never-seen", &[])?;
    assert_eq!(on.stage.records(&on.stage.topics().dead_letters)?.len(), 2);
    on.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_and_equal_versions_count_revisions_or_say_that_they_are_stale() -> Result<()> {
    let mut on = Single::start(SETTINGS).await?;

    let (before, stale) = (slang("EX-stale").at(3), slang("EX-stale").at(2));
    on.offers(&[before.clone(), stale.clone(), before.clone()])?;
    let found = on.wait_verdicts("EX-stale", 3)?;
    let late = &found[1].verdict;
    assert_eq!((late.decision, late.revision, late.listing_version), (Decision::Abstain, 0, 2));
    assert_eq!((&*late.reasons, late.evidence.len()), (&[Reason::StaleVersion][..], 0));
    assert_eq!(late.flag_id, on.pure(&stale, &[], 1).flag_id);
    on.expect("EX-stale", &[on.pure(&before, &[], 1), late.clone(), on.pure(&before, &[], 2)])?;

    // The same version with other bytes: a new kind is one more revision, and what is clean takes the flag back.
    let before = slang("EX-equal");
    let more = adding(before.clone(), Trait::Takedowns);
    let clean_one = clean(before.clone());
    on.offers(&[
        before.clone(),
        before.clone(),
        more.clone(),
        clean_one.clone(),
        clean_one.clone(),
        before.clone(),
    ])?;
    let third = on.pure(&more, &[], 3);
    let expected = [
        on.pure(&before, &[], 1),
        on.pure(&before, &[], 2),
        third.clone(),
        retract(&third, Reason::EvidenceChanged, None),
        on.pure(&clean_one, &[], 5),
        on.pure(&clean_one, &[], 6),
        on.pure(&before, &[], 7),
    ];
    on.expect("EX-equal", &expected)?;
    on.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalog_and_reviewers_take_back_names_its_source() -> Result<()> {
    let mut on = Single::start(SETTINGS).await?;
    let names = on.stage.topics().clone();

    // By price and photo, which both stand on the product's record.
    let priced = Offer::new("EX-priced", 1, &[Trait::Photo, Trait::Cheap]);
    let photo = [Ok(market::PHOTOS[1].clone())];
    // By text, which stands on the brand's.
    let said = slang("EX-said");
    on.offers(std::slice::from_ref(&priced))?;
    on.offers(std::slice::from_ref(&said))?;
    let (flag, other) = (on.pure(&priced, &photo, 1), on.pure(&said, &[], 1));
    assert!(flag.decision.is_flag() && flag.reasons.contains(&Reason::PriceFarBelowList));
    let record = market::product(1);
    let n_records = on.catalog.records().count();
    on.change(&record.key(), None)?;
    let clear = on.pure(&priced, &photo, 3);
    assert_eq!(clear.decision, Decision::Clear);
    let found =
        on.expect("EX-priced", &[flag.clone(), retract(&flag, Reason::CatalogWithdrawn, None), clear])?;
    for record in &found[1..] {
        assert_eq!(record.source(), format!("{}/0@{n_records}", names.catalog), "{}", record.kind());
    }
    // It is not swept when the product is there again: there is no flag.
    on.change(&record.key(), Some(&record))?;

    on.rule("EX-said", 1, 1, Ruling::Escalate)?;
    on.rule("EX-said", 1, 1, Ruling::Dismiss)?;
    let found = on.expect("EX-said", &[other.clone(), retract(&other, Reason::Dismissed, None)])?;
    let decided = on.stage.records(&names.decisions)?;
    let last = decided.iter().map(|record| record.at.clone()).max().unwrap();
    assert_eq!(found[1].source(), last.to_string());
    assert_eq!(on.verdicts("EX-priced")?.len(), 3);
    on.stop().await
}
