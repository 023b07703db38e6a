//! What an owner will want to know about reference photos: which are found by their hash alone, and which two cannot be told apart.

use std::collections::BTreeMap;

use touchstone_image_hash::{DEFAULT_RADIUS, HammingIndex as _, MultiIndex, PhotoIndex};
use touchstone_types::{CatalogKey, CatalogRecord, Hash256, PhotoDetail, PhotoFeatures, Reference};

/// How many photos that are near by their hash one photo is compared with.
const MAX_COMPARED: usize = 100;

/// A doubt about a record, in words.
pub(crate) type Doubt = (CatalogKey, String);

/// Looks at all photos that can be searched. `records` come in the order of their keys, and so do the doubts.
pub(crate) fn photo_doubts<'r>(records: impl Iterator<Item = &'r CatalogRecord>) -> Vec<Doubt> {
    let photos: Vec<Known<'r>> = records.flat_map(known_photos).collect();
    let index = PhotoIndex::new(photos.iter().map(|photo| photo.features.clone()));
    let twins = Twins::new(&photos, &index);
    let mut doubts = Vec::new();
    for (at, photo) in photos.iter().enumerate() {
        let found = [without_detail(photo, index.has_detail(at)), twins.doubt(at)];
        let found = found.into_iter().flatten();
        doubts.extend(found.map(|doubt| {
            (photo.reference.key.clone(), format!("images[{}]: {doubt}", photo.reference.image_idx))
        }));
    }
    doubts
}

struct Known<'r> {
    record: &'r CatalogRecord,
    reference: Reference,
    features: &'r PhotoFeatures,
}

fn known_photos(record: &CatalogRecord) -> impl Iterator<Item = Known<'_>> {
    record.images().iter().enumerate().filter_map(move |(image_idx, image)| {
        let features = image.features.as_ref().filter(|f| f.version == PhotoFeatures::VERSION)?;
        Some(Known { record, reference: Reference { key: record.key(), image_idx }, features })
    })
}

fn without_detail(photo: &Known<'_>, has_detail: bool) -> Option<String> {
    let problem = match (has_detail, &photo.features.detail) {
        (true, _) => return None,
        (false, None) => "its features have no detail",
        (false, Some(_)) => {
            "the detail of its features cannot be read, for it is damaged or of another version"
        }
    };
    Some(format!(
        "found by hash alone: crops and borders are not, because {problem}; without features and with a url they are computed anew"
    ))
}

/// Finds photos that are nearly the same picture.
struct Twins<'a> {
    photos: &'a [Known<'a>],
    index: &'a PhotoIndex,
    /// The first of equal photos.
    first_of: BTreeMap<Content<'a>, usize>,
    /// The hashes of those.
    hashes: MultiIndex,
}

type Content<'a> = (Hash256, Option<&'a [u8]>);

fn content<'a>(photo: &Known<'a>) -> Content<'a> {
    (photo.features.pdq, photo.features.detail.as_ref().map(PhotoDetail::as_bytes))
}

impl<'a> Twins<'a> {
    fn new(photos: &'a [Known<'a>], index: &'a PhotoIndex) -> Self {
        let mut first_of = BTreeMap::new();
        for (at, photo) in photos.iter().enumerate() {
            first_of.entry(content(photo)).or_insert(at);
        }
        let hashes = MultiIndex::of_items(first_of.values().map(|&at| (at, photos[at].features.pdq)));
        Self { photos, index, first_of, hashes }
    }

    /// What follows from the first photo before this one that it cannot be told from, if something does.
    fn doubt(&self, at: usize) -> Option<String> {
        let photo = &self.photos[at];
        let equal = self.first_of.get(&content(photo)).copied().filter(|first| *first < at);
        let near = self.hashes.within(&photo.features.pdq, DEFAULT_RADIUS).into_iter();
        let near = near.map(|near| near.item).filter(|other| *other < at).take(MAX_COMPARED);
        equal
            .into_iter()
            .chain(near.filter(|other| self.index.are_near_duplicates(at, *other)))
            .find_map(|other| consequence(photo, &self.photos[other]))
    }
}

/// What two photos that look alike mean for listings that show one of them. Photos of one record may look alike, and so may two of
/// known fakes, or two harmless ones.
fn consequence(photo: &Known<'_>, earlier: &Known<'_>) -> Option<String> {
    use CatalogRecord::{Benign, Fake, Product};
    if photo.reference.key == earlier.reference.key {
        return None;
    }
    let so = match (photo.record, earlier.record) {
        (Product(one), Product(other)) if one.brand_id == other.brand_id => {
            "no photo can tell the two products apart"
        }
        (Product(_), Product(_)) => "no photo can tell the two brands apart",
        (Fake(_), Product(_)) => "whoever shows the genuine photo is taken for a seller of this fake",
        (Benign(_), Product(_) | Fake(_)) => "that photo counts for nothing, because this record is harmless",
        _ => return None,
    };
    Some(format!("nearly the same picture as {}: {so}", earlier.reference))
}
