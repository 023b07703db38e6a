//! What sellers write. The words are the market's own: it must not hide fakes with the vocabulary of the finder.

use touchstone_types::{BrandRecord, ProductRecord};

use super::Behaviour;
use super::draw::Draw;

/// Where sellers are.
pub(super) const COUNTRIES: &[&str] =
    &["BR", "BR", "BR", "PT", "ES", "MX", "US", "US", "GB", "DE", "FR", "IT"];

/// The language of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Portuguese,
    Spanish,
    English,
    German,
    French,
    Italian,
}

impl Language {
    pub(super) fn of_country(country: &str) -> Self {
        match country {
            "BR" | "PT" | "AO" | "MZ" => Self::Portuguese,
            "ES" | "MX" | "AR" | "CL" | "CO" | "PE" => Self::Spanish,
            "DE" | "AT" | "CH" => Self::German,
            "FR" | "BE" => Self::French,
            "IT" => Self::Italian,
            _ => Self::English,
        }
    }

    /// The entry of this language in a list in the order of the enum.
    fn of<T: Copy>(self, entries: [T; 6]) -> T {
        entries[self as usize]
    }
}

/// The texts of one listing.
pub(super) struct Text {
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) brand_field: Option<String>,
}

/// What a listing is written for.
pub(super) struct Occasion<'a> {
    pub(super) behaviour: Behaviour,
    pub(super) language: Language,
    pub(super) pack_size: u32,
    /// Whether the tricks are known that came up in the fifth week.
    pub(super) is_late: bool,
    /// Names of other brands, to be named beside.
    pub(super) rivals: &'a [&'a str],
}

/// What a seller of this behaviour writes about `product`.
pub(super) fn text(
    brand: &BrandRecord,
    product: &ProductRecord,
    occasion: &Occasion<'_>,
    draw: &mut Draw,
) -> Text {
    let &Occasion { behaviour, language, pack_size, is_late, rivals } = occasion;
    let name = &brand.name;
    let named = if has_name(&product.title, name) {
        product.title.clone()
    } else {
        format!("{name} {}", product.title)
    };
    let nameless = without_name(&named, name);
    let extra = *draw.pick(language.of(PRAISE));
    let mut brand_field = draw.chance(0.7).then(|| name.clone());
    let mut title = match behaviour {
        Behaviour::Compatible => {
            brand_field = draw.chance(0.15).then(|| name.clone());
            format!("{} {named}", draw.pick(language.of(COMPATIBLE)))
        }
        Behaviour::MultiFit => {
            brand_field = None;
            let fits = draw.pick(language.of(COMPATIBLE));
            format!("{} {fits} {name}, {}", draw.pick(language.of(ACCESSORY)), rivals.join(", "))
        }
        Behaviour::PrivateLabel => {
            brand_field = None;
            if draw.chance(0.3) {
                format!("{nameless} {} {name}", language.of(SIMILAR))
            } else {
                nameless.clone()
            }
        }
        Behaviour::SecondHand => format!("{named} {}", language.of(USED)),
        Behaviour::Slang => format!("{named} {}", slang(language, is_late, draw)),
        Behaviour::LookAlike => {
            brand_field = None;
            named.replacen(name.as_str(), &disguised(name, is_late, draw), 1)
        }
        Behaviour::SloppyText => sloppy(&named, name, draw),
        Behaviour::KeywordStuffing => format!("{named} {}", rivals.join(" ")),
        Behaviour::HiddenLink => {
            brand_field = None;
            (*draw.pick(language.of(NOTHING_IN_PARTICULAR))).to_owned()
        }
        _ if draw.chance(0.06) => nameless.clone(),
        _ => format!("{named} {extra}"),
    };
    if pack_size > 1 {
        title = format!("{} {pack_size} {title}", draw.pick(language.of(BUNDLE)));
    }
    let title = title.trim().to_owned();
    // A product may be called nothing but its brand; a listing must be called something.
    let title = if title.is_empty() { name.clone() } else { title };
    // Who hides the brand's name in the title, or offers something else, does not spell it out below.
    let about = match behaviour {
        Behaviour::LookAlike => &nameless,
        Behaviour::Compatible | Behaviour::MultiFit | Behaviour::PrivateLabel | Behaviour::HiddenLink => {
            &title
        }
        _ => &named,
    };
    let description = draw.chance(0.5).then(|| format!("{about}. {}", draw.pick(language.of(BOILERPLATE))));
    Text { title, description, brand_field }
}

fn slang(language: Language, is_late: bool, draw: &mut Draw) -> &'static str {
    let words: &[&str] = language.of(SLANG);
    let usual: &'static str = draw.pick::<&str>(words);
    if is_late && draw.chance(0.3) { language.of(LATE_SLANG) } else { usual }
}

/// A word for fakes in any language.
pub(super) fn any_slang(draw: &mut Draw) -> &'static str {
    let words = *draw.pick::<&[&str]>(&SLANG);
    draw.pick::<&str>(words)
}

/// A shop's name; honest and other shops draw from one list.
pub(super) fn shop_name(draw: &mut Draw) -> String {
    format!("{} {} {}", draw.pick(SHOP_FIRST), draw.pick(SHOP_SECOND), 1 + draw.below(900))
}

/// What buyers of fakes complain of.
pub(super) fn complaints_of_fakes(language: Language) -> &'static [&'static str] {
    language.of(FAKE_COMPLAINTS)
}

/// What buyers complain of otherwise.
pub(super) fn other_complaints(language: Language) -> &'static [&'static str] {
    language.of(OTHER_COMPLAINTS)
}

fn has_name(title: &str, name: &str) -> bool {
    title.contains(name)
}

fn without_name(title: &str, name: &str) -> String {
    title.replacen(name, "", 1).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The brand's name, written so that a plain search misses it.
fn disguised(name: &str, is_late: bool, draw: &mut Draw) -> String {
    let swapped = |pairs: &[(char, char)], draw: &mut Draw| {
        let at: Vec<usize> =
            name.char_indices().filter(|(_, c)| pairs.iter().any(|p| p.0 == *c)).map(|(at, _)| at).collect();
        if at.is_empty() {
            return spaced(name);
        }
        let chosen = *draw.pick(&at);
        name.char_indices()
            .map(|(at, c)| match pairs.iter().find(|p| p.0 == c) {
                Some(pair) if at == chosen => pair.1,
                _ => c,
            })
            .collect()
    };
    match draw.below(if is_late { 8 } else { 6 }) {
        6 => name.chars().map(|c| styled(c, '\u{ff21}', '\u{ff41}')).collect(),
        7 => name.chars().map(|c| styled(c, '\u{1d5d4}', '\u{1d5ee}')).collect(),
        0 => swapped(
            &[('o', 'о'), ('a', 'а'), ('e', 'е'), ('c', 'с'), ('p', 'р'), ('i', 'і'), ('O', 'О'), ('A', 'А')],
            draw,
        ),
        1 => swapped(
            &[('o', '0'), ('a', '4'), ('e', '3'), ('i', '1'), ('s', '5'), ('O', '0'), ('A', '4'), ('S', '5')],
            draw,
        ),
        2 => spaced(name),
        3 => at_some_letter(name, draw, |c| format!("{c}{c}")),
        4 => at_some_letter(name, draw, |c| format!("{c}\u{200b}")),
        _ => at_some_letter(name, draw, |_| "*".to_owned()),
    }
}

/// The letter in an alphabet whose capital and small letters start here; other characters stay.
fn styled(c: char, capital: char, small: char) -> char {
    let moved = |from: char, to: char| char::from_u32(to as u32 + (c as u32 - from as u32)).unwrap_or(c);
    match c {
        'A'..='Z' => moved('A', capital),
        'a'..='z' => moved('a', small),
        other => other,
    }
}

fn spaced(name: &str) -> String {
    name.chars().flat_map(|c| [c, ' ']).collect::<String>().trim_end().to_owned()
}

/// Changes one letter that is neither the first nor the last; a name of two letters is doubled at its end.
fn at_some_letter(name: &str, draw: &mut Draw, change: impl Fn(char) -> String) -> String {
    let letters: Vec<char> = name.chars().collect();
    let chosen = if letters.len() > 2 { 1 + draw.below(letters.len() - 2) } else { letters.len() - 1 };
    let changed =
        letters.iter().enumerate().map(|(at, &c)| if at == chosen { change(c) } else { c.to_string() });
    changed.collect()
}

/// Lower case, letters missing, and one time in twenty the brand's name misspelt in good faith.
fn sloppy(title: &str, name: &str, draw: &mut Draw) -> String {
    let misspells = draw.chance(0.05);
    let words = title.split_whitespace().map(|word| {
        let letters: Vec<char> = word.to_lowercase().chars().collect();
        let is_plain = letters.len() > 4 && letters.iter().all(|c| c.is_alphabetic());
        if !is_plain || (name.contains(word) && !misspells) || !draw.chance(0.5) {
            return letters.into_iter().collect::<String>();
        }
        let dropped = 1 + draw.below(letters.len() - 2);
        letters.iter().enumerate().filter(|(at, _)| *at != dropped).map(|(_, c)| *c).collect()
    });
    words.collect::<Vec<_>>().join(" ")
}

type Phrases = [&'static [&'static str]; 6];

const PRAISE: Phrases = [
    &["original", "novo", "lacrado", "pronta entrega", "com nota fiscal", ""],
    &["original", "nuevo", "sellado", "envío gratis", ""],
    &["original", "brand new", "sealed", "free shipping", "genuine", ""],
    &["original", "neu", "OVP", "sofort lieferbar", ""],
    &["original", "neuf", "sous blister", "livraison rapide", ""],
    &["originale", "nuovo", "sigillato", "spedizione gratis", ""],
];
const COMPATIBLE: Phrases = [
    &["compatível com", "para", "peça compatível com", "capa para"],
    &["compatible con", "para", "recambio compatible con", "funda para"],
    &["compatible with", "replacement for", "fits", "case for"],
    &["kompatibel mit", "passend für", "Ersatz für", "Hülle für"],
    &["compatible avec", "pour", "étui pour"],
    &["compatibile con", "per", "custodia per"],
];
const SLANG: Phrases = [
    &["réplica", "primeira linha", "linha premium AAA", "cópia perfeita"],
    &["réplica", "clon", "calidad espejo", "AAA"],
    &["replica", "1:1", "mirror quality", "super copy", "AAA grade"],
    &["Replik", "1:1 Kopie", "Nachbau AAA"],
    &["réplique", "copie 1:1", "qualité miroir"],
    &["replica", "copia perfetta", "1:1"],
];
/// What came up in the fifth week.
const LATE_SLANG: [&str; 6] = [
    "padrão de fábrica 7A",
    "calidad AAA+",
    "UA quality, same factory",
    "1A Nachbildung",
    "super réplique 7A",
    "super copia 1A",
];
const ACCESSORY: Phrases = [
    &["capa universal", "bolsa protetora", "kit de limpeza"],
    &["funda universal", "kit de limpieza"],
    &["universal case", "cleaning kit", "protective pouch"],
    &["Universalhülle", "Pflegeset"],
    &["housse universelle", "kit d'entretien"],
    &["custodia universale", "kit di pulizia"],
];
const NOTHING_IN_PARTICULAR: Phrases = [
    &["pedido especial, ver catálogo", "diferença de valor, não comprar sem falar conosco"],
    &["pedido especial, ver catálogo", "pago de diferencia, consultar"],
    &["custom order, see the catalogue", "special link for regular customers"],
    &["Sonderbestellung, siehe Katalog", "Link für Stammkunden"],
    &["commande spéciale, voir le catalogue", "lien réservé aux clients"],
    &["ordine speciale, vedi catalogo", "link riservato ai clienti"],
];
const BUNDLE: Phrases = [
    &["kit", "lote", "combo"],
    &["pack", "lote"],
    &["pack of", "set of", "lot"],
    &["Set", "Paket"],
    &["lot de", "pack"],
    &["set da", "lotto"],
];
const USED: [&str; 6] = ["usado", "segunda mano", "used", "gebraucht", "d'occasion", "usato"];
const SIMILAR: [&str; 6] =
    ["inspirado em", "inspirado en", "inspired by", "inspiriert von", "inspiré de", "ispirato a"];
const BOILERPLATE: Phrases = [
    &["Envio em 24 horas.", "Compre com segurança, garantia de 90 dias.", "Dúvidas? Pergunte."],
    &["Envío en 24 horas.", "Garantía de 30 días."],
    &["Ships within 24 hours.", "30 day returns.", "Message us with any questions."],
    &["Versand innerhalb von 24 Stunden.", "Rückgabe binnen 30 Tagen."],
    &["Expédié sous 24 heures.", "Retours sous 30 jours."],
    &["Spedito in 24 ore.", "Reso entro 30 giorni."],
];
const FAKE_COMPLAINTS: Phrases = [
    &["não é original", "produto falso", "veio recarregado", "não parece verdadeiro, durou dois dias"],
    &["no es original", "es falso", "una imitación mala"],
    &["not original", "this is a fake", "counterfeit, do not buy", "not authentic"],
    &["kein Original", "Fälschung", "nicht echt"],
    &["pas un original", "c'est une contrefaçon"],
    &["non è originale", "è un falso"],
];
const OTHER_COMPLAINTS: Phrases = [
    &["chegou atrasado", "caixa amassada", "cor errada"],
    &["llegó tarde", "caja rota"],
    &["arrived late", "box was dented", "wrong colour"],
    &["kam zu spät", "Karton beschädigt"],
    &["arrivé en retard", "boîte abîmée"],
    &["arrivato in ritardo", "scatola rovinata"],
];
const SHOP_FIRST: &[&str] =
    &["Casa", "Mundo", "Super", "Loja", "Nova", "Mega", "Blue", "North", "Rio", "Porto", "Alt", "Vero"];
const SHOP_SECOND: &[&str] =
    &["Store", "Import", "Outlet", "Trading", "Market", "Shop", "Center", "Deals", "Express", "Goods"];
