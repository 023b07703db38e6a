//! What was done to a reference to get a photo, read off the place where it lies.

use touchstone_types::{Alteration, Overlay, Transform};

use crate::align::Pose;
use crate::layout::Canvas;
use crate::pdq::SYMMETRIES;
use crate::windows::matrix;

/// A turn by less than this many degrees is not worth telling.
const MIN_TILT: f32 = 2.0;

/// A copy may lose this share of the reference, or add it around, by rounding alone.
const ROUNDING: f32 = 0.025;

/// What a picture turned within its frame loses and gains at the corners, as a share of its area for each unit of the sine.
const TILTED_CORNERS: f32 = 0.6;

/// From this share of covered cells on something was laid over the picture.
const COVERED: f32 = 0.02;

/// Ground around the reference of which this share of pixels stands on an edge shows another picture.
const BUSY: f32 = 0.05;

/// An edge: the differences to the pixels at the right and below together, grey values.
const EDGE: f32 = 32.0;

/// What was done to the reference, and where it lies.
pub(crate) fn read(pose: &Pose, covered: f32, canvas: &Canvas) -> (Alteration, Overlay) {
    let (turned, sine) = turn(pose);
    let (width, height) = (canvas.width() as f32, canvas.height() as f32);
    let visible = visible(pose, width, height);
    let visible_share = area(&visible);
    let covered_by_reference = visible_share * pose.determinant().abs() / (width * height);
    let corners_lost = ROUNDING + TILTED_CORNERS * sine;
    let around = 1.0 - covered_by_reference > corners_lost;
    let is_busy = around && busy_share(pose, canvas) > BUSY;
    let alteration = Alteration {
        turned,
        tilt: sine > libm::sinf(MIN_TILT.to_radians()),
        crop: 1.0 - visible_share > corners_lost,
        border: around && !is_busy,
        overlay: covered > COVERED,
        collage: is_busy,
    };
    (alteration, overlay(pose, &visible, width, height))
}

/// The nearest symmetry, and the sine of the angle that is left.
fn turn(pose: &Pose) -> (Transform, f32) {
    let (across, down) = pose.sides();
    let [a, b, c, d] = pose.a;
    let unit = [a / across, b / down, c / across, d / down];
    let likeness =
        |transform: Transform| matrix(transform).iter().zip(unit).map(|(m, u)| m * u).sum::<f32>() / 2.0;
    let mut best = (Transform::None, -1.0);
    for transform in SYMMETRIES {
        let cosine = likeness(transform);
        if cosine > best.1 {
            best = (transform, cosine);
        }
    }
    (best.0, (1.0 - best.1 * best.1).max(0.0).sqrt())
}

type Point = (f32, f32);

/// The part of the reference (in shares of its sides) that lies inside the photo: a convex polygon.
fn visible(pose: &Pose, width: f32, height: f32) -> Vec<Point> {
    let determinant = pose.determinant();
    let [a, b, c, d] = pose.a;
    let back = |(x, y): Point| {
        let (x, y) = (x - pose.b[0], y - pose.b[1]);
        ((d * x - b * y) / determinant, (a * y - c * x) / determinant)
    };
    let mut polygon: Vec<Point> =
        [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].into_iter().map(back).collect();
    // One side of the unit square after the other (I. Sutherland and G. Hodgman, 1974): how far inside of it a point is.
    let sides: [fn(Point) -> f32; 4] = [|p| p.0, |p| 1.0 - p.0, |p| p.1, |p| 1.0 - p.1];
    for inside in sides {
        let mut kept = Vec::new();
        for (k, &to) in polygon.iter().enumerate() {
            let from = polygon[(k + polygon.len() - 1) % polygon.len()];
            let (before, after) = (inside(from), inside(to));
            if (before < 0.0) != (after < 0.0) {
                let share = before / (before - after);
                kept.push((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)));
            }
            if after >= 0.0 {
                kept.push(to);
            }
        }
        polygon = kept;
    }
    polygon
}

fn area(polygon: &[Point]) -> f32 {
    let next = |k: usize| polygon[(k + 1) % polygon.len()];
    let doubled: f32 = polygon.iter().enumerate().map(|(k, p)| p.0 * next(k).1 - p.1 * next(k).0).sum();
    doubled.abs() / 2.0
}

fn overlay(pose: &Pose, visible: &[Point], width: f32, height: f32) -> Overlay {
    let extreme = |value: fn(&Point) -> f32, pick: fn(f32, f32) -> f32| {
        let found = visible.iter().map(value).reduce(pick).unwrap_or(0.0);
        (found.clamp(0.0, 1.0) * 1000.0 + 0.5) as u16
    };
    let thousandths = |value: f32| libm::roundf(value.clamp(-900.0, 900.0) * 1000.0) as i32;
    let corner = |(x, y): Point| {
        let (x, y) = pose.apply(x, y);
        [thousandths(x / width), thousandths(y / height)]
    };
    Overlay {
        shown: [
            extreme(|p| p.0, f32::min),
            extreme(|p| p.1, f32::min),
            extreme(|p| p.0, f32::max),
            extreme(|p| p.1, f32::max),
        ],
        corners: [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)].map(corner),
    }
}

/// Of the photo around the reference, the share of pixels that stand on an edge.
fn busy_share(pose: &Pose, canvas: &Canvas) -> f32 {
    /// The rim of the reference is an edge of its own.
    const MARGIN: f32 = 0.03;
    let determinant = pose.determinant();
    let [a, b, c, d] = pose.a;
    let is_around = |x: usize, y: usize| {
        let (x, y) = (x as f32 + 0.5 - pose.b[0], y as f32 + 0.5 - pose.b[1]);
        let (u, v) = ((d * x - b * y) / determinant, (a * y - c * x) / determinant);
        let within = -MARGIN..=1.0 + MARGIN;
        !(within.contains(&u) && within.contains(&v))
    };
    let (mut n, mut n_edges) = (0_u32, 0_u32);
    for y in 0..canvas.height() - 1 {
        for x in 0..canvas.width() - 1 {
            if is_around(x, y) {
                let here = canvas.pixel(x, y);
                let edge = (canvas.pixel(x + 1, y) - here).abs() + (canvas.pixel(x, y + 1) - here).abs();
                n += 1;
                n_edges += u32::from(edge > EDGE);
            }
        }
    }
    n_edges as f32 / n.max(1) as f32
}
