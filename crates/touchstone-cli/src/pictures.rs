//! Reading the pictures that files name: only below a named folder, never anywhere else.

use std::fs;
use std::path::{Component, Path, PathBuf};

use touchstone_types::{Listing, PhotoFailure};

use crate::assets;

/// Where the pictures of a file lie.
#[derive(Debug, Clone)]
pub(crate) enum Pictures {
    /// Compiled in.
    Embedded,
    /// Below this folder.
    Below(PathBuf),
}

impl Pictures {
    /// The pictures beside `file`.
    pub(crate) fn beside(file: &Path) -> Self {
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::Below(folder.to_owned())
    }

    /// Their place, for messages.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Embedded => "the compiled-in folder".to_owned(),
            Self::Below(folder) => folder.display().to_string(),
        }
    }

    /// Reads the picture with a relative `url` (`file:` or a bare path).
    ///
    /// # Errors
    /// [`PhotoFailure::NotFetched`] for any other scheme, a path that leads out of the folder and a file that is not there;
    /// [`PhotoFailure::TooLarge`] beyond `max_bytes`.
    pub(crate) fn read(&self, url: &str, max_bytes: usize) -> Result<Vec<u8>, PhotoFailure> {
        let path = url.strip_prefix("file:").unwrap_or(url);
        if path.contains("://") || path.starts_with("//") || path.starts_with("data:") {
            return Err(PhotoFailure::NotFetched);
        }
        match self {
            Self::Embedded => assets::picture(path).map(<[u8]>::to_vec).ok_or(PhotoFailure::NotFetched),
            Self::Below(folder) => read_below(folder, Path::new(path), max_bytes),
        }
    }
}

/// Reads `<folder>/<listing_id>/<index>.*`; of several files the first in the order of their names.
pub(crate) fn read_indexed(
    folder: &Path,
    listing: &Listing,
    idx: usize,
    max_bytes: usize,
) -> Result<Vec<u8>, PhotoFailure> {
    let own = Path::new(listing.listing_id.as_str());
    // A listing id is a stranger's text: it must be the plain name of one folder.
    if !matches!(own.components().collect::<Vec<_>>().as_slice(), [Component::Normal(_)]) {
        return Err(PhotoFailure::NotFetched);
    }
    let prefix = format!("{idx}.");
    let entries = fs::read_dir(folder.join(own)).map_err(|_| PhotoFailure::NotFetched)?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = names.filter(|name| name.starts_with(&prefix)).min().ok_or(PhotoFailure::NotFetched)?;
    read_below(folder, &own.join(name), max_bytes)
}

fn read_below(folder: &Path, path: &Path, max_bytes: usize) -> Result<Vec<u8>, PhotoFailure> {
    let not_fetched = |_| PhotoFailure::NotFetched;
    let root = folder.canonicalize().map_err(not_fetched)?;
    // Links are followed before the check, so that none leads out.
    let file = root.join(path).canonicalize().map_err(not_fetched)?;
    let meta = file.metadata().map_err(not_fetched)?;
    if !file.starts_with(&root) || !meta.is_file() {
        return Err(PhotoFailure::NotFetched);
    }
    if meta.len() > max_bytes as u64 {
        return Err(PhotoFailure::TooLarge);
    }
    fs::read(file).map_err(not_fetched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(folder.path().join("secret.jpg"), b"secret").unwrap();
        fs::write(root.join("sub/a.jpg"), b"picture").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret.jpg"), root.join("link.jpg")).unwrap();
        let pictures = Pictures::Below(root.clone());
        let check = |url: &str, expected: Result<&[u8], PhotoFailure>| {
            assert_eq!(pictures.read(url, 10).as_deref().map_err(|e| *e), expected, "{url}");
        };
        check("sub/a.jpg", Ok(b"picture"));
        check("file:sub/a.jpg", Ok(b"picture"));
        check(&format!("file:{}", root.join("sub/a.jpg").display()), Ok(b"picture"));
        for bad in
            ["../secret.jpg", "/etc/passwd", "link.jpg", "none.jpg", "https://a/b", "//host/a", "sub", ""]
        {
            check(bad, Err(PhotoFailure::NotFetched));
        }
        assert_eq!(pictures.read("sub/a.jpg", 3), Err(PhotoFailure::TooLarge));
    }

    #[test]
    fn indexed_pictures_are_found_by_listing_and_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("EX-1")).unwrap();
        fs::write(folder.path().join("EX-1/0.png"), b"zero").unwrap();
        fs::write(folder.path().join("EX-1/10.png"), b"ten").unwrap();
        let listing = |id: &str| {
            let json = format!(r#"{{"listing_id":"{id}","title":"x","seller":{{"seller_id":"S"}}}}"#);
            Listing::from_json(json.as_bytes()).unwrap()
        };
        assert_eq!(read_indexed(folder.path(), &listing("EX-1"), 0, 9).as_deref(), Ok(&b"zero"[..]));
        assert_eq!(read_indexed(folder.path(), &listing("EX-1"), 1, 9), Err(PhotoFailure::NotFetched));
        assert_eq!(read_indexed(folder.path(), &listing("../EX-1"), 0, 9), Err(PhotoFailure::NotFetched));
        assert_eq!(read_indexed(folder.path(), &listing(".."), 0, 9), Err(PhotoFailure::NotFetched));
    }
}
