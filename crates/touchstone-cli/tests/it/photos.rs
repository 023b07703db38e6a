//! Labelled photos, in and out: `touchstone train --photos` and `touchstone eval photos`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use touchstone_classifier::Bundle;

use crate::support::{check_status, command, root, stderr, stdout};

/// A picture of coloured blots, another for each seed.
fn drawn(seed: u64) -> image::RgbImage {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut picture = image::RgbImage::from_pixel(240, 300, image::Rgb([240; 3]));
    for _ in 0..60 {
        let (x, y, w, h) = (next() % 200, next() % 260, 12 + next() % 60, 12 + next() % 60);
        let colour = image::Rgb([next() as u8, next() as u8, next() as u8]);
        for y in y..(y + h).min(300) {
            for x in x..(x + w).min(240) {
                picture.put_pixel(x, y, colour);
            }
        }
    }
    picture
}

/// Twelve references, a crop of each, and for each the same scene with a strip of another over half of it, which is no copy.
fn write_photos(folder: &Path) {
    fs::create_dir_all(folder.join("references")).unwrap();
    let mut csv = "file,reference,transform\n".to_owned();
    for seed in 0..12 {
        drawn(seed).save(folder.join(format!("references/r{seed}.png"))).unwrap();
        image::imageops::crop_imm(&drawn(seed), 12, 12, 210, 270)
            .to_image()
            .save(folder.join(format!("c{seed}.jpg")))
            .unwrap();
        let mut other = drawn(200 + seed);
        image::imageops::replace(&mut other, &drawn(seed), 0, 150);
        other.save(folder.join(format!("o{seed}.jpg"))).unwrap();
        writeln!(csv, "c{seed}.jpg,r{seed}.png,crop\no{seed}.jpg,,other").unwrap();
    }
    fs::write(folder.join("queries.csv"), csv).unwrap();
}

#[test]
fn a_photo_score_is_trained_and_the_other_parts_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("invented-photos");
    write_photos(&photos);
    let shipped = root().join("models/touchstone.json");
    let train = |name: &str| {
        let model = folder.path().join(name);
        let mut command = command();
        command
            .args(["train", "--photos"])
            .arg(&photos)
            .arg("--model")
            .arg(&shipped)
            .arg("--out")
            .arg(&model);
        let output = command.output().unwrap();
        check_status(&output, 0);
        assert!(stdout(&output).is_empty() && stderr(&output).contains("36 photos"), "{}", stderr(&output));
        fs::read(model).unwrap()
    };
    let bytes = train("model.json");
    assert_eq!(train("again.json"), bytes, "the same photos, seed and model give the same bytes");
    let old = Bundle::from_bytes(&fs::read(&shipped).unwrap()).unwrap();
    let new = Bundle::from_bytes(&bytes).unwrap();
    for part in ["classifier", "pair_matcher"] {
        assert_eq!(new.part(part), old.part(part), "what was not trained stays as it was");
    }
    assert_ne!(new.part("photo_score"), old.part("photo_score"));
    let card = fs::read_to_string(folder.path().join("model.md")).unwrap();
    for part in [
        &format!("# Model {}\n", new.id()),
        "# The classifier\n",
        "24 photos and 12 references of invented-photos",
    ] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }

    let model = folder.path().join("model.json");
    let eval = |extra: &[&str]| {
        let output = command()
            .args(["eval", "photos"])
            .arg(&photos)
            .arg("--model")
            .arg(&model)
            .args(extra)
            .output()
            .unwrap();
        check_status(&output, 0);
        output
    };
    let report: serde_json::Value = serde_json::from_str(&stdout(&eval(&["--json"]))).unwrap();
    assert_eq!(report["versions"]["model"], new.id());
    assert_eq!(
        (&report["metrics"]["recall.crop"], &report["metrics"]["false_match_rate"]),
        (&1.0.into(), &0.0.into())
    );
    assert!(stdout(&eval(&[])).contains("named.crop"));
}

#[test]
fn a_score_over_other_measures_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    write_photos(&photos);
    let mut bundle = Bundle::from_bytes(&fs::read(root().join("models/touchstone.json")).unwrap()).unwrap();
    let part = bundle.part("photo_score").unwrap().replacen("\"fine\"", "\"coarse\"", 1);
    bundle.set_part("photo_score", &part).unwrap();
    let model = folder.path().join("old.json");
    fs::write(&model, bundle.to_bytes()).unwrap();
    let output = command().args(["eval", "photos"]).arg(&photos).arg("--model").arg(&model).output().unwrap();
    check_status(&output, 2);
    let said = stderr(&output);
    assert!(
        said.contains("photo_score") && said.contains("coarse") && said.contains("retrain with"),
        "{said}"
    );
}

#[test]
fn a_wrong_row_is_exit_2_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    write_photos(folder.path());
    fs::write(folder.path().join("queries.csv"), "file,reference,transform\nc0.jpg,gone.png,crop\n").unwrap();
    let out = folder.path().join("model.json");
    let train =
        command().args(["train", "--photos"]).arg(folder.path()).arg("--out").arg(&out).output().unwrap();
    let eval = command().args(["eval", "photos"]).arg(folder.path()).output().unwrap();
    for output in [train, eval] {
        check_status(&output, 2);
        let said = stderr(&output);
        assert!(said.contains("queries.csv, line 2: references has no file \"gone.png\""), "{said}");
    }
    assert!(!out.exists());
}
