//! What `touchstone eval` found on one folder: flat figures under fixed names.

use std::collections::BTreeMap;
use std::path::Path;

/// The figures of one data set, in one form.
///
/// A figure that could not be had (a recall over no rows) is missing from `metrics`, never zero.
#[derive(Debug, Clone, PartialEq)]
pub struct FormReport {
    /// The form's name on the command line: `brands`, `search`, `pairs`, `photos`.
    pub form: &'static str,
    /// The data set: the folder's name.
    pub set: String,
    /// The rows that were judged: `cases`, `queries`, `test`, `5-fold`.
    pub on: String,
    /// Figures by flat key, for example `recall.typo`. Shares are 0 to 1; keys that end in `_per_s` or begin with `ms_` are
    /// measured with a clock and differ from run to run, all others do not.
    pub metrics: BTreeMap<String, f64>,
    /// What is said in words, by flat key, for a person who reads the table.
    pub words: BTreeMap<String, String>,
    /// What the reader of the figures must know: rows that no program could answer.
    pub warnings: Vec<String>,
}

/// Says that rows name an id that the catalog lacks: these count as not found, whatever is searched.
pub(crate) fn absent(folder: &Path, file: &str, kind: &str, mut ids: Vec<&str>) -> Option<String> {
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    let shown: Vec<String> = ids.iter().take(3).map(|id| format!("{id:?}")).collect();
    let shown = shown.join(", ") + if ids.len() > 3 { ", …" } else { "" };
    let file = folder.join(file);
    (n > 0).then(|| {
        format!(
            "{}: {n} rows name a {kind} that the catalog lacks ({shown}): they count as not found; mend them or the catalog",
            file.display()
        )
    })
}

/// The name of a data set: the last part of its folder's path, links and dots resolved. It says nothing of the machine that
/// the folder lies on.
pub fn set_name(folder: &Path) -> String {
    let resolved = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    resolved
        .file_name()
        .map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The value at a share `q`, 0 to 1, of sorted values, by the nearest rank; `None` of no values.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occur() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&values, 0.5), quantile(&values, 0.99)), (Some(50.0), Some(99.0)));
        assert_eq!(
            (quantile(&[7.0], 0.0), quantile(&[7.0], 1.0), quantile(&[], 0.5)),
            (Some(7.0), Some(7.0), None)
        );
    }

    #[test]
    fn a_set_is_named_after_its_folder() {
        assert_eq!(set_name(Path::new("some/where/else/")), "else");
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().canonicalize().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(set_name(&folder.path().join(".")), name);
    }
}
