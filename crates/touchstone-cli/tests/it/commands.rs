//! Commands over files.

use std::fs;

use touchstone_types::{Flag, Listing, SCHEMA_NAMES, Verdict};

use crate::support::{check_status, command, data, root, stderr, stdout, touchstone};

#[test]
fn the_demo_ends_with_flags_and_an_exact_ledger() {
    let output = touchstone(["demo"]);
    check_status(&output, 0);
    let (out, talk) = (stdout(&output), stderr(&output));
    assert!(talk.contains("simulated broker"), "{talk}");
    assert!(talk.contains("the ledger is exact"), "{talk}");
    for part in ["review", "look_alike_brand", "photo_of_known_fake", "price_far_below_list", "Next:"] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    assert!(!out.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn scan_writes_flags_or_everything_in_the_order_of_the_input() {
    let input = fs::read_to_string(root().join("fixtures/listings.jsonl")).unwrap();
    let ids: Vec<String> =
        input.lines().map(|l| Listing::from_json(l.as_bytes()).unwrap().listing_id.to_string()).collect();
    let scan = |extra: &[&str]| {
        let output = touchstone(["scan", "--listings", "fixtures/listings.jsonl"].iter().chain(extra));
        check_status(&output, 0);
        let lines = stdout(&output);
        lines.lines().map(|l| Verdict::from_json(l.as_bytes()).unwrap()).collect::<Vec<_>>()
    };
    let all = scan(&["--all", "--threads", "1"]);
    assert_eq!(all.iter().map(|v| v.listing_id.to_string()).collect::<Vec<_>>(), ids);
    assert_eq!(all, scan(&["--all", "--threads", "2"]));
    let flags: Vec<_> = all.into_iter().filter(|v| v.decision.is_flag()).collect();
    assert!(!flags.is_empty());
    assert_eq!(flags, scan(&[]));
}

/// Every verdict of the invented listings, byte for byte. A change that is meant renews the file:
/// `touchstone scan --all --listings fixtures/listings.jsonl > fixtures/golden/verdicts.jsonl`.
#[test]
fn the_verdicts_of_the_fixtures_are_the_golden_ones() {
    let output = touchstone(["scan", "--all", "--listings", "fixtures/listings.jsonl"]);
    check_status(&output, 0);
    let golden = fs::read_to_string(root().join("fixtures/golden/verdicts.jsonl")).unwrap();
    for (found, expected) in stdout(&output).lines().zip(golden.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(stdout(&output), golden);
}

#[test]
fn bad_lines_are_rejected_with_their_reason_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"listing_id":"EX-1","title":"Wooden spoon","seller":{"seller_id":"S-1"}}"#;
    let mut input = Vec::new();
    let expected = fs::read_to_string(root().join("fixtures/poison/expected.tsv")).unwrap();
    let mut n_poison = 0;
    for row in expected.lines().skip(1).filter(|row| row.split('\t').nth(1) == Some("dead_letter")) {
        let bytes = fs::read(root().join("fixtures/poison").join(row.split('\t').next().unwrap())).unwrap();
        if bytes.trim_ascii().is_empty() || bytes.contains(&b'\n') {
            continue;
        }
        n_poison += 1;
        input.extend_from_slice(&bytes);
        input.extend_from_slice(format!("\n{good}\n").as_bytes());
    }
    let hostile = [
        format!(
            r#"{{"listing_id":"DEEP","title":"x","seller":{{"seller_id":"S"}},"x":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
        format!(
            r#"{{"listing_id":"BIG","title":"{}","seller":{{"seller_id":"S"}}}}"#,
            "x".repeat(10_000_000)
        ),
    ];
    for line in &hostile {
        n_poison += 1;
        input.extend_from_slice(format!("{line}\n{good}\n").as_bytes());
    }
    let (listings, rejects) = (folder.path().join("listings.jsonl"), folder.path().join("rejects.jsonl"));
    fs::write(&listings, input).unwrap();
    let output = command()
        .args(["scan", "--all", "--listings"])
        .arg(&listings)
        .arg("--rejects")
        .arg(&rejects)
        .output()
        .unwrap();
    check_status(&output, 2);
    assert!(n_poison >= 15, "{n_poison}");
    assert_eq!(stdout(&output).lines().count(), n_poison, "a good line follows each bad one");
    let rejects = fs::read_to_string(rejects).unwrap();
    assert_eq!(rejects.lines().count(), n_poison);
    assert!(rejects.contains("nested deeper than") && rejects.contains("max_listing_bytes is 1048576"));
    assert!(rejects.len() < 1_000_000, "a huge line is cut: {}", rejects.len());
}

#[test]
fn explain_says_what_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("listing.json");
    let listing = r#"{"listing_id":"EX-7","title":"Cartucho Lumоra 20 Preto","seller":{"seller_id":"S-9"}}"#;
    fs::write(&file, listing).unwrap();
    let output = command().arg("explain").arg(&file).output().unwrap();
    check_status(&output, 0);
    let text = stdout(&output);
    for part in ["EX-7", "REVIEW", "look_alike_brand", "Evidence", "confusable", "row 3"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let output = command().args(["explain", "--json"]).arg(&file).output().unwrap();
    assert_eq!(Verdict::from_json(stdout(&output).trim().as_bytes()).unwrap().listing_id.as_str(), "EX-7");
}

#[test]
fn scan_never_writes_over_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("same.jsonl");
    let listing = r#"{"listing_id":"EX-1","title":"Wooden spoon","seller":{"seller_id":"S-1"}}"#;
    fs::write(&file, listing).unwrap();
    let (same, new) = (file.to_str().unwrap(), folder.path().join("new.jsonl"));
    let around = format!("{}/./same.jsonl", folder.path().display());
    let new = new.to_str().unwrap();
    for (args, names) in [
        (["--listings", same, "--out", &around], ["--out", "--listings"]),
        (["--listings", same, "--rejects", same], ["--rejects", "--listings"]),
    ] {
        let output = touchstone(["scan"].iter().chain(&args));
        check_status(&output, 2);
        assert!(names.iter().all(|name| stderr(&output).contains(name)), "{}", stderr(&output));
        assert_eq!(fs::read_to_string(&file).unwrap(), listing);
    }
    check_status(&touchstone(["scan", "--listings", same, "--out", new, "--rejects", new]), 2);
    assert!(!folder.path().join("new.jsonl").exists());
    check_status(&touchstone(["scan", "--listings", same, "--images", same]), 2);
    check_status(
        &touchstone(["scan", "--listings", same, "--out", "/dev/null", "--rejects", "/dev/null"]),
        0,
    );
}

#[test]
fn a_byte_order_mark_and_hostile_titles_are_harmless_and_an_empty_catalog_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, empty) = (folder.path().join("listing.json"), folder.path().join("empty.jsonl"));
    let listing = "\u{feff}{\"listing_id\":\"EX-8\",\"title\":\"Spoon \u{202e}live\",\"seller\":{\"seller_id\":\"S-9\"}}\n";
    fs::write(&file, listing).unwrap();
    fs::write(&empty, "").unwrap();
    let output = command().arg("explain").arg(&file).arg("--catalog").arg(&empty).output().unwrap();
    check_status(&output, 0);
    assert!(stdout(&output).contains("Spoon \\u{202e}live"), "{}", stdout(&output));
    assert!(stderr(&output).contains("no live brand"), "{}", stderr(&output));
    let output = command().args(["scan", "--all", "--listings"]).arg(&file).output().unwrap();
    check_status(&output, 0);
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn photos_are_looked_for_beside_their_own_feed_and_missed_once() {
    let folder = tempfile::tempdir().unwrap();
    let feed = |name: &str, id: &str, image: &str| {
        let own = folder.path().join(name);
        fs::create_dir(&own).unwrap();
        let line = format!(r#"{{"kind":"benign","id":"{id}","images":[{{"url":"{image}"}}]}}"#);
        fs::write(own.join("feed.jsonl"), line).unwrap();
        own.join("feed.jsonl")
    };
    let (a, b) = (feed("a", "A", "p.jpg"), feed("b", "B", "p.jpg"));
    fs::copy(root().join("fixtures/images/genuine-lm-20k.jpg"), folder.path().join("b/p.jpg")).unwrap();
    let output = command().args(["catalog", "check"]).args([&a, &b]).output().unwrap();
    let text = stderr(&output);
    assert_eq!(text.matches("no such picture below").count(), 1, "{text}");
    assert!(text.contains("benign/A#0: p.jpg"), "{text}");
}

#[test]
fn a_file_without_end_is_given_up() {
    let output = touchstone(["hash", "/dev/zero"]);
    check_status(&output, 2);
    assert!(stderr(&output).contains("longer than"), "{}", stderr(&output));
}

#[test]
fn hash_prints_digits_quality_and_file_and_names_what_is_no_picture() {
    let output = touchstone(["hash", "fixtures/images/genuine-lm-20k.jpg", "README.md", "none.jpg"]);
    check_status(&output, 2);
    let line = stdout(&output);
    let parts: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((parts.len(), parts[0].len(), parts[2]), (3, 64, "fixtures/images/genuine-lm-20k.jpg"));
    assert!(stderr(&output).contains("README.md") && stderr(&output).contains("none.jpg"));
}

/// Ids come from feeds that others write: what a terminal would obey is shown, not sent.
#[test]
fn lookup_shows_ids_without_control_characters() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.jsonl");
    let lines = concat!(
        "{\"kind\":\"brand\",\"brand_id\":\"lum\\u001b[31m\",\"name\":\"Lumora\"}\n",
        "{\"kind\":\"product\",\"brand_id\":\"lum\\u001b[31m\",\"product_id\":\"P\\u001b[2J\",\"title\":\"Lumora bag\"}\n",
    );
    fs::write(&feed, lines).unwrap();
    let output = command().args(["lookup", "text", "Lumora bag", "--catalog"]).arg(&feed).output().unwrap();
    check_status(&output, 0);
    assert!(stdout(&output).contains("[2J") && !stdout(&output).contains('\u{1b}'), "{:?}", stdout(&output));
}

#[test]
fn lookup_finds_the_product_of_a_title_and_of_a_turned_photo() {
    let output = touchstone(["lookup", "text", "cartucho lumora 20 preto", "--json"]);
    check_status(&output, 0);
    assert!(stdout(&output).lines().next().unwrap().contains("LM-20K"), "{}", stdout(&output));
    let output = touchstone(["lookup", "image", "fixtures/images/seller-lm-20k-mirror.jpg", "--json"]);
    check_status(&output, 0);
    let first = stdout(&output).lines().next().unwrap().to_owned();
    assert!(first.contains("product/lumora/LM-20K#0") && first.contains("mirror"), "{first}");
}

#[test]
fn hash_is_the_one_that_features_hold() {
    let output = touchstone(["hash", "fixtures/images/genuine-ov-luce.jpg", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let catalog = fs::read_to_string(root().join("fixtures/catalog.jsonl")).unwrap();
    let held = format!(r#""pdq":{},"quality":{}"#, row["pdq"], row["quality"]);
    assert!(catalog.contains(&held), "{held}");
}

#[test]
fn lookup_says_what_was_done_to_a_reference_and_which_part_is_shown() {
    let output = touchstone(["lookup", "image", "fixtures/images/seller-au-nuit-crop.jpg", "--json"]);
    check_status(&output, 0);
    let row: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(row["reference"], "product/aurelline/AU-NC-100#0");
    assert_eq!(row["transform"], "crop");
    // 250 x 240 of 320 x 320 pixels were left.
    let percent = row["shown_percent"].as_f64().unwrap();
    assert!((percent - 58.6).abs() < 2.0, "{percent}");
    assert!(row["score"].as_f64().unwrap() > 0.9);
    let output = touchstone(["lookup", "image", "fixtures/images/seller-vt-collage.jpg"]);
    let text = stdout(&output);
    assert!(text.contains("with a border") && text.contains("100 %"), "{text}");
}

#[test]
fn lookup_says_what_came_nearest_where_nothing_matches() {
    let lookup = |picture: &str| {
        let output = touchstone(["lookup", "image", &format!("fixtures/images/{picture}")]);
        check_status(&output, 0);
        assert_eq!(stdout(&output), "");
        stderr(&output)
    };
    let text = lookup("own-au-shelf.jpg");
    assert!(text.contains("NOTHING MATCHES; nearest is product/aurelline/"), "{text}");
    assert!(text.contains("a match begins at 0."), "{text}");
    let text = lookup("own-sv-desk.jpg");
    assert!(text.contains("NOTHING MATCHES, and no reference comes near"), "{text}");
}

#[test]
fn catalog_check_names_photos_that_look_alike_or_have_nothing_but_a_hash() {
    let output = touchstone(["catalog", "check", "fixtures/catalog.jsonl", "--json"]);
    let text = stderr(&output);
    assert!(text.contains(
        "catalog.jsonl:38: warning: images[0]: nearly the same picture as product/lumora/LM-45Y#0"
    ));
    assert!(!text.contains("by hash alone"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feed.jsonl");
    let hash = "0123456789abcdef".repeat(4);
    let line = format!(
        r#"{{"kind":"benign","id":"a","images":[{{"features":{{"version":1,"pdq":"{hash}","quality":99}}}}]}}"#
    );
    fs::write(&file, line).unwrap();
    let output = command().args(["catalog", "check", "--json"]).arg(&file).output().unwrap();
    check_status(&output, 0);
    assert!(
        stderr(&output).contains("feed.jsonl:1: warning: images[0]: found by hash alone"),
        "{}",
        stderr(&output)
    );
    let counts: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&counts["hash_only_photos"], &counts["warnings"]), (&1.into(), &1.into()));
    // What another version of the program computed is not searched.
    fs::write(&file, fs::read_to_string(&file).unwrap().replace(r#""version":1"#, r#""version":2"#)).unwrap();
    let output = command().args(["catalog", "check", "--json"]).arg(&file).output().unwrap();
    let counts: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&counts["hash_only_photos"], &counts["searchable_photos"]), (&0.into(), &0.into()));
}

#[cfg(unix)]
#[test]
fn hashes_stand_one_a_line_whatever_the_name_and_pipes_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("two\nlines.png");
    image::RgbImage::from_pixel(80, 80, image::Rgb([9, 90, 200])).save(&picture).unwrap();
    let output = command().arg("hash").arg(&picture).output().unwrap();
    check_status(&output, 0);
    assert_eq!(stdout(&output).lines().count(), 1, "{}", stdout(&output));
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let output = command().arg("hash").arg(&pipe).output().unwrap();
    check_status(&output, 2);
    assert!(stderr(&output).contains("is a pipe; copy it to a file"), "{}", stderr(&output));
}

#[test]
fn explain_shows_a_reviewer_where_the_reference_lies() {
    let folder = tempfile::tempdir().unwrap();
    let picture = root().join("fixtures/images/seller-sv-h7-crop-mirror.jpg");
    fs::copy(picture, folder.path().join("p.jpg")).unwrap();
    let listing = r#"{"listing_id":"EX-9","title":"Headphones","images":[{"url":"p.jpg"}],"seller":{"seller_id":"S-9"}}"#;
    fs::write(folder.path().join("listing.json"), listing).unwrap();
    let output = command().arg("explain").arg(folder.path().join("listing.json")).output().unwrap();
    let text = stdout(&output);
    // The picture was cut from 7.5 % to 89.4 % of the width and 6.3 % to 90.6 % of the height, which is 69 % of it.
    for part in [
        "product/sonvarra/SV-H7-BLK#0 (genuine)",
        "mirrored, cropped; it shows 69 % of the reference",
        "from 8 % to 89 % of its width and 6 % to 91 % of its height",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn catalog_check_names_file_and_line() {
    let output = touchstone(["catalog", "check", "fixtures/catalog.jsonl"]);
    check_status(&output, 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feed.jsonl");
    fs::write(&file, "{\"kind\":\"brand\",\"brand_id\":\"x\",\"name\":\"\"}\n").unwrap();
    let output = command().args(["catalog", "check"]).arg(&file).output().unwrap();
    check_status(&output, 2);
    assert!(stderr(&output).contains("feed.jsonl:1: error: name: missing"), "{}", stderr(&output));
    let output = command()
        .args(["scan", "--listings", "fixtures/listings.jsonl", "--catalog"])
        .arg(&file)
        .output()
        .unwrap();
    check_status(&output, 2);
}

#[test]
fn every_schema_is_json_and_wrong_usage_is_exit_2() {
    for name in SCHEMA_NAMES {
        let output = touchstone(["schema", name]);
        check_status(&output, 0);
        let schema: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(schema["$schema"].is_string(), "{name}");
    }
    check_status(&touchstone(["schema", "nothing"]), 2);
    check_status(&touchstone(["scan"]), 2);
    check_status(&touchstone(["verify"]), 2);
    check_status(&touchstone(["scan", "--listings", "none.jsonl"]), 2);
    check_status(&touchstone(["run", "--config", "none.toml"]), 2);
}

#[test]
fn a_mistyped_setting_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    fs::write(&file, "[limits]\ndead_leter_limit = 5\n").unwrap();
    let output = command()
        .args(["scan", "--listings", "fixtures/listings.jsonl", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    check_status(&output, 2);
    assert!(stderr(&output).contains("dead_leter_limit"), "{}", stderr(&output));
}

#[test]
fn the_shipped_model_matches_its_checksum_and_training_is_repeatable() {
    let sum = fs::read_to_string(root().join("models/touchstone.json.sha256")).unwrap();
    let output = std::process::Command::new("sha256sum")
        .arg("touchstone.json")
        .current_dir(root().join("models"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), sum);

    let folder = tempfile::tempdir().unwrap();
    let market = folder.path().join("market");
    let output = command()
        .args(["simulate", "--seed", "5", "--listings", "1500", "--out"])
        .arg(&market)
        .output()
        .unwrap();
    check_status(&output, 0);
    let train = |name: &str| {
        let model = folder.path().join(name);
        let output =
            command().args(["train", "--listings"]).arg(&market).arg("--out").arg(&model).output().unwrap();
        check_status(&output, 0);
        fs::read(model).unwrap()
    };
    assert_eq!(train("a.json"), train("b.json"));
    assert!(fs::read_to_string(folder.path().join("a.md")).unwrap().contains("Base rate"));
}

#[test]
fn real_listings_all_get_a_verdict() {
    let Some(folder) = data("listings/ink-cartridges") else { return };
    let output = command()
        .args(["scan", "--all", "--catalog"])
        .arg(folder.join("catalog.jsonl"))
        .arg("--listings")
        .arg(folder.join("listings.jsonl"))
        .output()
        .unwrap();
    check_status(&output, 0);
    let input = fs::read_to_string(folder.join("listings.jsonl")).unwrap();
    assert_eq!(stdout(&output).lines().count(), input.lines().count());
}

#[test]
fn a_flag_in_the_wire_form_reads_back() {
    let text = fs::read_to_string(root().join("fixtures/golden/wire/flag.json")).unwrap();
    assert!(Flag::from_json(text.as_bytes()).unwrap().verdict().decision.is_flag());
}
