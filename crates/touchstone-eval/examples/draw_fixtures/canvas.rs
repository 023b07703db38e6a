//! A small painter: shapes are signed distances, so that edges come out smooth without a drawing library.

use image::RgbImage;

/// Side of a finished picture in points; one point is [`SCALE`] pixels while painting.
pub(crate) const SIDE: f32 = 320.0;
const SCALE: usize = 2;
const PIXELS: usize = SIDE as usize * SCALE;

/// Red, green and blue, 0 to 1.
pub(crate) type Colour = [f32; 3];

/// A square picture being painted.
pub(crate) struct Canvas {
    pixels: Vec<Colour>,
}

impl Canvas {
    /// A canvas of one colour.
    pub(crate) fn new(colour: Colour) -> Self {
        Self { pixels: vec![colour; PIXELS * PIXELS] }
    }

    /// Paints wherever `distance` (in points, negative inside) is below zero, with an edge of one pixel.
    pub(crate) fn fill(
        &mut self,
        distance: impl Fn(f32, f32) -> f32,
        paint: impl Fn(f32, f32) -> Colour,
        alpha: f32,
    ) {
        self.blend(|x, y| ((0.5 - distance(x, y) * SCALE as f32).clamp(0.0, 1.0)) * alpha, paint);
    }

    /// Paints a blot that fades out over `blur` points around the shape: shadows and gleams.
    pub(crate) fn soft(&mut self, distance: impl Fn(f32, f32) -> f32, colour: Colour, alpha: f32, blur: f32) {
        let fade = |x: f32, y: f32| {
            let t = (0.5 - distance(x, y) / (2.0 * blur)).clamp(0.0, 1.0);
            t * t * (3.0 - 2.0 * t) * alpha
        };
        self.blend(fade, |_, _| colour);
    }

    fn blend(&mut self, alpha: impl Fn(f32, f32) -> f32, paint: impl Fn(f32, f32) -> Colour) {
        for (idx, pixel) in self.pixels.iter_mut().enumerate() {
            let x = ((idx % PIXELS) as f32 + 0.5) / SCALE as f32;
            let y = ((idx / PIXELS) as f32 + 0.5) / SCALE as f32;
            let alpha = alpha(x, y);
            if alpha > 0.0 {
                *pixel = mix(*pixel, paint(x, y), alpha);
            }
        }
    }

    /// The picture at its finished size: each pixel is the mean of a square of painted ones.
    pub(crate) fn finish(&self) -> RgbImage {
        let side = SIDE as u32;
        RgbImage::from_fn(side, side, |x, y| {
            let mut sum = [0.0_f32; 3];
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let at = (y as usize * SCALE + dy) * PIXELS + x as usize * SCALE + dx;
                sum = std::array::from_fn(|channel| sum[channel] + self.pixels[at][channel]);
            }
            image::Rgb(sum.map(|total| (total / 4.0 * 255.0 + 0.5).clamp(0.0, 255.0) as u8))
        })
    }
}

/// `t` = 0 gives `from`, `t` = 1 gives `to`.
pub(crate) fn mix(from: Colour, to: Colour, t: f32) -> Colour {
    let t = t.clamp(0.0, 1.0);
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * t)
}

/// The colour `0xRRGGBB`.
pub(crate) fn hex(code: u32) -> Colour {
    [16, 8, 0].map(|shift| ((code >> shift) & 0xff) as f32 / 255.0)
}

/// A rectangle around (`cx`, `cy`) with half sides `hw`, `hh` and corners of radius `r`.
pub(crate) fn rect(cx: f32, cy: f32, hw: f32, hh: f32, r: f32) -> impl Fn(f32, f32) -> f32 + Copy {
    move |x, y| {
        let (qx, qy) = ((x - cx).abs() - hw + r, (y - cy).abs() - hh + r);
        length(qx.max(0.0), qy.max(0.0)) + qx.max(qy).min(0.0) - r
    }
}

/// An ellipse around (`cx`, `cy`) with half axes `rx`, `ry`.
pub(crate) fn ellipse(cx: f32, cy: f32, rx: f32, ry: f32) -> impl Fn(f32, f32) -> f32 + Copy {
    move |x, y| {
        let (dx, dy) = ((x - cx) / rx, (y - cy) / ry);
        let slope = length(dx / rx, dy / ry).max(1e-6);
        let d = length(dx, dy);
        d * (d - 1.0) / slope
    }
}

/// A line through `points`, `half` points thick to either side.
pub(crate) fn line(points: Vec<(f32, f32)>, half: f32) -> impl Fn(f32, f32) -> f32 {
    move |x, y| {
        points.windows(2).map(|ends| to_segment(x, y, ends[0], ends[1])).fold(f32::MAX, f32::min) - half
    }
}

/// The area inside a closed line through `points`.
pub(crate) fn polygon(points: Vec<(f32, f32)>) -> impl Fn(f32, f32) -> f32 {
    move |x, y| {
        let (mut inside, mut nearest) = (false, f32::MAX);
        for (i, &a) in points.iter().enumerate() {
            let b = points[(i + 1) % points.len()];
            nearest = nearest.min(to_segment(x, y, a, b));
            if (a.1 > y) != (b.1 > y) && x < (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0 {
                inside = !inside;
            }
        }
        if inside { -nearest } else { nearest }
    }
}

/// More points along a smooth closed curve through `points` (Catmull and Rom 1974).
pub(crate) fn smooth(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    const STEPS: usize = 6;
    let n = points.len();
    let mut out = Vec::with_capacity(n * STEPS);
    for i in 0..n {
        let [a, b, c, d] = [(i + n - 1) % n, i, (i + 1) % n, (i + 2) % n].map(|at| points[at]);
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            let curve = |a: f32, b: f32, c: f32, d: f32| {
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
            };
            out.push((curve(a.0, b.0, c.0, d.0), curve(a.1, b.1, c.1, d.1)));
        }
    }
    out
}

/// The same shape turned by `degrees` clockwise around (`cx`, `cy`).
pub(crate) fn turned<S: Fn(f32, f32) -> f32>(
    shape: S,
    cx: f32,
    cy: f32,
    degrees: f32,
) -> impl Fn(f32, f32) -> f32 {
    let radians = degrees.to_radians();
    let (sin, cos) = (libm::sinf(radians), libm::cosf(radians));
    move |x, y| {
        let (dx, dy) = (x - cx, y - cy);
        shape(cx + dx * cos + dy * sin, cy - dx * sin + dy * cos)
    }
}

/// Inside both shapes.
pub(crate) fn both(a: impl Fn(f32, f32) -> f32, b: impl Fn(f32, f32) -> f32) -> impl Fn(f32, f32) -> f32 {
    move |x, y| a(x, y).max(b(x, y))
}

/// Inside the first shape and outside of the second.
pub(crate) fn without(a: impl Fn(f32, f32) -> f32, b: impl Fn(f32, f32) -> f32) -> impl Fn(f32, f32) -> f32 {
    move |x, y| a(x, y).max(-b(x, y))
}

fn to_segment(x: f32, y: f32, a: (f32, f32), b: (f32, f32)) -> f32 {
    let (px, py, bx, by) = (x - a.0, y - a.1, b.0 - a.0, b.1 - a.1);
    let t = ((px * bx + py * by) / (bx * bx + by * by).max(1e-9)).clamp(0.0, 1.0);
    length(px - bx * t, py - by * t)
}

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}
