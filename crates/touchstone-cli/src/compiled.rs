//! Compiled catalogs: written whole, opened by mapping them.

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use touchstone_catalog::Snapshot;
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
    let mapped = map(&open_file(path)?).with_context(|| cannot_read(path)).or_bad_input()?;
    Snapshot::from_bytes(&Bytes::from_owner(mapped), lexicon)
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

/// Writes a new file and renames it into place, because the one that stands there may be mapped by another program.
pub(crate) fn write(out: &Path, bytes: &[u8]) -> Outcome<()> {
    let place = fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
    let folder = folder_of(&place);
    let write = || -> std::io::Result<()> {
        let mut unfinished = tempfile::Builder::new().prefix(".compiling-").tempfile_in(folder)?;
        unfinished.write_all(bytes)?;
        let like =
            fs::metadata(&place).map_or_else(|_| Permissions::from_mode(0o644), |old| old.permissions());
        unfinished.as_file().set_permissions(like)?;
        unfinished.as_file().sync_all()?;
        unfinished.persist(&place)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", out.display())).or_bad_input()
}

#[expect(unsafe_code, reason = "mapping a file is the only way not to read all of it")]
fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the bytes are only ever read, and every read of them is bounded and tolerates any content. A program that
    // cuts the file short or writes over it while it is mapped can end this one with SIGBUS; `write` above never does that.
    unsafe { memmap2::Mmap::map(file) }
}

fn open_file(path: &Path) -> Outcome<File> {
    File::open(path).with_context(|| cannot_read(path)).or_bad_input()
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}
