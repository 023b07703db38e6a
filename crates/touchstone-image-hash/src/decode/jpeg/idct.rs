//! The inverse DCT, to the last bit as libjpeg's "accurate integer" method (`jidctint.c`), which most programs decode with.
//!
//! The method is that of C. Loeffler, A. Ligtenberg and G. Moschytz, "Practical Fast 1-D DCT Algorithms with 11 Multiplications",
//! ICASSP 1989, in 13-bit fixed point. What is rounded where decides the last bit of a sample.

/// 64 coefficients in rows, dequantised by `quantisers` of the same order, to 64 samples in rows.
pub(super) fn samples(coefficients: &[i16; 64], quantisers: &[u16; 64]) -> [u8; 64] {
    const BITS: u32 = 13;
    /// Bits of precision kept between the passes.
    const KEPT: u32 = 2;
    let mut values = [0i32; 64];
    if coefficients[1..].iter().all(|&c| c == 0) {
        let mean = i32::from(coefficients[0]).wrapping_mul(quantisers[0].into()) << KEPT;
        return [to_sample(mean, KEPT + 3); 64];
    }
    for ((value, &coefficient), &quantiser) in values.iter_mut().zip(coefficients).zip(quantisers) {
        *value = i32::from(coefficient).wrapping_mul(quantiser.into());
    }
    for column in 0..8 {
        let line = one_dimension(std::array::from_fn(|row| values[row * 8 + column]));
        for (row, value) in line.into_iter().enumerate() {
            values[row * 8 + column] = descale(value, BITS - KEPT);
        }
    }
    let mut samples = [0; 64];
    for (row, out) in values.as_chunks::<8>().0.iter().zip(samples.as_chunks_mut::<8>().0) {
        *out = one_dimension(*row).map(|value| to_sample(value, BITS + KEPT + 3));
    }
    samples
}

fn descale(value: i32, bits: u32) -> i32 {
    value.wrapping_add(1 << (bits - 1)) >> bits
}

fn to_sample(value: i32, bits: u32) -> u8 {
    descale(value, bits).saturating_add(128).clamp(0, 255) as u8
}

/// Eight values, scaled by `2^13`. Broken files can make it wrap around, sound ones cannot.
fn one_dimension(from: [i32; 8]) -> [i32; 8] {
    let add = i32::wrapping_add;
    let sub = i32::wrapping_sub;
    let mul = i32::wrapping_mul;

    let shared = mul(add(from[2], from[6]), 4433);
    let even2 = add(shared, mul(from[6], -15137));
    let even3 = add(shared, mul(from[2], 6270));
    let even0 = add(from[0], from[4]) << 13;
    let even1 = sub(from[0], from[4]) << 13;
    let even = [add(even0, even3), add(even1, even2), sub(even1, even2), sub(even0, even3)];

    let (z3, z4) = (add(from[7], from[3]), add(from[5], from[1]));
    let z5 = mul(add(z3, z4), 9633);
    let z1 = mul(add(from[7], from[1]), -7373);
    let z2 = mul(add(from[5], from[3]), -20995);
    let z3 = add(mul(z3, -16069), z5);
    let z4 = add(mul(z4, -3196), z5);
    let odd = [
        add(mul(from[1], 12299), add(z1, z4)),
        add(mul(from[3], 25172), add(z2, z3)),
        add(mul(from[5], 16819), add(z2, z4)),
        add(mul(from[7], 2446), add(z1, z3)),
    ];
    std::array::from_fn(|i| if i < 4 { add(even[i], odd[i]) } else { sub(even[7 - i], odd[7 - i]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_those_of_the_definition_within_one() {
        let mut random = 7u32;
        for _ in 0..200 {
            let coefficients: [i16; 64] = std::array::from_fn(|i| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((random >> 16) as i16 % 64) / (1 + i as i16 / 4)
            });
            let found = samples(&coefficients, &[3; 64]);
            for (i, &sample) in found.iter().enumerate() {
                let mut sum = 0.0;
                for (k, &coefficient) in coefficients.iter().enumerate() {
                    let basis = |position: usize, frequency: usize| {
                        let scale = if frequency == 0 { 0.5f64.sqrt() } else { 1.0 };
                        let angle =
                            (2 * position + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0;
                        scale * angle.cos() / 2.0
                    };
                    sum += 3.0 * f64::from(coefficient) * basis(i / 8, k / 8) * basis(i % 8, k % 8);
                }
                let expected = (sum + 128.0).clamp(0.0, 255.0);
                assert!((f64::from(sample) - expected).abs() <= 1.0, "{sample} for {expected}");
            }
        }
    }

    #[test]
    fn a_mean_alone_is_what_the_general_case_gives() {
        for mean in [-1024, -513, -4, -3, 0, 3, 4, 5, 1023] {
            let mut coefficients = [0; 64];
            coefficients[0] = mean;
            let [alone, ..] = samples(&coefficients, &[1; 64]);
            let line = one_dimension([mean.into(), 0, 0, 0, 0, 0, 0, 0]).map(|value| descale(value, 11));
            let general = to_sample(one_dimension([line[0], 0, 0, 0, 0, 0, 0, 0])[0], 18);
            assert_eq!(alone, general, "{mean}");
        }
    }

    #[test]
    fn no_coefficients_make_it_panic() {
        samples(&[i16::MIN; 64], &[u16::MAX; 64]);
        samples(&[i16::MAX; 64], &[u16::MAX; 64]);
    }
}
