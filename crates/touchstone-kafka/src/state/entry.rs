//! What is remembered of one listing, and its form in the state topic.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use touchstone_types::{Evidence, Flag, Ground, KeptPhoto, Verdict, wire};

use super::StateError;

/// What is remembered of one listing. As JSON it is the value of a record of the state topic, under the key of its listing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The last version that was judged.
    pub(crate) version: u64,
    /// The last revision of that version's flag.
    pub(crate) revision: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) marketplace: String,
    pub(crate) seller_id: String,
    /// When the last message about the listing was judged (of a stale one, to ten minutes), or a verdict closed its flag, in
    /// milliseconds of Unix time. A message's own time is the sender's to set: what stands in an archive that is sent once more
    /// would be forgotten at once.
    pub(crate) seen_ms: i64,
    /// The marketplace removed the listing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) removed: bool,
    /// The kinds of evidence of all its flags so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kinds: Vec<KindSeen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ruling: Option<Ruled>,
    /// The re-check that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recheck: Option<Waiting>,
    /// The open flag as it stands in the review topic. It stays JSON until somebody looks at it, like its photos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flag: Option<Box<RawValue>>,
    /// What the photos of the open flag are judged again from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    features: Option<Box<RawValue>>,
    /// The flag that a person upheld, if it is no longer open: a known fake can be proposed from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upheld: Option<Upheld>,
}

/// A flag that was upheld, and its photos.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upheld {
    flag: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    features: Option<Box<RawValue>>,
}

/// A longer flag is not kept when it closes, so that it leaves room for another one in the record.
const MAX_UPHELD_BYTES: usize = 256 << 10;

/// A kind of evidence, and the flag that had it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KindSeen {
    pub(crate) kind: String,
    pub(crate) version: u64,
    pub(crate) revision: u64,
}

/// The last ruling that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ruled {
    pub(crate) ruling: Lasting,
    /// The flag that was ruled on.
    pub(crate) version: u64,
    pub(crate) revision: u64,
    /// Of a dismissal: the kinds of evidence that are dismissed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) kinds: Vec<String>,
}

/// The rulings that last; an escalation is answered by another ruling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lasting {
    Uphold,
    Dismiss,
}

/// A re-check that is under way. A record of the re-check topic that names another one is out of date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// From 1.
    pub(crate) attempt: u32,
    /// The revision that was partial.
    pub(crate) revision: u64,
    /// The photos that it lacked for a passing cause, by their places in the listing.
    pub(crate) missing: Vec<usize>,
}

impl Entry {
    /// What is remembered of a listing after this verdict, if nothing was before.
    pub(crate) fn of(verdict: &Verdict, seen_ms: i64) -> Self {
        Self {
            version: verdict.listing_version,
            revision: verdict.revision,
            marketplace: verdict.marketplace.clone(),
            seller_id: verdict.seller_id.to_string(),
            seen_ms,
            removed: false,
            kinds: Vec::new(),
            ruling: None,
            recheck: None,
            flag: None,
            features: None,
            upheld: None,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.flag.is_some()
    }

    /// The open flag.
    pub(crate) fn flag(&self) -> Result<Option<Flag>, StateError> {
        self.flag.as_deref().map(flag).transpose()
    }

    /// What the photos of the open flag are judged again from.
    pub(crate) fn photos(&self) -> Result<Vec<KeptPhoto>, StateError> {
        photos(self.features.as_deref())
    }

    /// The flags that stand here with their photos: the open one, and one that was upheld and has closed.
    pub(crate) fn flags(&self) -> Result<Vec<(Flag, Vec<KeptPhoto>)>, StateError> {
        let open = self.flag.as_deref().map(|json| (json, self.features.as_deref()));
        let upheld = self.upheld.as_ref().map(|upheld| (&*upheld.flag, upheld.features.as_deref()));
        let read = |(json, features)| Ok((flag(json)?, photos(features)?));
        open.into_iter().chain(upheld).map(read).collect()
    }

    /// Goes on keeping the flag that was upheld, now that this comes after `prior`.
    pub(crate) fn keep_upheld(&mut self, prior: &Self) {
        let Some(ruled) = prior.ruling.as_ref().filter(|ruled| ruled.ruling == Lasting::Uphold) else {
            return;
        };
        let is_open = self.is_open() && self.version == ruled.version;
        let closes = prior.flag.clone().filter(|_| prior.version == ruled.version);
        let closed = closes.map(|flag| Upheld { flag, features: prior.features.clone() });
        let is_short = |upheld: &Upheld| upheld.flag.get().len() <= MAX_UPHELD_BYTES;
        self.upheld = if is_open { None } else { closed.or_else(|| prior.upheld.clone()).filter(is_short) };
    }

    /// Notes that the flag is open, and the kinds of its evidence.
    pub(crate) fn open(&mut self, flag: &Flag, photos: &[KeptPhoto]) -> Result<(), StateError> {
        self.flag = Some(RawValue::from_string(flag.to_json()).map_err(StateError::Entry)?);
        let kept: Vec<wire::KeptPhoto> = photos.iter().map(wire::KeptPhoto::from).collect();
        self.features = match kept.is_empty() {
            true => None,
            false => Some(serde_json::value::to_raw_value(&kept).map_err(StateError::Entry)?),
        };
        self.note_kinds(flag.verdict());
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        (self.flag, self.features) = (None, None);
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, StateError> {
        serde_json::from_slice(bytes).map_err(StateError::Entry)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers, texts and JSON are always written")
    }

    /// The kinds of evidence that a person dismissed, if the last word was a dismissal.
    pub(crate) fn dismissed(&self) -> Option<&[String]> {
        let ruled = self.ruling.as_ref().filter(|ruled| ruled.ruling == Lasting::Dismiss)?;
        Some(&ruled.kinds)
    }

    /// Whether it may be forgotten once nobody has mentioned the listing for long.
    pub(crate) fn may_expire(&self) -> bool {
        self.flag.is_none() && self.ruling.is_none()
    }

    fn note_kinds(&mut self, verdict: &Verdict) {
        for kind in kinds(verdict) {
            if !self.kinds.iter().any(|seen| seen.kind == kind) {
                let (version, revision) = (verdict.listing_version, verdict.revision);
                self.kinds.push(KindSeen { kind: kind.to_owned(), version, revision });
            }
        }
    }
}

fn flag(json: &RawValue) -> Result<Flag, StateError> {
    Flag::from_json(json.get().as_bytes()).map_err(StateError::Flag)
}

fn photos(json: Option<&RawValue>) -> Result<Vec<KeptPhoto>, StateError> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let kept: Vec<wire::KeptPhoto> = serde_json::from_str(json.get()).map_err(StateError::Entry)?;
    kept.into_iter().map(|photo| KeptPhoto::try_from(photo).map_err(StateError::Flag)).collect()
}

/// The kinds of evidence that speak against a listing: its reasons but those that are neutral, and the classifier's sum of them.
pub(crate) fn kinds(verdict: &Verdict) -> impl Iterator<Item = &'static str> {
    let speaks = |ground| !matches!(ground, Ground::Neutral | Ground::Model);
    verdict.reasons.iter().filter(move |reason| speaks(reason.ground())).map(|reason| reason.as_str())
}

/// Whether evidence is about the life of the flag, and not found by the pipeline.
pub(crate) const fn is_of_life(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Edit(_) | Evidence::PhotoUnreachable(_))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_false(value: &bool) -> bool {
    !*value
}
