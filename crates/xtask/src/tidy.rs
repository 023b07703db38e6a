//! Checks of the tree that neither the compiler nor clippy makes: maps that name what exists, files of a readable size.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Past this a source file has a second idea that deserves a file of its own.
const MAX_LINES: usize = 600;
/// Unfinished work, written in two halves so that this file passes its own check.
const FORBIDDEN: [&str; 3] = [concat!("todo", "!("), concat!("dbg", "!("), concat!("unimplemented", "!(")];

/// Looks at the whole workspace under `root`.
///
/// # Errors
/// Lists everything that is wrong, one a line.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut faults = Vec::new();
    let map = root.join("ARCHITECTURE.md");
    match fs::read_to_string(&map) {
        Ok(text) => faults.extend(missing_paths(root, &text)),
        Err(error) => faults.push(format!("ARCHITECTURE.md: {error}")),
    }
    let mut sources = Vec::new();
    let mut manifests = Vec::new();
    for folder in ["crates", "benches"] {
        collect(&root.join(folder), &mut sources, &mut manifests)?;
    }
    for path in &sources {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        faults.extend(source_faults(&name(root, path), &text));
    }
    for path in &manifests {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        if !text.contains("[lints]\nworkspace = true") {
            faults.push(format!("{}: does not take the workspace's lints", name(root, path)));
        }
    }
    println!("  {} source files, {} manifests", sources.len(), manifests.len());
    if faults.is_empty() { Ok(()) } else { bail!("the tree is not tidy\n  {}", faults.join("\n  ")) }
}

fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn collect(folder: &Path, sources: &mut Vec<PathBuf>, manifests: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.with_context(|| format!("cannot list {}", folder.display()))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, sources, manifests)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        } else if path.ends_with("Cargo.toml") {
            manifests.push(path);
        }
    }
    Ok(())
}

fn source_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        faults.push(format!("{name}: {n_lines} lines, at most {MAX_LINES}"));
    }
    for (line_idx, line) in text.lines().enumerate() {
        for word in FORBIDDEN {
            if line.contains(word) {
                faults.push(format!("{name}:{}: {word}…)", line_idx + 1));
            }
        }
    }
    faults
}

/// Back-quoted words with a slash that look like a path of this repository, and do not exist. A leading slash (a route), a
/// blank, an angle bracket or a colon (a key, a URL) make it something else.
fn missing_paths(root: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (line_idx, line) in text.lines().enumerate() {
        // Every second piece between back quotes is quoted.
        for word in line.split('`').skip(1).step_by(2) {
            let is_path = word.contains('/')
                && !word.starts_with('/')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if is_path && !root.join(word).exists() {
                faults.push(format!("ARCHITECTURE.md:{}: `{word}` does not exist", line_idx + 1));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn only_paths_that_do_not_exist_are_faults() {
        let text = "`crates/xtask` and `crates/nowhere/src`\n`brand/<brand_id>`, `/healthz`, `https://a/b`, `plain`, `a b/c`";
        assert_eq!(
            missing_paths(&workspace::root(), text),
            ["ARCHITECTURE.md:1: `crates/nowhere/src` does not exist"]
        );
    }

    #[test]
    fn long_files_and_unfinished_work_are_faults() {
        assert_eq!(source_faults("a.rs", &"\n".repeat(MAX_LINES)), Vec::<String>::new());
        assert_eq!(source_faults("a.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
        let unfinished = format!("fn main() {{\n    {}\"later\");\n}}", FORBIDDEN[0]);
        assert_eq!(source_faults("a.rs", &unfinished), [format!("a.rs:2: {}…)", FORBIDDEN[0])]);
    }
}
