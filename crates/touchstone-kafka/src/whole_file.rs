//! Large files that are written whole and read where they lie.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bytes::Bytes;

/// How the names of files begin that are being written.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// Writes a new file and renames it into place, because the one that stands there may be mapped by another program. It keeps
/// the permissions of the one it replaces; a new one is readable by all.
///
/// # Errors
/// Whatever the system says; what stood there before is still there then.
pub fn write(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    unfinished.write_all(bytes)?;
    let like = fs::metadata(&place).map_or_else(|_| Permissions::from_mode(0o644), |old| old.permissions());
    unfinished.as_file().set_permissions(like)?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(&place)?;
    Ok(())
}

/// The bytes of a file, mapped.
///
/// # Errors
/// Whatever the system says.
pub fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    Ok(Bytes::from_owner(mapped(file)?))
}

#[expect(unsafe_code, reason = "mapping a file is the only way not to read all of it")]
fn mapped(file: &File) -> io::Result<memmap2::Mmap> {
    // SAFETY: the bytes are only ever read, and every read of them is bounded and tolerates any content. A program that
    // cuts the file short or writes over it while it is mapped can end this one with SIGBUS; `write` above never does that.
    unsafe { memmap2::Mmap::map(file) }
}
