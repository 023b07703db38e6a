"""Texts: folding, one Aho-Corasick automaton for brands and terms, and who is named in which role."""

import collections
import functools
import pathlib
import re
import tomllib
import unicodedata

import ahocorasick
from rapidfuzz import process
from rapidfuzz.distance import OSA

LOOK_ALIKES = dict(zip("абвеёзикмнорстухіјѕԁԛԝьαβγεηικνορτυχω", "abbee3ukmhopctyxijsdqwbabyenikvoptuxw"))
LEET = str.maketrans("0134578@$", "oleastbas")
TERM_KINDS = [
    "counterfeit_slang",
    "complaint_fake",
    "claims_genuine",
    "used",
    "refurbished",
    "empty",
    "for_refilling",
]
NOT_NEW = {"used", "refurbished", "empty", "for_refilling"}
ROLE_CUES = [
    "compatible_before",
    "compatible",
    "for_use",
    "accessories",
    "inspired_before",
    "inspired_after",
    "not_before",
]
WORD = re.compile(r"\S+")

Claim = collections.namedtuple("Claim", "brand_id field span observed how role similarity")
Term = collections.namedtuple("Term", "term meaning field span")


class FoldTable(dict):
    """For str.translate: lower case, no accents or disguises; what is no letter or digit is a blank."""

    def __missing__(self, code):
        out = []
        for char in unicodedata.normalize("NFKD", chr(code)).casefold():
            kind = unicodedata.category(char)
            if kind[0] == "M" or kind == "Cf":
                continue
            out.append(LOOK_ALIKES.get(char, char) if kind[0] in "LN" else " ")
        self[code] = "".join(out)
        return self[code]


FOLD = FoldTable()


def fold(text):
    """The folded text, words parted by one blank."""
    return " ".join(text.translate(FOLD).split())


@functools.lru_cache(maxsize=100_000)
def fold_cached(text):
    return fold(text)


class Spans:
    """Where places in the folded text stand in the text as it came, in characters."""

    def __init__(self, text, folded):
        self.text, self.folded = text, folded
        self.is_same = len(text) == len(folded) and text.isascii()
        self.words = None

    def of(self, start, end):
        if self.is_same:
            return start, end
        if self.words is None:
            text = self.text
            plain = text.translate(FOLD)
            self.words = [match.span() for match in WORD.finditer(plain)]
            if not text.isascii():
                origin = [place for place, char in enumerate(text) for _ in FOLD[ord(char)]]
                self.words = [(origin[first], origin[last - 1] + 1) for first, last in self.words]
        first, last = self.folded.count(" ", 0, start), self.folded.count(" ", 0, end)
        return self.words[first][0], self.words[last][1]


def is_disguised(observed):
    """`confusable` or `hidden` where letters of other scripts or invisible ones are in it, else None."""
    if observed.isascii():
        return None
    if any(unicodedata.category(char) == "Cf" for char in observed):
        return "hidden"
    folded = observed.casefold()
    has_latin = any("a" <= char <= "z" for char in folded)
    return "confusable" if has_latin and any(char in LOOK_ALIKES for char in folded) else None


class Texts:
    """Finds brands and terms in texts; built once from brand records and the lexicon's files."""

    def __init__(self, brands, product_words, lexicon):
        payloads = collections.defaultdict(list)
        self.brand_words = {}
        for brand in brands:
            marks = [mark.get("text") or "" for mark in brand.get("marks") or []]
            for how, names in (
                ("exact", [brand["name"]]),
                ("alias", [*(brand.get("aliases") or []), *marks]),
            ):
                for name in map(fold, names):
                    if not any(char.isalpha() for char in name):
                        continue
                    if not any(
                        kind == "brand" and data[0] == brand["brand_id"] for kind, data in payloads[name]
                    ):
                        payloads[name].append(("brand", (brand["brand_id"], how)))
                    if " " not in name and len(name) >= 5:
                        self.brand_words.setdefault(name, brand["brand_id"])
        for kind, name in read_lexicon(pathlib.Path(lexicon)):
            payloads[name].append((kind, name))
        self.automaton = ahocorasick.Automaton()
        for name, found in payloads.items():
            if found:
                self.automaton.add_word(f" {name} ", (len(name) + 2, tuple(found)))
        self.automaton.make_automaton()
        self.ordinary, everyday = read_words(pathlib.Path(lexicon))
        self.known_words = set(product_words) | set(self.brand_words) | self.ordinary | everyday
        self.brand_word_list = list(self.brand_words)
        self.misspelt = {}

    def misspellings(self, folded_titles):
        """Looks up the unknown words of many titles: one matrix of RapidFuzz for all that are new."""
        if len(self.misspelt) > 200_000:
            self.misspelt.clear()
        words = {word for title in folded_titles for word in title.split() if len(word) >= 5}
        new = [word for word in words if word not in self.misspelt and word not in self.known_words]
        asked = []
        for word in new:
            plain = word.translate(LEET)
            self.misspelt[word] = None
            if plain != word and plain in self.brand_words:
                self.misspelt[word] = (self.brand_words[plain], "leet", 1.0)
            elif word.isalpha():
                asked.append(word)
        if asked and self.brand_word_list:
            near = process.cdist(
                asked, self.brand_word_list, scorer=OSA.normalized_similarity, score_cutoff=0.83
            )
            for word, column, score in zip(asked, near.argmax(axis=1), near.max(axis=1)):
                if score > 0:
                    self.misspelt[word] = (
                        self.brand_words[self.brand_word_list[column]],
                        "typo",
                        float(score),
                    )

    def in_field(self, text, folded, field):
        """The brand claims and terms of one field. All places within are characters of the folded text."""
        brands, cues, words, negations = [], [], [], []
        padded = f" {folded} "
        for last, (length, found) in self.automaton.iter(padded):
            start, end = last - length + 1, last - 1
            for kind, data in found:
                if kind == "brand":
                    if field == "brand" or self.is_name(folded, start, end):
                        brands.append((start, end, data))
                elif kind == "negations":
                    negations.append(end)
                elif kind in ROLE_CUE_SET:
                    cues.append((start, end, kind))
                else:
                    words.append((start, end, kind, data))
        if not brands and not words:
            return brands, words
        spans = Spans(text, folded)
        claims, terms = [], []
        if len(brands) > 1:
            brands = [b for b in brands if not any(is_inside(b, other) for other in brands)]
        for start, end, (brand_id, how) in brands:
            span = spans.of(start, end)
            observed = text[span[0] : span[1]]
            role = role_of(start, end, cues) if cues and field in ("title", "description") else "sold_as"
            claims.append(Claim(brand_id, field, span, observed, is_disguised(observed) or how, role, 1.0))
        for start, end, kind, phrase in words:
            if not any(place <= start and folded.count(" ", place, start) <= 3 for place in negations):
                terms.append(Term(phrase, kind, field, spans.of(start, end)))
        return claims, terms

    def is_name(self, folded, start, end):
        """Whether a brand's name is one: an ordinary word ("next") is only where a text begins with it."""
        return start == 0 or folded[start:end] not in self.ordinary

    def misspelt_claims(self, text, folded):
        """The claims of a title that names no brand as it is written, after `misspellings`."""
        claims = []
        start = 0
        for word in folded.split():
            found = self.misspelt.get(word)
            start += len(word) + 1
            if found:
                span = Spans(text, folded).of(start - len(word) - 1, start - 1)
                observed = text[span[0] : span[1]]
                how = is_disguised(observed) or found[1]
                claims.append(Claim(found[0], "title", span, observed, how, "sold_as", round(found[2], 6)))
        return claims


ROLE_CUE_SET = frozenset(ROLE_CUES)


def is_inside(hit, other):
    return other[0] <= hit[0] and hit[1] <= other[1] and other[1] - other[0] > hit[1] - hit[0]


def role_of(start, end, cues):
    """The role in which a brand from `start` to `end` is named, by the cues around it."""
    before = {kind for _, last, kind in cues if last + 1 == start}
    kinds = {kind for _, _, kind in cues}
    if "not_before" in before and "compatible_before" not in before:
        return "negated"
    if "compatible_before" in before or "compatible" in kinds:
        return "compatible_with"
    if "accessories" in kinds and any(kind == "for_use" and last < start for _, last, kind in cues):
        return "compatible_with"
    if "inspired_before" in before or any(
        kind == "inspired_after" and first == end + 1 for first, _, kind in cues
    ):
        return "inspired_by"
    return "sold_as"


def read_words(folder):
    """(ordinary words, everyday words), folded, of all languages."""
    languages = tomllib.loads((folder / "words.toml").read_text(encoding="utf8"))["words"].values()
    lists = [
        " ".join(language.get(name, "") for language in languages)
        for name in ("ordinary", "function", "everyday")
    ]
    ordinary, function, everyday = (set(fold(words).split()) for words in lists)
    return ordinary | function, everyday


def read_lexicon(folder):
    """(kind, folded phrase) of every term and cue of the lexicon; those with "unless" are left out."""
    for name, wanted in (("terms.toml", TERM_KINDS + ["negations"]), ("roles.toml", ROLE_CUES)):
        tables = tomllib.loads((folder / name).read_text(encoding="utf8"))
        seen = set()
        for language in next(iter(tables.values())).values():
            for kind in wanted:
                for phrase in language.get(kind, []):
                    folded = fold(phrase) if isinstance(phrase, str) else ""
                    if folded and (kind, folded) not in seen:
                        seen.add((kind, folded))
                        yield kind, folded
