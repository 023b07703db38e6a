//! Invented brands in disguises drawn at random, alone and two at a time, by a generator that knows nothing of the matcher's
//! tables: look-alike letters come from Unicode's own table where it is at hand.

use std::collections::BTreeMap;

use touchstone_text::{TextIndex, analyse};

use crate::data;

const BRANDS: [&str; 16] = [
    "Lumora",
    "Veltrano",
    "Kasvik",
    "Bromelle",
    "Quintessa Noir",
    "Zephyrine",
    "Ostrava Mills",
    "Gildenfox",
    "Pexidur",
    "Wyndholme",
    "Trocadelle",
    "Hextable & Jarvis",
    "Marzenki",
    "Dufresque",
    "Nordlynx",
    "Calvastra",
];

const TITLES: [&str; 6] = [
    "{} sneakers men size 42",
    "nova bolsa {} couro",
    "watch {}",
    "{}",
    "Herren Jacke von {} neu",
    "2 pcs {} perfume 100 ml",
];

/// A small generator of numbers; the same seed draws the same disguises everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

type LookAlikes = BTreeMap<char, Vec<char>>;

/// The look-alikes of the small letters; without Unicode's file a few that everybody knows.
fn look_alikes() -> LookAlikes {
    let mut alike = LookAlikes::new();
    let mut add = |from: char, to: char| alike.entry(to.to_ascii_lowercase()).or_default().push(from);
    for (from, to) in "аaеeоoрpсcуyхxіiѕsΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXѵvԁdһhĸkʀrᴍmɡgƄbᴡwՍuԛqјj"
        .chars()
        .zip("аaеeоoрpсcуyхxіiѕsΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXѵvԁdһhĸkʀrᴍmɡgƄbᴡwՍuԛqјj".chars().skip(1))
        .step_by(2)
    {
        add(from, to);
    }
    let scalar = |hex: &str| u32::from_str_radix(hex.trim(), 16).ok().and_then(char::from_u32);
    for line in data::read("unicode/confusables-17.0.0.txt").unwrap_or_default().lines() {
        let mut columns = line.split(';');
        if let (Some(from), Some(to)) = (columns.next().and_then(scalar), columns.next().and_then(scalar))
            && to.is_ascii_alphabetic()
            && from.is_alphabetic()
            && !from.is_ascii()
        {
            add(from, to);
        }
    }
    alike
}

/// Applies one disguise, where the name has anything to disguise so.
fn disguise(draw: &mut Draw, alike: &LookAlikes, name: &str, how: &str) -> String {
    for _ in 0..50 {
        let out = attempt(draw, alike, name, how);
        if out != name {
            return out;
        }
    }
    // Nothing of it can be disguised so.
    name.to_owned()
}

fn attempt(draw: &mut Draw, alike: &LookAlikes, name: &str, how: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let letters: Vec<usize> = (0..chars.len()).filter(|&i| chars[i].is_ascii_alphabetic()).collect();
    let spots: Vec<usize> =
        (0..chars.len()).filter(|&i| !matches!(chars[i], ' ' | '&' | '\u{200b}'..='\u{200f}')).collect();
    let mut out: Vec<String> = chars.iter().map(char::to_string).collect();
    match how {
        "confusable" => {
            for &i in &letters {
                if let Some(from) = alike.get(&chars[i].to_ascii_lowercase())
                    && draw.below(3) == 0
                {
                    out[i] = draw.of(from).to_string();
                }
            }
        }
        "styled" => {
            let style = draw.below(7);
            for &i in &letters {
                let (upper, n) =
                    (chars[i].is_ascii_uppercase(), u32::from(chars[i].to_ascii_lowercase()) - 97);
                let base = match (style, upper) {
                    (0, true) => 0x1d5d4,
                    (0, false) => 0x1d5ee,
                    (1, true) => 0x1d4d0,
                    (1, false) => 0x1d4ea,
                    (2, true) => 0xff21,
                    (2, false) => 0xff41,
                    (3, true) => 0x24b6,
                    (3, false) => 0x24d0,
                    (4, _) => 0x1f130,
                    (5, _) => 0x1f170,
                    _ => 0x249c,
                };
                out[i] = char::from_u32(base + n).unwrap().to_string();
            }
        }
        "hidden" => {
            let signs = [
                '\u{200b}', '\u{200d}', '\u{2060}', '\u{ad}', '\u{feff}', '\u{fe0f}', '\u{34f}', '\u{202e}',
                '\u{3164}',
            ];
            let i = 1 + draw.below(spots.len() - 1);
            out[spots[i]].insert(0, draw.of(&signs));
        }
        "spaced" => {
            let sign = draw.of(&[" ", ".", "-", "_", "·", "/", "~", " "]);
            for &i in &spots[1..] {
                out[i].insert_str(0, sign);
            }
        }
        "leet" => {
            let leet = |c: char| match c.to_ascii_lowercase() {
                'a' => Some(['4', '@']),
                'e' => Some(['3', '€']),
                'i' => Some(['1', '!']),
                'l' => Some(['1', '|']),
                'o' => Some(['0', '0']),
                's' => Some(['5', '$']),
                't' => Some(['7', '+']),
                'b' => Some(['8', '6']),
                'g' => Some(['9', '6']),
                'z' => Some(['2', '2']),
                _ => None,
            };
            let inner = letters.iter().copied().filter(|&i| i > 0 && i + 1 < chars.len());
            let able: Vec<usize> = inner.filter(|&i| leet(chars[i]).is_some()).collect();
            let n_times = if able.is_empty() { 0 } else { 1 + draw.below(2) };
            for _ in 0..n_times {
                let i = draw.of(&able);
                out[i] = draw.of(&leet(chars[i]).unwrap()).to_string();
            }
        }
        "masked" => {
            let sign = draw.of(&["⭐", "*", "🔥", "❤️", "●", "#"]);
            let i = 1 + draw.below(spots.len() - 2);
            out[spots[i]] = sign.to_owned();
        }
        _ => {
            let at = 1 + draw.below(spots.len() - 2);
            let i = spots[at];
            let wrong = char::from(b'a' + draw.below(26) as u8);
            match how {
                "omission" => out[i].clear(),
                "doubling" => out[i].push(chars[i].to_ascii_lowercase()),
                "insertion" => out[i].push(wrong),
                "substitution" => out[i] = wrong.to_string(),
                _ => {
                    out.swap(i, spots[at + 1]);
                }
            }
        }
    }
    out.concat()
}

fn recall(index: &TextIndex, alike: &LookAlikes, hows: &[&str]) -> f64 {
    let mut draw = Draw(7);
    let (mut found, mut n) = (0_u32, 0_u32);
    for round in 0..12 {
        for (i, name) in BRANDS.iter().enumerate() {
            let mut text = (*name).to_owned();
            for how in hows {
                text = disguise(&mut draw, alike, &text, how);
            }
            let title = TITLES[(i + round) % TITLES.len()].replace("{}", &text);
            let claims = analyse(index, &data::titled(&title)).claims;
            let own = format!("b{i}");
            let seen = claims.iter().any(|c| c.brand_id.as_str() == own);
            n += 1;
            found += u32::from(seen);
            if !seen && std::env::var_os("TOUCHSTONE_VERBOSE").is_some() {
                let claims: Vec<_> =
                    claims.iter().map(|c| (c.brand_id.as_str(), &c.observed, c.how)).collect();
                eprintln!("MISS {hows:?} {title:?} is {name}: {claims:?}");
            }
        }
    }
    f64::from(found) / f64::from(n)
}

#[test]
fn disguises_are_seen_alone_and_together() {
    let index = data::index_of_brands(BRANDS);
    let alike = look_alikes();
    let mut short = Vec::new();
    for (hows, least) in [
        (&["confusable"][..], 1.0),
        (&["styled"], 1.0),
        (&["hidden"], 1.0),
        (&["spaced"], 0.98),
        (&["leet"], 0.98),
        (&["masked"], 0.95),
        (&["omission"], 0.98),
        (&["doubling"], 0.98),
        (&["insertion"], 0.98),
        (&["substitution"], 0.98),
        (&["transposition"], 0.98),
        (&["confusable", "hidden"], 1.0),
        (&["confusable", "spaced"], 0.98),
        (&["styled", "hidden"], 1.0),
        (&["styled", "spaced"], 0.98),
        (&["spaced", "hidden"], 0.95),
        (&["leet", "hidden"], 0.98),
        (&["leet", "confusable"], 0.98),
        // Signs such as "+" are letters only beside letters.
        (&["leet", "spaced"], 0.8),
        (&["leet", "styled"], 0.98),
        (&["confusable", "masked"], 0.95),
        (&["styled", "masked"], 0.95),
        (&["masked", "hidden"], 0.95),
        (&["substitution", "confusable"], 0.95),
        (&["omission", "styled"], 0.98),
        (&["insertion", "hidden"], 0.98),
        // Signs such as "$" end a word, and a mistake beside them is not seen.
        (&["substitution", "leet"], 0.45),
        (&["leet", "masked"], 0.9),
        (&["substitution", "masked"], 0.88),
        (&["omission", "spaced"], 0.9),
    ] {
        let found = recall(&index, &alike, hows);
        eprintln!("disguises: {hows:?} {found:.3}");
        if found < least {
            short.push((hows, found, least));
        }
    }
    assert!(short.is_empty(), "{short:?}");
}
