//! A second try at photos in which nothing was found: turned by angles that upright windows do not bear.

use crate::align::Pose;
use crate::layout::Canvas;
use crate::plane::Plane;
use crate::windows::{Window, pyramid, windows};

/// Upright windows bear a turn by about half of the step; quarter turns come from their symmetries.
const DEGREES: [f32; 8] = [10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 40.0, -40.0];

/// Windows looked at for each angle.
const MAX_WINDOWS: usize = 80;

/// Windows of one scale keep this distance, in their own pixels.
const SPACING: f32 = 3.0;

/// The photo's canvas turned about its middle, with its windows.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) windows: Vec<Window>,
    cosine: f32,
    sine: f32,
    middle: (f32, f32),
}

impl Turned {
    /// What all angles take of memory at most.
    pub(crate) const MAX_BYTES: usize =
        DEGREES.len() * (size_of::<Self>() + MAX_WINDOWS * size_of::<Window>());

    /// The canvas at each angle. Windows need some room, so small canvases give none.
    pub(crate) fn all(canvas: &Canvas) -> Vec<Self> {
        DEGREES.into_iter().map(|degrees| Self::by(canvas, degrees)).collect()
    }

    fn by(canvas: &Canvas, degrees: f32) -> Self {
        let angle = f64::from(degrees).to_radians();
        let (cosine, sine) = (libm::cos(angle) as f32, libm::sin(angle) as f32);
        let (width, height) = (canvas.width(), canvas.height());
        let middle = (width as f32 / 2.0, height as f32 / 2.0);
        let mut turned = Self { windows: Vec::new(), cosine, sine, middle };
        let level = canvas.level(1.0, 1.0);
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let (u, v) = turned.back(x as f32 + 0.5, y as f32 + 0.5);
                values.push(level.at(u, v));
            }
        }
        turned.windows = windows(&pyramid(&Plane { width, height, values }), MAX_WINDOWS, SPACING);
        turned
    }

    /// Where a point of the turned canvas lies in the canvas.
    fn back(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = (x - self.middle.0, y - self.middle.1);
        (self.cosine * x - self.sine * y + self.middle.0, self.sine * x + self.cosine * y + self.middle.1)
    }

    /// A place in the turned canvas as a place in the canvas.
    pub(crate) fn turned_back(&self, pose: &Pose) -> Pose {
        let Self { cosine: c, sine: s, .. } = *self;
        let [a, b, d, e] = pose.a;
        let origin = self.back(pose.b[0], pose.b[1]);
        Pose { a: [c * a - s * d, c * b - s * e, s * a + c * d, s * b + c * e], b: [origin.0, origin.1] }
    }
}
