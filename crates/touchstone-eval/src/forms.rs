//! The `listings` form: a folder of `catalog.jsonl`, `listings.jsonl` and `labels.csv`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use touchstone_types::{CatalogRecord, Listing, ListingId, ParseError, Probability};

use crate::EvalError;

const COLUMNS: [&str; 5] = ["listing_id", "version", "label", "behaviour", "week"];
/// A column that only labels have that are no random sample.
const SELECTION: &str = "selection_probability";

/// What is known of one version of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The listing.
    pub listing_id: ListingId,
    /// Its version.
    pub version: u64,
    /// Whether the listing is labelled counterfeit; labels can be wrong.
    pub label: bool,
    /// What the seller does, for example `near_price`; any word, not empty.
    pub behaviour: String,
    /// The week of the listing, from 1; data without weeks has 1 throughout.
    pub week: u32,
    /// How probable it was that such a listing was labelled at all, above 0; `None` where labels were not chosen.
    pub selection_probability: Option<Probability>,
}

/// A folder in the `listings` form, read whole.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingsFolder {
    /// The records of `catalog.jsonl`, in the order of the file.
    pub catalog: Vec<CatalogRecord>,
    /// The listings of `listings.jsonl`, in the order of the file.
    pub listings: Vec<Listing>,
    /// The rows of `labels.csv`, in the order of the file; at most one for each version of a listing.
    pub labels: Vec<Label>,
}

impl ListingsFolder {
    /// Reads the three files of `folder`.
    ///
    /// # Errors
    /// As [`read_catalog`], [`read_listings`] and [`read_labels`]; the first error ends the reading.
    pub fn read(folder: &Path) -> Result<Self, EvalError> {
        Ok(Self {
            catalog: read_catalog(&folder.join("catalog.jsonl"))?,
            listings: read_listings(&folder.join("listings.jsonl"))?,
            labels: read_labels(&folder.join("labels.csv"))?,
        })
    }

    /// Writes the three files into `folder`, which is made where it is missing; files of these names are replaced.
    ///
    /// # Errors
    /// [`EvalError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), EvalError> {
        fs::create_dir_all(folder).map_err(|e| EvalError::io(folder, "writing", e))?;
        write_lines(&folder.join("catalog.jsonl"), self.catalog.iter().map(CatalogRecord::to_json))?;
        write_lines(&folder.join("listings.jsonl"), self.listings.iter().map(Listing::to_json))?;
        write_labels(&folder.join("labels.csv"), &self.labels)
    }
}

/// Reads a file of catalog records, one a line; blank lines are passed over.
///
/// # Errors
/// [`EvalError::Io`]; [`EvalError::Line`] with the file and line of the first record that is malformed.
pub fn read_catalog(path: &Path) -> Result<Vec<CatalogRecord>, EvalError> {
    read_lines(path, CatalogRecord::from_json)
}

/// Reads a file of listings, one a line; blank lines are passed over.
///
/// # Errors
/// [`EvalError::Io`]; [`EvalError::Line`] with the file and line of the first listing that is malformed; [`EvalError::Twice`].
pub fn read_listings(path: &Path) -> Result<Vec<Listing>, EvalError> {
    let listings = read_lines(path, Listing::from_json)?;
    let mut seen = BTreeSet::new();
    for listing in &listings {
        if !seen.insert((listing.listing_id.as_str(), listing.version)) {
            let (listing_id, version) = (listing.listing_id.to_string(), listing.version);
            return Err(EvalError::Twice { path: path.to_owned(), listing_id, version });
        }
    }
    Ok(listings)
}

/// Reads `labels.csv`: a header that names `listing_id`, `version`, `label`, `behaviour`, `week` and perhaps `selection_probability` in any
/// order (further columns are ignored), then one row for each labelled version of a listing.
///
/// # Errors
/// [`EvalError::Io`]; [`EvalError::Label`] with the file and line: a column that is missing, a label other than 0 or 1, a
/// version or week that is no whole number, an empty behaviour, a selection probability that is not above 0 and at most 1, a version of a
/// listing that is labelled twice.
pub fn read_labels(path: &Path) -> Result<Vec<Label>, EvalError> {
    let file = fs::File::open(path).map_err(|e| EvalError::io(path, "reading", e))?;
    let mut rows = csv::Reader::from_reader(BufReader::new(file));
    let header = rows.headers().map_err(|e| EvalError::csv(path, e))?;
    let selection = header.iter().position(|column| column.trim() == SELECTION);
    let columns =
        columns(header).map_err(|problem| EvalError::Label { path: path.to_owned(), line: 1, problem })?;
    let (mut labels, mut seen) = (Vec::new(), BTreeSet::new());
    for row in rows.records() {
        let row = row.map_err(|e| EvalError::csv(path, e))?;
        let line = row.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| EvalError::Label { path: path.to_owned(), line, problem };
        let mut label = label(columns.map(|at| &row[at])).map_err(wrong)?;
        label.selection_probability = selection.map(|at| selected(&row[at])).transpose().map_err(wrong)?;
        if !seen.insert((label.listing_id.as_str().to_owned(), label.version)) {
            return Err(wrong(format!(
                "version {} of listing {} is labelled twice",
                label.version, label.listing_id
            )));
        }
        labels.push(label);
    }
    Ok(labels)
}

fn read_lines<T>(path: &Path, parse: fn(&[u8]) -> Result<T, ParseError>) -> Result<Vec<T>, EvalError> {
    let file = fs::File::open(path).map_err(|e| EvalError::io(path, "reading", e))?;
    let mut values = Vec::new();
    // Split by bytes, so that a line that is not UTF-8 is reported with its number like any other bad line.
    for (idx, bytes) in BufReader::new(file).split(b'\n').enumerate() {
        let bytes = bytes.map_err(|e| EvalError::io(path, "reading", e))?;
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        // A byte order mark is no part of the first line.
        let value = parse(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes));
        values.push(value.map_err(|source| EvalError::Line {
            path: path.to_owned(),
            line: idx + 1,
            source,
        })?);
    }
    Ok(values)
}

fn write_lines(path: &Path, lines: impl Iterator<Item = String>) -> Result<(), EvalError> {
    let failed = |e| EvalError::io(path, "writing", e);
    let mut file = BufWriter::new(fs::File::create(path).map_err(failed)?);
    for line in lines {
        writeln!(file, "{line}").map_err(failed)?;
    }
    file.flush().map_err(failed)
}

fn write_labels(path: &Path, labels: &[Label]) -> Result<(), EvalError> {
    let failed = |e: csv::Error| EvalError::io(path, "writing", e.into());
    let mut rows = csv::Writer::from_path(path).map_err(failed)?;
    // The column would say nothing where no label was chosen.
    let has_selection = labels.iter().any(|label| label.selection_probability.is_some());
    rows.write_record(COLUMNS.into_iter().chain(has_selection.then_some(SELECTION))).map_err(failed)?;
    for l in labels {
        let (version, label, week) =
            (l.version.to_string(), u8::from(l.label).to_string(), l.week.to_string());
        let selection =
            has_selection.then(|| l.selection_probability.map_or(1.0, Probability::get).to_string());
        let fields = [l.listing_id.as_str(), &version, &label, &l.behaviour, &week];
        rows.write_record(fields.into_iter().chain(selection.as_deref())).map_err(failed)?;
    }
    rows.flush().map_err(|e| EvalError::io(path, "writing", e))
}

/// Where each of [`COLUMNS`] stands in the header.
fn columns(header: &csv::StringRecord) -> Result<[usize; 5], String> {
    let mut places = [0; 5];
    for (place, name) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|column| column.trim() == name);
        *place = found.ok_or_else(|| format!("the column \"{name}\" is missing"))?;
    }
    Ok(places)
}

fn label([id, version, label, behaviour, week]: [&str; 5]) -> Result<Label, String> {
    if behaviour.trim().is_empty() {
        return Err("behaviour: must not be empty".to_owned());
    }
    Ok(Label {
        listing_id: ListingId::new(id).map_err(|e| format!("listing_id: {e}"))?,
        version: number("version", version)?,
        label: match label.trim() {
            "0" => false,
            "1" => true,
            other => return Err(format!("label: \"{other}\" is neither 0 nor 1")),
        },
        behaviour: behaviour.trim().to_owned(),
        week: number("week", week)?,
        selection_probability: None,
    })
}

/// A probability above 0: of a listing that could not have been labelled there is no label.
fn selected(text: &str) -> Result<Probability, String> {
    let found = text.trim().parse().ok().and_then(Probability::new).filter(|p| p.get() > 0.0);
    found.ok_or_else(|| format!("{SELECTION}: \"{text}\" is not above 0 and at most 1"))
}

fn number<T: std::str::FromStr>(column: &str, text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("{column}: \"{text}\" is no whole number"))
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const HEADER: &str = "listing_id,version,label,behaviour,week\n";

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        file
    }

    #[test]
    fn a_folder_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let brand = br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#;
        let listing = br#"{"listing_id":"EX-1,\"a\"","title":"Lumora 20","seller":{"seller_id":"S-1"}}"#;
        let listing = Listing::from_json(listing).unwrap();
        let label = Label {
            listing_id: listing.listing_id.clone(),
            version: 2,
            label: true,
            behaviour: "slang".to_owned(),
            week: 7,
            selection_probability: None,
        };
        let written = ListingsFolder {
            catalog: vec![CatalogRecord::from_json(brand).unwrap()],
            listings: vec![listing],
            labels: vec![label],
        };
        written.write(&folder.path().join("deep/er")).unwrap();
        assert_eq!(ListingsFolder::read(&folder.path().join("deep/er")).unwrap(), written);
    }

    #[test]
    fn bad_labels_are_named_with_file_and_line() {
        let check = |rows: &str, expected: &str| {
            let file = file(rows);
            let error = read_labels(file.path()).unwrap_err().to_string();
            assert_eq!(error, format!("{}, {expected}", file.path().display()));
        };
        check("listing_id,version,label,week\n", "line 1: the column \"behaviour\" is missing");
        check(&format!("{HEADER}a,1,0,x,1\nb,1,2,x,1\n"), "line 3: label: \"2\" is neither 0 nor 1");
        check(&format!("{HEADER}a,one,0,x,1\n"), "line 2: version: \"one\" is no whole number");
        check(&format!("{HEADER}a,1,0,x,-1\n"), "line 2: week: \"-1\" is no whole number");
        check(&format!("{HEADER}a,1,0,,1\n"), "line 2: behaviour: must not be empty");
        check(&format!("{HEADER},1,0,x,1\n"), "line 2: listing_id: must not be empty");
        check(&format!("{HEADER}a,1,0,x,1\na,1,1,x,1\n"), "line 3: version 1 of listing a is labelled twice");
        for bad in ["0", "-0.5", "1.5", "NaN", "", "often"] {
            let rows = format!("{},selection_probability\na,1,0,x,1,{bad}\n", HEADER.trim_end());
            check(&rows, &format!("line 2: selection_probability: \"{bad}\" is not above 0 and at most 1"));
        }
        assert!(matches!(
            read_labels(file(&format!("{HEADER}a,1,0\n")).path()),
            Err(EvalError::Label { line: 2, .. })
        ));
    }

    #[test]
    fn the_selection_is_written_and_read_where_there_is_one() {
        let label = |id: &str, p: Option<f64>| Label {
            listing_id: ListingId::new(id).unwrap(),
            version: 1,
            label: true,
            behaviour: "ruled".to_owned(),
            week: 1,
            selection_probability: p.and_then(Probability::new),
        };
        let file = file("");
        write_labels(file.path(), &[label("a", Some(0.25)), label("b", None)]).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(
            text,
            format!("{},selection_probability\na,1,1,ruled,1,0.25\nb,1,1,ruled,1,1\n", HEADER.trim_end())
        );
        let read = read_labels(file.path()).unwrap();
        assert_eq!(read, [label("a", Some(0.25)), label("b", Some(1.0))]);
        write_labels(file.path(), &[label("b", None)]).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{HEADER}b,1,1,ruled,1\n"));
    }

    #[test]
    fn columns_stand_in_any_order_beside_others() {
        let file = file("note,week,behaviour,label,version,listing_id\nhi,3,slang,1,4,EX-1\n");
        let labels = read_labels(file.path()).unwrap();
        assert_eq!((labels[0].week, labels[0].version, labels[0].label), (3, 4, true));
    }

    #[test]
    fn bad_lines_are_named_with_file_and_line() {
        let good = r#"{"listing_id":"EX-1","title":"Lumora 20","seller":{"seller_id":"S-1"}}"#;
        let file = file(&format!("{good}\n\n{good}\n{{\"listing_id\":\"EX-2\",\"title\":7}}\n"));
        let twice = format!("{good}\n{good}\n");
        let error = read_listings(self::file(&twice).path()).unwrap_err().to_string();
        assert!(error.ends_with("version 1 of listing EX-1 stands twice: take one out"), "{error}");
        let error = read_listings(file.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("{}, line 4", file.path().display()));
        assert!(error.source().unwrap().to_string().starts_with("title: "));
        let missing = read_catalog(Path::new("no-such-file.jsonl")).unwrap_err();
        assert_eq!(missing.to_string(), "no-such-file.jsonl: reading failed");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(7), failure_persistence: None, cases: 60, ..Default::default()
        })]

        #[test]
        fn labels_read_back_whatever_their_ids_hold(
            rows in prop::collection::btree_map(("\\PC{1,12}|[,\"\n\r a]{1,6}", any::<u64>()), (any::<bool>(), "[a-z_]{1,12}", any::<u32>()), 0..20),
        ) {
            let labels: Vec<Label> = rows
                .into_iter()
                .map(|((id, version), (label, behaviour, week))| {
                    let listing_id = ListingId::new(id).unwrap();
                    Label { listing_id, version, label, behaviour, week, selection_probability: None }
                })
                .collect();
            let file = file("");
            write_labels(file.path(), &labels).unwrap();
            prop_assert_eq!(read_labels(file.path()).unwrap(), labels);
        }
    }
}
