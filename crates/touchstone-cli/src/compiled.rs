//! Compiled catalogs: written whole, opened by mapping them.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use touchstone_catalog::Snapshot;
use touchstone_kafka::whole_file;
use touchstone_text::Lexicon;

use crate::fault::{OrBadInput as _, Outcome};

/// Whether a file begins like a compiled catalog. A pipe is a feed: what was read of it could not be read again.
pub(crate) fn is_compiled(path: &Path) -> Outcome<bool> {
    let is_file = fs::metadata(path).with_context(|| cannot_read(path)).or_bad_input()?.is_file();
    let mut start = Vec::new();
    if is_file {
        open_file(path)?
            .take(64)
            .read_to_end(&mut start)
            .with_context(|| cannot_read(path))
            .or_bad_input()?;
    }
    Ok(Snapshot::is_compiled(&start))
}

/// Maps a compiled catalog into memory.
pub(crate) fn open(path: &Path, lexicon: &Arc<Lexicon>) -> Outcome<Snapshot> {
    let bytes = whole_file::map(&open_file(path)?).with_context(|| cannot_read(path)).or_bad_input()?;
    Snapshot::from_bytes(&bytes, lexicon)
        .with_context(|| format!("cannot use {}", path.display()))
        .or_bad_input()
}

/// Refuses a place where [`write()`] would destroy something: a feed, a folder, a device.
pub(crate) fn check_target(out: &Path, feeds: &[PathBuf]) -> Outcome<()> {
    let Ok(target) = fs::canonicalize(out) else {
        // Building takes minutes: what the end would fail of is said first.
        let folder = folder_of(out);
        return match folder.is_dir() {
            true => Ok(()),
            false => Err(anyhow!("--out {}: there is no folder {}", out.display(), folder.display()))
                .or_bad_input(),
        };
    };
    if !target.is_file() {
        return Err(anyhow!("--out {} is not a file", out.display())).or_bad_input();
    }
    if feeds.iter().any(|feed| fs::canonicalize(feed).is_ok_and(|feed| feed == target)) {
        return Err(anyhow!("--out {} is one of the feeds, which it would overwrite", out.display()))
            .or_bad_input();
    }
    Ok(())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the file whole.
pub(crate) fn write(out: &Path, bytes: &[u8]) -> Outcome<()> {
    whole_file::write(out, bytes).with_context(|| format!("cannot write {}", out.display())).or_bad_input()
}

fn open_file(path: &Path) -> Outcome<File> {
    File::open(path).with_context(|| cannot_read(path)).or_bad_input()
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}
