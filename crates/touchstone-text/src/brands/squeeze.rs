//! Squeezing: letters and digits alone, each replaced by the representative of those that are written for one another.

use crate::fold::FoldedChar;

/// The letters of a text without what stands between them.
pub(super) struct Squeezed {
    /// The representatives.
    pub text: String,
    /// For each byte of `text` the place of its folded character.
    pub at: Vec<u32>,
    /// Whether any sign is read as a letter by [`Signs::All`] alone.
    pub has_rare_signs: bool,
}

/// Which signs are read as letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signs {
    /// Those that are hardly ever written inside a word for their own sake: `$`, `@`, `!`, `|`.
    Common,
    /// Brackets, plus signs and the like too, between two letters.
    All,
}

/// Squeezes folded characters; a sign that stands for a letter counts where a letter or digit follows it.
pub(super) fn squeeze(chars: &[FoldedChar], signs: Signs) -> Squeezed {
    let mut text = String::with_capacity(chars.len());
    let mut at = Vec::with_capacity(chars.len());
    let mut has_rare_signs = false;
    for (i, folded) in chars.iter().enumerate() {
        let place = u32::try_from(i).expect("fields are capped far below 4 Gi characters");
        if folded.c.is_ascii_alphanumeric() {
            text.push(char::from(REPRESENTATIVES[folded.c as usize]));
            at.push(place);
            continue;
        }
        let rare = is_rare_sign(chars, i);
        has_rare_signs |= rare;
        if folded.c.is_alphanumeric()
            || (is_letter_sign(folded.c) && followed(chars, i))
            || (signs == Signs::All && rare)
        {
            text.push(representative(folded.c));
            at.resize(text.len(), place);
        }
    }
    Squeezed { text, at, has_rare_signs }
}

/// [`representative`] of each ASCII character, which is ASCII too.
const REPRESENTATIVES: [u8; 128] = {
    let mut table = [0; 128];
    let mut c = 0_u8;
    while c < 128 {
        table[c as usize] = representative(c as char) as u8;
        c += 1;
    }
    table
};

/// Whether a letter or digit follows, other signs that may be letters between.
fn followed(chars: &[FoldedChar], i: usize) -> bool {
    let rest = chars[i + 1..].iter().take(3).map(|c| c.c);
    let next = rest.into_iter().find(|&c| !is_letter_sign(c) && c != '+');
    next.is_some_and(char::is_alphanumeric)
}

/// Whether a sign stands for a letter wherever a letter or digit follows it.
pub(super) fn is_letter_sign(c: char) -> bool {
    matches!(c, '$' | '@' | '!' | '|')
}

fn is_rare_sign(chars: &[FoldedChar], i: usize) -> bool {
    matches!(chars[i].c, '^' | '§' | '+' | '(' | '<' | '[' | '{' | '#' | '%')
        && i > 0
        && (chars[i - 1].c.is_alphanumeric() || is_letter_sign(chars[i - 1].c))
        && chars.get(i + 1).is_some_and(|c| c.c.is_alphabetic() || is_letter_sign(c.c))
        && followed(chars, i)
}

/// One character for all that may be written for one another, so that the automaton meets them all; [`written_for`]
/// decides afterwards whether this one is read as that one.
pub(crate) const fn representative(c: char) -> char {
    match c {
        'l' | '1' | '|' | '!' => 'i',
        '0' => 'o',
        '3' => 'e',
        '4' | '@' | '^' => 'a',
        '5' | '$' | '§' => 's',
        '7' | '+' => 't',
        '8' | '6' | 'g' | '9' | 'q' => 'b',
        '2' => 'z',
        '(' | '<' | '[' | '{' => 'c',
        '#' => 'h',
        '%' => 'x',
        _ => c,
    }
}

/// Whether `seen`, folded, is written for the letter or digit `wanted`, which is another character.
pub(crate) fn written_for(seen: char, wanted: char) -> bool {
    match wanted {
        '$' => matches!(seen, 's' | '5'),
        '@' => matches!(seen, 'a' | '4'),
        '!' | '|' => matches!(seen, 'i' | 'l' | '1' | '|' | '!'),
        'i' => matches!(seen, 'l' | '1' | '|' | '!'),
        'l' => matches!(seen, 'i' | '1' | '|' | '!'),
        '1' => matches!(seen, 'i' | 'l' | '|' | '!'),
        'o' => seen == '0',
        '0' => seen == 'o',
        'e' => seen == '3',
        '3' => seen == 'e',
        'a' => matches!(seen, '4' | '@' | '^'),
        '4' => matches!(seen, 'a' | '@'),
        's' => matches!(seen, '5' | '$' | '§'),
        '5' => matches!(seen, 's' | '$'),
        't' => matches!(seen, '7' | '+'),
        '7' => seen == 't',
        'b' => matches!(seen, '8' | '6'),
        '8' => seen == 'b',
        'g' => matches!(seen, '9' | '6'),
        '6' => matches!(seen, 'b' | 'g'),
        'q' => seen == '9',
        '9' => matches!(seen, 'g' | 'q'),
        'z' => seen == '2',
        '2' => seen == 'z',
        'c' => matches!(seen, '(' | '<' | '[' | '{'),
        'h' => seen == '#',
        'x' => seen == '%',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;

    #[test]
    fn separators_go_and_signs_count_only_inside() {
        let squeezed = |text: &str| squeeze(&fold(text, 100), Signs::All).text;
        assert_eq!(squeezed("L-u m.o r4!"), "iumora");
        assert_eq!(squeezed("Ve!trano"), "veitrano");
        assert_eq!(squeezed("!!"), "");
        assert_eq!((squeezed("Lu+orá"), squeezed("(Lu) +m")), ("iutora".to_owned(), "ium".to_owned()));
    }

    #[test]
    fn ascii_is_squeezed_as_the_function_says() {
        for c in '\0'..='\x7f' {
            assert_eq!(char::from(REPRESENTATIVES[c as usize]), representative(c));
        }
    }

    #[test]
    fn what_is_written_for_another_has_its_representative() {
        let signs = (' '..='~').chain(['§']);
        for (seen, wanted) in signs.clone().flat_map(|a| signs.clone().map(move |b| (a, b))) {
            assert!(
                !written_for(seen, wanted) || representative(seen) == representative(wanted),
                "{seen} {wanted}"
            );
        }
    }
}
