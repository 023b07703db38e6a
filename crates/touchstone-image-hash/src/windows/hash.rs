//! The hash of one window.

use std::sync::LazyLock;

use touchstone_types::Transform;

use crate::plane::Plane;

/// Pixels along a side of a window; odd, so that it has a middle.
pub(crate) const SIDE: usize = 17;

/// Frequencies looked at in each direction, 0 included.
const WAVES: usize = 16;

/// The signs of the 128 lowest frequencies of a window, the lowest in the least significant bit; the mean is left out.
pub(crate) type WindowHash = u128;

const BITS: usize = WindowHash::BITS as usize;

struct Tables {
    /// `basis[k][f]` is the cosine of frequency `f` at sample `k`.
    basis: [[f32; WAVES]; SIDE],
    /// Vertical and horizontal frequency of each bit. With every pair its reverse is among them.
    frequencies: [(usize, usize); BITS],
    /// The bits of odd horizontal frequencies, which a mirrored window has inverted.
    mirror: WindowHash,
    /// The bits of odd vertical frequencies, which a flipped window has inverted.
    flip: WindowHash,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let angle = std::f64::consts::PI / 2.0 / SIDE as f64;
    let basis = std::array::from_fn(|sample| {
        std::array::from_fn(|f| libm::cos(angle * f as f64 * (2 * sample + 1) as f64) as f32)
    });
    let frequencies = lowest_frequencies();
    let bits = |is_odd: fn(&(usize, usize)) -> bool| {
        let odd = frequencies.iter().enumerate().filter(|(_, frequency)| is_odd(frequency));
        odd.fold(0, |bits, (bit, _)| bits | 1 << bit)
    };
    let (mirror, flip) = (bits(|(_, across)| across % 2 == 1), bits(|(down, _)| down % 2 == 1));
    Tables { basis, frequencies, mirror, flip }
});

fn lowest_frequencies() -> [(usize, usize); BITS] {
    let mut pairs: Vec<(usize, usize)> =
        (0..WAVES).flat_map(|v| (v..WAVES).map(move |u| (v, u))).filter(|&pair| pair != (0, 0)).collect();
    pairs.sort_by_key(|&(v, u)| (v * v + u * u, v));
    let mut all =
        pairs.into_iter().flat_map(|(v, u)| [(v, u), (u, v)].into_iter().take(1 + usize::from(v != u)));
    std::array::from_fn(|_| all.next().expect("there are 255 frequencies"))
}

/// The hashes of the window around pixel (x, y): as it stands, and transposed.
pub(super) fn upright(level: &Plane, x: usize, y: usize) -> [WindowHash; 2] {
    let Tables { basis, frequencies, .. } = &*TABLES;
    let mut vertical = [[0.0_f32; SIDE]; WAVES];
    for (v, weights) in basis.iter().enumerate() {
        let row = &level.row(y + v - SIDE / 2)[x - SIDE / 2..][..SIDE];
        for (sums, weight) in vertical.iter_mut().zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
    }
    let mut coefficients = [[0.0_f32; WAVES]; WAVES];
    for (sums, values) in coefficients.iter_mut().zip(&vertical) {
        for (value, weights) in values.iter().zip(basis) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
    let mut hashes = [0; 2];
    for (bit, &(v, u)) in frequencies.iter().enumerate() {
        hashes[0] |= WindowHash::from(coefficients[v][u] > 0.0) << bit;
        hashes[1] |= WindowHash::from(coefficients[u][v] > 0.0) << bit;
    }
    hashes
}

/// The hash that the window would have after `transform` was done to it; as for whole pictures (see `pdq`).
pub(super) fn transformed([plain, transposed]: [WindowHash; 2], transform: Transform) -> WindowHash {
    let Tables { mirror, flip, .. } = *TABLES;
    match transform {
        Transform::None => plain,
        Transform::Mirror => plain ^ mirror,
        Transform::Flip => plain ^ flip,
        Transform::Rotate90 => transposed ^ flip,
        Transform::Rotate180 => plain ^ mirror ^ flip,
        Transform::Rotate270 => transposed ^ mirror,
        Transform::Transpose => transposed,
        Transform::Transverse => transposed ^ mirror ^ flip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plane of noise with soft structure, seeded.
    fn plane(value: impl Fn(usize, usize) -> f32) -> Plane {
        let values = (0..SIDE * SIDE).map(|k| value(k % SIDE, k / SIDE)).collect();
        Plane { width: SIDE, height: SIDE, values }
    }

    fn picture(x: usize, y: usize) -> f32 {
        let grain = (x as u32).wrapping_mul(2_654_435_761) ^ (y as u32).wrapping_mul(40_503_001);
        (grain >> 9) as f32 % 97.0 + 3.0 * x as f32
    }

    #[test]
    fn a_turned_window_has_the_hash_that_its_twin_tells() {
        let middle = SIDE / 2;
        let hashes = upright(&plane(picture), middle, middle);
        let last = SIDE - 1;
        type From = fn(usize, usize, usize) -> (usize, usize);
        let cases: [(Transform, From); 8] = [
            (Transform::None, |x, y, _| (x, y)),
            (Transform::Mirror, |x, y, last| (last - x, y)),
            (Transform::Flip, |x, y, last| (x, last - y)),
            // Counter-clockwise: the right column becomes the top row.
            (Transform::Rotate90, |x, y, last| (last - y, x)),
            (Transform::Rotate180, |x, y, last| (last - x, last - y)),
            (Transform::Rotate270, |x, y, last| (y, last - x)),
            (Transform::Transpose, |x, y, _| (y, x)),
            (Transform::Transverse, |x, y, last| (last - y, last - x)),
        ];
        for (transform, from) in cases {
            let turned = plane(|x, y| {
                let (x, y) = from(x, y, last);
                picture(x, y)
            });
            let expected = upright(&turned, middle, middle)[0];
            let distance = (transformed(hashes, transform) ^ expected).count_ones();
            assert!(distance <= 2, "{transform:?}: {distance} bits, more than rounding explains");
        }
    }

    #[test]
    fn frequencies_are_closed_under_exchange_and_differ() {
        let all = lowest_frequencies();
        let set: std::collections::BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(set.len(), BITS);
        assert!(all.iter().all(|&(v, u)| set.contains(&(u, v))), "{all:?}");
    }
}
