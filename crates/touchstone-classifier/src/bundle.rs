//! The model file: a bundle of parts under one checksum.
//!
//! ```json
//! {"format":"touchstone-model","version":1,"parts":{"classifier":{…},"pair_matcher":{…}},"sha256":"…"}
//! ```
//!
//! One line of JSON, parts in the order of their names' bytes, then a line feed. `sha256` is the digest of all bytes before
//! `,"sha256":`. A file is read only if it is, byte for byte, what would be written of its content, so that any changed byte is noticed.
//! Parts that this build does not know, or that were not trained this time, are kept as the text they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::classifier::Classifier;
use crate::error::ClassifierError;
use crate::features::FeatureNames;
use crate::wire::ClassifierPart;

const FORMAT: &str = "touchstone-model";
const VERSION: u64 = 1;
const CLASSIFIER: &str = "classifier";

/// Named parts, each a JSON text.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    parts: BTreeMap<String, Box<RawValue>>,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
struct Envelope {
    parts: BTreeMap<String, Box<RawValue>>,
    sha256: String,
}

impl Bundle {
    /// A bundle without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`ClassifierError::NotAModel`], [`ClassifierError::WrongVersion`], and [`ClassifierError::Damaged`] if any byte was changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassifierError> {
        let not_a_model =
            |error: serde_json::Error| ClassifierError::NotAModel { problem: error.to_string() };
        let header: Header = serde_json::from_slice(bytes).map_err(not_a_model)?;
        if header.format != FORMAT {
            let problem = format!("its format is \"{}\" and not \"{FORMAT}\"", header.format);
            return Err(ClassifierError::NotAModel { problem });
        }
        if header.version != VERSION {
            return Err(ClassifierError::WrongVersion { found: header.version, expected: VERSION });
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(not_a_model)?;
        let bundle = Self { parts: envelope.parts };
        bundle.check(&envelope.sha256, bytes)?;
        Ok(bundle)
    }

    fn check(&self, stated: &str, bytes: &[u8]) -> Result<(), ClassifierError> {
        let digest = digest(&self.body());
        let problem = if digest != stated {
            format!("its content has sha256 {digest}, it states {stated}")
        } else if self.to_bytes() != bytes {
            "its layout was changed".to_owned()
        } else {
            return Ok(());
        };
        Err(ClassifierError::Damaged { problem })
    }

    /// The model file. The same parts give the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = self.body();
        let digest = digest(&body);
        format!("{body},\"sha256\":\"{digest}\"}}\n").into_bytes()
    }

    /// The first 16 hexadecimal digits of the file's checksum: what a verdict states as `versions.model`.
    pub fn id(&self) -> String {
        let mut digest = digest(&self.body());
        digest.truncate(16);
        digest
    }

    fn body(&self) -> String {
        let mut body = format!("{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"parts\":{{");
        for (idx, (name, part)) in self.parts.iter().enumerate() {
            let comma = if idx == 0 { "" } else { "," };
            let name = serde_json::to_string(name).expect("a string is always JSON");
            write!(body, "{comma}{name}:{}", part.get()).expect("writing to a string cannot fail");
        }
        body.push('}');
        body
    }

    /// The names of the parts, in the order of their bytes.
    pub fn part_names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// The JSON text of a part, exactly as it was set or read.
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.get(name).map(|part| part.get())
    }

    /// Reads a part into a type.
    ///
    /// # Errors
    /// [`ClassifierError::MissingPart`]; [`ClassifierError::BadPart`] if the text does not have the form of the type.
    pub fn read_part<T: DeserializeOwned>(&self, name: &str) -> Result<T, ClassifierError> {
        let text = self.part(name).ok_or_else(|| ClassifierError::MissingPart {
            part: name.to_owned(),
            present: self.part_names().collect::<Vec<_>>().join(", "),
        })?;
        serde_json::from_str(text).map_err(|error| bad_part(name, error.to_string()))
    }

    /// Sets a part, in place of the one of this name if there is one. White space around the text is dropped, white space inside is kept.
    ///
    /// # Errors
    /// [`ClassifierError::BadPart`] if the text is not one JSON value.
    pub fn set_part(&mut self, name: &str, json: &str) -> Result<(), ClassifierError> {
        let part =
            RawValue::from_string(json.to_owned()).map_err(|error| bad_part(name, error.to_string()))?;
        self.parts.insert(name.to_owned(), part);
        Ok(())
    }

    /// Sets a part to a value, in place of the one of this name if there is one.
    ///
    /// # Errors
    /// [`ClassifierError::BadPart`] if the value has no JSON form.
    pub fn write_part<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), ClassifierError> {
        let part =
            serde_json::value::to_raw_value(value).map_err(|error| bad_part(name, error.to_string()))?;
        self.parts.insert(name.to_owned(), part);
        Ok(())
    }

    /// The classifier, for a build that computes the features `build`.
    ///
    /// # Errors
    /// [`ClassifierError::MissingPart`]; [`ClassifierError::BadPart`] if a number is not finite or out of range, or the counts of features
    /// differ; [`ClassifierError::FeaturesDiffer`] if it was trained on other features than the build's.
    pub fn classifier(&self, build: &FeatureNames) -> Result<Classifier, ClassifierError> {
        let part: ClassifierPart = self.read_part(CLASSIFIER)?;
        let classifier = Classifier::try_from(part).map_err(|problem| bad_part(CLASSIFIER, problem))?;
        classifier.check_features(build)?;
        Ok(classifier)
    }

    /// Sets the classifier part; the others stay.
    pub fn set_classifier(&mut self, classifier: &Classifier) {
        let part = serde_json::value::to_raw_value(&ClassifierPart::from(classifier))
            .expect("numbers, texts and lists are always JSON");
        self.parts.insert(CLASSIFIER.to_owned(), part);
    }
}

impl PartialEq for Bundle {
    fn eq(&self, other: &Self) -> bool {
        self.body() == other.body()
    }
}

impl Eq for Bundle {}

fn bad_part(part: &str, problem: String) -> ClassifierError {
    ClassifierError::BadPart { part: part.to_owned(), problem }
}

/// SHA-256 as 64 lower-case hexadecimal digits.
fn digest(body: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::tests::by_hand;

    fn bundle() -> Bundle {
        let mut bundle = Bundle::new();
        bundle.set_part("pair_matcher", r#"{"w":[1.50,  2e3],"ü":"later"}"#).unwrap();
        bundle.set_classifier(&by_hand());
        bundle
    }

    /// A file whose checksum is right but whose classifier part was edited.
    fn edited(from: &str, to: &str) -> Result<Classifier, ClassifierError> {
        let mut bundle = bundle();
        let part = bundle.part("classifier").unwrap();
        assert!(part.contains(from), "{part}");
        let part = part.replacen(from, to, 1);
        bundle.set_part("classifier", &part).unwrap();
        Bundle::from_bytes(&bundle.to_bytes()).unwrap().classifier(by_hand().names())
    }

    #[test]
    fn the_form_of_the_file_stands() {
        let term = |weights: &str| format!(r#"{{"mean":1.0,"scale":2.0,"low":-3.0,"high":5.0,{weights}}}"#);
        let terms = [
            term(r#""weight":-1.0,"missing_weight":0.25"#),
            term(r#""weight":0.5,"missing_weight":0.0"#),
            term(r#""weight":0.5,"missing_weight":0.0"#),
            term(r#""weight":0.0,"missing_weight":0.0"#),
        ]
        .join(",");
        let expected = [
            r#"{"format":"touchstone-model","version":1,"parts":{"classifier":{"features":["unit_price_ratio","b","a","unused"],"#,
            r#""model":{"kind":"logistic_regression","intercept":-0.5,"terms":["#,
            &terms,
            r#"]},"calibration":{"kind":"platt","slope":2.0,"offset":0.125},"#,
            r#""trained_on":{"n_rows":200,"n_positive":50,"seed":7}},"#,
            r#""pair_matcher":{"w":[1.50,  2e3],"ü":"later"}}"#,
        ]
        .concat();
        let text = String::from_utf8(bundle().to_bytes()).unwrap();
        let (body, tail) = text.rsplit_once(",\"sha256\":").unwrap();
        assert_eq!(body, expected);
        assert_eq!(tail, format!("\"{}\"}}\n", digest(&expected)));
        assert!(tail[1..].starts_with(&bundle().id()) && bundle().id().len() == 16);
    }

    #[test]
    fn a_file_reads_back_as_it_was() {
        let bytes = bundle().to_bytes();
        let read = Bundle::from_bytes(&bytes).unwrap();
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(read.part("pair_matcher"), Some(r#"{"w":[1.50,  2e3],"ü":"later"}"#));
        assert_eq!(read.part_names().collect::<Vec<_>>(), ["classifier", "pair_matcher"]);
        assert_eq!(read.classifier(by_hand().names()).unwrap(), by_hand());
    }

    #[test]
    fn parts_that_are_not_trained_are_kept() {
        let mut bundle = bundle();
        let before = bundle.clone();
        bundle.set_part("classifier", "{}").unwrap();
        assert_ne!(bundle, before);
        assert_ne!(bundle.id(), before.id());
        bundle.set_classifier(&by_hand());
        assert_eq!(bundle, before);
        assert_eq!(bundle.id(), before.id());
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let bytes = bundle().to_bytes();
        for place in 0..bytes.len() {
            for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = bytes.clone();
                bytes[place] ^= flip;
                assert!(Bundle::from_bytes(&bytes).is_err(), "byte {place} changed by {flip}");
            }
        }
    }

    #[test]
    fn any_lost_or_added_byte_is_refused() {
        let bytes = bundle().to_bytes();
        for len in 0..bytes.len() {
            assert!(Bundle::from_bytes(&bytes[..len]).is_err(), "cut to {len} bytes");
            let mut longer = bytes.clone();
            longer.insert(len, b' ');
            assert!(Bundle::from_bytes(&longer).is_err(), "a space before byte {len}");
        }
        assert!(Bundle::from_bytes(&[&bytes[..], b"\n"].concat()).is_err());
    }

    #[test]
    fn a_part_that_stands_twice_is_refused() {
        let body = r#"{"format":"touchstone-model","version":1,"parts":{"a":1,"a":1}"#;
        let file = format!("{body},\"sha256\":\"{}\"}}\n", digest(body));
        assert!(matches!(Bundle::from_bytes(file.as_bytes()), Err(ClassifierError::Damaged { .. })));
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_to_do() {
        let said = |bytes: &[u8]| Bundle::from_bytes(bytes).unwrap_err().to_string();
        assert!(said(b"\x89PNG").starts_with("not a model file: "));
        assert_eq!(
            said(br#"{"format":"other","version":1}"#),
            "not a model file: its format is \"other\" and not \"touchstone-model\"; give a file that `touchstone train` wrote"
        );
        assert_eq!(
            said(br#"{"format":"touchstone-model","version":2,"bricks":[]}"#),
            "model file version 2, this build reads version 1; retrain with `touchstone train` or take the model file that belongs to this version"
        );
        let text = String::from_utf8(bundle().to_bytes()).unwrap().replace("0.25", "0.75");
        assert!(said(text.as_bytes()).starts_with("the model file is damaged: its content has sha256 "));

        let other = FeatureNames::new(["unit_price_ratio", "b", "unused", "seller_age"]).unwrap();
        assert_eq!(
            bundle().classifier(&other).unwrap_err().to_string(),
            "the model's features are not this build's: only in the model: a; only in this build: seller_age; \
             retrain with `touchstone train` or take the model file that belongs to this version"
        );
        assert_eq!(
            Bundle::new().classifier(&other).unwrap_err(),
            ClassifierError::MissingPart { part: "classifier".to_owned(), present: String::new() }
        );
    }

    #[test]
    fn numbers_that_must_not_be_scored_with_are_refused() {
        assert!(edited("-0.5", "-0.25").is_ok());
        for (from, to) in [
            ("-0.5", "null"),
            ("-0.5", "1e999"),
            ("-0.5", "1e200"),
            ("\"scale\":2.0", "\"scale\":0.0"),
            ("\"low\":-3.0", "\"low\":6.0"),
            ("\"slope\":2.0", "\"slope\":-2.0"),
            ("\"unused\"", "\"unused\",\"more\""),
            ("\"unused\"", "\"a\""),
            (",\"unused\"", ""),
            ("logistic_regression", "oracle"),
            ("\"n_rows\":200", "\"n_rows\":0"),
            ("\"seed\":7", "\"seed\":7,\"new\":1"),
        ] {
            assert!(matches!(edited(from, to), Err(ClassifierError::BadPart { .. })), "{from} to {to}");
        }
    }

    #[test]
    fn a_part_must_be_one_json_value() {
        let mut bundle = Bundle::new();
        for text in ["", "{", "1 2", "{}{}", "nope", "NaN"] {
            assert!(bundle.set_part("x", text).is_err(), "{text}");
        }
        bundle.set_part("x", " {}\n").unwrap();
        assert_eq!(bundle.part("x"), Some("{}"));
    }
}
