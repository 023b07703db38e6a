//! What an offer's title says that it holds: models, colours, part numbers and how many of each.
//!
//! A colour closes a component ("20 Preto + 20 Color" holds two). A number counts units where it stands beside a word
//! for kits or units, at the head of the title, or right before or after a colour; volumes, years, printer models and
//! the model number itself count nothing.

use crate::lexicon::Cue;
use crate::products::ProductIndex;
use crate::products::pieces::{Kind, Piece};
use crate::products::record::plain_code;
use crate::roles::Cues;
use crate::words::Gap;

/// More units than this in one offer are not believed.
const MAX_UNITS: u32 = 999;
/// More components than this are not told apart.
const MAX_COMPONENTS: usize = 16;

/// A part number found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The products that it names.
    pub products: Vec<u32>,
    /// Whether the whole of it was found, region letters included.
    pub whole: bool,
    /// Its first word.
    pub word: usize,
    /// After its last word.
    pub end: usize,
}

/// One kind of unit in the offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Component {
    /// Its model code or number, as the catalog has it.
    pub model: Option<String>,
    /// Its colour.
    pub colour: Option<u16>,
    /// How many, where the text says so beside it.
    pub count: Option<u32>,
    /// Where its colour or model stands, in words.
    pub word: usize,
}

/// What a text says that an offer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The components in the order named.
    pub components: Vec<Component>,
    /// Counts that stand beside no colour, with their word.
    floating: Vec<(u32, usize)>,
    /// The text has a word for kits.
    pub kit: bool,
    /// The first floating count stands right behind a word for kits, and so counts the whole.
    counts_whole: bool,
    /// The buyer chooses one of the components.
    pub choice: bool,
    /// The part numbers in the text.
    pub parts: Vec<Part>,
    /// The text names a model that the catalog does not have: another capacity of one that it has, or a number where
    /// a model's stands.
    pub foreign_model: bool,
}

impl Offer {
    /// Reads a text; `names` are the word ranges of the brands named in it.
    pub(crate) fn read(
        index: &ProductIndex,
        cues: &Cues<'_>,
        pieces: &[Piece],
        names: &[(usize, usize)],
    ) -> Self {
        let mut reader = Reader {
            index,
            cues,
            pieces,
            names,
            kit_ends: cues.of(&Cue::Kit).map(|hit| hit.end).collect(),
            offer: Self { parts: parts(index, cues), kit: cues.any(&Cue::Kit), ..Self::default() },
            model: None,
            model_piece: None,
        };
        reader.run();
        let mut offer = reader.offer;
        offer.choice = offer.components.len() > 1 && offer.is_choice(cues);
        offer
    }

    fn is_choice(&self, cues: &Cues<'_>) -> bool {
        let (first, last) = (self.components[0].word, self.components[self.components.len() - 1].word);
        cues.of(&Cue::Choice).any(|hit| first < hit.start && hit.start < last)
    }

    /// How many units the text counts in all; `None` where it says nothing.
    pub(crate) fn counted(&self) -> Option<u32> {
        let own: u32 = self.components.iter().filter_map(|c| c.count).sum();
        if own > 0 && self.components.iter().all(|c| c.count.is_some()) {
            let floating = self.floating.first().map_or(0, |f| f.0);
            return Some(if self.components.len() == 1 { own.max(floating) } else { own });
        }
        self.floating.first().map(|f| f.0)
    }

    /// Gives every component its count.
    pub(crate) fn settle_counts(&mut self) {
        self.interleave();
        let n = u32::try_from(self.components.len()).unwrap_or(u32::MAX);
        let total = self.floating.first().copied();
        let known: u32 = self.components.iter().filter_map(|c| c.count).sum();
        let open = self.components.iter().filter(|c| c.count.is_none()).count();
        let first_word = self.components.first().map_or(0, |c| c.word);
        let fill = |components: &mut [Component], count: u32| {
            for c in components.iter_mut().filter(|c| c.count.is_none()) {
                c.count = Some(count.clamp(1, MAX_UNITS));
            }
        };
        match (open, total) {
            (0, Some((total, _))) if n == 1 => self.components[0].count = Some(total.max(known)),
            (0, _) => {}
            (1, Some((total, _))) if n == 1 => fill(&mut self.components, total),
            // "Kit 3: 2 black, colour" counts the whole; "3 cartridges black, 2 colour" counts the first.
            (1, Some((total, _)))
                if self.counts_whole || total > known + 1 && self.components[0].count.is_some() =>
            {
                fill(&mut self.components, total.saturating_sub(known));
            }
            (1, Some((total, word))) if word < first_word && self.components[0].count.is_none() => {
                fill(&mut self.components, total);
            }
            (_, Some((total, _))) if known == 0 && total > n && total % n == 0 => {
                fill(&mut self.components, total / n);
            }
            (_, Some((total, _))) if known == 0 && total > n => {
                self.components[0].count = Some(total - (n - 1));
                fill(&mut self.components, 1);
            }
            _ => fill(&mut self.components, 1),
        }
    }

    /// "1 cartridge 20 black 1 cartridge 20 colour": as many counts as components, each before its own.
    fn interleave(&mut self) {
        if self.components.len() < 2 || self.floating.len() < self.components.len() {
            return;
        }
        let mut after = 0;
        let mut counts = Vec::new();
        for component in &self.components {
            let Some(count) = self.floating.iter().rfind(|f| f.1 >= after && f.1 < component.word) else {
                return;
            };
            counts.push(count.0);
            after = component.word;
        }
        for (component, count) in self.components.iter_mut().zip(counts) {
            component.count.get_or_insert(count);
        }
    }
}

/// The part numbers of the catalog that stand in a text, written as one word or with hyphens.
pub(crate) fn parts(index: &ProductIndex, cues: &Cues<'_>) -> Vec<Part> {
    let text = cues.text;
    let mut out: Vec<Part> = Vec::new();
    let mut w = 0;
    while w < text.words.len() {
        let mut code = String::new();
        let mut best = None;
        for end in w + 1..=(w + 4).min(text.words.len()) {
            if end > w + 1
                && text.words[end - 1].gap != Gap::Joint('-')
                && text.words[end - 1].gap != Gap::Joint('/')
            {
                break;
            }
            code.push_str(text.word(end - 1));
            if !code.bytes().any(|b| b.is_ascii_digit()) {
                continue;
            }
            if let Some((products, whole)) = index.with_part_number(&plain_code(&code)) {
                best = Some(Part { products, whole, word: w, end });
            }
        }
        w = best.as_ref().map_or(w + 1, |part| part.end);
        out.extend(best);
    }
    out
}

struct Reader<'a> {
    index: &'a ProductIndex,
    cues: &'a Cues<'a>,
    pieces: &'a [Piece],
    names: &'a [(usize, usize)],
    kit_ends: Vec<usize>,
    offer: Offer,
    model: Option<String>,
    /// The place of the piece that gave `model`.
    model_piece: Option<usize>,
}

impl Reader<'_> {
    fn run(&mut self) {
        let gift = self.cues.of(&Cue::Gift).map(|hit| hit.start).find(|&w| w > 0).unwrap_or(usize::MAX);
        for i in 0..self.pieces.len() {
            let piece = &self.pieces[i];
            if piece.word >= gift || self.offer.components.len() > MAX_COMPONENTS {
                break;
            }
            if let Some(n) = self.count_at(i) {
                self.add_count(i, n);
            } else if let Kind::Colour(class) = piece.kind {
                self.add_colour(i, class);
            } else if let Some(model) = self.model_at(i) {
                self.add_model(i, model);
            } else if self.is_foreign_number(i) {
                self.offer.foreign_model = true;
            }
        }
        if let Some(n) = self.two() {
            self.offer.floating.insert(0, (n, 0));
        }
        if self.offer.components.is_empty()
            && let Some(model) = self.model.take()
        {
            let word = self.model_piece.map_or(0, |p| self.pieces[p].word);
            self.offer.components.push(Component { model: Some(model), word, ..Component::default() });
        }
    }

    /// A number where the model's stands, right behind the brand or the word for one unit, which the catalog lacks.
    fn is_foreign_number(&self, i: usize) -> bool {
        let number = matches!(self.pieces[i].kind, Kind::Number(_)) && !self.in_name(self.pieces[i].word);
        number && i > 0 && (self.in_name(self.pieces[i - 1].word) || self.is_single_unit(i - 1))
    }

    /// "Twin pack", and "pair" before a word for units.
    fn two(&self) -> Option<u32> {
        let unit_soon =
            |end: usize| self.cues.of(&Cue::CountUnit).any(|hit| hit.start >= end && hit.start <= end + 1);
        self.cues.of(&Cue::Two).any(|hit| hit.end - hit.start > 1 || unit_soon(hit.end)).then_some(2)
    }

    fn in_name(&self, word: usize) -> bool {
        self.names.iter().any(|n| n.0 <= word && word < n.1)
    }

    fn gap_before(&self, i: usize) -> Gap {
        self.pieces.get(i).map_or(Gap::Clause, |p| self.cues.text.words[p.word].gap)
    }

    fn is_unit_word(&self, i: usize) -> bool {
        self.pieces.get(i).is_some_and(|p| self.cues.of(&Cue::CountUnit).any(|hit| hit.start == p.word))
    }

    /// Whether a piece names one unit without a number before it: what follows is its model, not its count.
    fn is_single_unit(&self, i: usize) -> bool {
        self.is_unit_word(i) && !self.pieces[i].text.ends_with('s') && !self.numbered(i)
    }

    fn numbered(&self, i: usize) -> bool {
        i > 0 && matches!(self.pieces[i - 1].kind, Kind::Number(_) | Kind::Count(_))
    }

    /// The count that a piece gives.
    fn count_at(&self, i: usize) -> Option<u32> {
        let piece = &self.pieces[i];
        let n = match piece.kind {
            Kind::Count(n) => return (1..=MAX_UNITS).contains(&n).then_some(n),
            Kind::Number(n) if (1..=MAX_UNITS).contains(&n) => n,
            _ => return None,
        };
        if self.in_name(piece.word) {
            return None;
        }
        let after_kit = self.kit_ends.contains(&piece.word);
        let known_model = self.index.has_model(&piece.text);
        let after_name = i > 0 && self.in_name(self.pieces[i - 1].word);
        if known_model && (after_name || piece.text.len() >= 3) {
            return None;
        }
        let small = n < 100;
        let colour_next = matches!(self.pieces.get(i + 1).map(|p| &p.kind), Some(Kind::Colour(_)));
        let head = i == 0
            && small
            && self.pieces.get(1).is_some_and(|p| p.kind == Kind::Word && !self.in_name(p.word));
        let counts = after_kit && small
            || self.is_unit_word(i + 1) && !(after_name && n > 20)
            || head
            || n <= 20 && colour_next && !known_model && !(i > 0 && self.is_single_unit(i - 1))
            || small && n <= 20 && self.is_trailing(i);
        counts.then_some(n)
    }

    /// A bare number behind a colour or model: in brackets, or in a kit before a plus sign or at the end.
    fn is_trailing(&self, i: usize) -> bool {
        let behind =
            i > 0 && (matches!(self.pieces[i - 1].kind, Kind::Colour(_)) || self.model_piece == Some(i - 1));
        let bracketed = self.gap_before(i) == Gap::Joint('(');
        let closes = i + 1 == self.pieces.len() || self.gap_before(i + 1) == Gap::Joint('+');
        behind && (bracketed || (self.offer.kit && closes && self.gap_before(i) == Gap::Space))
    }

    fn add_count(&mut self, i: usize, n: u32) {
        let word = self.pieces[i].word;
        let colour_before = i > 0 && matches!(self.pieces[i - 1].kind, Kind::Colour(_));
        if self.is_trailing(i) {
            if colour_before && let Some(last) = self.offer.components.last_mut() {
                last.count = Some(n);
            } else {
                let model = self.model.clone();
                self.offer.components.push(Component { model, colour: None, count: Some(n), word });
            }
            return;
        }
        let colour_next = matches!(self.pieces.get(i + 1).map(|p| &p.kind), Some(Kind::Colour(_)));
        if !colour_next || self.kit_ends.contains(&word) {
            if self.offer.floating.is_empty() {
                self.offer.counts_whole = self.kit_ends.contains(&word);
            }
            self.offer.floating.push((n, word));
        }
    }

    fn add_colour(&mut self, i: usize, class: u16) {
        let word = self.pieces[i].word;
        let own = i
            .checked_sub(1)
            .filter(|&p| !self.kit_ends.contains(&self.pieces[p].word))
            .and_then(|p| self.count_at(p));
        // Said again after a plus sign, it is one more; otherwise it is the same word in another language.
        let plus = self.gap_before(i) == Gap::Joint('+');
        let same = |c: &Component| c.colour == Some(class) && (c.model == self.model || c.model.is_none());
        if let Some(known) = self.offer.components.iter_mut().find(|c| same(c)) {
            if plus {
                known.count = Some(known.count.unwrap_or(1) + own.unwrap_or(1));
            }
            return;
        }
        let model = self.model.clone();
        self.offer.components.push(Component { model, colour: Some(class), count: own, word });
    }

    /// The model of the catalog that a piece names.
    fn model_at(&mut self, i: usize) -> Option<String> {
        let piece = &self.pieces[i];
        match piece.kind {
            Kind::Number(_) => {
                let after_name = i > 0 && self.in_name(self.pieces[i - 1].word);
                let known = self.index.has_model(&piece.text);
                (known && (after_name || piece.text.len() >= 3 || self.model.is_none()))
                    .then(|| piece.text.clone())
            }
            Kind::Code => self.model_of_code(i),
            // "GT 53" for the catalog's "GT53".
            Kind::Word if piece.text.len() <= 3 => {
                let next = self.pieces.get(i + 1).filter(|p| matches!(p.kind, Kind::Number(_)))?;
                let code = format!("{}{}", piece.text, next.text);
                (self.index.has_model(&code)).then_some(code)
            }
            _ => None,
        }
    }

    fn model_of_code(&mut self, i: usize) -> Option<String> {
        let code = &self.pieces[i].text;
        if self.index.has_model(code) {
            return Some(code.clone());
        }
        // The brand's name may be glued to the number: "lumora20xl".
        let tail = code.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        if tail.len() < code.len() && !tail.is_empty() && self.index.has_model(tail) {
            return Some(tail.to_owned());
        }
        let digits = tail.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if digits.len() < tail.len() && digits.len() >= 2 && self.index.has_model(digits) {
            let rest = &tail[digits.len()..];
            let lexicon = self.cues.lexicon;
            let capacity =
                lexicon.phrase_of(rest).is_some_and(|p| lexicon.phrases[p].cues.contains(&Cue::Capacity));
            if capacity {
                self.offer.foreign_model = true;
                return None;
            }
            return Some(digits.to_owned());
        }
        None
    }

    fn add_model(&mut self, i: usize, model: String) {
        if let (Some(known), Some(at)) = (&self.model, self.model_piece) {
            // The bare number beside its own variant ("20xl 20") names the family again.
            let again = known.len() > model.len() && known.starts_with(&model) && i == at + 1;
            if again {
                self.model_piece = Some(i);
                return;
            }
        }
        for component in self.offer.components.iter_mut().filter(|c| c.model.is_none()) {
            component.model = Some(model.clone());
        }
        self.model = Some(model);
        self.model_piece = Some(i);
    }
}
