//! The `photos` form: photos of which it is known which reference they were made of, and how; or that they show none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use touchstone_image_hash::{
    DEFAULT_RADIUS, DecodeError, DecodeLimits, HammingIndex, LinearScan, MatchSettings, Photo, PhotoIndex,
    PhotoScore, features, hash, photo,
};
use touchstone_pipeline::{LabelledPhoto, Shows};
use touchstone_types::{Hash256, PhotoFeatures};

use crate::EvalError;
use crate::form_report::{FormReport, quantile, set_name};
use crate::shares::Shares;

const COLUMNS: [&str; 3] = ["file", "reference", "transform"];

/// A photo that shows several references: those that are not named are not wrong.
const COLLAGE: &str = "collage";

/// A folder in the `photos` form. Pictures are read when they are looked at.
struct PhotosFolder {
    folder: PathBuf,
    /// The file names of `references`, in the order of their bytes.
    names: Vec<String>,
    references: Vec<PhotoFeatures>,
    ms_per_reference: f64,
    queries: Vec<Query>,
}

struct Query {
    line: u64,
    file: String,
    /// The position of the reference that must be found; `None` where nothing may be.
    reference: Option<usize>,
    transform: String,
}

/// Reads `references/*` and `queries.csv` of a folder and says which photos find the reference that they were made of.
///
/// - `recall.<transform>`: of the photos with that transform and a reference, the share whose reference is among the matches;
///   `recall` over all.
/// - `false_match_rate.<transform>`: of the photos without a reference, the share that matches something; `false_match_rate` over all.
/// - `reference_match_rate`: of the references, asked as photos, the share that match another one which is not nearly the same picture.
/// - `ms_per_photo_p50`, `ms_per_photo_p99`, `photos_per_s`: from the bytes of the file to the matches, on one thread.
/// - `tier_one_photos_per_s`: the whole-picture hash and its search in all eight symmetries alone.
/// - `bytes_per_reference`, `ms_per_reference`: what features of a reference take, and how long they take to make.
///
/// The words beside them, `named.<transform>`, are the alteration that right matches of the transform were most often said to have.
///
/// # Errors
/// A file that is missing, empty or malformed, a reference that is unknown, or a picture that cannot be decoded, with file and line.
pub fn eval_photos(folder: &Path, score: &PhotoScore) -> Result<FormReport, EvalError> {
    let files = PhotosFolder::read(folder)?;
    let index = PhotoIndex::new(files.references.iter().cloned());
    let settings = MatchSettings { radius: DEFAULT_RADIUS, score, only_proposed: false };
    let limits = DecodeLimits::default();
    let mut shares = Shares::default();
    let mut named: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    let mut ms = Vec::with_capacity(files.queries.len());
    for query in &files.queries {
        let bytes = files.bytes(query)?;
        let started = Instant::now();
        let found = photo(&bytes, &limits).map(|photo| index.matches(&photo, &settings, &[]));
        ms.push(started.elapsed().as_secs_f64() * 1000.0);
        let found = found.map_err(|e| files.undecodable(query, &e))?;
        let transform = query.transform.as_str();
        let Some(reference) = query.reference else {
            shares.add("false_match_rate", !found.is_empty());
            shares.add(&format!("false_match_rate.{transform}"), !found.is_empty());
            continue;
        };
        let right = found.iter().find(|found| found.reference == reference);
        shares.add("recall", right.is_some());
        shares.add(&format!("recall.{transform}"), right.is_some());
        if let Some(right) = right {
            *named.entry(transform).or_default().entry(right.alteration.to_string()).or_default() += 1;
        }
    }
    for own in 0..files.names.len() {
        let found = index.matches(&files.reference_as_photo(own, &limits)?, &settings, &[]);
        let is_another = |other: usize| other != own && !index.are_near_duplicates(own, other);
        shares.add("reference_match_rate", found.iter().any(|found| is_another(found.reference)));
    }
    let mut metrics = shares.finish();
    metrics.insert("photos_per_s".to_owned(), 1000.0 * ms.len() as f64 / ms.iter().sum::<f64>());
    ms.sort_by(f64::total_cmp);
    let quantiles = [("ms_per_photo_p50", 0.5), ("ms_per_photo_p99", 0.99)];
    metrics.extend(quantiles.into_iter().filter_map(|(name, q)| Some((name.to_owned(), quantile(&ms, q)?))));
    metrics.insert("tier_one_photos_per_s".to_owned(), files.tier_one_speed()?);
    metrics.insert("bytes_per_reference".to_owned(), files.bytes_per_reference());
    metrics.insert("ms_per_reference".to_owned(), files.ms_per_reference);
    let words = named.into_iter().filter_map(|(transform, counts)| {
        // The first of equally frequent ones, by its name.
        let most = counts.into_iter().rev().max_by_key(|(_, n)| *n)?;
        Some((format!("named.{transform}"), most.0))
    });
    let words = words.collect();
    Ok(FormReport {
        form: "photos",
        set: set_name(folder),
        on: "queries".to_owned(),
        metrics,
        words,
        warnings: Vec::new(),
    })
}

/// What a [`PhotoScore`] is learned from: the references that a second look is worth for each photo of a folder, with what is measured.
///
/// The candidate that is the photo's named reference is a copy. Of a photo that must match nothing no candidate is. Another candidate of a
/// named photo is none either, unless it is nearly the same picture, or the photo is a collage, which may show several references: these are
/// left out. Each reference is laid over the others as well.
///
/// # Errors
/// As [`eval_photos`].
pub fn training_photos(folder: &Path) -> Result<Vec<LabelledPhoto>, EvalError> {
    let files = PhotosFolder::read(folder)?;
    let index = PhotoIndex::new(files.references.iter().cloned());
    let limits = DecodeLimits::default();
    let set = set_name(folder);
    let mut photos = Vec::with_capacity(files.queries.len() + files.names.len());
    for query in &files.queries {
        let seen = photo(&files.bytes(query)?, &limits).map_err(|e| files.undecodable(query, &e))?;
        let teaches = |other: usize| match query.reference {
            Some(own) => {
                own == other || (query.transform != COLLAGE && !index.are_near_duplicates(own, other))
            }
            None => true,
        };
        let candidates = index.candidates(&seen, &[]).into_iter().filter(|c| teaches(c.reference));
        photos.push(LabelledPhoto {
            group: format!("{set}/{}", query.reference.map_or(&query.file, |own| &files.names[own])),
            transform: query.transform.clone(),
            shows: if query.reference.is_some() { Shows::Reference } else { Shows::Nothing },
            candidates: candidates.map(|c| (c.measures, Some(c.reference) == query.reference)).collect(),
        });
    }
    for (own, name) in files.names.iter().enumerate() {
        let seen = files.reference_as_photo(own, &limits)?;
        let others = index
            .candidates(&seen, &[])
            .into_iter()
            .filter(|c| c.reference != own && !index.are_near_duplicates(own, c.reference));
        photos.push(LabelledPhoto {
            group: format!("{set}/{name}"),
            transform: "none".to_owned(),
            shows: Shows::Uncounted,
            candidates: others.map(|c| (c.measures, false)).collect(),
        });
    }
    Ok(photos)
}

impl PhotosFolder {
    fn read(folder: &Path) -> Result<Self, EvalError> {
        let names = reference_names(&folder.join("references"))?;
        let queries = queries(folder, &names)?;
        let mut files =
            Self { folder: folder.to_owned(), names, references: Vec::new(), ms_per_reference: 0.0, queries };
        let limits = DecodeLimits::default();
        let mut ms = 0.0;
        for name in &files.names {
            let (path, bytes) = files.reference(name)?;
            let started = Instant::now();
            let made = features(&bytes, &limits);
            ms += started.elapsed().as_secs_f64() * 1000.0;
            files.references.push(made.map_err(|e| undecodable_reference(path, &e))?);
        }
        files.ms_per_reference = ms / files.names.len() as f64;
        Ok(files)
    }

    fn reference(&self, name: &str) -> Result<(PathBuf, Vec<u8>), EvalError> {
        let path = self.folder.join("references").join(name);
        let bytes = fs::read(&path).map_err(|e| EvalError::io(&path, "reading", e))?;
        Ok((path, bytes))
    }

    fn reference_as_photo(&self, own: usize, limits: &DecodeLimits) -> Result<Photo, EvalError> {
        let (path, bytes) = self.reference(&self.names[own])?;
        photo(&bytes, limits).map_err(|e| undecodable_reference(path, &e))
    }

    fn bytes(&self, query: &Query) -> Result<Vec<u8>, EvalError> {
        let bad = |problem: String| {
            let problem = format!("{} {problem}: add the file or take the row out", query.file);
            bad_row(&self.folder, query.line, problem)
        };
        let path = self.folder.join(&query.file);
        // A pipe would be waited for.
        if path.exists() && !path.is_file() {
            return Err(bad("is no file".to_owned()));
        }
        fs::read(path).map_err(|e| bad(format!("cannot be read: {e}")))
    }

    fn undecodable(&self, query: &Query, error: &DecodeError) -> EvalError {
        let problem =
            format!("{} cannot be decoded: {error}: replace the picture or take the row out", query.file);
        bad_row(&self.folder, query.line, problem)
    }

    /// Photos hashed and searched by the hash alone in a second; they have all been looked at once before.
    fn tier_one_speed(&self) -> Result<f64, EvalError> {
        let limits = DecodeLimits::default();
        let scan = LinearScan::new(self.references.iter().map(|reference| reference.pdq).collect());
        let mut seconds = 0.0;
        for query in &self.queries {
            let bytes = self.bytes(query)?;
            let started = Instant::now();
            let pdq = hash(&bytes, &limits).map_err(|e| self.undecodable(query, &e))?;
            for turned in &pdq.dihedral {
                std::hint::black_box(scan.within(turned, DEFAULT_RADIUS));
            }
            seconds += started.elapsed().as_secs_f64();
        }
        Ok(self.queries.len() as f64 / seconds)
    }

    /// The mean over the references: hash, detail, and a byte each for version and quality.
    fn bytes_per_reference(&self) -> f64 {
        let bytes = |reference: &PhotoFeatures| {
            let detail = reference.detail.as_ref().map_or(0, |detail| detail.as_bytes().len());
            size_of::<Hash256>() + 2 + detail
        };
        self.references.iter().map(bytes).sum::<usize>() as f64 / self.references.len() as f64
    }
}

fn undecodable_reference(path: PathBuf, error: &DecodeError) -> EvalError {
    EvalError::Picture { path, problem: error.to_string() }
}

fn reference_names(folder: &Path) -> Result<Vec<String>, EvalError> {
    let failed = |e| EvalError::io(folder, "reading", e);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What file managers leave behind is no photo.
        let is_left_behind = name.starts_with('.') || matches!(name.as_str(), "Thumbs.db" | "desktop.ini");
        if entry.path().is_file() && !is_left_behind {
            names.push(name);
        }
    }
    names.sort();
    if names.is_empty() { Err(EvalError::NoReferences { path: folder.to_owned() }) } else { Ok(names) }
}

fn queries(folder: &Path, names: &[String]) -> Result<Vec<Query>, EvalError> {
    let path = folder.join("queries.csv");
    let file = fs::File::open(&path).map_err(|e| EvalError::io(&path, "reading", e))?;
    let mut rows = csv::Reader::from_reader(file);
    let bad = |line, problem| bad_row(folder, line, problem);
    let malformed = |e: &csv::Error| {
        let line = e.position().map_or(0, csv::Position::line);
        bad(line, format!("{e}: mend the row or take it out"))
    };
    let header = rows.headers().map_err(|e| malformed(&e))?.clone();
    let mut places = [0; 3];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|column| column.trim().trim_start_matches('\u{feff}') == name);
        *place = found.ok_or_else(|| {
            bad(1, format!("the column \"{name}\" is missing: the header is {}", COLUMNS.join(",")))
        })?;
    }
    let mut queries = Vec::new();
    for row in rows.records() {
        let row = row.map_err(|e| malformed(&e))?;
        let line = row.position().map_or(0, csv::Position::line);
        let [file, reference, transform] = places.map(|place| row[place].trim());
        if file.is_empty() || transform.is_empty() {
            return Err(bad(line, "file and transform must not be empty: fill them in".to_owned()));
        }
        if !Path::new(file).components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(bad(line, format!("{file} leaves the folder: name a file within it")));
        }
        let position = |name: &str| {
            names.binary_search_by(|known| known.as_str().cmp(name)).map_err(|_| {
                let problem =
                    format!("references has no file {name:?}: add it, or leave the reference empty");
                bad(line, problem)
            })
        };
        let reference = if reference.is_empty() { None } else { Some(position(reference)?) };
        queries.push(Query { line, file: file.to_owned(), reference, transform: transform.to_owned() });
    }
    if queries.is_empty() { Err(EvalError::NoRows { path }) } else { Ok(queries) }
}

fn bad_row(folder: &Path, line: u64, problem: String) -> EvalError {
    EvalError::Label { path: folder.join("queries.csv"), line, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with structure everywhere, another for each seed.
    fn drawn(seed: u64) -> image::RgbImage {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let mut picture = image::RgbImage::from_pixel(320, 400, image::Rgb([240; 3]));
        for _ in 0..60 {
            let (x, y, w, h) = (next() % 280, next() % 360, 12 + next() % 70, 12 + next() % 70);
            let colour = image::Rgb([next() as u8, next() as u8, next() as u8]);
            for y in y..(y + h).min(400) {
                for x in x..(x + w).min(320) {
                    picture.put_pixel(x, y, colour);
                }
            }
        }
        picture
    }

    /// Six references; of the first two a copy and a mirrored crop; two photos of nothing.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("references")).unwrap();
        for seed in 0..6 {
            drawn(seed).save(folder.path().join(format!("references/r{seed}.png"))).unwrap();
        }
        let mut csv = "file,reference,transform\n".to_owned();
        for seed in 0..2 {
            drawn(seed).save(folder.path().join(format!("same{seed}.jpg"))).unwrap();
            let mirrored = image::imageops::flip_horizontal(&drawn(seed));
            let crop = image::imageops::crop_imm(&mirrored, 20, 20, 280, 340).to_image();
            crop.save(folder.path().join(format!("crop{seed}.jpg"))).unwrap();
            drawn(100 + seed).save(folder.path().join(format!("other{seed}.jpg"))).unwrap();
            csv += &format!(
                "same{seed}.jpg,r{seed}.png,none\ncrop{seed}.jpg,r{seed}.png,mirror_crop\nother{seed}.jpg,,other\n"
            );
        }
        fs::write(folder.path().join("queries.csv"), csv).unwrap();
        folder
    }

    #[test]
    fn photos_are_counted_by_transform() {
        let folder = folder();
        let report = eval_photos(folder.path(), &PhotoScore::default()).unwrap();
        let get = |key: &str| report.metrics.get(key).copied();
        assert_eq!(
            (get("recall.none"), get("recall.mirror_crop"), get("recall")),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        assert_eq!((get("false_match_rate.other"), get("false_match_rate")), (Some(0.0), Some(0.0)));
        assert_eq!(get("reference_match_rate"), Some(0.0));
        assert_eq!((get("recall.other"), get("false_match_rate.none")), (None, None));
        assert_eq!(report.words["named.none"], "none");
        assert_eq!(report.words["named.mirror_crop"], "mirror+crop");
        assert!(get("ms_per_photo_p50") <= get("ms_per_photo_p99"));
        for key in ["photos_per_s", "tier_one_photos_per_s", "ms_per_reference", "bytes_per_reference"] {
            assert!(get(key).unwrap() > 0.0, "{key}");
        }
        assert!(get("bytes_per_reference").unwrap() <= 2048.0);
        // A score that believes nothing finds nothing.
        let never = PhotoScore::new([0.0; touchstone_image_hash::MEASURES.len()], -50.0, 0.5).unwrap();
        assert_eq!(eval_photos(folder.path(), &never).unwrap().metrics["recall"], 0.0);
    }

    #[test]
    fn what_file_managers_leave_among_references_is_passed_over() {
        let folder = folder();
        for name in [".DS_Store", "Thumbs.db", "desktop.ini"] {
            fs::write(folder.path().join("references").join(name), "no picture").unwrap();
        }
        assert_eq!(eval_photos(folder.path(), &PhotoScore::default()).unwrap().metrics["recall"], 1.0);
    }

    #[test]
    fn copies_and_others_are_told_apart_for_training() {
        let photos = training_photos(folder().path()).unwrap();
        assert_eq!(photos.len(), 6 + 6);
        let n = |shows| photos.iter().filter(|photo| photo.shows == shows).count();
        assert_eq!((n(Shows::Reference), n(Shows::Nothing), n(Shows::Uncounted)), (4, 2, 6));
        for photo in &photos {
            let n_copies = photo.candidates.iter().filter(|(_, is_copy)| *is_copy).count();
            assert_eq!(n_copies, usize::from(photo.shows == Shows::Reference), "{}", photo.group);
        }
        // A photo and the reference that it was made of are of one group, whatever was done.
        assert_eq!((&photos[0].group, &photos[1].group), (&photos[6].group, &photos[6].group));
        assert_ne!(photos[0].group, photos[3].group);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let check = |csv: &str, expected: &str| {
            let folder = folder();
            fs::write(folder.path().join("queries.csv"), csv).unwrap();
            fs::write(folder.path().join("text.jpg"), "no picture").unwrap();
            let error = eval_photos(folder.path(), &PhotoScore::default()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let rows = |rows: &str| format!("file,reference,transform\nsame0.jpg,r0.png,none\n{rows}");
        check("file,transform\n", "queries.csv, line 1: the column \"reference\" is missing");
        check("file,reference,transform\n", "queries.csv: the file has no rows");
        check(&rows("gone.jpg,,other\n"), "queries.csv, line 3: gone.jpg cannot be read: ");
        check(&rows("same0.jpg,r9.png,none\n"), "line 3: references has no file \"r9.png\": add it");
        check(&rows("references,,other\n"), "queries.csv, line 3: references is no file: add the");
        check(&rows("../same0.jpg,,other\n"), "queries.csv, line 3: ../same0.jpg leaves the folder: name a");
        check(&rows("/etc/hosts,,other\n"), "queries.csv, line 3: /etc/hosts leaves the folder: name a");
        check(&rows("text.jpg,,other\n"), "line 3: text.jpg cannot be decoded: ");
        check(&rows("same0.jpg,r0.png\n"), "queries.csv, line 3: ");
        check(&rows("same0.jpg,r0.png,\n"), "line 3: file and transform must not be empty");
        let folder = folder();
        fs::write(folder.path().join("references/text.jpg"), "no picture").unwrap();
        let error = eval_photos(folder.path(), &PhotoScore::default()).unwrap_err().to_string();
        assert!(error.contains("text.jpg: cannot be decoded: ") && error.contains("replace it"), "{error}");
        fs::remove_dir_all(folder.path().join("references")).unwrap();
        fs::create_dir(folder.path().join("references")).unwrap();
        let error = eval_photos(folder.path(), &PhotoScore::default()).unwrap_err().to_string();
        assert!(error.contains("references: the folder has no files"), "{error}");
    }
}
