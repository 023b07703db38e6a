//! What a person is told about common mistakes: the field, the value, what is allowed.

use crate::form;

/// The message and the metric's word for `json` in the form `name`.
fn check(name: &str, json: impl AsRef<[u8]>, word: &str, message: &str) {
    let json = json.as_ref();
    let start = String::from_utf8_lossy(&json[..json.len().min(200)]).into_owned();
    let error = (form(name).rewrite)(json).expect_err(&start);
    assert_eq!((error.word(), error.to_string().as_str()), (word, message), "{start}");
}

const SELLER: &str = r#""seller":{"seller_id":"S-1"}"#;

/// A listing with these fields and a seller.
fn listing(fields: &str, word: &str, message: &str) {
    check("listing", format!("{{{fields},{SELLER}}}"), word, message);
}

#[test]
fn of_missing_and_empty_fields() {
    let tests: &[(&str, &str, &str)] = &[
        (r#""listing_id":"EX-1""#, "json", "missing field `title` at line 1 column 50"),
        (r#""title":"Lumora 20""#, "json", "missing field `listing_id` at line 1 column 50"),
        (r#""listing_id":"","title":"Lumora 20""#, "field", "listing_id: must not be empty"),
        (r#""listing_id":"EX-1","title":" ""#, "field", "title: missing (an empty text counts as missing)"),
        (
            r#""listing_id":"EX-1","title":null"#,
            "json",
            "title: invalid type: null, expected a string at line 1 column 33",
        ),
        (
            r#""listing_id":"EX-1","title":"a","images":[{"url":"https://a.invalid"},{"media_type":"image/png"}]"#,
            "field",
            "images[1].url: missing, and there is no data either",
        ),
    ];
    for (fields, word, message) in tests {
        listing(fields, word, message);
    }
    check(
        "listing",
        r#"{"listing_id":"EX-1","title":"a"}"#,
        "json",
        "missing field `seller` at line 1 column 33",
    );
    check(
        "listing",
        r#"{"listing_id":"EX-1","title":"a","seller":{}}"#,
        "json",
        "seller: missing field `seller_id` at line 1 column 44",
    );
    check(
        "listing",
        r#"{"listing_id":"EX-1","title":"a","seller":{"seller_id":""}}"#,
        "field",
        "seller.seller_id: must not be empty",
    );
    let long = "x".repeat(513);
    listing(
        &format!(r#""listing_id":"{long}","title":"a""#),
        "field",
        "listing_id: has 513 bytes, at most 512 are allowed",
    );
}

#[test]
fn of_wrong_types_and_values() {
    let tests: &[(&str, &str, &str)] = &[
        (
            r#""listing_id":7,"title":"a""#,
            "json",
            "listing_id: invalid type: integer `7`, expected a string at line 1 column 15",
        ),
        (
            r#""listing_id":"EX-1","title":["a"]"#,
            "json",
            "title: invalid type: sequence, expected a string at line 1 column 29",
        ),
        (
            r#""listing_id":"EX-1","title":"a","version":-1"#,
            "json",
            "version: invalid value: integer `-1`, expected u64 at line 1 column 45",
        ),
        (
            r#""listing_id":"EX-1","title":"a","version":1.5"#,
            "json",
            "version: invalid type: floating point `1.5`, expected u64 at line 1 column 46",
        ),
        (
            r#""listing_id":"EX-1","title":"a","pack_size":0"#,
            "json",
            "pack_size: invalid value: integer `0`, expected a nonzero u32 at line 1 column 46",
        ),
        (
            r#""listing_id":"EX-1","title":"a","images":{"url":"a"}"#,
            "json",
            "images: invalid type: map, expected a sequence at line 1 column 42",
        ),
        (
            r#""listing_id":"EX-1","title":"a","attributes":{"color":["black"]}"#,
            "json",
            "attributes.color: expected a string, a number or a truth value at line 1 column 65",
        ),
        (
            r#""listing_id":"EX-1","title":"a","signals":{"rating_counts":[1,2,3]}"#,
            "json",
            "signals.rating_counts: invalid length 3, expected an array of length 5 at line 1 column 67",
        ),
        (
            r#""listing_id":"EX-1","title":"a","status":"gone""#,
            "field",
            r#"status: "gone" is none of active, removed"#,
        ),
        (
            r#""listing_id":"EX-1","title":"a","condition":"nuevo""#,
            "field",
            r#"condition: "nuevo" is none of new, used, refurbished, unknown"#,
        ),
        (
            r#""listing_id":"EX-1","title":"a","observed_at":"yesterday""#,
            "field",
            r#"observed_at: "yesterday" is not an RFC 3339 time such as 2026-03-02T10:15:00Z: failed to parse four digit integer as year: invalid digit, expected 0-9 but got y"#,
        ),
        (
            r#""listing_id":"EX-1","title":"a","observed_at":"2026-02-30T00:00:00Z""#,
            "field",
            r#"observed_at: "2026-02-30T00:00:00Z" is not an RFC 3339 time such as 2026-03-02T10:15:00Z: parsed date is not valid: parameter 'day' for `2026-02` is invalid, must be in range `1..=28`"#,
        ),
        (
            r#""listing_id":"EX-1","title":"a","observed_at":"2026-03-02 10:15""#,
            "field",
            r#"observed_at: "2026-03-02 10:15" is not an RFC 3339 time such as 2026-03-02T10:15:00Z: failed to find offset component, which is required for parsing a timestamp"#,
        ),
        (
            r#""listing_id":"EX-1","title":"a","observed_at":1772446500"#,
            "json",
            "observed_at: invalid type: integer `1772446500`, expected a string at line 1 column 57",
        ),
        (
            r#""listing_id":"EX-1","title":"a","images":[{"data":"!"}]"#,
            "field",
            "images[0].data: not base64: Invalid symbol 33, offset 0",
        ),
    ];
    for (fields, word, message) in tests {
        listing(fields, word, message);
    }
}

#[test]
fn of_money() {
    let tests: &[(&str, &str, &str)] = &[
        (
            r#"{"amount":"12,90","currency":"BRL"}"#,
            "field",
            r#"price: amount "12,90" is not a decimal number such as "129.90""#,
        ),
        (r#"{"amount":"-1","currency":"BRL"}"#, "field", "price: amount -1 is outside 0 to 1000000000000000"),
        (
            r#"{"amount":"1000000000000000.01","currency":"BRL"}"#,
            "field",
            "price: amount 1000000000000000.01 is outside 0 to 1000000000000000",
        ),
        (
            r#"{"amount":"1","currency":"R$"}"#,
            "field",
            r#"price: currency "R$" is not an ISO 4217 code of three letters"#,
        ),
        (
            r#"{"amount":true,"currency":"BRL"}"#,
            "json",
            r#"price.amount: expected a decimal string such as "129.90", or a number at line 1 column 55"#,
        ),
        (r#"{"amount":"1"}"#, "json", "price: missing field `currency` at line 1 column 55"),
        (
            r#"{"amount":1e400,"currency":"BRL"}"#,
            "json",
            "price.amount: number out of range at line 1 column 56",
        ),
        (r#"{"amount":NaN,"currency":"BRL"}"#, "json", "price.amount: expected value at line 1 column 52"),
        (
            "12.90",
            "json",
            "price: invalid type: floating point `12.9`, expected an object at line 1 column 46",
        ),
    ];
    for (price, word, message) in tests {
        listing(&format!(r#""listing_id":"EX-1","title":"a","price":{price}"#), word, message);
    }
}

#[test]
fn of_what_is_not_our_json() {
    let check = |json: &[u8], word: &str, message: &str| check("listing", json, word, message);
    check(b"", "not_an_object", "expected a JSON object, found nothing");
    check(b"[1]", "not_an_object", "expected a JSON object, found an array");
    check(b"\"a\"", "not_an_object", "expected a JSON object, found a string");
    check(b"null", "not_an_object", "expected a JSON object, found a single value");
    check(b"listing", "not_an_object", "expected a JSON object, found something that is not JSON");
    check(b"{\"listing_id\":\"\xff\"}", "not_utf8", "invalid UTF-8 at byte 15");
    check(b"{\"listing_id\":\"EX-1\"", "json", "EOF while parsing an object at line 1 column 20");
    check(b"{\"listing_id\":\"EX-1\",}", "json", "trailing comma at line 1 column 22");
    check(
        br#"{"listing_id":"\ud800"}"#,
        "json",
        "listing_id: unexpected end of hex escape at line 1 column 22",
    );
    check(
        br#"{"listing_id":"EX-1","listing_id":"EX-2"}"#,
        "json",
        "duplicate field `listing_id` at line 1 column 33",
    );
    check(br#"{"version":1e400}"#, "json", "version: number out of range at line 1 column 16");
    check(br#"{"version":NaN}"#, "json", "version: expected value at line 1 column 12");
    check(
        br#"{"listing_id":"EX-1","title":"a","seller":{"seller_id":"S-1"}} {}"#,
        "json",
        "trailing characters at line 1 column 64",
    );
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    check(deep.as_bytes(), "too_deep", "nested deeper than 64 levels at byte 68");
}

#[test]
fn of_catalog_records() {
    let tests: &[(&str, &str, &str)] = &[
        (r#"{"brand_id":"lumora"}"#, "json", "missing field `kind` at line 1 column 21"),
        (
            r#"{"kind":"mark"}"#,
            "json",
            "kind: unknown variant `mark`, expected one of `brand`, `product`, `fake`, `benign` at line 1 column 14",
        ),
        (r#"{"kind":"brand","brand_id":"lumora"}"#, "json", "missing field `name` at line 1 column 36"),
        (
            r#"{"kind":"brand","brand_id":"lumora","name":7}"#,
            "json",
            "name: invalid type: integer `7`, expected a string at line 1 column 44",
        ),
        (
            r#"{"kind":"product","brand_id":"a","product_id":"b","title":"c","list_price":{"amount":"x","currency":"BRL"}}"#,
            "field",
            r#"list_price: amount "x" is not a decimal number such as "129.90""#,
        ),
        (
            r#"{"kind":"product","brand_id":"a","product_id":"b","title":"c","images":[{"url":"d","features":{"version":1,"pdq":"0","quality":1}}]}"#,
            "field",
            r#"images[0].features.pdq: a perceptual hash has 64 hexadecimal digits, this is "0""#,
        ),
        (
            r#"{"kind":"product","brand_id":"a","product_id":"b","title":"c","images":[{"url":"d","features":{"version":1}}]}"#,
            "json",
            "images[0].features: missing field `pdq` at line 1 column 107",
        ),
        (
            r#"{"kind":"brand","brand_id":"a","name":"b","marks":[{"text":"B","nice_classes":[46]}]}"#,
            "field",
            "marks[0].nice_classes: 46 is outside 1 to 45",
        ),
        (
            r#"{"kind":"brand","brand_id":"a","name":"b","marks":[{"text":"B","nice_classes":[300]}]}"#,
            "json",
            "marks[0].nice_classes[0]: invalid value: integer `300`, expected u8 at line 1 column 82",
        ),
        (
            r#"{"kind":"brand","brand_id":"a","name":"b","authorised_sellers":[{"seller_id":"S","from":"2026-01-02","to":"2026-01-01"}]}"#,
            "field",
            r#"authorised_sellers[0].to: 2026-01-01 is before "from", 2026-01-02"#,
        ),
        (
            r#"{"kind":"brand","brand_id":"a","name":"b","authorised_sellers":[{"seller_id":"S","from":"soon"}]}"#,
            "field",
            r#"authorised_sellers[0].from: "soon" is not a day such as 2026-03-02: failed to parse four digit integer as year: invalid digit, expected 0-9 but got s"#,
        ),
        (
            r#"{"kind":"benign","id":"a","images":[{}]}"#,
            "field",
            "images[0].url: missing, and there are no features either",
        ),
    ];
    for (json, word, message) in tests {
        check("catalog", json, word, message);
    }
}

#[test]
fn of_flags_and_rulings() {
    check(
        "decision",
        r#"{"flag_id":"x","revision":1,"listing_id":"a","listing_version":1,"ruling":"uphold"}"#,
        "field",
        r#"flag_id: "x" is not a UUID: invalid character: found `x` at 0"#,
    );
    let ruling = r#"{"flag_id":"fd882c52-e08f-507a-af6d-94aa635ff493","revision":1,"listing_id":"a","listing_version":1,"ruling":"maybe"}"#;
    check("decision", ruling, "field", r#"ruling: "maybe" is none of uphold, dismiss, escalate"#);
    let golden = |file: &str| {
        let goldens = crate::golden::goldens();
        let (_, _, bytes) = goldens.into_iter().find(|(_, name, _)| *name == file).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let flag = golden("flag-minimal").replace("\"review\"", "\"clear\"");
    check("flag", flag, "field", "decision: no flag: clear and abstain do not go to reviewers");
    let verdict = golden("verdict");
    let tests: &[(&str, &str, &str, &str)] = &[
        ("\"distance\": 6", "\"distance\": 257", "field", "evidence[4].distance: 257 is outside 0 to 256"),
        (
            "\"distance\": 6",
            "\"distance\": \"six\"",
            "json",
            r#"evidence[4]: invalid type: string "six", expected u16 at line 109 column 3"#,
        ),
        (
            "\"how\": \"confusable\"",
            "\"how\": \"lookalike\"",
            "field",
            r#"evidence[0].how: "lookalike" is none of exact, alias, typo, confusable, leet, spaced, joined, hidden, styled, masked"#,
        ),
        ("image 1: undecodable", "image 1: gone", "field", r#"missing: "image 1: gone" is not known"#),
        ("\"probability\": 0.973", "\"probability\": 1.5", "field", "probability: 1.5 is outside 0 to 1"),
    ];
    for (from, to, word, message) in tests {
        assert!(verdict.contains(from), "{from}");
        check("verdict", verdict.replace(from, to), word, message);
    }
    let error =
        (form("verdict").rewrite)(verdict.replace("\"seller_not_authorised\"", "\"seller_bad\"").as_bytes());
    // The list of reasons grows.
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("reasons: \"seller_bad\" is none of photo_of_known_fake, ")
    );
}

#[test]
fn of_arrays_in_place_of_objects() {
    // A derived reader takes the items for the fields in order.
    let tests: &[(&str, &str, &str)] = &[
        ("listing", "price", r#"{"price":["1","BRL"]}"#),
        ("listing", "images[0]", r#"{"images":[["https://a.invalid"]]}"#),
        ("listing", "signals", r#"{"signals":[4.5]}"#),
        ("listing", "seller", r#"{"seller":["S-1"]}"#),
        ("catalog", "marks[0]", r#"{"kind":"brand","marks":[["B"]]}"#),
        ("verdict", "versions", r#"{"versions":["0.1.0","a","b","c"]}"#),
        ("verdict", "evidence[0]", r#"{"evidence":[["text",{}]]}"#),
    ];
    for (name, path, json) in tests {
        let message = (form(name).rewrite)(json.as_bytes()).expect_err(json).to_string();
        let expected = format!("{path}: invalid type: sequence, expected an object at line 1 ");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn that_quote_a_long_text_are_clipped() {
    let long = "卢".repeat(100_000);
    for fields in [
        format!(r#""version":"{long}""#),
        format!(r#""attributes":{{"{long}":[]}}"#),
        format!(r#""status":"{long}""#),
    ] {
        let json = format!(r#"{{"listing_id":"EX-1","title":"a",{fields},{SELLER}}}"#);
        let message = (form("listing").rewrite)(json.as_bytes()).unwrap_err().to_string();
        assert!(message.chars().count() < 2500, "{message}");
    }
}
