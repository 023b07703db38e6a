//! Terms of the lexicon in one field: slang, complaints, conditions, claims of being genuine.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_types::{Field, Meaning, Span, Term};

use crate::findings::State;
use crate::lexicon::{Cue, MAX_PHRASE_CHARS, TermPlace};
use crate::roles::Cues;
use crate::words::{Gap, PhraseHit};

/// How far, in words, "not" reaches.
const NEGATION_REACH: usize = 3;
/// At most so many terms are reported from one field.
const MAX_TERMS: usize = 64;

/// The terms of one field; each is reported once, at its first place.
pub(crate) fn find(cues: &Cues<'_>, field: &Field) -> Vec<Term> {
    let mut seen = BTreeSet::new();
    let mut terms = Vec::new();
    // Whether the field holds a word that takes a phrase's meaning away: the same wherever the phrase stands.
    let mut guards: BTreeMap<usize, bool> = BTreeMap::new();
    for hit in &cues.hits {
        let phrase = &cues.lexicon.phrases[hit.phrase];
        for cue in &phrase.cues {
            let Cue::Term { meaning, place, unless } = cue else { continue };
            if !counts_in(*place, field, hit)
                || terms.len() == MAX_TERMS
                || seen.contains(&(hit.phrase, *meaning))
            {
                continue;
            }
            if is_negated(cues, hit) || *guards.entry(hit.phrase).or_insert_with(|| guarded(cues, unless)) {
                continue;
            }
            let (start, end) = cues.text.place_of_words(hit.start, hit.end);
            let Some(span) = Span::new(start, end) else { continue };
            seen.insert((hit.phrase, *meaning));
            terms.push(Term { term: phrase.text.clone(), meaning: *meaning, field: field.clone(), span });
        }
    }
    terms
}

fn counts_in(place: TermPlace, field: &Field, hit: &PhraseHit) -> bool {
    match (field, place) {
        (Field::Complaint(_), place) => place == TermPlace::Complaint,
        (Field::Title, TermPlace::Anywhere | TermPlace::Title) => true,
        (Field::Description, TermPlace::Anywhere | TermPlace::Description) => true,
        (Field::Description, TermPlace::Title) => hit.start == 0,
        (Field::Attribute(_), TermPlace::Anywhere) => true,
        _ => false,
    }
}

/// Whether "not" or "never" stands shortly before, in the same clause and list item.
fn is_negated(cues: &Cues<'_>, hit: &PhraseHit) -> bool {
    let apart = |from: usize| {
        (from..=hit.start)
            .any(|w| matches!(cues.text.words[w].gap, Gap::Clause | Gap::Joint(',' | '/' | '(')))
    };
    // Hits stand in the order of their start, and no phrase is longer than `MAX_PHRASE_CHARS` words.
    let from = hit.start.saturating_sub(NEGATION_REACH + MAX_PHRASE_CHARS);
    let near = &cues.hits
        [cues.hits.partition_point(|h| h.start < from)..cues.hits.partition_point(|h| h.start < hit.start)];
    near.iter().any(|not| {
        let reaches = not.end <= hit.start && hit.start - not.end < NEGATION_REACH;
        reaches && cues.tells(not, &Cue::Negation) && !apart(not.end)
    })
}

fn guarded(cues: &Cues<'_>, unless: &BTreeSet<String>) -> bool {
    !unless.is_empty() && (0..cues.text.words.len()).any(|w| unless.contains(cues.text.word(w)))
}

/// What the terms, sorted as evidence is, say about the state; the title outranks the description.
pub(crate) fn state(terms: &[Term]) -> State {
    let in_field = |field: &Field| {
        let place = |meaning: Meaning| terms.iter().position(|t| t.meaning == meaning && t.field == *field);
        place(Meaning::Empty)
            .map(|term_idx| State::Empty { term_idx })
            .or_else(|| place(Meaning::ForRefilling).map(|term_idx| State::ForRefilling { term_idx }))
            .or_else(|| place(Meaning::Refurbished).map(|term_idx| State::Refurbished { term_idx }))
            .or_else(|| place(Meaning::Used).map(|term_idx| State::Used { term_idx }))
    };
    in_field(&Field::Title).or_else(|| in_field(&Field::Description)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;
    use crate::words::Text;

    fn check(field: &Field, text: &str, expected: &[(&str, Meaning)]) {
        let lexicon = Lexicon::builtin();
        let folded = Text::new(text, 1000);
        let found = find(&Cues::new(&lexicon, &folded), field);
        let found: Vec<_> = found.iter().map(|t| (t.term.as_str(), t.meaning)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn slang_counts_unless_denied_or_about_batteries() {
        use Meaning::{ClaimsGenuine, CounterfeitSlang};
        check(&Field::Title, "Bolsa Lumora 1:1", &[("1:1", CounterfeitSlang)]);
        check(&Field::Title, "Relógio Lumora primeira linha", &[("primeira linha", CounterfeitSlang)]);
        check(&Field::Title, "Relógio Lumora, não é réplica", &[]);
        check(&Field::Title, "Pilha AAA Lumora", &[]);
        check(&Field::Title, "Tênis Lumora AAA", &[("aaa", CounterfeitSlang)]);
        check(&Field::Title, "高仿 Lumora 包", &[("高仿", CounterfeitSlang)]);
        check(&Field::Title, "Lumora original", &[("original", ClaimsGenuine)]);
    }

    #[test]
    fn conditions_in_a_description_need_a_strong_phrase() {
        use Meaning::{Empty, Used};
        check(&Field::Title, "Cartucho vazio Lumora", &[("cartucho vazio", Empty)]);
        check(&Field::Title, "Lumora nunca usado", &[]);
        check(&Field::Description, "Quando vazio, devolva o cartucho.", &[]);
        check(
            &Field::Description,
            "Cartucho usado e vazio.",
            &[("usado e vazio", Used), ("usado e vazio", Empty)],
        );
        check(&Field::Description, "Usado. Bom estado", &[("usado", Used)]);
        check(&Field::Description, "Produto nunca usado", &[]);
    }

    #[test]
    fn complaints_have_phrases_of_their_own() {
        check(&Field::Complaint(0), "Não é original!", &[("não é original", Meaning::ComplaintFake)]);
        check(&Field::Complaint(0), "não é falso, gostei", &[]);
        check(&Field::Complaint(0), "Adulterado", &[("adulterado", Meaning::ComplaintFake)]);
        check(&Field::Complaint(0), "usado", &[]);
    }
}
