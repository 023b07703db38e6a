//! The state topic at the end of a history: each listing's record says what the oracle knows, in the partition of its inputs.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::oracle::{Known, Oracle};
use super::watch::PROBE;
use crate::support::Stage;

/// Holds the state topic against the oracle.
pub(crate) fn check(stage: &Stage, oracle: &Oracle) -> Result<()> {
    let found = read(stage)?;
    let mut homes: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for input in stage.records(&stage.topics().listings)? {
        if let Some(key) = input.key {
            homes.entry(String::from_utf8_lossy(&key).into_owned()).or_default().insert(input.at.partition);
        }
    }
    for (id, known) in &oracle.known {
        let (partition, value) = found.get(id).with_context(|| format!("{id} has no state"))?;
        ensure!(
            homes[id] == BTreeSet::from([*partition]),
            "{id}: state in {partition}, inputs in {:?}",
            homes[id]
        );
        check_one(value, known).with_context(|| format!("{id}: {value}"))?;
    }
    let extra = found.keys().find(|id| !id.starts_with(PROBE) && !oracle.known.contains_key(*id));
    ensure!(extra.is_none(), "a state of {extra:?}, which no oracle knows");
    Ok(())
}

/// The last value under each listing, with its partition.
fn read(stage: &Stage) -> Result<BTreeMap<String, (i32, Value)>> {
    let mut last = BTreeMap::new();
    for record in stage.records(&stage.topics().state)? {
        let Ok(id) = String::from_utf8(record.key.context("a state without a key")?) else { continue };
        match record.value {
            Some(value) => {
                last.insert(id, (record.at.partition, serde_json::from_slice(&value)?));
            }
            None => {
                last.remove(&id);
            }
        }
    }
    Ok(last)
}

fn check_one(value: &Value, known: &Known) -> Result<()> {
    ensure!(value["version"] == known.version && value["revision"] == known.revision, "version or revision");
    ensure!(value["removed"].as_bool().unwrap_or(false) == known.removed, "removed");
    let kinds: BTreeMap<&str, (u64, u64)> = value["kinds"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|kind| {
            let number = |name: &str| kind[name].as_u64().unwrap_or(0);
            (kind["kind"].as_str().unwrap_or_default(), (number("version"), number("revision")))
        })
        .collect();
    let expected = known.kinds.iter().map(|(kind, first)| (kind.as_str(), *first)).collect();
    ensure!(kinds == expected, "kinds: {kinds:?} instead of {expected:?}");
    let flag = value.get("flag").filter(|flag| !flag.is_null());
    let open = known.flag.as_ref().map(|flag| &flag.verdict);
    ensure!(
        flag.is_some() == open.is_some(),
        "an open flag: {} instead of {}",
        flag.is_some(),
        open.is_some()
    );
    if let (Some(flag), Some(open)) = (flag, open) {
        ensure!(
            flag["flag_id"] == open.flag_id.to_string() && flag["revision"] == open.revision,
            "which flag"
        );
        ensure!(flag["decision"] == open.decision.as_str(), "the decision of the flag");
    }
    let is_dismissed = value["ruling"]["ruling"] == "dismiss";
    ensure!(is_dismissed == known.dismissed.is_some(), "dismissed: {is_dismissed}");
    let Some(dismissed) = &known.dismissed else { return Ok(()) };
    let kinds: BTreeSet<&str> =
        value["ruling"]["kinds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ensure!(kinds == dismissed.iter().map(|kind| kind.as_str()).collect(), "dismissed kinds: {kinds:?}");
    Ok(())
}
