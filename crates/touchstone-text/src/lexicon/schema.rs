//! The lexicon's files: tables by subject and language.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use touchstone_types::Meaning;

use super::{Cue, MAX_PHRASE_CHARS, PhraseTable, TermPlace};
use crate::LexiconError;
use crate::words::Text;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    roles: BTreeMap<String, Roles>,
    terms: BTreeMap<String, Terms>,
    offer: BTreeMap<String, Offer>,
    words: BTreeMap<String, Words>,
    colours: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Roles {
    compatible_before: Vec<String>,
    compatible: Vec<String>,
    for_use: Vec<String>,
    accessories: Vec<String>,
    devices: Vec<String>,
    maker: Vec<String>,
    inspired_before: Vec<String>,
    inspired_after: Vec<String>,
    not_before: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Terms {
    negations: Vec<String>,
    counterfeit_slang: Vec<TermEntry>,
    complaint_fake: Vec<TermEntry>,
    claims_genuine: Vec<TermEntry>,
    used: Vec<TermEntry>,
    refurbished: Vec<TermEntry>,
    empty: Vec<TermEntry>,
    for_refilling: Vec<TermEntry>,
    in_description: InDescription,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct InDescription {
    used: Vec<TermEntry>,
    refurbished: Vec<TermEntry>,
    empty: Vec<TermEntry>,
    for_refilling: Vec<TermEntry>,
}

/// A phrase, or a table of a phrase and the words that take its meaning away.
enum TermEntry {
    Plain(String),
    Guarded(Guarded),
}

// By hand, so that a mistyped key is named: of an untagged enum serde says only that no variant fits.
impl<'de> Deserialize<'de> for TermEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TermVisitor)
    }
}

struct TermVisitor;

impl<'de> Visitor<'de> for TermVisitor {
    type Value = TermEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a phrase, or { phrase = \"…\", unless = [\"…\"] }")
    }

    fn visit_str<E: serde::de::Error>(self, phrase: &str) -> Result<TermEntry, E> {
        Ok(TermEntry::Plain(phrase.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TermEntry, A::Error> {
        Guarded::deserialize(MapAccessDeserializer::new(map)).map(TermEntry::Guarded)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guarded {
    phrase: String,
    unless: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Offer {
    kit: Vec<String>,
    two: Vec<String>,
    count_units: Vec<String>,
    choice: Vec<String>,
    and: Vec<String>,
    contents: Vec<String>,
    gift: Vec<String>,
    capacities: Vec<String>,
    measures: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Words {
    /// Words with white space between them.
    ordinary: String,
    /// Words with white space between them.
    function: String,
    /// Words with white space between them.
    everyday: String,
}

/// The tables that no file has anything in, as they stand in the files; those that cannot be read have none.
pub(super) fn missing(files: &[(&str, &str)]) -> Vec<&'static str> {
    let tables: Vec<toml::Table> = files.iter().filter_map(|(_, text)| text.parse().ok()).collect();
    let has = |name: &str| {
        let languages = |file: &toml::Table| file.get(name).and_then(toml::Value::as_table).cloned();
        tables
            .iter()
            .filter_map(languages)
            .any(|of| of.values().any(|language| language.as_table().is_some_and(|table| !table.is_empty())))
    };
    let named = [("roles", "[roles.*]"), ("terms", "[terms.*]"), ("words", "[words.*]")];
    named.into_iter().filter(|(name, _)| !has(name)).map(|(_, shown)| shown).collect()
}

/// Reads one file into the table.
pub(super) fn read(name: &str, text: &str, table: &mut PhraseTable) -> Result<(), LexiconError> {
    let file: File = toml::from_str(text).map_err(|e| LexiconError::Toml {
        file: name.to_owned(),
        message: e.to_string().trim_end().to_owned(),
    })?;
    let languages =
        file.roles.keys().chain(file.terms.keys()).chain(file.offer.keys()).chain(file.words.keys());
    for language in languages {
        if !matches!(language.len(), 2..=3) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
            let message = format!("{language:?} is not a language code of two or three letters, nor \"any\"");
            return Err(LexiconError::Toml { file: name.to_owned(), message });
        }
    }
    let mut sink = Sink { name, table };
    for (language, roles) in file.roles {
        sink.roles(&language, roles)?;
    }
    for (language, terms) in file.terms {
        sink.terms(&language, terms)?;
    }
    for (language, offer) in file.offer {
        sink.offer(&language, offer)?;
    }
    for (language, words) in file.words {
        let split = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        sink.list(&format!("words.{language}.ordinary"), split(&words.ordinary), &Cue::Ordinary)?;
        sink.list(&format!("words.{language}.function"), split(&words.function), &Cue::Function)?;
        sink.list(&format!("words.{language}.everyday"), split(&words.everyday), &Cue::Everyday)?;
    }
    for (class, words) in file.colours {
        let cue = Cue::Colour(sink.table.colour(&class));
        sink.list(&format!("colours.{class}"), words, &cue)?;
    }
    Ok(())
}

struct Sink<'a> {
    name: &'a str,
    table: &'a mut PhraseTable,
}

impl Sink<'_> {
    fn list(&mut self, key: &str, phrases: Vec<String>, cue: &Cue) -> Result<(), LexiconError> {
        phrases.into_iter().try_for_each(|phrase| self.table.add(self.name, key, &phrase, cue.clone()))
    }

    fn roles(&mut self, language: &str, roles: Roles) -> Result<(), LexiconError> {
        for (key, phrases, cue) in [
            ("compatible_before", roles.compatible_before, Cue::CompatibleBefore),
            ("compatible", roles.compatible, Cue::Compatible),
            ("for_use", roles.for_use, Cue::ForUse),
            ("accessories", roles.accessories, Cue::Accessory),
            ("devices", roles.devices, Cue::Device),
            ("maker", roles.maker, Cue::Maker),
            ("inspired_before", roles.inspired_before, Cue::InspiredBefore),
            ("inspired_after", roles.inspired_after, Cue::InspiredAfter),
            ("not_before", roles.not_before, Cue::NotBefore),
        ] {
            self.list(&format!("roles.{language}.{key}"), phrases, &cue)?;
        }
        Ok(())
    }

    fn terms(&mut self, language: &str, terms: Terms) -> Result<(), LexiconError> {
        use Meaning::{
            ClaimsGenuine, ComplaintFake, CounterfeitSlang, Empty, ForRefilling, Refurbished, Used,
        };
        use TermPlace::{Anywhere, Complaint, Description, Title};
        self.list(&format!("terms.{language}.negations"), terms.negations, &Cue::Negation)?;
        for (key, entries, meaning, place) in [
            ("counterfeit_slang", terms.counterfeit_slang, CounterfeitSlang, Anywhere),
            ("complaint_fake", terms.complaint_fake, ComplaintFake, Complaint),
            ("claims_genuine", terms.claims_genuine, ClaimsGenuine, Anywhere),
            ("used", terms.used, Used, Title),
            ("refurbished", terms.refurbished, Refurbished, Title),
            ("empty", terms.empty, Empty, Title),
            ("for_refilling", terms.for_refilling, ForRefilling, Title),
            ("in_description.used", terms.in_description.used, Used, Description),
            ("in_description.refurbished", terms.in_description.refurbished, Refurbished, Description),
            ("in_description.empty", terms.in_description.empty, Empty, Description),
            ("in_description.for_refilling", terms.in_description.for_refilling, ForRefilling, Description),
        ] {
            for entry in entries {
                let (phrase, unless) = match entry {
                    TermEntry::Plain(phrase) => (phrase, Vec::new()),
                    TermEntry::Guarded(Guarded { phrase, unless }) => (phrase, unless),
                };
                let key = format!("terms.{language}.{key}");
                let unless = self.guards(&format!("{key}.unless"), &unless)?;
                let cue = Cue::Term { meaning, place, unless };
                self.table.add(self.name, &key, &phrase, cue)?;
            }
        }
        Ok(())
    }

    /// Folds the words that take a phrase's meaning away.
    fn guards(&self, key: &str, unless: &[String]) -> Result<BTreeSet<String>, LexiconError> {
        unless
            .iter()
            .map(|word| match Text::new(word, MAX_PHRASE_CHARS).joined {
                folded if folded.is_empty() => {
                    let (file, key, phrase) = (self.name.to_owned(), key.to_owned(), word.clone());
                    Err(LexiconError::Phrase { file, key, phrase })
                }
                folded => Ok(folded),
            })
            .collect()
    }

    fn offer(&mut self, language: &str, offer: Offer) -> Result<(), LexiconError> {
        for (key, phrases, cue) in [
            ("kit", offer.kit, Cue::Kit),
            ("two", offer.two, Cue::Two),
            ("count_units", offer.count_units, Cue::CountUnit),
            ("choice", offer.choice, Cue::Choice),
            ("and", offer.and, Cue::And),
            ("contents", offer.contents, Cue::Contents),
            ("gift", offer.gift, Cue::Gift),
            ("capacities", offer.capacities, Cue::Capacity),
            ("measures", offer.measures, Cue::Measure),
        ] {
            self.list(&format!("offer.{language}.{key}"), phrases, &cue)?;
        }
        Ok(())
    }
}
