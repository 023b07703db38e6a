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
const BUSY: f32 = 0.08;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use crate::plane::Planes;

    const SIDE: u32 = 100;

    /// White within the middle half, and `around` it stripes or white.
    fn canvas(stripes: bool) -> Canvas {
        let value = |x: u32, y: u32| {
            let inside = (25..75).contains(&x) && (25..75).contains(&y);
            if stripes && !inside && (x / 3 + y / 3).is_multiple_of(2) { 0 } else { 255 }
        };
        let grey = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| value(x, y))).collect();
        Canvas::of(&Planes::of(&Picture::from_grey(SIDE, SIDE, grey).unwrap()))
    }

    /// The place of a reference of `size` pixels a side, turned as the symmetry says and by some degrees more, about a point.
    fn pose(transform: Transform, degrees: f32, size: f32, middle: (f32, f32)) -> Pose {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        let [a, b, c, d] = matrix(transform).map(|v| v * size);
        let a = [cosine * a + sine * c, cosine * b + sine * d, cosine * c - sine * a, cosine * d - sine * b];
        Pose { a, b: [middle.0 - (a[0] + a[1]) / 2.0, middle.1 - (a[2] + a[3]) / 2.0] }
    }

    #[test]
    fn every_place_has_its_words() {
        let middle = (50.0, 50.0);
        let check = |pose: Pose, covered: f32, stripes: bool, expected: &str| {
            let (alteration, _) = read(&pose, covered, &canvas(stripes));
            assert_eq!(alteration.to_string(), expected);
        };
        for transform in SYMMETRIES {
            check(pose(transform, 0.0, 100.0, middle), 0.0, false, transform.as_str());
        }
        check(pose(Transform::None, 1.0, 100.5, middle), 0.0, false, "none");
        check(pose(Transform::None, 4.0, 100.0, middle), 0.0, false, "tilt");
        check(pose(Transform::None, 0.0, 125.0, middle), 0.0, false, "crop");
        check(pose(Transform::Mirror, 0.0, 125.0, (40.0, 50.0)), 0.0, false, "mirror+crop");
        check(pose(Transform::None, 0.0, 50.0, middle), 0.0, false, "border");
        check(pose(Transform::None, 0.0, 50.0, middle), 0.0, true, "collage");
        check(pose(Transform::None, 0.0, 100.0, middle), 0.1, false, "overlay");
        check(pose(Transform::Rotate90, -30.0, 60.0, middle), 0.1, false, "rotate90+tilt+border+overlay");
    }

    #[test]
    fn what_is_shown_and_where_it_lies_are_shares_of_the_sides() {
        let (_, overlay) = read(&pose(Transform::None, 0.0, 125.0, (50.0, 62.5)), 0.0, &canvas(false));
        assert_eq!(overlay.shown, [100, 0, 900, 800]);
        assert_eq!(overlay.corners, [[-125, 0], [1125, 0], [1125, 1250], [-125, 1250]]);
        let (_, mirrored) = read(&pose(Transform::Mirror, 0.0, 125.0, (37.5, 50.0)), 0.0, &canvas(false));
        assert_eq!(mirrored.shown, [0, 100, 800, 900]);
        assert_eq!(mirrored.corners[0], [1000, -125]);
    }
}
