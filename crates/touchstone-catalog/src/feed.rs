//! Reading a brand owner's feed line by line, and saying what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

use touchstone_types::{CatalogKey, CatalogProposal, CatalogRecord, Gtin, PhotoFeatures, ProductRecord};

use crate::live::Catalog;
use crate::photo_doubts::photo_doubts;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The line is left out.
    Error,
    /// The line counts, but its owner will want to know.
    Warning,
}

/// Something wrong with one line of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}: {word}: {}", self.file, self.line, self.message)
    }
}

/// What was read from the files of a feed.
#[derive(Debug, Default)]
pub struct Feed {
    /// The records that can be used.
    pub catalog: Catalog,
    /// What is wrong, in the order of the lines.
    pub problems: Vec<Problem>,
    /// How many lines are proposals of records.
    pub n_proposals: usize,
    /// How many of these somebody approved: they count as their records, the others are left out.
    pub n_approved: usize,
    places: BTreeMap<CatalogKey, Place>,
}

#[derive(Debug, Clone)]
struct Place {
    file: String,
    line: usize,
}

impl Feed {
    /// Adds the lines of one JSON Lines file; blank lines are passed over. Of a repeated key the last line counts.
    pub fn read(&mut self, file: &str, bytes: &[u8]) {
        for (idx, line) in bytes.split(|b| *b == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let place = Place { file: file.to_owned(), line: idx + 1 };
            // A byte order mark is no part of the first line.
            let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
            match CatalogRecord::from_json(line) {
                Ok(record) => self.insert(record, &place),
                Err(_) if CatalogProposal::is_one(line) => self.propose(line, &place),
                Err(error) => self.report(&place, Severity::Error, error.to_string()),
            }
        }
    }

    /// Looks at the whole: products without their brand, brands of one name. Call it when every file has been read.
    pub fn finish(&mut self) {
        let mut found = Vec::new();
        let mut names: BTreeMap<String, &CatalogKey> = BTreeMap::new();
        for (key, place) in &self.places {
            match self.catalog.get(key) {
                Some(CatalogRecord::Product(product)) => {
                    let brand = CatalogKey::Brand(product.brand_id.clone());
                    if self.catalog.get(&brand).is_none() {
                        let message =
                            format!("product without a brand record \"{brand}\": it will be inactive");
                        found.push((place.clone(), message));
                    }
                }
                Some(CatalogRecord::Brand(brand)) => {
                    if let Some(first) = names.insert(brand.name.to_lowercase(), key) {
                        found.push((
                            place.clone(),
                            format!("the name \"{}\" is also that of {first}", brand.name),
                        ));
                    }
                }
                _ => {}
            }
        }
        for (place, message) in found {
            self.report(&place, Severity::Warning, message);
        }
        self.sort_problems();
    }

    /// Looks at the photos, whose features have to be there by now: which are found by their hash alone, and which cannot be
    /// told from another record's. It takes about as long as building the photo index, so it is for checking a feed, not for
    /// using it.
    pub fn check_photos(&mut self) {
        let doubts = photo_doubts(self.catalog.records());
        for (key, message) in doubts {
            if let Some(place) = self.places.get(&key).cloned() {
                self.report(&place, Severity::Warning, message);
            }
        }
        self.sort_problems();
    }

    fn sort_problems(&mut self) {
        self.problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    }

    /// The file whose line counts for a key.
    pub fn file_of(&self, key: &CatalogKey) -> Option<&str> {
        self.places.get(key).map(|place| place.file.as_str())
    }

    /// How many lines are left out.
    pub fn n_errors(&self) -> usize {
        self.problems.iter().filter(|p| p.severity == Severity::Error).count()
    }

    fn propose(&mut self, line: &[u8], place: &Place) {
        self.n_proposals += 1;
        match CatalogProposal::from_json(line) {
            Ok(CatalogProposal { approved_by: Some(_), record }) => {
                self.n_approved += 1;
                self.insert(record, place);
            }
            Ok(CatalogProposal { approved_by: None, .. }) => {}
            Err(error) => self.report(place, Severity::Error, error.to_string()),
        }
    }

    fn insert(&mut self, record: CatalogRecord, place: &Place) {
        for message in doubts(&record) {
            self.report(place, Severity::Warning, message);
        }
        let key = record.key();
        if let Some(earlier) = self.places.insert(key.clone(), place.clone()) {
            let message =
                format!("{key} stands already in {}:{}; this line replaces it", earlier.file, earlier.line);
            self.report(place, Severity::Warning, message);
        }
        self.catalog.insert(record);
    }

    fn report(&mut self, place: &Place, severity: Severity, message: String) {
        self.problems.push(Problem { file: place.file.clone(), line: place.line, severity, message });
    }
}

/// What an owner will want to know about one record, though it can be used.
fn doubts(record: &CatalogRecord) -> Vec<String> {
    let mut found = Vec::new();
    if let CatalogRecord::Product(product) = record {
        found.extend(
            product.gtins.iter().filter_map(|gtin| Gtin::parse(gtin).err()).map(|e| format!("gtins: {e}")),
        );
        found.extend(price_doubt(product));
    }
    if let CatalogRecord::Brand(brand) = record {
        let written =
            std::iter::once(("name", &brand.name)).chain(brand.aliases.iter().map(|a| ("alias", a)));
        let blank = written.filter(|(_, name)| !touchstone_text::can_be_found(name));
        found.extend(blank.map(|(what, name)| {
            format!("the {what} \"{name}\" has no letter to be found by: add an alias that sellers write")
        }));
    }
    for (idx, image) in record.images().iter().enumerate() {
        let outdated = image.features.as_ref().filter(|f| f.version != PhotoFeatures::VERSION);
        if let (Some(features), None) = (outdated, &image.url) {
            found.push(format!(
                "images[{idx}]: features of version {}, this build needs {}, and there is no url to compute them from",
                features.version,
                PhotoFeatures::VERSION
            ));
        }
    }
    found
}

fn price_doubt(product: &ProductRecord) -> Option<String> {
    let (list, floor) = (product.list_price.as_ref()?, product.price_floor.as_ref()?);
    if list.currency() != floor.currency() {
        return Some(format!("price_floor is {floor} but list_price is {list}: they cannot be compared"));
    }
    (floor.amount() > list.amount()).then(|| format!("price_floor {floor} is above list_price {list}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &str, expected: &[&str]) -> Feed {
        let mut feed = Feed::default();
        feed.read("feed.jsonl", lines.as_bytes());
        feed.finish();
        let found: Vec<String> = feed.problems.iter().map(Problem::to_string).collect();
        assert_eq!(found, expected);
        feed
    }

    const BRAND: &str = r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#;

    #[test]
    fn good_lines_count_and_bad_ones_are_named() {
        let lines = format!("{BRAND}\n\n{{\"kind\":\"brand\",\"brand_id\":\"\",\"name\":\"X\"}}\nnot json\n");
        let feed = check(
            &lines,
            &[
                "feed.jsonl:3: error: brand_id: must not be empty",
                "feed.jsonl:4: error: expected a JSON object, found a single value",
            ],
        );
        assert_eq!((feed.catalog.len(), feed.n_errors()), (1, 2));
    }

    #[test]
    fn of_proposals_only_the_approved_ones_count() {
        let proposal = |by: &str, id: &str| {
            format!(
                r#"{{"approved_by":{by},"because":{{}},"record":{{"kind":"fake","brand_id":"lumora","id":"{id}"}}}}"#
            )
        };
        let lines = [
            BRAND.to_owned(),
            proposal("null", "F-1"),
            proposal("\"R. Example\"", "F-2"),
            proposal("\" \"", "F-3"),
            proposal("null", ""),
        ];
        let feed = check(&lines.join("\n"), &["feed.jsonl:5: error: record.id: must not be empty"]);
        let keys: Vec<String> = feed.catalog.records().map(|record| record.key().to_string()).collect();
        assert_eq!(keys, ["brand/lumora", "fake/lumora/F-2"]);
        assert_eq!((feed.n_proposals, feed.n_approved), (4, 1));
    }

    #[test]
    fn of_a_repeated_key_the_last_counts() {
        let lines = format!("{BRAND}\n{}", BRAND.replace("Lumora", "Lumora Ink"));
        let feed = check(
            &lines,
            &["feed.jsonl:2: warning: brand/lumora stands already in feed.jsonl:1; this line replaces it"],
        );
        let Some(CatalogRecord::Brand(brand)) = feed.catalog.records().next() else { panic!("no brand") };
        assert_eq!(brand.name, "Lumora Ink");
    }

    #[test]
    fn doubtful_products_are_kept_with_a_warning() {
        let product = |extra: &str| {
            format!(r#"{{"kind":"product","brand_id":"lumora","product_id":"P","title":"Lumora 20"{extra}}}"#)
        };
        check(
            &product(""),
            &["feed.jsonl:1: warning: product without a brand record \"brand/lumora\": it will be inactive"],
        );
        check(
            &format!("{BRAND}\n{}", product(r#","gtins":["614141000037"]"#)),
            &["feed.jsonl:2: warning: gtins: the check digit of 614141000037 should be 6"],
        );
        let prices = r#","list_price":{"amount":"10","currency":"BRL"},"price_floor":{"amount":"11","currency":"BRL"}"#;
        check(
            &format!("{BRAND}\n{}", product(prices)),
            &["feed.jsonl:2: warning: price_floor 11 BRL is above list_price 10 BRL"],
        );
    }

    #[test]
    fn names_that_no_text_can_be_searched_for_are_named() {
        let brand =
            r#"{"kind":"brand","brand_id":"stars","name":"***","aliases":["Lumora","!","7","1-2-3"]}"#;
        let blank = |what: &str, name: &str| {
            format!(
                "feed.jsonl:1: warning: the {what} \"{name}\" has no letter to be found by: add an alias that sellers write"
            )
        };
        check(brand, &[&blank("name", "***"), &blank("alias", "!"), &blank("alias", "7")]);
    }

    #[test]
    fn two_brands_of_one_name_are_named() {
        let other = r#"{"kind":"brand","brand_id":"other","name":"LUMORA"}"#;
        check(
            &format!("{BRAND}\n{other}"),
            &["feed.jsonl:2: warning: the name \"LUMORA\" is also that of brand/lumora"],
        );
    }
}
