//! JSON Lines whose rows are of a form's own shape.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::de::DeserializeOwned;
use touchstone_catalog::Catalog;

use crate::{EvalError, read_catalog};

/// Reads a file of rows, one JSON object a line; blank lines are passed over. `expected` says what stands in it.
///
/// # Errors
/// [`EvalError::NoFile`]; [`EvalError::Io`]; [`EvalError::Row`] for the first line that is no such row; [`EvalError::Empty`].
pub(crate) fn read<T: DeserializeOwned>(path: &Path, expected: &'static str) -> Result<Vec<T>, EvalError> {
    let file = fs::File::open(path).map_err(|e| EvalError::open(path, expected, e))?;
    let mut rows = Vec::new();
    // Split by bytes, so that a line that is not UTF-8 is reported with its number like any other bad line.
    for (idx, bytes) in BufReader::new(file).split(b'\n').enumerate() {
        let bytes = bytes.map_err(|e| EvalError::io(path, "reading", e))?;
        // A byte order mark is no part of the first line.
        let row = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).trim_ascii();
        let bad = |column, problem| EvalError::Row { path: path.to_owned(), line: idx + 1, column, problem };
        match row.first() {
            None => continue,
            Some(b'{') => {}
            Some(_) => return Err(bad(1, "expected a JSON object".to_owned())),
        }
        rows.push(serde_json::from_slice(row).map_err(|e| {
            // The parser counts its own lines, of which a row has one.
            let text = e.to_string();
            bad(e.column(), text.split(" at line ").next().unwrap_or(&text).to_owned())
        })?);
    }
    if rows.is_empty() { Err(EvalError::Empty { path: path.to_owned() }) } else { Ok(rows) }
}

/// The live records of `catalog.jsonl`.
///
/// # Errors
/// As [`read_catalog`], and [`EvalError::Empty`].
pub(crate) fn catalog(folder: &Path) -> Result<Catalog, EvalError> {
    let path = folder.join("catalog.jsonl");
    if !path.exists() {
        let expected = "a catalog feed, one record a line: {\"kind\":\"brand\",…}, {\"kind\":\"product\",…}";
        return Err(EvalError::NoFile { path, expected });
    }
    let catalog: Catalog = read_catalog(&path)?.into_iter().collect();
    if catalog.is_empty() { Err(EvalError::Empty { path }) } else { Ok(catalog) }
}
