//! Which references a listing's photo was made of.
//!
//! ```text
//!            ┌─ whole-picture hashes of all eight symmetries ─▶ nearest ─┐
//!  photo ──▶ │                                                           ├─▶ places ──▶ align ──▶ second look ──▶ score ──▶ matches
//!            └─ windows ──▶ votes for references and places ─────────────┘
//! ```
//!
//! Hashes and windows only propose. A match is reported when the reference, laid over the photo, fits there: one score says how
//! surely. A reference without detail can be found by its hash alone, and then the distance decides.

use touchstone_types::{Alteration, HammingDistance, Hash256, Overlay, Transform};

use crate::align::{Pose, Target, align};
use crate::alteration;
use crate::closer::Closer;
use crate::fit::{COLOUR, Fit, Measures, Setting, off_colour};
use crate::kept::by_hash;
use crate::pdq::{Dihedral, SYMMETRIES, undone_by};
use crate::photo::Photo;
use crate::references::{Known, MIN_QUALITY, References};
use crate::score::PhotoScore;
use crate::search::{ChunkFlips, MultiIndex, Neighbour};
use crate::windows::{Hit, Window, WindowSource, hits, matrix};

/// The radius that PDQ's authors advise: at most this many of 256 bits differ between copies of one picture.
pub const DEFAULT_RADIUS: HammingDistance = HammingDistance::new(31).expect("at most 256");

/// Within this radius a reference is worth a second look.
const PROPOSAL_RADIUS: HammingDistance = HammingDistance::new(72).expect("at most 256");

/// The nearest references by hash get a second look until so many could be the picture: several may be near that are not, as the
/// colours of one product are.
pub(crate) const MAX_BY_HASH: usize = 6;

/// The same of the references with most votes.
const MAX_BY_WINDOWS: usize = 8;

/// So many at most get a second look for either reason, whatever comes of it; those that are proposed, as many again.
const MAX_LOOKS: usize = 16;

/// Rivals for a second look are sorted by colour; so many at most.
const MAX_RIVALS: usize = 128;

/// A reference whose hash is not further off than the nearest one's by more than this is its rival.
const RIVAL_BITS: u16 = 24;

/// The references with most votes that get a second look at each angle of a turned photo.
const MAX_TURNED: usize = 8;

/// A photo whose longer side is below this many pixels gives hardly any windows of the right scale.
const SMALL: f32 = 128.0;

/// How matches are told from the rest.
#[derive(Debug, Clone, Copy)]
pub struct MatchSettings<'a> {
    /// The radius within which a reference without detail matches by its hash.
    pub radius: HammingDistance,
    /// What tells copies from the rest.
    pub score: &'a PhotoScore,
    /// Whether only references that are proposed, or near by hash, are looked at closely, however few there are: that takes less time
    /// and finds fewer altered copies.
    pub only_proposed: bool,
}

/// A reference that a photo shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceMatch {
    /// The reference's slot in the [`PhotoIndex`](crate::PhotoIndex): its position, where the index was made of a list.
    pub reference: usize,
    /// The distance of the two whole-picture hashes, the smallest over all symmetries.
    pub distance: HammingDistance,
    /// What was done to the reference to get the photo.
    pub alteration: Alteration,
    /// The probability that the photo is a copy; `None` where the reference has nothing but its hash.
    pub score: Option<f64>,
    /// Where the reference lies in the photo; `None` where the reference has nothing but its hash.
    pub overlay: Option<Overlay>,
}

impl ReferenceMatch {
    /// The score in whole hundredths, by which matches are ranked: what scores differ in beyond these says nothing. 0 without a score.
    pub fn surety(&self) -> u8 {
        surety(self.score)
    }
}

/// See [`ReferenceMatch::surety`].
pub fn surety(score: Option<f64>) -> u8 {
    (100.0 * score.unwrap_or(0.0)).round() as u8
}

/// A reference that was laid over a photo, with what the second look measured: what a [`PhotoScore`] is trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The reference's slot.
    pub reference: usize,
    /// See [`MEASURES`](crate::MEASURES).
    pub measures: Measures,
    pose: Pose,
    covered: f32,
    n_exact: usize,
}

/// The references that a photo is held against.
struct Search<'a> {
    near: &'a [Near],
    proposed: &'a [usize],
    /// The only ones that are looked for by windows; without it, all.
    wanted: Option<Vec<usize>>,
}

impl Search<'_> {
    /// Whether nothing is looked for by windows.
    fn is_for_nothing(&self) -> bool {
        self.wanted.as_ref().is_some_and(Vec::is_empty)
    }
}

impl References {
    /// See [`PhotoIndex::searches_all`](crate::PhotoIndex::searches_all).
    pub(crate) fn searches_all(&self) -> bool {
        self.n_windows() <= self.limits.max_searched
    }

    /// See [`PhotoIndex::are_near_duplicates`](crate::PhotoIndex::are_near_duplicates).
    pub(crate) fn are_near_duplicates(&self, one: usize, other: usize) -> bool {
        match (self.known(one), self.known(other)) {
            (Some(Known { detail: Some(a), .. }), Some(Known { detail: Some(b), .. })) => {
                a.layout.is_near(&b.layout)
            }
            (Some(a), Some(b)) => a.pdq.distance(&b.pdq) <= DEFAULT_RADIUS && a.can_match() && b.can_match(),
            _ => false,
        }
    }

    /// See [`PhotoIndex::matches`](crate::PhotoIndex::matches).
    pub(crate) fn matches(
        &self,
        photo: &Photo,
        settings: &MatchSettings<'_>,
        proposed: &[usize],
    ) -> Vec<ReferenceMatch> {
        let near = self.near(photo, settings.radius);
        let search = self.search(&near, proposed, settings.only_proposed);
        let told = |candidates: Vec<Candidate>| -> Vec<(f32, ReferenceMatch)> {
            let scored = candidates.iter().filter_map(|candidate| {
                let score = settings.score.probability(&candidate.measures);
                let is_match = score >= settings.score.threshold();
                is_match.then(|| (candidate.measures[COLOUR], self.told(photo, candidate, score)))
            });
            scored.collect()
        };
        let mut found = told(self.upright(photo, &search));
        found.extend(self.by_hash_alone(photo, &near, settings.radius).into_iter().map(|m| (0.0, m)));
        if found.is_empty() {
            found = told(self.turned(photo, &search));
        }
        found.sort_by(|(off, a), (other_off, b)| {
            let rank = |m: &ReferenceMatch| (m.distance, self.rank(m.reference));
            let surer = b.surety().cmp(&a.surety());
            surer.then_with(|| off.total_cmp(other_off)).then_with(|| rank(a).cmp(&rank(b)))
        });
        found.into_iter().map(|(_, found)| found).collect()
    }

    /// See [`PhotoIndex::candidates`](crate::PhotoIndex::candidates).
    pub(crate) fn candidates(&self, photo: &Photo, proposed: &[usize]) -> Vec<Candidate> {
        let near = self.near(photo, DEFAULT_RADIUS);
        let search = self.search(&near, proposed, false);
        let mut candidates = self.upright(photo, &search);
        candidates.extend(self.turned(photo, &search));
        self.best_of_each(candidates)
    }

    /// What is looked for by windows.
    fn search<'s>(&self, near: &'s [Near], proposed: &'s [usize], only_proposed: bool) -> Search<'s> {
        let some = || {
            let by_hash = self.detailed(near).take(MAX_BY_HASH).map(|near| near.reference);
            by_hash.chain(proposed.iter().copied()).collect()
        };
        let wanted = (only_proposed || !self.searches_all()).then(some);
        Search { near, proposed, wanted }
    }

    /// The references nearest to the photo by hash, each in its nearest orientation: the nearest first.
    /// Complete within `radius`; beyond it as far as [`PROPOSAL_RADIUS`], where the index does not search all with gaps.
    fn near(&self, photo: &Photo, radius: HammingDistance) -> Vec<Near> {
        self.nearest(&photo.dihedral, |hashes, query, add| {
            if self.searches_all() {
                hashes.visit(query, radius.max(PROPOSAL_RADIUS), add);
            } else {
                hashes.visit(query, radius.max(DEFAULT_RADIUS), &mut *add);
                hashes.candidates(query, PROPOSAL_RADIUS, ChunkFlips::One, add);
            }
        })
    }

    /// The references within a radius of a picture by hash, each in its nearest orientation: the nearest first.
    pub(crate) fn near_by_hash(&self, turned: &Dihedral, radius: HammingDistance) -> Vec<Near> {
        self.nearest(turned, |hashes, query, add| hashes.visit(query, radius, add))
    }

    /// What `visit` finds near to a picture in any orientation, each reference once: the nearest first.
    fn nearest(
        &self,
        turned: &Dihedral,
        visit: impl Fn(&MultiIndex, &Hash256, &mut dyn FnMut(Neighbour)),
    ) -> Vec<Near> {
        // In the order of the symmetries, so that the stable sort leaves the first of equally near transforms in front.
        let mut near = Vec::new();
        for transform in SYMMETRIES {
            let query = &turned[undone_by(transform) as usize];
            for (first_slot, part) in self.parts() {
                visit(&part.hashes, query, &mut |neighbour: Neighbour| {
                    let (reference, distance) = (first_slot + neighbour.item, neighbour.distance);
                    if !self.is_removed(reference) {
                        near.push(Near { reference, distance, transform });
                    }
                });
            }
        }
        near.sort_by_key(|near| (near.reference, near.distance));
        near.dedup_by_key(|near| near.reference);
        near.sort_by_key(|near| (near.distance, self.rank(near.reference)));
        near
    }

    fn by_hash_alone(&self, photo: &Photo, near: &[Near], radius: HammingDistance) -> Vec<ReferenceMatch> {
        let is_match = |near: &&Near| {
            let known = self.known(near.reference);
            near.distance <= radius && known.is_some_and(|known| known.detail.is_none() && known.can_match())
        };
        if photo.features.quality < MIN_QUALITY {
            return Vec::new();
        }
        near.iter().filter(is_match).map(by_hash).collect()
    }

    /// The candidates by the whole-picture hash and by windows as the photo stands, and by their symmetries.
    fn upright(&self, photo: &Photo, search: &Search<'_>) -> Vec<Candidate> {
        let Search { near, proposed, .. } = *search;
        let sight = &*photo.sight;
        let (width, height) = (sight.canvas.width() as f32, sight.canvas.height() as f32);
        let (across, down) = (width / sight.width, height / sight.height);
        let hits = self.hits(photo, &sight.windows, search, MAX_LOOKS, |hit| self.place(hit, across, down));
        let votes = |reference: usize| {
            hits.iter().filter(|hit| hit.reference == reference).map(|hit| hit.votes).max().unwrap_or(0)
        };
        let look = |reference: usize, pose: Pose| self.second_look(photo, reference, pose, votes(reference));
        let filled = |near: &Near| Some(whole_picture(near.transform, width, height));
        let mut by_hash: Vec<&Near> = self.detailed(near).take(MAX_RIVALS).collect();
        let last = by_hash.first().map_or(0, |first| first.distance.bits() + RIVAL_BITS);
        let n_rivals = by_hash.partition_point(|near| near.distance.bits() <= last);
        self.sort_by_colour(photo, &mut by_hash[..n_rivals], |near| (near.reference, filled(near)));
        let by_hash = by_hash.into_iter().take(MAX_LOOKS);
        let by_hash = by_hash.filter_map(|near| look(near.reference, filled(near)?));
        let mut candidates: Vec<Candidate> = by_hash.take(MAX_BY_HASH).collect();
        let mut n_left = MAX_BY_WINDOWS;
        for hit in &hits {
            // What something else speaks for is looked at whatever else has more votes.
            if n_left == 0 && !proposed.contains(&hit.reference) {
                continue;
            }
            let place = self.place(hit, across, down);
            if let Some(candidate) = place.and_then(|pose| look(hit.reference, pose)) {
                n_left = n_left.saturating_sub(1);
                candidates.push(candidate);
            }
        }
        self.best_of_each(candidates)
    }

    /// The candidates by windows of the photo turned by all angles that upright windows do not bear.
    fn turned(&self, photo: &Photo, search: &Search<'_>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        if self.n_windows() == 0 || search.is_for_nothing() {
            return candidates;
        }
        for turned in photo.sight.turned() {
            let place = |hit: &Hit| Some(turned.turned_back(&self.place(hit, 1.0, 1.0)?));
            for hit in self.hits(photo, &turned.windows, search, MAX_TURNED, place) {
                if let Some(pose) = place(&hit) {
                    candidates.extend(self.second_look(photo, hit.reference, pose, hit.votes));
                }
            }
        }
        self.best_of_each(candidates)
    }

    /// The references with most votes of these windows, among those that are looked for: those that rival the first for votes by
    /// their colours at their `place`. Proposed ones come on top of `max`.
    fn hits(
        &self,
        photo: &Photo,
        windows: &[Window],
        search: &Search<'_>,
        max: usize,
        place: impl Fn(&Hit) -> Option<Pose>,
    ) -> Vec<Hit> {
        if search.is_for_nothing() {
            return Vec::new();
        }
        let Search { proposed, ref wanted, .. } = *search;
        let wanted =
            |reference: usize| wanted.as_ref().is_none_or(|wanted: &Vec<usize>| wanted.contains(&reference));
        let mut hits = hits(windows, self, wanted, proposed, self.limits.max_groups, MAX_RIVALS);
        let least = hits.first().map_or(0, |first| first.votes / 2);
        let n_rivals = hits.partition_point(|hit| hit.votes > least);
        self.sort_by_colour(photo, &mut hits[..n_rivals], |hit| (hit.reference, place(hit)));
        let others = hits.split_off(hits.len().min(max));
        hits.extend(others.into_iter().filter(|hit| proposed.contains(&hit.reference)).take(max));
        hits
    }

    /// The references that can be laid over a photo.
    fn detailed<'n>(&self, near: &'n [Near]) -> impl Iterator<Item = &'n Near> {
        let near = near.iter().take_while(|near| near.distance <= PROPOSAL_RADIUS);
        near.filter(|near| self.detail(near.reference).is_some())
    }

    /// Sorts rivals for a second look by how near in colour each reference is at its place: there may be more shades of one design
    /// than are looked at. Of a grey photo they stay as they are.
    fn sort_by_colour<T>(
        &self,
        photo: &Photo,
        rivals: &mut [T],
        place: impl Fn(&T) -> (usize, Option<Pose>),
    ) {
        let off = |rival: &T| {
            let (reference, pose) = place(rival);
            let detail = self.detail(reference);
            let off =
                detail.zip(pose).map(|(detail, pose)| off_colour(&detail.layout, &photo.sight.canvas, &pose));
            // Whole grey values, so that others still rank those that are nearly the same in colour.
            off.map_or(u16::MAX, |off| off as u16)
        };
        if rivals.len() > 1 && !photo.sight.canvas.is_grey() {
            rivals.sort_by_cached_key(off);
        }
    }

    /// The place of a hit in the canvas, of which one pixel of the working size takes up `across` times `down`.
    fn place(&self, hit: &Hit, across: f32, down: f32) -> Option<Pose> {
        let detail = self.detail(hit.reference)?;
        let (width, height) = (f32::from(detail.width), f32::from(detail.height));
        let [a, b, c, d] = hit.a;
        Some(Pose {
            a: [a * width * across, b * height * across, c * width * down, d * height * down],
            b: [hit.b[0] * across, hit.b[1] * down],
        })
    }

    /// Lays a reference over the photo at about this place and measures how it fits.
    fn second_look(&self, photo: &Photo, reference: usize, pose: Pose, votes: usize) -> Option<Candidate> {
        let sight = &*photo.sight;
        let detail = self.detail(reference)?;
        let target = Target::of(&detail.layout);
        let is_small = sight.width.max(sight.height) < SMALL;
        let distance = self.distance(photo, reference);
        let setting = Setting { detail, votes, distance, is_small };
        // What lies over a picture can draw the reference away from a place that was right.
        let aligned = align(&target, &sight.canvas, pose)?;
        let fits = [aligned, pose]
            .into_iter()
            .filter_map(|pose| Some((pose, Fit::of(&target, &sight.canvas, &pose, &setting)?)));
        let (pose, fit) = fits.max_by_key(|(_, fit)| fit.n_exact)?;
        let Fit { measures, covered, n_exact } = fit.with(&Closer::of(detail, &pose, &sight.canvas));
        Some(Candidate { reference, measures, pose, covered, n_exact })
    }

    fn told(&self, photo: &Photo, candidate: &Candidate, score: f64) -> ReferenceMatch {
        let Candidate { reference, pose, covered, .. } = candidate;
        let (alteration, overlay) = alteration::read(pose, *covered, &photo.sight.canvas);
        let distance = self.distance(photo, *reference);
        ReferenceMatch {
            reference: *reference,
            distance,
            alteration,
            score: Some(score),
            overlay: Some(overlay),
        }
    }

    /// The smallest distance over the symmetries.
    fn distance(&self, photo: &Photo, reference: usize) -> HammingDistance {
        let farthest = const { HammingDistance::new(256).expect("at most 256") };
        self.distance_to(&photo.dihedral, reference).unwrap_or(farthest)
    }

    /// Of each reference the place where most fits exactly, by the references' order.
    fn best_of_each(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates.sort_by_key(|candidate| (self.rank(candidate.reference), usize::MAX - candidate.n_exact));
        candidates.dedup_by_key(|candidate| candidate.reference);
        candidates
    }
}

/// A reference that is near by its hash.
pub(crate) struct Near {
    pub(crate) reference: usize,
    pub(crate) distance: HammingDistance,
    /// What was done to the reference.
    pub(crate) transform: Transform,
}

/// The place of a reference that fills the photo after `transform`.
fn whole_picture(transform: Transform, width: f32, height: f32) -> Pose {
    let m = matrix(transform);
    let a = [m[0] * width, m[1] * width, m[2] * height, m[3] * height];
    Pose { a, b: [0.5 * (width - a[0] - a[1]), 0.5 * (height - a[2] - a[3])] }
}
