//! Letters of five by seven dots, for what is printed on the products.

use crate::canvas::{Canvas, Colour, rect};

/// Writes `text` (capitals, digits, space, `-`, `.`) centred on (`cx`, `cy`), with letters `height` points high.
pub(crate) fn write(canvas: &mut Canvas, text: &str, cx: f32, cy: f32, height: f32, colour: Colour) {
    let dot = height / 7.0;
    let width = (text.len() * 6 - 1) as f32 * dot;
    let (left, top) = (cx - width / 2.0, cy - height / 2.0);
    let dots: Vec<(f32, f32)> = text
        .bytes()
        .enumerate()
        .flat_map(|(i, letter)| {
            lit(letter).map(move |(column, row)| {
                (left + (i * 6 + column) as f32 * dot + dot / 2.0, top + row as f32 * dot + dot / 2.0)
            })
        })
        .collect();
    for (x, y) in dots {
        canvas.fill(rect(x, y, dot * 0.56, dot * 0.56, dot * 0.15), |_, _| colour, 1.0);
    }
}

/// Column and row of the lit dots of a letter.
fn lit(letter: u8) -> impl Iterator<Item = (usize, usize)> {
    let rows = rows(letter);
    (0..35).filter_map(move |at| {
        let (column, row) = (at % 5, at / 5);
        (rows[row] >> (4 - column) & 1 == 1).then_some((column, row))
    })
}

fn rows(letter: u8) -> [u8; 7] {
    match letter {
        b'A' => [14, 17, 17, 31, 17, 17, 17],
        b'B' => [30, 17, 17, 30, 17, 17, 30],
        b'C' => [14, 17, 16, 16, 16, 17, 14],
        b'D' => [30, 17, 17, 17, 17, 17, 30],
        b'E' => [31, 16, 16, 30, 16, 16, 31],
        b'F' => [31, 16, 16, 30, 16, 16, 16],
        b'G' => [14, 17, 16, 23, 17, 17, 15],
        b'H' => [17, 17, 17, 31, 17, 17, 17],
        b'I' => [14, 4, 4, 4, 4, 4, 14],
        b'J' => [7, 2, 2, 2, 2, 18, 12],
        b'K' => [17, 18, 20, 24, 20, 18, 17],
        b'L' => [16, 16, 16, 16, 16, 16, 31],
        b'M' => [17, 27, 21, 21, 17, 17, 17],
        b'N' => [17, 25, 21, 19, 17, 17, 17],
        b'O' => [14, 17, 17, 17, 17, 17, 14],
        b'P' => [30, 17, 17, 30, 16, 16, 16],
        b'R' => [30, 17, 17, 30, 20, 18, 17],
        b'S' => [15, 16, 16, 14, 1, 1, 30],
        b'T' => [31, 4, 4, 4, 4, 4, 4],
        b'U' => [17, 17, 17, 17, 17, 17, 14],
        b'V' => [17, 17, 17, 17, 17, 10, 4],
        b'X' => [17, 17, 10, 4, 10, 17, 17],
        b'Y' => [17, 17, 10, 4, 4, 4, 4],
        b'Z' => [31, 1, 2, 4, 8, 16, 31],
        b'0' => [14, 17, 19, 21, 25, 17, 14],
        b'1' => [4, 12, 4, 4, 4, 4, 14],
        b'2' => [14, 17, 1, 2, 4, 8, 31],
        b'3' => [31, 2, 4, 2, 1, 17, 14],
        b'4' => [2, 6, 10, 18, 31, 2, 2],
        b'5' => [31, 16, 30, 1, 1, 17, 14],
        b'6' => [6, 8, 16, 30, 17, 17, 14],
        b'7' => [31, 1, 2, 4, 8, 8, 8],
        b'8' => [14, 17, 17, 14, 17, 17, 14],
        b'9' => [14, 17, 17, 15, 1, 2, 12],
        b'-' => [0, 0, 0, 31, 0, 0, 0],
        b'.' => [0, 0, 0, 0, 0, 12, 12],
        _ => [0; 7],
    }
}
