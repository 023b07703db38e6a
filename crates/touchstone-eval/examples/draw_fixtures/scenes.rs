//! The products: each function paints one kind of thing, its arguments make the variants.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::canvas::{
    Canvas, Colour, SIDE, both, ellipse, hex, line, mix, polygon, rect, smooth, turned, without,
};
use crate::lettering::write;

const WHITE: Colour = [1.0; 3];
const BLACK: Colour = [0.06, 0.06, 0.07];

/// A studio: a wall, a table and soft lights, placed by `seed`.
pub(crate) fn studio(seed: u64, wall: u32, table: u32) -> Canvas {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut canvas = Canvas::new(hex(wall));
    let horizon = rng.random_range(205.0_f32..250.0);
    let (wall, table) = (hex(wall), hex(table));
    canvas.fill(|_, _| -1.0, |_, y| mix(mix(wall, WHITE, 0.5), wall, y / horizon), 1.0);
    canvas.fill(
        rect(160.0, horizon + 200.0, 200.0, 200.0, 0.0),
        |_, y| mix(table, mix(table, BLACK, 0.35), (y - horizon) / (SIDE - horizon)),
        1.0,
    );
    for _ in 0..4 {
        let (x, y) = (rng.random_range(10.0..310.0), rng.random_range(10.0..190.0));
        let (rx, ry) = (rng.random_range(25.0..75.0), rng.random_range(20.0..60.0));
        let (light, alpha) =
            if rng.random_range(0..2) == 0 { (WHITE, 0.75) } else { (mix(table, BLACK, 0.3), 0.5) };
        canvas.soft(ellipse(x, y, rx, ry), light, alpha, 14.0);
    }
    canvas
}

/// Somebody's kitchen table: boards with grain.
pub(crate) fn planks(seed: u64, wood: u32) -> Canvas {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let wood = hex(wood);
    let mut canvas = Canvas::new(wood);
    let mut left = -20.0;
    while left < SIDE {
        let width = rng.random_range(45.0..80.0);
        let tone =
            mix(wood, if rng.random_range(0..2) == 0 { BLACK } else { WHITE }, rng.random_range(0.0..0.25));
        canvas.fill(rect(left + width / 2.0, 160.0, width / 2.0 - 1.0, 170.0, 1.0), |_, _| tone, 1.0);
        for _ in 0..3 {
            let x = left + rng.random_range(4.0..width - 4.0);
            let bend = rng.random_range(-8.0..8.0);
            let grain = line(vec![(x, -5.0), (x + bend, 160.0), (x, 325.0)], 0.7);
            canvas.fill(grain, |_, _| mix(tone, BLACK, 0.3), 0.7);
        }
        left += width;
    }
    canvas
}

/// A carton with the brand's name and a code.
pub(crate) fn carton(canvas: &mut Canvas, at: (f32, f32), half: (f32, f32), colour: u32, words: [&str; 2]) {
    let ((cx, cy), (hw, hh), colour) = (at, half, hex(colour));
    canvas.soft(rect(cx + 8.0, cy + 8.0, hw, hh, 4.0), BLACK, 0.5, 12.0);
    canvas.fill(rect(cx, cy, hw, hh, 3.0), |x, _| mix(colour, BLACK, (x - cx + hw) / hw * 0.12), 1.0);
    let side = polygon(vec![
        (cx + hw, cy - hh),
        (cx + hw + 16.0, cy - hh - 12.0),
        (cx + hw + 16.0, cy + hh - 12.0),
        (cx + hw, cy + hh),
    ]);
    canvas.fill(side, |_, _| mix(colour, BLACK, 0.45), 1.0);
    let lid = polygon(vec![
        (cx - hw, cy - hh),
        (cx - hw + 16.0, cy - hh - 12.0),
        (cx + hw + 16.0, cy - hh - 12.0),
        (cx + hw, cy - hh),
    ]);
    canvas.fill(lid, |_, _| mix(colour, WHITE, 0.45), 1.0);
    let height = (hw * 2.0 - 12.0) / (words[0].len() as f32 * 6.0) * 7.0;
    write(canvas, words[0], cx, cy - hh * 0.55, height.min(18.0), WHITE);
    write(canvas, words[1], cx, cy + hh * 0.1, (height * 1.7).min(34.0).min(hh * 0.7), WHITE);
    canvas.fill(rect(cx, cy + hh * 0.7, hw * 0.8, 3.0, 1.0), |_, _| WHITE, 0.8);
}

/// An ink cartridge: lid, label, contacts and the drops of its inks.
pub(crate) fn cartridge(
    canvas: &mut Canvas,
    at: (f32, f32),
    tilt: f32,
    label: u32,
    code: &str,
    inks: &[u32],
) {
    let (cx, cy) = at;
    let part =
        |x: f32, y: f32, hw: f32, hh: f32, r: f32| turned(rect(cx + x, cy + y, hw, hh, r), cx, cy, tilt);
    canvas.soft(part(10.0, 14.0, 56.0, 62.0, 8.0), BLACK, 0.6, 16.0);
    canvas.fill(
        part(0.0, 6.0, 54.0, 58.0, 7.0),
        |x, _| mix(hex(0x2b2d33), hex(0x55585f), (x - cx + 54.0) / 108.0),
        1.0,
    );
    canvas.fill(part(0.0, -58.0, 60.0, 13.0, 5.0), |_, _| hex(0x17181b), 1.0);
    canvas.fill(part(34.0, -76.0, 18.0, 9.0, 4.0), |_, _| hex(0x33353b), 1.0);
    canvas.fill(
        part(-2.0, -8.0, 44.0, 30.0, 4.0),
        |x, y| mix(hex(label), WHITE, (x - cx - y + cy) / 300.0),
        1.0,
    );
    canvas.fill(part(0.0, 48.0, 40.0, 12.0, 2.0), |_, _| hex(0x8a6a1c), 1.0);
    for column in 0..7_u8 {
        for row in 0..2_u8 {
            let (x, y) = (-33.0 + 11.0 * f32::from(column), 43.5 + 9.0 * f32::from(row));
            canvas.fill(part(x, y, 3.6, 2.8, 1.0), |_, _| hex(0xf0cf6a), 1.0);
        }
    }
    if tilt == 0.0 {
        write(canvas, "LUMORA", cx - 2.0, cy - 24.0, 11.0, WHITE);
        write(canvas, code, cx - 2.0, cy - 2.0, 20.0, WHITE);
    }
    for (ink, i) in inks.iter().zip(0_u8..) {
        let x = cx - 66.0 - 4.0 * f32::from(i % 2);
        let y = cy - 30.0 + 34.0 * f32::from(i);
        canvas.fill(ellipse(x, y, 9.0, 9.0), |_, _| hex(*ink), 1.0);
        canvas.fill(
            polygon(vec![(x - 8.0, y - 4.0), (x, y - 20.0), (x + 8.0, y - 4.0)]),
            |_, _| hex(*ink),
            1.0,
        );
        canvas.fill(ellipse(x - 3.0, y - 1.0, 2.2, 3.2), |_, _| WHITE, 0.8);
    }
}

/// A toner: a long black body with a drum.
pub(crate) fn toner(canvas: &mut Canvas, cy: f32, code: &str, label: u32) {
    canvas.soft(ellipse(165.0, cy + 62.0, 140.0, 16.0), BLACK, 0.7, 18.0);
    canvas.fill(
        rect(160.0, cy, 132.0, 44.0, 12.0),
        |_, y| mix(hex(0x4a4c52), BLACK, (y - cy + 44.0) / 88.0),
        1.0,
    );
    canvas.fill(
        rect(160.0, cy + 42.0, 118.0, 13.0, 12.0),
        |_, y| {
            let t = ((y - cy - 42.0) / 13.0).abs();
            mix(hex(0x7fd0c0), hex(0x0f4a44), t)
        },
        1.0,
    );
    for (x, turn) in [(24.0, 1.0), (296.0, -1.0)] {
        canvas.fill(rect(x, cy + 8.0, 13.0, 50.0, 6.0), |_, _| hex(0x26272b), 1.0);
        canvas.fill(ellipse(x + turn * 2.0, cy + 40.0, 9.0, 9.0), |_, _| hex(0xb9bcc4), 1.0);
        canvas.fill(ellipse(x + turn * 2.0, cy + 40.0, 4.0, 4.0), |_, _| BLACK, 1.0);
    }
    canvas.fill(rect(136.0, cy - 12.0, 76.0, 22.0, 3.0), |_, _| hex(label), 1.0);
    write(canvas, "LUMORA", 104.0, cy - 12.0, 11.0, WHITE);
    write(canvas, code, 178.0, cy - 12.0, 22.0, WHITE);
    canvas.fill(rect(160.0, cy - 50.0, 34.0, 10.0, 6.0), |_, _| hex(0x303238), 1.0);
    for i in 0..6_u8 {
        canvas.fill(rect(228.0 + 9.0 * f32::from(i), cy - 10.0, 2.0, 20.0, 2.0), |_, _| hex(0x6c6f77), 1.0);
    }
}

/// A printer with paper in it.
pub(crate) fn printer(canvas: &mut Canvas) {
    canvas.soft(ellipse(160.0, 268.0, 140.0, 14.0), BLACK, 0.7, 16.0);
    let paper = polygon(vec![(96.0, 30.0), (224.0, 30.0), (232.0, 128.0), (88.0, 128.0)]);
    canvas.fill(paper, |_, _| hex(0xfafafa), 1.0);
    canvas.fill(
        rect(160.0, 180.0, 128.0, 62.0, 14.0),
        |_, y| mix(hex(0xf0f1f4), hex(0xa9adb6), (y - 118.0) / 124.0),
        1.0,
    );
    canvas.fill(rect(160.0, 134.0, 118.0, 14.0, 8.0), |_, _| hex(0x3a3d45), 1.0);
    canvas.fill(rect(160.0, 222.0, 96.0, 18.0, 4.0), |_, _| hex(0x202227), 1.0);
    let sheet = polygon(vec![(84.0, 226.0), (236.0, 226.0), (262.0, 290.0), (58.0, 290.0)]);
    canvas.fill(sheet, |_, _| WHITE, 1.0);
    for (i, colour) in (0_u8..).zip([0x1da1d8, 0xd83a8a, 0xf3c614, 0x222222]) {
        canvas.fill(rect(102.0 + 38.0 * f32::from(i), 262.0, 15.0, 15.0, 2.0), |_, _| hex(colour), 1.0);
    }
    write(canvas, "LUMORA", 96.0, 178.0, 13.0, hex(0x30343c));
    canvas.fill(rect(226.0, 178.0, 36.0, 18.0, 4.0), |_, _| hex(0x16406b), 1.0);
    write(canvas, "J300", 226.0, 178.0, 11.0, WHITE);
}

/// How a sneaker looks.
pub(crate) struct Shoe {
    pub(crate) upper: u32,
    pub(crate) accent: u32,
    pub(crate) sole: u32,
    /// How far above the heel the collar ends, in points: 0 for a low shoe.
    pub(crate) collar: f32,
    /// Stripes on the side.
    pub(crate) n_stripes: u8,
}

/// A sneaker seen from the side, toe to the right.
pub(crate) fn sneaker(canvas: &mut Canvas, dy: f32, shoe: &Shoe) {
    let at = |x: f32, y: f32| (x, y + dy);
    let (upper, accent, sole) = (hex(shoe.upper), hex(shoe.accent), hex(shoe.sole));
    canvas.soft(ellipse(165.0, 252.0 + dy, 135.0, 13.0), BLACK, 0.7, 16.0);
    let top = 128.0 - shoe.collar;
    let outline = smooth(&[
        at(38.0, 232.0),
        at(32.0, 190.0),
        at(38.0, top + 8.0),
        at(58.0, top),
        at(92.0, top + 10.0),
        at(116.0, 132.0),
        at(160.0, 158.0),
        at(214.0, 176.0),
        at(268.0, 192.0),
        at(290.0, 214.0),
        at(288.0, 234.0),
    ]);
    canvas.fill(
        polygon(outline.clone()),
        |x, y| mix(upper, mix(upper, BLACK, 0.4), (y - dy - 120.0) / 160.0 + (60.0 - x) / 400.0),
        1.0,
    );
    let opening = ellipse(70.0, top + 10.0 + dy, 28.0, 9.0);
    canvas.fill(both(polygon(outline.clone()), opening), |_, _| mix(upper, BLACK, 0.7), 1.0);
    let toe = both(polygon(outline.clone()), ellipse(276.0, 232.0 + dy, 50.0, 36.0));
    canvas.fill(toe, |_, _| mix(accent, upper, 0.35), 1.0);
    let heel = both(polygon(outline.clone()), rect(30.0, 190.0 + dy, 24.0, 60.0, 10.0));
    canvas.fill(heel, |_, _| accent, 1.0);
    for i in 0..shoe.n_stripes {
        let x = 96.0 + 26.0 * f32::from(i);
        let stripe = line(vec![at(x, 226.0), at(x + 36.0, 158.0)], 6.0);
        canvas.fill(both(polygon(outline.clone()), stripe), |_, _| accent, 1.0);
    }
    for i in 0..6_u8 {
        let (x, y) = (112.0 + 19.0 * f32::from(i), 126.0 + 10.5 * f32::from(i));
        canvas.fill(line(vec![at(x - 8.0, y + 22.0), at(x + 10.0, y + 2.0)], 2.6), |_, _| WHITE, 1.0);
    }
    let sole_line = smooth(&[
        at(30.0, 226.0),
        at(120.0, 231.0),
        at(220.0, 228.0),
        at(296.0, 222.0),
        at(300.0, 240.0),
        at(280.0, 252.0),
        at(160.0, 254.0),
        at(46.0, 254.0),
        at(28.0, 244.0),
    ]);
    canvas.fill(
        polygon(sole_line.clone()),
        |_, y| mix(sole, mix(sole, BLACK, 0.5), (y - dy - 226.0) / 28.0),
        1.0,
    );
    canvas.fill(
        both(polygon(sole_line), line(vec![at(26.0, 238.0), at(302.0, 234.0)], 1.6)),
        |_, _| accent,
        1.0,
    );
}

/// The silhouette of a flacon.
#[derive(Clone, Copy)]
pub(crate) enum Flacon {
    Square,
    Round,
    Tall,
}

/// A perfume bottle: glass, liquid, label and cap.
pub(crate) fn bottle(canvas: &mut Canvas, cx: f32, flacon: Flacon, liquid: u32, cap: u32, words: [&str; 2]) {
    let liquid = hex(liquid);
    let (half_width, top, round) = match flacon {
        Flacon::Square => (66.0, 128.0, 10.0),
        Flacon::Round => (78.0, 122.0, 70.0),
        Flacon::Tall => (42.0, 96.0, 20.0),
    };
    let middle = (top + 282.0) / 2.0;
    let glass = rect(cx, middle, half_width, 282.0 - middle, round);
    canvas.soft(ellipse(cx + 14.0, 284.0, half_width + 22.0, 12.0), BLACK, 0.7, 14.0);
    canvas.fill(rect(cx, top - 10.0, 13.0, 16.0, 2.0), |_, _| hex(0xc9b27a), 1.0);
    let cap_top = top - 66.0;
    canvas.fill(
        rect(cx, (cap_top + top - 18.0) / 2.0, half_width * 0.42, (top - 18.0 - cap_top) / 2.0, 5.0),
        |x, _| mix(hex(cap), WHITE, 0.55 - ((x - cx + 10.0) / half_width).abs() * 1.4),
        1.0,
    );
    canvas.fill(glass, |_, _| mix(liquid, WHITE, 0.65), 0.9);
    let inner = rect(cx, middle, half_width - 9.0, 282.0 - middle - 9.0, (round - 8.0_f32).max(3.0));
    canvas.fill(
        both(inner, rect(cx, middle + 40.0, 200.0, 282.0 - middle - 18.0, 0.0)),
        |x, y| {
            mix(
                mix(liquid, WHITE, 0.35),
                mix(liquid, BLACK, 0.35),
                (x - cx + half_width) / (2.2 * half_width) + (y - middle) / 500.0,
            )
        },
        1.0,
    );
    canvas.fill(both(glass, rect(cx - half_width * 0.72, middle, 5.0, 200.0, 3.0)), |_, _| WHITE, 0.75);
    let label = half_width * 0.66;
    canvas.fill(rect(cx, middle + 18.0, label, 34.0, 3.0), |_, _| hex(0xf7f1e2), 1.0);
    canvas.fill(
        without(
            rect(cx, middle + 18.0, label - 3.0, 31.0, 2.0),
            rect(cx, middle + 18.0, label - 4.5, 29.5, 2.0),
        ),
        |_, _| hex(0x9a7b35),
        1.0,
    );
    let height = (label * 2.0 - 12.0) / (words[0].len().max(8) as f32 * 6.0) * 7.0;
    write(canvas, words[0], cx, middle + 6.0, height, hex(0x3b2b12));
    write(canvas, words[1], cx, middle + 30.0, height * 0.9, hex(0x3b2b12));
}

/// Headphones with cups over the ears.
pub(crate) fn headphones(canvas: &mut Canvas, dy: f32, body: u32, pad: u32, cup: (f32, f32)) {
    let (body, pad) = (hex(body), hex(pad));
    let (rx, ry) = cup;
    let cy = 196.0 + dy;
    canvas.soft(ellipse(160.0, cy + ry + 14.0, 120.0, 10.0), BLACK, 0.6, 14.0);
    let upper_half = rect(160.0, cy - 200.0, 200.0, 196.0, 0.0);
    let band = both(without(ellipse(160.0, cy, 106.0, 140.0), ellipse(160.0, cy, 92.0, 124.0)), upper_half);
    canvas.fill(band, |_, y| mix(mix(body, WHITE, 0.35), body, (y - dy - 50.0) / 90.0), 1.0);
    let cushion = both(
        without(ellipse(160.0, cy, 92.0, 124.0), ellipse(160.0, cy, 84.0, 112.0)),
        rect(160.0, cy - 150.0, 60.0, 80.0, 0.0),
    );
    canvas.fill(cushion, |_, _| pad, 1.0);
    for side in [-1.0_f32, 1.0] {
        let cx = 160.0 + side * 96.0;
        canvas.fill(rect(cx + side * 2.0, cy - 34.0, 6.0, 34.0, 4.0), |_, _| hex(0xb9bcc4), 1.0);
        canvas.fill(ellipse(cx - side * 16.0, cy, rx * 0.7, ry), |_, _| pad, 1.0);
        canvas.fill(
            ellipse(cx, cy, rx, ry * 0.95),
            |x, y| mix(mix(body, WHITE, 0.4), mix(body, BLACK, 0.3), (x - cx + y - cy + 60.0) / 110.0),
            1.0,
        );
        canvas.fill(
            without(ellipse(cx, cy, rx * 0.7, ry * 0.66), ellipse(cx, cy, rx * 0.62, ry * 0.6)),
            |_, _| mix(body, WHITE, 0.7),
            1.0,
        );
        canvas.fill(ellipse(cx + side * 6.0, cy + ry * 0.75, 3.0, 3.0), |_, _| hex(0x3fd07a), 1.0);
    }
    write(canvas, "SONVARRA", 160.0, 76.0 + dy, 8.0, mix(body, WHITE, 0.85));
}

/// Two earbuds and their case.
pub(crate) fn buds(canvas: &mut Canvas, body: u32) {
    let body = hex(body);
    canvas.soft(ellipse(165.0, 268.0, 110.0, 12.0), BLACK, 0.6, 14.0);
    canvas.fill(
        rect(160.0, 214.0, 92.0, 52.0, 40.0),
        |x, y| mix(mix(body, WHITE, 0.5), mix(body, BLACK, 0.35), (x + y - 230.0) / 260.0),
        1.0,
    );
    canvas.fill(line(vec![(70.0, 200.0), (250.0, 200.0)], 1.5), |_, _| BLACK, 0.8);
    canvas.fill(ellipse(160.0, 222.0, 5.0, 5.0), |_, _| hex(0x3fd07a), 1.0);
    write(canvas, "SONVARRA", 160.0, 242.0, 9.0, BLACK);
    for (cx, turn) in [(104.0, -18.0), (216.0, 18.0)] {
        let stem = turned(rect(cx, 120.0, 11.0, 46.0, 11.0), cx, 110.0, turn);
        canvas.fill(stem, |_, y| mix(mix(body, WHITE, 0.5), mix(body, BLACK, 0.3), (y - 70.0) / 110.0), 1.0);
        canvas.fill(
            ellipse(cx, 82.0, 28.0, 25.0),
            |x, _| mix(mix(body, WHITE, 0.4), mix(body, BLACK, 0.4), (x - cx + 28.0) / 56.0),
            1.0,
        );
        canvas.fill(ellipse(cx + turn * 0.9, 74.0, 12.0, 15.0), |_, _| BLACK, 0.85);
    }
}

/// A leather bag with handles.
pub(crate) fn bag(canvas: &mut Canvas, leather: u32, small: bool) {
    let leather = hex(leather);
    let (top, inset) = if small { (158.0, 34.0) } else { (128.0, 0.0) };
    canvas.soft(ellipse(165.0, 284.0, 125.0 - inset, 12.0), BLACK, 0.7, 14.0);
    let lift = if small { 118.0 } else { 88.0 };
    for shift in [0.0, 10.0] {
        let arch =
            without(ellipse(160.0 + shift, top, 56.0, lift), ellipse(160.0 + shift, top, 48.0, lift - 9.0));
        canvas.fill(
            both(arch, rect(160.0, top - 90.0, 120.0, 95.0, 0.0)),
            |_, _| mix(leather, BLACK, 0.5 - shift / 40.0),
            1.0,
        );
    }
    let body = vec![(62.0 + inset, top), (258.0 - inset, top), (284.0 - inset, 280.0), (36.0 + inset, 280.0)];
    canvas.fill(
        polygon(body.clone()),
        |x, y| mix(mix(leather, WHITE, 0.25), mix(leather, BLACK, 0.4), (x + y - 180.0) / 330.0),
        1.0,
    );
    let flap = polygon(vec![
        (62.0 + inset, top),
        (258.0 - inset, top),
        (236.0 - inset, top + 46.0),
        (84.0 + inset, top + 46.0),
    ]);
    if small {
        canvas.fill(flap, |_, _| mix(leather, BLACK, 0.45), 1.0);
        canvas.fill(rect(160.0, top + 44.0, 14.0, 10.0, 3.0), |_, _| hex(0xd8b24a), 1.0);
    }
    for i in 0..14_u8 {
        let x = 74.0 + inset + f32::from(i) * (172.0 - 2.0 * inset) / 13.0;
        canvas.fill(rect(x, 268.0, 4.0, 1.2, 1.0), |_, _| mix(leather, WHITE, 0.7), 1.0);
    }
    canvas.fill(rect(160.0, 220.0, 52.0, 15.0, 2.0), |_, _| hex(0xd8b24a), 1.0);
    write(canvas, "ORVALTO", 160.0, 220.0, 13.0, hex(0x3b2b12));
}

/// The picture a marketplace shows where there is none.
pub(crate) fn placeholder() -> Canvas {
    let mut canvas = Canvas::new(hex(0xe4e6ea));
    canvas.fill(rect(160.0, 138.0, 78.0, 56.0, 10.0), |_, _| hex(0xa4a9b3), 1.0);
    canvas.fill(rect(128.0, 80.0, 24.0, 12.0, 4.0), |_, _| hex(0xa4a9b3), 1.0);
    canvas.fill(ellipse(160.0, 138.0, 36.0, 36.0), |_, _| hex(0xe4e6ea), 1.0);
    canvas.fill(ellipse(160.0, 138.0, 24.0, 24.0), |_, _| hex(0xa4a9b3), 1.0);
    canvas.fill(line(vec![(66.0, 216.0), (254.0, 60.0)], 7.0), |_, _| hex(0x6f7580), 1.0);
    write(&mut canvas, "NO PHOTO YET", 160.0, 250.0, 24.0, hex(0x6f7580));
    canvas
}
