//! Look-alikes: which letter or digit a character of another script, or a sign, is read as.
//!
//! Unicode's table (TR39) pairs characters that a font draws alike. Readers are more forgiving: they take "Я" for R and "₦"
//! for N, and a letter turned upside down for itself. [`OWN`] lists what TR39 folds elsewhere or not at all; what is not
//! listed there follows TR39.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Each letter with the characters that are read as it. Where only one case of a character is listed and TR39 does not know
/// the other, it stands for both.
const OWN: &[(char, &str)] = &[
    ('a', "аαΛΔ∆Дд∀⍺ɑɒɐᴀᗩคꭺ₳ᥲⲀⲁ"),
    ('b', "вбБβϐъьЪЬѢѣɓƀƃʙᗷᗸ฿₿๒ᵬҌҍⲂᏰ"),
    ('c', "сϲƈȼɕɔƆᴄᑕ₡₢₵⊂ҁҫҪⲤⲥͻↄϹ𐔜¢"),
    ('d', "ԁδɖɗƌᴅᗪᗞ๔∂₫ᑯȡᵭԃ"),
    ('e', "еєэЭεɛϵɘəǝƎƐΣΞξ∑∃∈ᴇ℮€ҽҿԑɜɝɚꬲ"),
    ('f', "ƒғҒꜰᖴ₣ɟⅎℲꞙϝϜ"),
    ('g', "ɡɢɠǥԍԌցᏀᎶ₲ƍᶃᵷ⅁ʛ"),
    ('h', "нћЋђЂԩһҺɦⱨʜᕼᏂңҢɥհⱧի"),
    ('i', "іιІΙɨɪเᎥɩ¡ᴉӏͺ˛"),
    ('j', "јϳɉʝᴊᒍյنלʲ"),
    ('k', "кκĸƙⱪᴋҚқҜҝҞҟКʞ₭⋊ԟϰⱩ"),
    ('l', "Ӏℓ£₤ƚɫɬɭⱡʟᒪᏞꞁ⅂Ⱡլⅼ˥ן"),
    ('m', "мɱᴍʍɯƜ₥๓ᗰϻϺӎ"),
    ('n', "пПπΠлЛηиИռոɴɲŋƞɳ∏∩ภᑎ₦ͷͶԥղը"),
    ('o', "оσθΘΦφϕФф๏ɵᴏ∅⌀ѳѲტסօంಂംං"),
    ('p', "рρƥᵽᴘᑭקቆ₱₽ϷϸքᑷƤ"),
    ('q', "ԛɋʠզᑫϙϘꞯɊ"),
    ('r', "гГΓяЯɍɽɾɹɼɻʀʁᖇᏒ₹ᴚґҐՐրꭇ"),
    ('s', "ѕꜱʂȿʃᔕᏚ₴§รϨϩ∫ƨƧՏ"),
    ('t', "тτТƭʈŧŦʇᴛ₮₸₺⊥Շեⱦ"),
    ('u', "цЦυμʉʊᴜսՍᑌ∪ย⋃ʋᶙ"),
    ('v', "νѵѴⱱᴠʌɅᐯ∨⋁ע"),
    ('w', "шщШЩωΩѡψΨաᴡⱳ₩ฬᗯԝѿ"),
    ('x', "хχжЖҳҲאӽӾ᙭ӿӼ"),
    ('y', "уУγүҮұҰɏƴʏʎ¥чЧץ⅄ყ"),
    ('z', "ƶʐʑɀᴢȥʒƷჳչՀⱬⱫᘔ𑣄"),
];

static OWN_BY_CHAR: LazyLock<HashMap<char, char>> =
    LazyLock::new(|| OWN.iter().flat_map(|(plain, alike)| alike.chars().map(|c| (c, *plain))).collect());

/// The one or two ASCII letters or digits, in lower case, that a character is read as; `None` where it is none's look-alike.
///
/// `c` itself is asked first, in the table here and then in TR39's; then its other case: a capital is drawn like a capital.
pub(super) fn read_as(c: char) -> Option<[Option<char>; 2]> {
    let direct = |c: char| OWN_BY_CHAR.get(&c).map(|&plain| [Some(plain), None]).or_else(|| skeleton(c));
    direct(c).or_else(|| direct(other_case(c)?))
}

/// The letter that a character is read as according to the table here.
pub(super) fn own(c: char) -> Option<char> {
    OWN_BY_CHAR.get(&c).copied()
}

fn other_case(c: char) -> Option<char> {
    let lower = c.to_lowercase().next().filter(|&l| l != c);
    lower.or_else(|| c.to_uppercase().next().filter(|&u| u != c))
}

/// The TR39 prototype where it is made of one or two ASCII letters or digits.
fn skeleton(c: char) -> Option<[Option<char>; 2]> {
    let mut buffer = [0; 4];
    let mut plain = [None; 2];
    let prototype = unicode_security::skeleton(c.encode_utf8(&mut buffer)).nfd();
    for (n, p) in prototype.filter(|&p| !is_combining_mark(p)).enumerate() {
        let p = OWN_BY_CHAR.get(&p).copied().unwrap_or(p);
        if n == 2 || !p.is_ascii_alphanumeric() {
            return None;
        }
        plain[n] = Some(p.to_ascii_lowercase());
    }
    match plain {
        [None, _] => None,
        // TR39 writes m as r and n; a single character that looks like both is an m.
        [Some('r'), Some('n')] => Some([Some('m'), None]),
        [Some('v'), Some('v')] => Some([Some('w'), None]),
        _ => Some(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_character_is_listed_once_and_needs_to_be() {
        let mut seen = HashSet::new();
        for c in OWN.iter().flat_map(|(_, alike)| alike.chars()) {
            assert!(!c.is_ascii(), "{c:?}");
            assert!(seen.insert(c), "{c:?} is listed twice");
        }
    }

    #[test]
    fn capitals_follow_their_own_shape() {
        let read = |c: char| read_as(c).and_then(|[first, _]| first);
        for (c, plain) in
            [('Η', 'h'), ('η', 'n'), ('Ν', 'n'), ('ν', 'v'), ('Μ', 'm'), ('μ', 'u'), ('Υ', 'y'), ('Γ', 'r')]
        {
            assert_eq!(read(c), Some(plain), "{c:?}");
        }
        assert_eq!((read('墨'), read('ж')), (None, Some('x')));
    }
}
