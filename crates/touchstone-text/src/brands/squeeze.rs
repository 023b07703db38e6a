//! Squeezing: letters and digits alone, each replaced by the representative of those that are written for one another.

use crate::fold::FoldedChar;

/// The letters of a text without what stands between them.
pub(super) struct Squeezed {
    /// The representatives.
    pub text: String,
    /// For each byte of `text` the place of its folded character.
    pub at: Vec<u32>,
}

/// Squeezes folded characters; a sign that stands for a letter counts where a letter or digit follows it.
pub(super) fn squeeze(chars: &[FoldedChar]) -> Squeezed {
    let mut text = String::with_capacity(chars.len());
    let mut at = Vec::with_capacity(chars.len());
    for (i, folded) in chars.iter().enumerate() {
        let followed = || chars.get(i + 1).is_some_and(|next| next.c.is_alphanumeric());
        if folded.c.is_alphanumeric() || (letter_of_sign(folded.c).is_some() && followed()) {
            let representative = representative(folded.c);
            text.push(representative);
            at.resize(text.len(), u32::try_from(i).expect("fields are capped far below 4 Gi characters"));
        }
    }
    Squeezed { text, at }
}

/// One character for all that are written for one another: `l`, `1` and `!` for `i`, `0` for `o`.
pub(super) fn representative(c: char) -> char {
    match c {
        'l' | '1' | '|' | '!' => 'i',
        '0' => 'o',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        '9' => 'g',
        _ => c,
    }
}

/// The letter for which a sign is written.
pub(super) fn letter_of_sign(c: char) -> Option<char> {
    match c {
        '$' => Some('s'),
        '@' => Some('a'),
        '!' | '|' => Some('i'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;

    #[test]
    fn separators_go_and_signs_count_only_inside() {
        let squeezed = |text: &str| squeeze(&fold(text, 100)).text;
        assert_eq!(squeezed("L-u m.o r4!"), "iumora");
        assert_eq!(squeezed("Ve!trano"), "veitrano");
        assert_eq!(squeezed("!!"), "");
    }
}
