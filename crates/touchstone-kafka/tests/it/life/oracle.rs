//! The life of every flag by the plainest possible means: one map, one rule after the other, and the pure `judge`.
//!
//! Offers that differ in id and version alone are judged once in each state of the catalog, else a long history would take an hour.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use touchstone_catalog::Catalog;
use touchstone_pipeline::{Context, PhotoInput, judge};
use touchstone_types::{
    CatalogKey, CatalogRecord, Decision, Evidence, Ground, Listing, ListingId, ListingStatus, Missing,
    PhotoFailure, PhotoUnreachable, Reason, ReviewDecision, Ruling, Verdict, flag_id,
};

use super::host::picture_at;
use super::market::{self, PHOTOS, picture_of};

/// The place of a photo in [`PHOTOS`], or why it is not there.
type PhotoOf = Result<usize, PhotoFailure>;

/// One record that must come to `verdicts`, and to `review` where its decision is a flag.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The phase in which it comes.
    pub(crate) phase: usize,
    /// It comes when the tries for a photo are over, which may be in any later phase.
    pub(crate) in_its_own_time: bool,
    pub(crate) flag_id: String,
    pub(crate) version: u64,
    pub(crate) revision: u64,
    pub(crate) decision: Decision,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) replaced_by: Option<String>,
    /// The whole value, see [`comparable`]; `None` where the rules leave parts of it open.
    pub(crate) value: Option<String>,
}

impl Line {
    /// What a record of `verdicts` or `review` says, to be compared.
    pub(crate) fn of(verdict: &Verdict) -> Self {
        Self {
            phase: 0,
            in_its_own_time: false,
            flag_id: verdict.flag_id.to_string(),
            version: verdict.listing_version,
            revision: verdict.revision,
            decision: verdict.decision,
            reasons: verdict.reasons.clone(),
            replaced_by: verdict.replaced_by.map(|id| id.to_string()),
            value: Some(comparable(verdict)),
        }
    }

    /// Whether it says that a flag is open.
    pub(crate) fn is_open_flag(&self) -> bool {
        matches!(self.decision, Decision::Takedown | Decision::Review)
    }

    /// Whether a record that was read is this one.
    pub(crate) fn is(&self, found: &Self) -> bool {
        let head = |line: &Self| {
            let Self { flag_id, reasons, replaced_by, .. } = line.clone();
            (flag_id, line.version, line.revision, line.decision, reasons, replaced_by)
        };
        head(self) == head(found) && (self.value.is_none() || self.value == found.value)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.reasons.iter().map(|reason| reason.as_str()).collect();
        write!(f, "v{} r{} {} [{}]", self.version, self.revision, self.decision, words.join(", "))?;
        self.replaced_by.iter().try_for_each(|id| write!(f, " replaced by {id}"))
    }
}

/// A verdict's JSON without the evidence of edits, of which only the tests on single events say what it must be, and without what is
/// not known of a photo's match when its picture is gone: the oracle has the pictures, a sweep has not.
pub(crate) fn comparable(verdict: &Verdict) -> String {
    let mut verdict = verdict.clone();
    verdict.evidence.retain(|evidence| !matches!(evidence, Evidence::Edit(_)));
    for evidence in &mut verdict.evidence {
        if let Evidence::PhotoMatch(found) = evidence {
            (found.score, found.overlay) = (None, None);
        }
    }
    verdict.to_json()
}

/// A flag that is open.
#[derive(Debug, Clone)]
pub(crate) struct OpenFlag {
    pub(crate) verdict: Verdict,
    listing: Listing,
    photos: Vec<PhotoOf>,
    /// All tries for its photos are over.
    is_unreachable: bool,
}

/// What is known of a listing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) version: u64,
    pub(crate) revision: u64,
    marketplace: String,
    seller_id: String,
    pub(crate) removed: bool,
    /// Each kind of evidence, with the version and the revision of the first flag that had it.
    pub(crate) kinds: BTreeMap<Reason, (u64, u64)>,
    /// The kinds that were dismissed, while a dismissal holds.
    pub(crate) dismissed: Option<BTreeSet<Reason>>,
    /// Version and revision of the flag that the last ruling was about.
    ruled: (u64, u64),
    /// A listing that waits for photos.
    waits: Option<Waiting>,
    pub(crate) flag: Option<OpenFlag>,
}

#[derive(Debug, Clone)]
struct Waiting {
    listing: Listing,
    n_missing: usize,
}

pub(crate) struct Oracle {
    catalog: Catalog,
    context: Context,
    pub(crate) known: BTreeMap<String, Known>,
    /// What must come, for each listing in order.
    pub(crate) lines: BTreeMap<String, Vec<Line>>,
    pub(crate) phase: usize,
    pub(crate) n_dead_letters: usize,
    /// How many gates of the photo host are open.
    n_open: usize,
    /// What `judge` has said in this state of the catalog.
    judged: HashMap<(String, Vec<PhotoOf>), Verdict>,
}

impl Oracle {
    pub(crate) fn new(catalog: Catalog) -> Self {
        let context = market::context(&catalog);
        Self {
            catalog,
            context,
            known: BTreeMap::new(),
            lines: BTreeMap::new(),
            phase: 0,
            n_dead_letters: 0,
            n_open: 0,
            judged: HashMap::new(),
        }
    }

    /// A message on the listings topic.
    pub(crate) fn message(&mut self, id: &str, value: Option<&[u8]>) {
        let Some(value) = value else { return self.null(id) };
        match Listing::from_json(value) {
            Ok(listing) => self.listing(id, listing),
            Err(_) => self.n_dead_letters += 1,
        }
    }

    fn null(&mut self, id: &str) {
        let Some(known) = self.known.get(id) else {
            self.n_dead_letters += 1;
            return;
        };
        let version = known.version + u64::from(!known.removed);
        let json = serde_json::json!({
            "listing_id": id, "version": version, "marketplace": known.marketplace, "status": "removed",
            "title": "removed", "seller": {"seller_id": known.seller_id},
        });
        let listing = Listing::from_json(json.to_string().as_bytes()).unwrap();
        self.listing(id, listing);
    }

    fn listing(&mut self, id: &str, listing: Listing) {
        let photos = self.photos(&listing);
        match self.known.get(id).map(|known| known.version) {
            None => self.first(id, listing, photos),
            Some(version) if listing.version < version => self.stale(id, &listing),
            Some(version) if listing.version == version => {
                self.again(id, listing, photos, false);
            }
            Some(_) => self.newer(id, listing, photos),
        }
    }

    fn photos(&self, listing: &Listing) -> Vec<PhotoOf> {
        if listing.status == ListingStatus::Removed {
            return Vec::new();
        }
        let input = |image: &touchstone_types::ListingImage| match (&image.data, &image.url) {
            (Some(bytes), _) => Ok(picture_of(bytes)),
            (None, Some(url)) => picture_at(url, self.n_open).ok_or(PhotoFailure::Status),
            (None, None) => Err(PhotoFailure::NotFetched),
        };
        listing.images.iter().map(input).collect()
    }

    fn judge(&mut self, listing: &Listing, photos: &[PhotoOf]) -> Verdict {
        let mut alike = listing.clone();
        (alike.listing_id, alike.version) = (ListingId::new("EX").unwrap(), 0);
        let verdict = self.judged.entry((alike.to_json(), photos.to_vec())).or_insert_with(|| {
            let photos: Vec<PhotoInput> =
                photos.iter().map(|photo| photo.map(|idx| PHOTOS[idx].clone())).collect();
            judge(listing, &photos, &self.context).verdict
        });
        Verdict {
            flag_id: flag_id(&listing.marketplace, &listing.listing_id, listing.version),
            listing_id: listing.listing_id.clone(),
            listing_version: listing.version,
            ..verdict.clone()
        }
    }

    fn first(&mut self, id: &str, listing: Listing, photos: Vec<PhotoOf>) {
        self.known.insert(id.to_owned(), Known::default());
        self.newer(id, listing, photos);
    }

    fn stale(&mut self, id: &str, listing: &Listing) {
        let photos = self.photos(listing);
        let mut verdict = self.judge(listing, &photos);
        (verdict.decision, verdict.reasons, verdict.revision) =
            (Decision::Abstain, vec![Reason::StaleVersion], 0);
        self.write(id, Line { value: None, ..Line::of(&verdict) });
    }

    fn newer(&mut self, id: &str, listing: Listing, photos: Vec<PhotoOf>) {
        let mut known = self.known.remove(id).unwrap();
        let verdict = self.verdict(&known, &listing, &photos, false);
        if let Some(flag) = known.flag.take() {
            let reason = match (listing.status, verdict.decision.is_flag()) {
                (ListingStatus::Removed, _) => Reason::Removed,
                (_, true) => Reason::SupersededByFlag,
                (_, false) => Reason::Edited,
            };
            self.retract(id, flag, reason, Some(&verdict));
        }
        known.version = listing.version;
        (known.marketplace, known.seller_id) =
            (listing.marketplace.clone(), listing.seller.seller_id.as_str().to_owned());
        self.settle(id, known, verdict, listing, photos, (1, false));
    }

    /// The same version judged again: a message, or a try for photos.
    fn again(&mut self, id: &str, listing: Listing, photos: Vec<PhotoOf>, is_unreachable: bool) {
        let mut known = self.known.remove(id).unwrap();
        let verdict = self.verdict(&known, &listing, &photos, is_unreachable);
        let mut revision = known.revision + 1;
        if let Some(flag) = known.flag.take_if(|_| !verdict.decision.is_flag()) {
            let reason = match listing.status {
                ListingStatus::Removed => Reason::Removed,
                ListingStatus::Active => self.reason_of_change(&flag),
            };
            self.retract(id, flag, reason, None);
            revision += 1;
        }
        self.settle(id, known, verdict, listing, photos, (revision, is_unreachable));
    }

    /// Writes the verdict, and remembers what follows from it.
    fn settle(
        &mut self,
        id: &str,
        mut known: Known,
        mut verdict: Verdict,
        listing: Listing,
        photos: Vec<PhotoOf>,
        (revision, is_unreachable): (u64, bool),
    ) {
        verdict.revision = revision;
        let is_open = verdict.reasons == [Reason::Dismissed]
            || (listing.status == ListingStatus::Removed && listing.title == "removed");
        let value = (!is_open).then(|| comparable(&verdict));
        // When the tries are over is a matter of time, and so is the catalog that the last one meets.
        let value = value.filter(|_| !is_unreachable);
        self.write(id, Line { in_its_own_time: is_unreachable, value, ..Line::of(&verdict) });
        known.revision = revision;
        known.removed = listing.status == ListingStatus::Removed;
        let n_missing = verdict.missing.iter().filter(|missing| is_passing(missing)).count();
        known.waits =
            (n_missing > 0 && !is_unreachable).then(|| Waiting { listing: listing.clone(), n_missing });
        known.flag = None;
        if verdict.decision.is_flag() {
            for kind in kinds(&verdict) {
                known.kinds.entry(kind).or_insert((verdict.listing_version, revision));
            }
            known.flag = Some(OpenFlag { verdict, listing, photos, is_unreachable });
        }
        self.known.insert(id.to_owned(), known);
    }

    /// What the pure function says, and the rule about dismissed listings.
    fn verdict(
        &mut self,
        known: &Known,
        listing: &Listing,
        photos: &[PhotoOf],
        is_unreachable: bool,
    ) -> Verdict {
        let mut verdict = self.judge(listing, photos);
        if is_unreachable {
            add_unreachable(&mut verdict);
        }
        let Some(dismissed) = &known.dismissed else { return verdict };
        let has_new = kinds(&verdict).iter().any(|kind| !dismissed.contains(kind));
        let stands = verdict.decision.is_flag() && has_new;
        if listing.status == ListingStatus::Active && !stands {
            (verdict.decision, verdict.reasons) = (Decision::Clear, vec![Reason::Dismissed]);
        }
        verdict
    }

    fn retract(&mut self, id: &str, flag: OpenFlag, reason: Reason, by: Option<&Verdict>) {
        let mut verdict = flag.verdict;
        verdict.revision += 1;
        (verdict.decision, verdict.reasons) = (Decision::Retract, vec![reason]);
        verdict.replaced_by = by.map(|other| other.flag_id);
        self.write(id, Line::of(&verdict));
    }

    fn reason_of_change(&self, flag: &OpenFlag) -> Reason {
        let is_live = |key: &CatalogKey| match key {
            CatalogKey::Brand(_) | CatalogKey::Benign(_) => self.catalog.get(key).is_some(),
            CatalogKey::Product(brand, _) | CatalogKey::Fake(brand, _) => {
                self.catalog.get(key).is_some()
                    && self.catalog.get(&CatalogKey::Brand(brand.clone())).is_some()
            }
        };
        if records_of(&flag.verdict).iter().all(is_live) {
            Reason::EvidenceChanged
        } else {
            Reason::CatalogWithdrawn
        }
    }

    /// A change of the catalog, after which every open flag is judged again.
    pub(crate) fn catalog(&mut self, key: &CatalogKey, record: Option<&CatalogRecord>) {
        match record {
            Some(record) => self.catalog.insert(record.clone()),
            None => self.catalog.remove(key),
        }
        self.context = market::context(&self.catalog);
        self.judged.clear();
        let open: Vec<String> =
            self.known.iter().filter(|(_, known)| known.flag.is_some()).map(|(id, _)| id.clone()).collect();
        for id in open {
            self.sweep(&id);
        }
    }

    fn sweep(&mut self, id: &str) {
        let known = self.known[id].clone();
        let OpenFlag { verdict: before, listing, photos, is_unreachable } = known.flag.clone().unwrap();
        let now = self.verdict(&known, &listing, &photos, is_unreachable);
        let but_for_versions = |verdict: &Verdict| {
            let mut verdict = verdict.clone();
            (verdict.versions, verdict.revision) = (now.versions.clone(), 1);
            comparable(&verdict)
        };
        if but_for_versions(&before) == but_for_versions(&now) {
            return;
        }
        self.again(id, listing, photos, is_unreachable);
        self.known.get_mut(id).unwrap().waits = known.waits;
        for line in self.lines.get_mut(id).unwrap() {
            line.in_its_own_time &= line.phase < self.phase;
        }
    }

    /// A person's ruling.
    pub(crate) fn ruling(&mut self, ruling: &ReviewDecision) {
        let id = ruling.listing_id.as_str();
        let Some(mut known) = self.known.get(id).cloned() else { return };
        if ruling.flag_id != flag_id(&known.marketplace, &ruling.listing_id, ruling.listing_version) {
            return;
        }
        let seen = (ruling.listing_version, ruling.revision);
        if seen > (known.version, known.revision) || seen < known.ruled {
            return;
        }
        if ruling.ruling != Ruling::Escalate {
            known.ruled = seen;
        }
        match ruling.ruling {
            Ruling::Escalate => return,
            Ruling::Uphold => known.dismissed = None,
            Ruling::Dismiss => {
                let dismissed = known.dismissed.get_or_insert_default();
                dismissed
                    .extend(known.kinds.iter().filter(|(_, first)| **first <= seen).map(|(kind, _)| *kind));
                let is_dismissed =
                    |flag: &OpenFlag| kinds(&flag.verdict).iter().all(|kind| dismissed.contains(kind));
                if let Some(flag) = known.flag.take_if(|flag| is_dismissed(flag)) {
                    known.revision += 1;
                    self.retract(id, flag, Reason::Dismissed, None);
                }
            }
        }
        self.known.insert(id.to_owned(), known);
    }

    /// More photos can be fetched, and listings that wait for them are judged again.
    pub(crate) fn open(&mut self, n_open: usize) {
        self.n_open = n_open;
        for (id, waiting) in self.waiting() {
            let photos = self.photos(&waiting.listing);
            let verdict = self.judge(&waiting.listing, &photos);
            let n_missing = verdict.missing.iter().filter(|missing| is_passing(missing)).count();
            if n_missing != waiting.n_missing {
                self.again(&id, waiting.listing, photos, false);
            }
        }
    }

    /// All tries for photos that never come are over.
    pub(crate) fn give_up(&mut self) {
        for (id, waiting) in self.waiting() {
            let photos = self.photos(&waiting.listing);
            self.again(&id, waiting.listing, photos, true);
        }
    }

    fn waiting(&self) -> Vec<(String, Waiting)> {
        let waiting = |(id, known): (&String, &Known)| Some((id.clone(), known.waits.clone()?));
        self.known.iter().filter_map(waiting).collect()
    }

    fn write(&mut self, id: &str, line: Line) {
        self.lines.entry(id.to_owned()).or_default().push(Line { phase: self.phase, ..line });
    }

    /// The open flags: listing, flag, revision and decision.
    pub(crate) fn open_flags(&self) -> OpenFlags {
        let open = |(id, known): (&String, &Known)| {
            let verdict = &known.flag.as_ref()?.verdict;
            Some(((id.clone(), verdict.flag_id.to_string()), (verdict.revision, verdict.decision)))
        };
        self.known.iter().filter_map(open).collect()
    }
}

/// Open flags by listing and flag, each with its revision and its decision.
pub(crate) type OpenFlags = BTreeMap<(String, String), (u64, Decision)>;

/// The kinds of evidence of a verdict.
pub(crate) fn kinds(verdict: &Verdict) -> Vec<Reason> {
    let speaks = |reason: &&Reason| {
        matches!(reason.ground(), Ground::Text | Ground::Image | Ground::Fact | Ground::Price)
    };
    verdict.reasons.iter().filter(speaks).copied().collect()
}

/// Whether a photo is missing that may come later.
fn is_passing(missing: &Missing) -> bool {
    use PhotoFailure::{Refused, Status, Timeout};
    matches!(missing, Missing::Image(_, Timeout | Refused | Status))
}

fn add_unreachable(verdict: &mut Verdict) {
    for missing in verdict.missing.iter().filter(|missing| is_passing(missing)) {
        if let Missing::Image(image_idx, failure) = *missing {
            verdict.evidence.push(Evidence::PhotoUnreachable(PhotoUnreachable { image_idx, failure }));
        }
    }
    verdict.evidence.sort_by(Evidence::order);
    verdict.reasons.push(Reason::PhotoUnreachable);
    verdict.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight()));
}

/// The catalog records that a verdict stands on.
fn records_of(verdict: &Verdict) -> Vec<CatalogKey> {
    let mut keys = Vec::new();
    if let Some(brand) = &verdict.brand_id {
        keys.push(CatalogKey::Brand(brand.clone()));
        keys.extend(verdict.product_id.iter().map(|id| CatalogKey::Product(brand.clone(), id.clone())));
    }
    for evidence in &verdict.evidence {
        match evidence {
            Evidence::BrandClaim(claim) => keys.push(CatalogKey::Brand(claim.brand_id.clone())),
            Evidence::ProductMatch(found) => {
                keys.push(CatalogKey::Product(found.brand_id.clone(), found.product_id.clone()));
            }
            Evidence::PhotoMatch(found) => keys.push(found.reference.key.clone()),
            Evidence::SellerAuthorisation(about) => keys.push(CatalogKey::Brand(about.brand_id.clone())),
            _ => {}
        }
    }
    keys
}
