//! Words that mean the same in several languages, and what kind of fact they state.

use std::sync::LazyLock;

use super::fnv::Fnv;

/// What a word says about a product, where that is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    None,
    Colour,
    /// Men, women, children.
    Audience,
    /// What it runs on or fits.
    Platform,
    /// Upgrade, full, professional, academic.
    Edition,
    /// New, used, refurbished.
    Condition,
    /// Kit, bundle, pack, body only.
    Bundle,
    /// A kind of thing, a material or a joining word: only translated.
    Word,
}

/// Classes with features of their own.
pub(crate) const CLASSES: [(Class, &str); 6] = [
    (Class::Colour, "colour"),
    (Class::Audience, "audience"),
    (Class::Platform, "platform"),
    (Class::Edition, "edition"),
    (Class::Condition, "condition"),
    (Class::Bundle, "bundle"),
];

/// Each line is one meaning; its first word stands for all.
const MEANINGS: &[(Class, &[&str])] = &[
    (
        Class::Colour,
        &[
            "black|blk|bk|noir|noire|nero|nera|schwarz|schwarze|negro|negra|preto|preta|zwart|svart",
            "white|wht|blanc|blanche|bianco|bianca|weiss|weisse|wei|blanco|blanca|branco|branca|wit|hvid|vit",
            "red|rouge|rosso|rossa|rot|rojo|roja|vermelho|rood",
            "blue|blu|bleu|bleue|blau|azul|blauw",
            "green|grn|vert|verte|verde|grun|gruen|groen|gron",
            "yellow|ylw|jaune|giallo|gialla|gelb|amarillo|amarelo|geel|gul",
            "orange|arancione|arancio|naranja|laranja|oranje",
            "pink|rosa|roze",
            "purple|violet|viola|violett|lila|morado|roxo|paars|violeta",
            "brown|marron|brun|brune|braun|marrone|castanho|bruin",
            "grey|gray|gris|grise|grigio|grigia|grau|cinza|grijs",
            "silver|slv|argent|argento|silber|plata|prata|zilver",
            "gold|golden|oro|dorado|dourado|goud|gold",
            "beige|sand",
            "navy",
            "turquoise|turchese|turkis|turquesa|turq",
            "cyan",
            "magenta",
            "volt|lime",
            "anthracite|antracite|anthrazit|antracita|charcoal|graphite",
            "titanium",
            "bronze",
            "copper",
            "burgundy|bordeaux",
            "crimson",
            "platinum",
            "khaki|olive",
            "multicolor|multi|multicolour",
        ],
    ),
    (
        Class::Audience,
        &[
            "men|mens|man|male|homme|hommes|uomo|herren|herrenuhr|hombre|caballero|heren|masculino|gents|gent",
            "women|womens|woman|female|ladies|lady|femme|femmes|donna|damen|damenuhr|mujer|senora|dames|feminino",
            "kids|kid|junior|jr|children|child|boys|girls|enfant|enfants|bambino|kinder|ninos|youth|gs|infant|toddler",
            "unisex",
        ],
    ),
    (
        Class::Platform,
        &[
            "mac|macintosh|osx|macos",
            "windows|win|pc",
            "linux|unix",
            "xp",
            "vista",
            "ps3",
            "ps2",
            "psp",
            "wii",
            "xbox",
            "xbox360",
            "ds|nds",
            "iphone",
            "ipad",
            "ipod",
            "android",
        ],
    ),
    (
        Class::Edition,
        &[
            "upgrade|upg|upgrd|upsell|mise",
            "full|complete|cmplt",
            "academic|edu|education|educational|student|acad|scholar|teacher|school",
            "oem",
            "retail",
            "standard|std",
            "professional|pro|prof",
            "premium|prem",
            "deluxe|dlx",
            "home",
            "basic",
            "enterprise|ent",
            "small|sbs",
            "ultimate",
            "lite|light",
            "plus",
            "extended",
            "limited|ltd",
            "special",
            "collector|collectors",
            "license|licence|lic|licensing|tlp|olp|clp",
            "server|svr|srvr",
            "client|cal",
            "suite",
            "media",
            "maintenance|support|subscription",
            "download|esd",
            "jewel",
            "mini",
            "max",
            "elite",
            "advanced",
        ],
    ),
    (
        Class::Condition,
        &[
            "used|gebraucht|usado|usato|occasion|preowned|owned|loved",
            "refurbished|refurb|renewed|reconditioned|recertified",
            "new|neu|nuevo|nuovo|nouveau|novo|nieuw|nueva|nuova",
            "vintage",
            "open",
            "damaged",
        ],
    ),
    (
        Class::Bundle,
        &[
            "kit|set|bundle|combo|ensemble",
            "pack|packs|pk|pkg|package",
            "body|gehause|boitier|corpo|cuerpo",
            "only",
            "lens|objektiv|objectif|obiettivo|objetivo|lente",
            "case|cover|housse|custodia|funda|hulle|tasche|capa|pouch|sleeve|bag|skin",
            "battery|batteria|bateria|batterie|akku|accu",
            "charger|caricabatterie|cargador|ladegerat|chargeur|carregador|oplader",
            "cable|kabel|cavo",
            "adapter|adaptor|adaptateur",
            "replacement|spare",
            "strap|band|bracelet|armband|correa|cinturino|pulsera",
            "mount|bracket|halterung",
            "grip",
            "remote",
            "tripod|stativ",
            "compatible|kompatibel|compatibel|compativel",
        ],
    ),
    (
        Class::Word,
        &[
            "watch|watches|uhr|uhren|armbanduhr|montre|montres|reloj|relojes|orologio|orologi|relogio|horloge|ur",
            "camera|cameras|kamera|appareil|fotocamera|camara|macchina|digitalkamera|videocamera",
            "shoes|shoe|schuhe|schuh|scarpe|scarpa|chaussures|chaussure|zapatillas|zapatos|zapatilla|sapatos|tenis|schoenen|trainers|trainer|sneaker|sneakers|boots|boot|cleats|fussballschuhe|fuballschuhe",
            "leather|leder|pelle|cuir|piel|cuero|couro",
            "steel|stahl|edelstahl|acier|acciaio|acero|aco",
            "automatic|automatik|automatique|automatico|automatica|auto",
            "quartz|quarz|cuarzo|quarzo",
            "chronograph|chrono|chronographe|cronografo|chronograaf",
            "digital|numerique|digitale",
            "memory|speicher|memoire|memoria",
            "card|karte|carte|tarjeta|scheda|cartao|kaart",
            "drive|festplatte|disque|disco",
            "notebook|laptop|portable|portatil|portatile",
            "processor|prozessor|processeur|procesador|processore|cpu",
            "2|ii",
            "3|iii",
            "4|iv",
            "6|vi",
            "7|vii",
            "8|viii",
            "9|ix",
            "with|w|mit|avec|con|com|met|med",
            "and|und|et|y|e|en|og|och",
            "for|fur|fuer|pour|para|per|voor|til",
            "the|der|die|das|le|la|les|el|los|il|lo|de|den",
            "of|von|du|di|do|da|del|des|van",
            "running|laufschuhe|laufschuh|hardloopschoenen",
            "football|soccer|fussball|calcio|futbol|futebol|voetbal",
            "dial|zifferblatt|cadran|quadrante|esfera|mostrador",
            "wireless|wifi|drahtlos|inalambrico|sem",
            "security|sicherheit|seguridad|sicurezza|securite",
            "software|sw",
            "edition|ed|edizione|edicion|ausgabe",
            "version|ver|v",
            "inch|inches|zoll|pulgadas|pouces|pollici|in",
            "gb|go|gigabyte",
            "tb|to",
            "high|hi",
            "low|lo",
            "series|serie",
            "gen|generation",
            "microsoft|ms|msft",
            "hewlett|hp|packard",
            "photo|foto",
            "price|prix|prezzo|preis|precio|preco",
        ],
    ),
];

/// The words of [`MEANINGS`] in an open table, with a bit filter before it: most words are in neither.
pub(crate) struct Canon {
    filter: [u64; FILTER_BITS / 64],
    table: Box<[(u32, u32, Class)]>,
}

const SIZE: usize = 2048;
const FILTER_BITS: usize = 8192;

impl Canon {
    /// The table, made at the first call.
    pub(crate) fn get() -> &'static Self {
        static CANON: LazyLock<Canon> = LazyLock::new(Canon::new);
        &CANON
    }

    /// The number that stands for a word, and its class; a word that is not known stands for itself.
    pub(crate) fn of(&self, hash: u32) -> (u32, Class) {
        let bit = hash as usize >> 8 & (FILTER_BITS - 1);
        if self.filter[bit / 64] & 1 << (bit % 64) == 0 {
            return (hash, Class::None);
        }
        let mut at = hash as usize >> 1 & (SIZE - 1);
        loop {
            let (key, meaning, class) = self.table[at];
            if key == hash {
                return (meaning, class);
            }
            if key == 0 {
                return (hash, Class::None);
            }
            at = (at + 1) & (SIZE - 1);
        }
    }

    fn new() -> Self {
        let mut filter = [0; FILTER_BITS / 64];
        let mut table = vec![(0, 0, Class::None); SIZE].into_boxed_slice();
        let hash = |word: &str| Fnv::START.bytes(word.as_bytes()).finish();
        for (class, meanings) in MEANINGS {
            for meaning in *meanings {
                let first = hash(meaning.split('|').next().unwrap_or_default());
                for word in meaning.split('|') {
                    let key = hash(word);
                    let bit = key as usize >> 8 & (FILTER_BITS - 1);
                    filter[bit / 64] |= 1 << (bit % 64);
                    let mut at = key as usize >> 1 & (SIZE - 1);
                    while table[at].0 != 0 && table[at].0 != key {
                        at = (at + 1) & (SIZE - 1);
                    }
                    // The first meaning of a word holds.
                    if table[at].0 == 0 {
                        table[at] = (key, first, *class);
                    }
                }
            }
        }
        Self { filter, table }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_for_its_first_meaning() {
        let hash = |word: &str| Fnv::START.bytes(word.as_bytes()).finish();
        let mut seen = std::collections::BTreeSet::new();
        for (class, meaning) in MEANINGS.iter().flat_map(|(class, all)| all.iter().map(move |m| (class, m))) {
            let first = meaning.split('|').next().unwrap();
            for word in meaning.split('|').filter(|word| seen.insert(*word)) {
                assert_eq!(Canon::get().of(hash(word)), (hash(first), *class), "{word}");
            }
        }
        assert_eq!(Canon::get().of(hash("veltrano")), (hash("veltrano"), Class::None));
    }
}
