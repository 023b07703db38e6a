//! The hashes of Meta's own programs for Meta's own test pictures, where those are at hand.

use std::path::{Path, PathBuf};

use touchstone_image_hash::{DecodeLimits, Pdq, decode, features};
use touchstone_types::Hash256;

/// The folder of test data: `TOUCHSTONE_DATA`, or `shared/data` beside the workspace. It is no part of the repository.
fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("TOUCHSTONE_DATA").map_or_else(beside, PathBuf::from).join("pdq");
    data.is_dir().then_some(data)
}

#[test]
fn files_hash_as_in_the_reference_programs() {
    let Some(data) = data() else {
        eprintln!("SKIPPED: no folder pdq in the test data (TOUCHSTONE_DATA): reference hashes not compared");
        return;
    };
    let table = std::fs::read_to_string(data.join("expected_reference.csv")).unwrap();
    let (mut n_exact, mut n_rows) = (0, 0);
    for row in table.lines().skip(1) {
        let [file, hash, source] = row.splitn(3, ',').collect::<Vec<_>>()[..] else {
            panic!("three fields: {row}")
        };
        let bytes = std::fs::read(data.join(file)).unwrap();
        let picture = decode(&bytes, &DecodeLimits::default()).unwrap();
        let expected = Hash256::from_hex(hash).unwrap();
        let distance = Pdq::of(&picture).hash().distance(&expected).bits();
        let of_file = features(&bytes, &DecodeLimits::default()).unwrap().pdq.distance(&expected).bits();
        let small = picture.width() <= 512 && picture.height() <= 512;
        let at_most = match (source, small) {
            ("cpp", true) => 0,
            ("cpp", false) => 10,
            _ => 16,
        };
        assert!(distance <= at_most, "row {n_rows}: {distance} bits from {source}");
        assert!(of_file <= at_most, "row {n_rows} as a file: {of_file} bits from {source}");
        n_rows += 1;
        n_exact += usize::from(of_file == 0);
    }
    assert!(n_rows >= 33 && n_exact >= 10, "{n_exact} of {n_rows} rows are exact");
}
