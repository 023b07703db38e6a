//! Pairs of records, in and out: `touchstone train --pairs` and `touchstone eval pairs`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use touchstone_classifier::Bundle;

use crate::support::{check_status, command, root, stderr, stdout};

/// Numbers that look drawn, the same in every run: a linear congruential generator with Knuth's constants.
struct Draws(u64);

impl Draws {
    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[(self.0 >> 33) as usize % words.len()]
    }
}

/// Offers of `n` invented products, each beside its own product, the next one and one further off.
fn lines(draws: &mut Draws, from: usize, n: usize) -> String {
    let mut text = String::new();
    for i in from..from + n {
        let opening = draws.one_of(&["new", "original", "sealed", "boxed"]);
        let colour = ["black", "red", "blue"][i % 3];
        let offer =
            format!("{opening} lumora ink lm{}k {colour} {}", 100 + i, draws.one_of(&["fast", "sale"]));
        for other in [i, i + 1, i + 7] {
            let product =
                format!("Lumora LM-{}K ink cartridge {}", 100 + other, ["black", "red", "blue"][other % 3]);
            let row = serde_json::json!({"left": {"title": offer}, "right": {"title": product, "price": 9.5}, "match": i == other});
            writeln!(text, "{row}").unwrap();
        }
    }
    text
}

fn write_pairs(folder: &Path) {
    let mut draws = Draws(7);
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("train.jsonl"), lines(&mut draws, 0, 60)).unwrap();
    fs::write(folder.join("valid.jsonl"), lines(&mut draws, 60, 20)).unwrap();
}

#[test]
fn a_matcher_is_trained_beside_the_classifier_and_the_bundle_keeps_both() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = folder.path().join("invented-pairs");
    write_pairs(&pairs);
    let train = |name: &str, from: &Path| {
        let model = folder.path().join(name);
        let output = command()
            .args(["train", "--pairs"])
            .arg(&pairs)
            .arg("--model")
            .arg(from)
            .arg("--out")
            .arg(&model)
            .output()
            .unwrap();
        check_status(&output, 0);
        assert!(stdout(&output).is_empty() && stderr(&output).contains("240 pairs"), "{}", stderr(&output));
        model
    };
    let shipped = root().join("models/touchstone.json");
    let model = train("model.json", &shipped);
    let bytes = fs::read(&model).unwrap();
    let (old, new) =
        (Bundle::from_bytes(&fs::read(&shipped).unwrap()).unwrap(), Bundle::from_bytes(&bytes).unwrap());
    assert_eq!(new.part_names().collect::<Vec<_>>(), ["classifier", "pair_matcher", "photo_score"]);
    assert_eq!(new.part("photo_score"), old.part("photo_score"));
    assert_eq!(new.part("classifier"), old.part("classifier"), "what was not trained stays as it was");
    assert_ne!(new.part("pair_matcher"), old.part("pair_matcher"));

    // The card names the set, not where it lay, and keeps what it said of the classifier.
    let card = fs::read_to_string(folder.path().join("model.md")).unwrap();
    for part in [&format!("# Model {}\n", new.id()), "# The classifier\n", "240 pairs of invented-pairs"] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
    assert!(!card.contains(folder.path().to_str().unwrap()));
    // No text of the data is in the file: it holds hashed words and counts alone.
    let text = String::from_utf8(bytes.clone()).unwrap().to_lowercase();
    for word in ["lumora", "cartridge", "sealed"] {
        assert!(!text.contains(word), "{word}");
    }
    // The same pairs, seed and model give the same bytes; so does training once more on top.
    assert_eq!(fs::read(train("again.json", &shipped)).unwrap(), bytes);
    assert_eq!(fs::read(train("on-top.json", &model)).unwrap(), bytes);

    let output = command()
        .args(["eval", "pairs"])
        .arg(&pairs)
        .arg("--model")
        .arg(&model)
        .arg("--json")
        .output()
        .unwrap();
    check_status(&output, 0);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&report["form"], &report["set"]), (&"pairs".into(), &"invented-pairs".into()));
    assert_eq!(report["versions"]["model"], new.id());
    for key in ["precision", "recall", "f1", "threshold", "pairs_per_s"] {
        assert!(report["metrics"][key].as_f64().unwrap() > 0.0, "{key} in {report}");
    }
    assert!(report["metrics"]["f1"].as_f64().unwrap() > 0.9, "{report}");
}

#[test]
fn a_malformed_pair_is_exit_2_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = folder.path().join("pairs");
    write_pairs(&pairs);
    let valid = pairs.join("valid.jsonl");
    let good = fs::read_to_string(&valid).unwrap();
    let n_good = good.lines().count();
    fs::write(&valid, format!("{good}{}\n", r#"{"left":{},"right":{},"match":"yes"}"#)).unwrap();
    let out = folder.path().join("model.json");
    let train = command().args(["train", "--pairs"]).arg(&pairs).arg("--out").arg(&out).output().unwrap();
    let eval = command().args(["eval", "pairs"]).arg(&pairs).output().unwrap();
    for output in [train, eval] {
        check_status(&output, 2);
        let said = stderr(&output);
        assert!(said.contains(&format!("valid.jsonl:{}: ", n_good + 1)), "{said}");
        assert!(stdout(&output).is_empty());
    }
    assert!(!out.exists(), "nothing is written of a training that failed");
}
