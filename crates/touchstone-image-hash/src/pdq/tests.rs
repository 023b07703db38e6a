use super::*;

/// An invented picture that has structure at every size: curved bands in each channel, and a fine grain.
fn bands(width: u32, height: u32) -> Picture {
    let mut rgb = Vec::new();
    for y in 0..u64::from(height) {
        for x in 0..u64::from(width) {
            for c in 0..3 {
                let (u, v) = (x * 1024 / u64::from(width), y * 1024 / u64::from(height));
                let bands = u * u / 97 + v * v / 61 + u * v / (150 + 40 * c) + 31 * c;
                rgb.push((bands + (x * 7 + y * 13 + c * 5) % 11) as u8);
            }
        }
    }
    Picture::from_rgb(width, height, rgb).unwrap()
}

/// A picture of a few soft blots, such as a photo has: most of its power is in low frequencies.
fn blots(width: u32, height: u32) -> Picture {
    let blots =
        [(20, 30, 90, 25), (70, 20, 200, 18), (45, 75, 140, 30), (85, 85, 255, 12), (10, 90, 170, 15)];
    let mut grey = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f64::from(x) * 100.0 / f64::from(width), f64::from(y) * 100.0 / f64::from(height));
            let value: f64 = blots
                .iter()
                .map(|&(cx, cy, height, radius)| {
                    let (dx, dy) = (u - f64::from(cx), v - f64::from(cy));
                    let (height, radius) = (f64::from(height), f64::from(radius));
                    (height * (1.0 - (dx * dx + dy * dy) / (radius * radius))).max(0.0)
                })
                .sum();
            grey.push(value.min(255.0) as u8);
        }
    }
    Picture::from_grey(width, height, grey).unwrap()
}

/// The picture whose pixel at row `y`, column `x` is the old one at `from(x, y)`.
fn moved(picture: &Picture, width: u32, height: u32, from: impl Fn(u32, u32) -> (u32, u32)) -> Picture {
    let crate::picture::Pixels::Grey(grey) = picture.pixels() else { panic!("a grey picture") };
    let mut moved = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (old_x, old_y) = from(x, y);
            moved.push(grey[(old_y * picture.width() + old_x) as usize]);
        }
    }
    Picture::from_grey(width, height, moved).unwrap()
}

/// The transform as its name is defined, pixel by pixel.
fn really(transform: Transform, p: &Picture) -> Picture {
    let (w, h) = (p.width(), p.height());
    match transform {
        Transform::None => p.clone(),
        Transform::Mirror => moved(p, w, h, |x, y| (w - 1 - x, y)),
        Transform::Flip => moved(p, w, h, |x, y| (x, h - 1 - y)),
        // Counter-clockwise: the right edge becomes the top.
        Transform::Rotate90 => moved(p, h, w, |x, y| (w - 1 - y, x)),
        Transform::Rotate180 => moved(p, w, h, |x, y| (w - 1 - x, h - 1 - y)),
        // Clockwise: the left edge becomes the top.
        Transform::Rotate270 => moved(p, h, w, |x, y| (y, h - 1 - x)),
        Transform::Transpose => moved(p, h, w, |x, y| (y, x)),
        Transform::Transverse => moved(p, h, w, |x, y| (w - 1 - y, h - 1 - x)),
    }
}

/// The filter written as its definition, one line after the other: the oracle of the one that works on many at once.
fn reduce_plainly(luma: &Luma) -> Samples {
    fn box_line(line: &[f32]) -> Vec<f32> {
        let width = line.len().div_ceil(2 * SIDE);
        let (ahead, behind) = (width / 2, width - width / 2);
        let (mut sum, mut held) = (0.0, 0);
        for &value in &line[..ahead] {
            sum += value;
            held += 1;
        }
        let mut means = Vec::new();
        for position in 0..line.len() {
            if let Some(&value) = line.get(position + ahead) {
                sum += value;
                held += 1;
            }
            if position >= behind {
                sum -= line[position - behind];
                held -= 1;
            }
            means.push(sum / held as f32);
        }
        means
    }
    fn turned(lines: &[Vec<f32>]) -> Vec<Vec<f32>> {
        (0..lines[0].len()).map(|x| lines.iter().map(|line| line[x]).collect()).collect()
    }
    let (height, width) = (luma.rows, luma.cols);
    let mut rows: Vec<Vec<f32>> = luma.values.chunks(width).map(<[f32]>::to_vec).collect();
    for _ in 0..2 {
        let across: Vec<_> = rows.iter().map(|row| box_line(row)).collect();
        let down: Vec<_> = turned(&across).iter().map(|column| box_line(column)).collect();
        rows = turned(&down);
    }
    let centre = |cell: usize, side: usize| ((cell as f64 + 0.5) * side as f64 / SIDE as f64) as usize;
    std::array::from_fn(|y| std::array::from_fn(|x| rows[centre(y, height)][centre(x, width)]))
}

/// Shrinking written as its definition: the mean of the pixels of each cell, colours first.
fn shrunk_plainly(picture: &Picture) -> Vec<f32> {
    use crate::picture::Pixels;
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let factor = |side: usize| side.div_ceil(512);
    let (rows, cols) = (height.div_ceil(factor(height)), width.div_ceil(factor(width)));
    let mut means = Vec::new();
    for row in 0..rows {
        for col in 0..cols {
            let (mut sums, mut count) = ([0u64; 3], 0);
            for y in row * height / rows..(row + 1) * height / rows {
                for x in col * width / cols..(col + 1) * width / cols {
                    count += 1;
                    match picture.pixels() {
                        Pixels::Grey(grey) => sums[0] += u64::from(grey[y * width + x]),
                        Pixels::Rgb(samples) | Pixels::LumaAndChroma(samples) => {
                            (0..3).for_each(|c| sums[c] += u64::from(samples[(y * width + x) * 3 + c]));
                        }
                    }
                }
            }
            let [a, b, c] = sums.map(|sum| sum as f32);
            let sum = match picture.pixels() {
                Pixels::Grey(_) | Pixels::LumaAndChroma(_) => a,
                Pixels::Rgb(_) => 0.299 * a + 0.587 * b + 0.114 * c,
            };
            means.push(sum / count as f32);
        }
    }
    means
}

#[test]
fn shrinking_equals_its_plain_form_to_the_last_bit() {
    // Cells of one to five columns, of unequal columns, and of more than 256 rows.
    for (width, height) in
        [(513, 20), (900, 12), (1200, 520), (1536, 3), (2048, 5), (2560, 7), (2000, 6), (3, 140_000)]
    {
        let coloured = bands(width, height);
        let crate::picture::Pixels::Rgb(rgb) = coloured.pixels() else { panic!("coloured") };
        let grey = rgb.iter().step_by(3).copied().collect();
        let grey = Picture::from_grey(width, height, grey).unwrap();
        let separated = Picture::from_luma_and_chroma(width, height, rgb.clone()).unwrap();
        for picture in [coloured, grey, separated] {
            assert!(luma::working_size(&picture).values == shrunk_plainly(&picture), "{width}x{height}");
        }
    }
}

#[test]
fn the_filter_equals_its_plain_form_to_the_last_bit() {
    for (width, height) in
        [(5, 5), (5, 700), (64, 65), (63, 64), (128, 129), (131, 77), (512, 300), (613, 520)]
    {
        let luma = || luma::full_size(&bands(width, height));
        let (fast, plain) = (jarosz::reduce(luma()), reduce_plainly(&luma()));
        let bits = |samples: Samples| samples.as_flattened().iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(fast), bits(plain), "{width}x{height}");
    }
}

/// Hashes that Meta's C++ code (through the Python package pdqhash 0.2.8) gives for the arrays of `bands`: the sides, the quality,
/// the hashes in the order of `Transform::ALL`.
const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn arrays_of_pixels_hash_to_the_last_bit_as_in_the_reference() {
    let mut n_lines = 0;
    for line in GOLDEN.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let side = |field: usize| fields[field].parse().unwrap();
        let pdq = Pdq::of_full_size(&bands(side(0), side(1)));
        assert_eq!(pdq.quality.get().to_string(), fields[2], "{line}");
        assert_eq!(pdq.dihedral.map(|hash| hash.to_string()).as_slice(), &fields[3..], "{line}");
        n_lines += 1;
    }
    assert_eq!(n_lines, 10);
}

#[test]
fn symmetries_stand_where_their_number_says() {
    assert_eq!(SYMMETRIES, Transform::ALL[..8]);
    assert_eq!(SYMMETRIES.map(|transform| transform as usize), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn each_symmetry_is_the_hash_of_the_picture_really_transformed() {
    let picture = blots(300, 203);
    let pdq = Pdq::of(&picture);
    assert!(pdq.quality >= Quality::new(50).unwrap(), "{:?}", pdq.quality);
    for (i, transform) in SYMMETRIES.into_iter().enumerate() {
        let transformed = Pdq::of(&really(transform, &picture)).hash();
        for (j, hash) in pdq.dihedral.iter().enumerate() {
            let distance = hash.distance(&transformed).bits();
            assert!(
                if i == j { distance <= 30 } else { distance >= 64 },
                "{transform:?} {i} {j}: {distance}"
            );
        }
    }
}

#[test]
fn large_pictures_hash_near_their_full_size_and_small_ones_equally() {
    for (width, height, at_most) in [(512, 400, 0), (513, 512, 10), (900, 1200, 10), (2000, 100, 10)] {
        let picture = blots(width, height);
        let (shrunk, full) = (Pdq::of(&picture), Pdq::of_full_size(&picture));
        let distance = shrunk.hash().distance(&full.hash()).bits();
        assert!(distance <= at_most, "{width}x{height}: {distance}");
    }
}

#[test]
fn grey_and_equal_red_green_and_blue_are_near_and_shrink_alike() {
    let grey = blots(640, 700);
    let crate::picture::Pixels::Grey(values) = grey.pixels() else { panic!("a grey picture") };
    let rgb = values.iter().flat_map(|&value| [value; 3]).collect();
    let coloured = Picture::from_rgb(640, 700, rgb).unwrap();
    assert!(Pdq::of(&grey).hash().distance(&Pdq::of(&coloured).hash()).bits() <= 4);
}

#[test]
fn a_blank_picture_has_no_quality_and_a_tiny_one_no_hash() {
    let blank = Picture::from_grey(100, 80, vec![200; 8000]).unwrap();
    assert_eq!(Pdq::of(&blank).quality.get(), 0);
    let zero = Hash256::from_words([0; 4]);
    assert_eq!(Pdq::of(&bands(4, 600)), Pdq { dihedral: [zero; 8], quality: Quality::new(0).unwrap() });
    assert_ne!(Pdq::of(&bands(5, 600)).hash(), zero);
}
