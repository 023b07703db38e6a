//! In which role a text names a brand: cues of the lexicon before and after the name, in the same clause.

use touchstone_types::Role;

use crate::lexicon::{Cue, Lexicon};
use crate::words::{Gap, PhraseHit, Text};

/// How far, in words, an adjective such as "compatible" may stand behind the name.
const ADJECTIVE_AFTER: usize = 8;
/// How far it may stand before the name.
const ADJECTIVE_BEFORE: usize = 3;
/// How far "compatible with" may stand before the last name of its list.
const LIST_REACH: usize = 16;
/// So many names in a row, set off by commas or slashes, are a list: of two the second may be the maker ("case for Lumora, Veltrano").
const LIST_FROM: usize = 3;
/// How many words may stand between two names of a list: a name that is not known, or a model. More is an offer of its own.
const LIST_GAP: usize = 1;
/// In a long text headings reach further, and over the ends of clauses.
const HEADING_REACH: usize = 30;

/// A field's words with the phrases found in them.
#[derive(Debug)]
pub(crate) struct Cues<'a> {
    /// The lexicon.
    pub lexicon: &'a Lexicon,
    /// The field.
    pub text: &'a Text,
    /// The phrases in it, in order of place.
    pub hits: Vec<PhraseHit>,
}

/// A role, and whether the words alone leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The role.
    pub role: Role,
    /// The offer may as well be the brand's own ("cartridge for a Lumora printer"): its model numbers decide.
    pub open: bool,
}

impl Reading {
    const fn sure(role: Role) -> Self {
        Self { role, open: false }
    }
}

impl<'a> Cues<'a> {
    /// Finds the phrases of the lexicon in a field.
    pub(crate) fn new(lexicon: &'a Lexicon, text: &'a Text) -> Self {
        Self { lexicon, text, hits: lexicon.phrases_in(text) }
    }

    /// Whether a hit tells `cue`.
    pub(crate) fn tells(&self, hit: &PhraseHit, cue: &Cue) -> bool {
        self.lexicon.phrases[hit.phrase].cues.contains(cue)
    }

    /// Whether any hit tells `cue`.
    pub(crate) fn any(&self, cue: &Cue) -> bool {
        self.hits.iter().any(|hit| self.tells(hit, cue))
    }

    /// The hits that tell `cue`.
    pub(crate) fn of<'b>(&'b self, cue: &'b Cue) -> impl DoubleEndedIterator<Item = &'b PhraseHit> {
        self.hits.iter().filter(move |hit| self.tells(hit, cue))
    }

    fn is_little(&self, word: usize) -> bool {
        self.lexicon.is_function(self.text.word(word))
    }

    /// Whether nothing but little words stands between two words, and no clause ends.
    fn near(&self, from: usize, to: usize) -> bool {
        from <= to
            && to - from <= 3
            && (from..to).all(|w| self.is_little(w))
            && !self.text.clause_between(from.max(1) - 1, to)
    }

    /// The role of the name at words `[start, end)`; `claims` are the word ranges of all names in the field, and
    /// `long` says that the field is a long text, in which lists follow headings.
    pub(crate) fn role(&self, start: usize, end: usize, claims: &[(usize, usize)], long: bool) -> Reading {
        // A phrase inside the name itself tells nothing about it.
        let before = |hit: &&PhraseHit| hit.end <= start;
        let near_before = |cue: &Cue| self.of(cue).filter(before).any(|hit| self.near(hit.end, start));
        if near_before(&Cue::NotBefore) {
            return Reading::sure(Role::Negated);
        }
        let right_after = |hit: &PhraseHit| hit.start == end && !self.text.clause_between(end - 1, hit.start);
        if near_before(&Cue::InspiredBefore) || self.of(&Cue::InspiredAfter).any(right_after) {
            return Reading::sure(Role::InspiredBy);
        }
        let maker =
            self.of(&Cue::Maker).filter(before).rfind(|hit| self.near(hit.end, start)).map(|hit| hit.end);
        let reach = if long { HEADING_REACH } else { LIST_REACH };
        let cut = |from: usize| !long && self.text.clause_between(from, start);
        let with = self
            .of(&Cue::CompatibleBefore)
            .filter(before)
            .rfind(|hit| start - hit.end <= reach && !cut(hit.end - 1))
            .map(|hit| hit.end);
        if with.is_some() && maker < with {
            return Reading::sure(Role::CompatibleWith);
        }
        if maker.is_none() && self.adjective(start, end, claims, long) {
            return Reading::sure(Role::CompatibleWith);
        }
        if maker.is_none() {
            return self.for_use(start, long);
        }
        Reading::sure(Role::SoldAs)
    }

    /// What is said of the first name of a list holds for those after it: "case for Lumora, Veltrano, Zenta".
    pub(crate) fn along_lists(&self, names: &[(usize, usize)], readings: &mut [Reading]) {
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|&i| names[i]);
        // The names at each item of the list so far, and where its last item ends.
        let mut list: Vec<Vec<usize>> = Vec::new();
        let mut end = 0;
        for i in order {
            let (start, own_end) = names[i];
            match list.last_mut() {
                Some(item) if start < end => item.push(i),
                Some(_) if self.lists(end, start) => list.push(vec![i]),
                _ => {
                    Self::pass_on(&list, readings);
                    list = vec![vec![i]];
                }
            }
            end = end.max(own_end);
        }
        Self::pass_on(&list, readings);
    }

    /// Whether the name that begins at `start` goes on a list whose last name ends before `end`.
    fn lists(&self, end: usize, start: usize) -> bool {
        let is_set_off = matches!(self.text.words[start].gap, Gap::Joint(',' | '/' | '、' | '，'));
        is_set_off && start - end <= LIST_GAP && !self.text.clause_between(end - 1, start)
    }

    fn pass_on(list: &[Vec<usize>], readings: &mut [Reading]) {
        let [first, others @ ..] = list else { return };
        let said = first.iter().map(|&i| readings[i]).find(|reading| reading.role != Role::SoldAs);
        let Some(said) = said.filter(|_| list.len() >= LIST_FROM) else { return };
        for &i in others.iter().flatten() {
            if readings[i].role == Role::SoldAs {
                readings[i] = said;
            }
        }
    }

    /// Whether "compatible" stands beside the name and does not belong to another name.
    fn adjective(&self, start: usize, end: usize, claims: &[(usize, usize)], long: bool) -> bool {
        let another_claim = |from: usize, to: usize| claims.iter().any(|c| c.0 >= from && c.1 <= to);
        self.of(&Cue::Compatible).any(|hit| {
            if hit.end <= start {
                let reach = if long { HEADING_REACH } else { ADJECTIVE_BEFORE };
                let cut = !long && self.text.clause_between(hit.end - 1, start);
                return start - hit.end <= reach && !cut && (long || !another_claim(hit.end, start));
            }
            if hit.start < end || long {
                return false;
            }
            let follows = claims.iter().any(|c| c.0 >= hit.end && c.0 <= hit.end + 1);
            hit.start - end <= ADJECTIVE_AFTER && !self.text.clause_between(end - 1, hit.start) && !follows
        })
    }

    /// "For" and devices before the name.
    fn for_use(&self, start: usize, long: bool) -> Reading {
        let sold = Reading::sure(Role::SoldAs);
        if long {
            let device = |hit: &PhraseHit| hit.end <= start && start - hit.end <= 2;
            return if self.of(&Cue::Device).any(device) {
                Reading::sure(Role::CompatibleWith)
            } else {
                sold
            };
        }
        let in_clause =
            |hit: &PhraseHit, to: usize| hit.end <= to && !self.text.clause_between(hit.end - 1, start);
        let accessory = |to: usize| self.of(&Cue::Accessory).any(|hit| in_clause(hit, to));
        let supply = |to: usize| accessory(to) || self.of(&Cue::CountUnit).any(|hit| in_clause(hit, to));
        let device_between = |from: usize| {
            self.of(&Cue::Device)
                .any(|hit| hit.start >= from && hit.end <= start && self.near(hit.end, start))
        };
        let preposition = self
            .of(&Cue::ForUse)
            .filter(|hit| hit.end <= start)
            .rfind(|hit| !self.text.clause_between(hit.end - 1, start));
        if let Some(hit) = preposition {
            let between = start - hit.end;
            if accessory(hit.start) && between <= 2 {
                return Reading::sure(Role::CompatibleWith);
            }
            if self.near(hit.end, start) || (between <= 3 && device_between(hit.end)) {
                return Reading { role: Role::CompatibleWith, open: true };
            }
        }
        if device_between(1) && supply(start.saturating_sub(1)) {
            return Reading { role: Role::CompatibleWith, open: true };
        }
        sold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are the words "lumora" and "veltrano"; the role asked for is that of `name`.
    fn check(title: &str, name: &str, role: Role, open: bool) {
        let lexicon = Lexicon::builtin();
        let text = Text::new(title, 1000);
        let cues = Cues::new(&lexicon, &text);
        let place = |name: &str| (0..text.words.len()).filter(|&w| text.word(w) == name).collect::<Vec<_>>();
        let claims: Vec<_> =
            ["lumora", "veltrano"].iter().flat_map(|n| place(n)).map(|w| (w, w + 1)).collect();
        let at = place(name)[0];
        assert_eq!(cues.role(at, at + 1, &claims, false), Reading { role, open }, "{title}");
    }

    #[test]
    fn roles_follow_the_cues_of_their_clause() {
        use Role::{CompatibleWith, InspiredBy, Negated, SoldAs};
        check("Cartucho Lumora 20 Preto Para Deskjet", "lumora", SoldAs, false);
        check("Cartucho compatível com Lumora 20", "lumora", CompatibleWith, false);
        check("Cartucho compativel Lumora 20", "lumora", CompatibleWith, false);
        check("Cartucho Lumora 20 compatível", "lumora", CompatibleWith, false);
        check("Capa para iPhone Lumora", "lumora", CompatibleWith, false);
        check("case for Lumora phone shockproof", "lumora", CompatibleWith, false);
        check("Tinta para impressora Lumora", "lumora", CompatibleWith, true);
        check("Veltrano 20 compatible with Lumora", "veltrano", SoldAs, false);
        check("Veltrano 20 compatible with Lumora", "lumora", CompatibleWith, false);
        check("strap for Veltrano by Lumora", "lumora", SoldAs, false);
        check("perfume inspired by Lumora", "lumora", InspiredBy, false);
        check("Lumora style handbag", "lumora", InspiredBy, false);
        check("Perfume contratipo Lumora", "lumora", InspiredBy, false);
        check("unbranded shoes not Lumora", "lumora", Negated, false);
        check("Não é Lumora", "lumora", Negated, false);
        check("Hülle für Lumora", "lumora", CompatibleWith, false);
        check("适用于 Lumora 手机壳", "lumora", CompatibleWith, false);
        check("Lumora handbag like new", "lumora", SoldAs, false);
    }

    #[test]
    fn what_is_said_of_the_first_of_a_list_holds_for_all() {
        let lexicon = Lexicon::builtin();
        let check = |title: &str, expected: &[Role]| {
            let text = Text::new(title, 1000);
            let cues = Cues::new(&lexicon, &text);
            let is_name = |w: &usize| ["lumora", "veltrano", "zenta"].contains(&text.word(*w));
            let names: Vec<_> = (0..text.words.len()).filter(is_name).map(|w| (w, w + 1)).collect();
            let mut readings: Vec<_> = names.iter().map(|&(a, b)| cues.role(a, b, &names, false)).collect();
            cues.along_lists(&names, &mut readings);
            let roles: Vec<Role> = readings.iter().map(|reading| reading.role).collect();
            assert_eq!(roles, expected, "{title}");
        };
        use Role::{CompatibleWith, SoldAs};
        check("capa para Lumora, 4711, Veltrano, Zenta", &[CompatibleWith; 3]);
        check("Hülle für Lumora / Veltrano / Zenta", &[CompatibleWith; 3]);
        check("para Lumora, tinta preta Veltrano", &[CompatibleWith, SoldAs]);
        check("para Lumora, 20, 21. Veltrano, Zenta", &[CompatibleWith, SoldAs, SoldAs]);
        check("capa para Lumora Co., Veltrano, Zenta", &[CompatibleWith; 3]);
        check("Lumora, Veltrano, Zenta", &[SoldAs; 3]);
        check("para Lumora, Veltrano Piazza High original, Zenta", &[CompatibleWith, SoldAs, SoldAs]);
        check("", &[]);
    }

    #[test]
    fn long_cues_may_be_misspelt_by_one_letter() {
        use Role::{CompatibleWith, InspiredBy, SoldAs};
        for title in [
            "Cartucho compatvel com Lumora 20",
            "Cartridge conpatible with Lumora 20",
            "Cartridge compatibel with Lumora 20",
            "Cartouche compattible avec Lumora 20",
            "Cartuccia compatiible con Lumora 20",
            "Patrone kompatiebel mit Lumora 20",
            "Cartucho Lumora 20 compatívl",
        ] {
            check(title, "lumora", CompatibleWith, false);
        }
        check("Perfume insprado em Lumora", "lumora", InspiredBy, false);
        check("Perfume contratippo Lumora", "lumora", InspiredBy, false);
        check("Lumora compartment bag", "lumora", SoldAs, false);
    }

    #[test]
    fn every_language_has_cues_for_every_role() {
        use Role::{CompatibleWith, InspiredBy, Negated, SoldAs};
        let table = [
            (
                CompatibleWith,
                ["replacement strap for Lumora", "refill for Lumora pens", "fits Lumora 20 printer"],
            ),
            (CompatibleWith, ["pulseira para Lumora", "refil p/ Lumora", "toner paralelo para Lumora"]),
            (CompatibleWith, ["funda para Lumora", "correa de repuesto para Lumora", "recambio para Lumora"]),
            (CompatibleWith, ["Schutzhülle für Lumora", "Ersatzarmband für Lumora", "passend für Lumora 20"]),
            (CompatibleWith, ["coque pour Lumora", "adaptable sur Lumora 20", "recharge pour Lumora"]),
            (CompatibleWith, ["custodia per Lumora", "cinturino per Lumora", "ricambio compatibile Lumora"]),
            (CompatibleWith, ["兼容 Lumora 墨盒", "Lumora 通用 墨盒", "适配 Lumora"]),
            (InspiredBy, ["dupe for Lumora", "homage to Lumora", "alternative to Lumora"]),
            (InspiredBy, ["contratipo do Lumora", "inspirado na Lumora", "estilo Lumora"]),
            (InspiredBy, ["inspirado en Lumora", "equivalencia de Lumora", "estilo Lumora"]),
            (InspiredBy, ["Duftzwilling zu Lumora", "inspiriert von Lumora", "Hommage an Lumora"]),
            (InspiredBy, ["inspiré de Lumora", "dans le style de Lumora", "équivalent à Lumora"]),
            (InspiredBy, ["ispirato a Lumora", "simile a Lumora", "omaggio a Lumora"]),
            (InspiredBy, ["灵感来自 Lumora", "Lumora 同款 包", "Lumora 平替 香水"]),
            (Negated, ["this is not Lumora", "bag not by Lumora", "not a Lumora product"]),
            (Negated, ["não é Lumora", "não somos Lumora", "bolsa não original Lumora"]),
            (Negated, ["no es Lumora", "no son de Lumora", "bolso que no es de Lumora"]),
            (Negated, ["kein Lumora", "Tasche nicht von Lumora", "keine Lumora Tasche"]),
            (Negated, ["pas Lumora", "ce n'est pas un Lumora", "sac pas de Lumora"]),
            (Negated, ["non è Lumora", "borsa non Lumora", "non è una Lumora"]),
            (Negated, ["不是 Lumora", "并非 Lumora", "非 Lumora 墨盒"]),
            (SoldAs, ["Lumora for men", "Tinta Lumora para impressora", "strap by Lumora"]),
        ];
        let mut wrong = Vec::new();
        for (role, title) in table.iter().flat_map(|(role, titles)| titles.map(|t| (*role, t))) {
            let lexicon = Lexicon::builtin();
            let text = Text::new(title, 1000);
            let Some(at) = (0..text.words.len()).find(|&w| text.word(w) == "lumora") else {
                panic!("{title}")
            };
            let found = Cues::new(&lexicon, &text).role(at, at + 1, &[(at, at + 1)], false).role;
            if found != role {
                wrong.push((title, role, found));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
